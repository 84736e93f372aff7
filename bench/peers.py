"""What benchmarks that compare other libraries with studyrun have in common."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from typing import TypeVar

__all__ = ["LLAMA_1B", "installed", "ratio"]

LLAMA_1B = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128_256,
    "rope_theta": 500_000.0,
    "tie_word_embeddings": True,
}
"""The shape of Llama 3.2 1B, but for the number of its blocks, of which it has 16."""
Way = TypeVar("Way")


def installed(peers: Mapping[str, tuple[str, Way]]) -> dict[str, Way]:
    """Those that are, by name and version.

    Args:
        peers: name -> the distribution, and how to do the work by it.
    """
    found = {}
    for name, (distribution, way) in peers.items():
        with suppress(metadata.PackageNotFoundError):
            found[f"{name} {metadata.version(distribution)}"] = way
    return found


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(slow, fast, strict=True))
