"""Activations of known origin for small trainings, and what every training is given."""

import torch
from torch.nn.functional import normalize


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def quietly(items, total):
    items = list(items)
    assert len(items) == total
    return items


def planted(n=2000, d_in=16, directions=24, active=2, noise=0.02, seed=0):
    """Rows that are sums of few of some unit directions, off centre, and those directions."""
    chance = generator(seed)
    W = normalize(torch.randn(directions, d_in, generator=chance), dim=1)
    chosen = torch.rand(n, directions, generator=chance).topk(active, dim=1).indices
    sizes = torch.zeros(n, directions).scatter(
        1, chosen, 1 + torch.rand(n, active, generator=chance)
    )
    return 5 * (sizes @ W + noise * torch.randn(n, d_in, generator=chance)) + 7, W
