"""Example parameters, drawn from what their annotations allow (imports hypothesis)."""

from __future__ import annotations

import dataclasses
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Meta

from studyrun.errors import UsageError

__all__ = ["params_of"]

REACH = 4
"""How far from 0, or from the only bound, numbers are drawn where nothing bounds them."""


def params_of(cls: type) -> SearchStrategy[Any]:
    """Instances of a parameter class within the bounds of its fields.

    Booleans, numbers and literals vary; any other field keeps its default.

    Raises:
        UsageError: a required field is of another type, so the caller must say what to try.
    """
    hints = get_type_hints(cls, include_extras=True)
    fields = {
        field.name: _field(cls, field, hints[field.name]) for field in dataclasses.fields(cls)
    }
    return st.builds(cls, **{name: found for name, found in fields.items() if found is not None})


def _field(cls: type, field: dataclasses.Field[Any], hint: Any) -> SearchStrategy[Any] | None:
    found = _values(hint)
    if found is not None:
        return found
    optional = dataclasses.MISSING not in (field.default, field.default_factory)
    if not optional and field.default is field.default_factory:
        raise UsageError(
            f"no examples are known for the parameter {cls.__name__}.{field.name}; "
            "give some: laws_of(name, params=[...])"
        )
    return None


def _values(hint: Any) -> SearchStrategy[Any] | None:
    origin = get_origin(hint)
    if hint is bool:
        return st.booleans()
    if origin is Literal:
        return st.sampled_from(get_args(hint))
    if origin in (Union, UnionType):
        parts = [found for part in get_args(hint) if (found := _values(part)) is not None]
        return st.one_of(parts) if parts else None
    if origin is Annotated:
        base, *metas = get_args(hint)
        return _numbers(base, [meta for meta in metas if isinstance(meta, Meta)])
    return _numbers(hint, [])


def _numbers(base: Any, metas: list[Meta]) -> SearchStrategy[Any] | None:
    if base not in (int, float):
        return None
    low = _bound(metas, "ge", "gt")
    high = _bound(metas, "le", "lt")
    if low is None:
        low = -REACH if high is None else high - 2 * REACH
    if high is None:
        high = low + 2 * REACH
    strategy: SearchStrategy[Any]
    if base is int:
        strategy = st.integers(int(low), int(high))
    else:
        strategy = st.floats(low, high, allow_nan=False)
    return strategy.filter(lambda value: _allowed(value, metas))


def _bound(metas: list[Meta], *names: str) -> float | None:
    found = [getattr(meta, name) for meta in metas for name in names]
    return next((bound for bound in found if bound is not None), None)


def _allowed(value: float, metas: list[Meta]) -> bool:
    """Whether the strict bounds hold; the others already do."""
    return all(
        (meta.gt is None or value > meta.gt) and (meta.lt is None or value < meta.lt)
        for meta in metas
    )
