"""Activations with the structure that SAEs are for, of known origin."""

import torch
from torch.nn.functional import normalize, one_hot


def structured(n=7473, d_in=128, directions=600, topics=60, noise=0.05, seed=0):
    """Sums of about 14 of 600 directions that come in topics, frequencies falling as 1 / rank."""
    g = torch.Generator().manual_seed(seed)
    W = normalize(torch.randn(directions, d_in, generator=g), dim=1)
    frequency = 1 / torch.arange(1, directions + 1)
    frequency = 20 * frequency / frequency.sum()
    chosen = torch.rand(n, topics, generator=g).topk(6, dim=1).indices
    on = one_hot(chosen, topics).sum(1)[:, torch.randint(0, topics, (directions,), generator=g)]
    share = (frequency * (0.3 + 7 * on)).clamp(max=0.95)
    active = torch.rand(n, directions, generator=g) < share
    sizes = active * torch.exp(0.5 * torch.randn(n, directions, generator=g))
    centre = 2 * torch.randn(d_in, generator=g)
    return 3 * (sizes @ W + centre + noise * torch.randn(n, d_in, generator=g))
