"""Which site of the activations an SAE is trained on; light, so that `check` can ask too."""

from __future__ import annotations

from collections.abc import Sequence

from studyrun import Fault, Position

__all__ = ["site_faults"]


def site_faults(
    layer: int | None,
    position: Position | None,
    layers: Sequence[int],
    positions: Sequence[Position],
) -> list[Fault]:
    """What is wrong with the choice of a site among those that were read; empty if it is one."""
    return [*_faults("layer", layer, layers), *_faults("position", position, positions)]


def _faults(
    name: str, chosen: Position | None, known: Sequence[int] | Sequence[Position]
) -> list[Fault]:
    allowed = tuple(map(str, known))
    listed = ", ".join(allowed)
    if chosen is None and len(known) != 1:
        return [
            Fault((), f"the activations hold {name}s {listed}; say which ({name}: {allowed[0]})")
        ]
    if chosen is not None and chosen not in known:
        message = f"{name} {chosen!r} is not among those that were read: {listed}"
        return [Fault((name,), message, allowed)]
    return []
