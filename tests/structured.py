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


def low_rank(n=7473, d_in=128, decay=0.3, seed=1):
    """A smooth function of two numbers and an operation, variances falling exponentially."""
    g = torch.Generator().manual_seed(seed)
    first, second = torch.rand(2, n, 1, generator=g)
    operation = one_hot(torch.randint(0, 4, (n,), generator=g), 4)
    waves = [wave(6.28 * k * first) for k in (1, 2, 5, 10) for wave in (torch.sin, torch.cos)]
    facts = torch.cat([first, second, *waves, operation, operation * first], dim=1)
    hidden = torch.tanh(0.5 * facts @ torch.randn(facts.shape[1], 256, generator=g))
    u, _, v = torch.linalg.svd(hidden @ torch.randn(256, d_in, generator=g), full_matrices=False)
    spread = torch.exp(-decay * torch.arange(d_in)) + 0.002
    return 10 * n**0.5 * (u * spread) @ v + 20 * torch.randn(d_in, generator=g)
