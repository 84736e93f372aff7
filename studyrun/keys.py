"""Content keys: what an artifact depends on, and nothing else.

A *recipe* is the plain JSON record of everything that can change an artifact's bytes. Its key is
the sha256 of its canonical JSON. Not in a recipe: the device, the batch size, the number of
threads, any path, and the step's own name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["ABSENT", "KEY_FORMAT", "Recipe", "canonical_json", "changes", "digest", "key_of"]

KEY_FORMAT = 1
"""Raised when the meaning of a recipe changes; it is part of every key."""

ABSENT: Final = object()
"""Stands for a value that one of two records lacks."""

Recipe = Mapping[str, Any]
"""`format, kind, use, version, with, seed` and, where they apply, `inputs` (type -> key),
`earlier` ([step, key] pairs), `variants` (name -> type -> key), `model`, `dtype`, `outside` (a
digest) and `study`."""


def canonical_json(value: Any) -> bytes:
    """The one encoding of a JSON value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: a number is NaN or infinite.
        TypeError: a value is not JSON.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest(value: Any) -> str:
    """sha256, in hex, of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def key_of(recipe: Recipe) -> str:
    """The content key of a recipe: 64 hexadecimal digits."""
    return digest(recipe)


def changes(old: Any, new: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Every place where two JSON values differ, as (dotted path, old, new), `ABSENT` among them."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(name for name in new if name not in old)]
        found = []
        for name in names:
            where = f"{path}.{name}" if path else str(name)
            found += changes(old.get(name, ABSENT), new.get(name, ABSENT), where)
        return found
    same = old is new or (ABSENT not in (old, new) and canonical_json(old) == canonical_json(new))
    return [] if same else [(path, old, new)]
