"""Which site of the activations an SAE is of; light, so that `check` can ask too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studyrun import Fault, Position

__all__ = ["SITE", "Sites", "chosen_site", "site_faults", "stated_sites", "unsaid"]

SITE = ("layer", "position")
Sites = Mapping[str, Sequence[Any]]
"""The layers and the positions that activations hold, by `layer` and `position`."""
EXAMPLES = {"layer": 14, "position": 3}


def site_faults(
    layer: int | None,
    position: Position | None,
    layers: Sequence[int],
    positions: Sequence[Position],
) -> list[Fault]:
    """What is wrong with the choice of a site among those that were read; empty if it is one."""
    return [*_faults("layer", layer, layers), *_faults("position", position, positions)]


def stated_sites(params: Any) -> Sites | None:
    """The sites that a step's parameters name; None where they leave it to a file."""
    layers, positions = getattr(params, "layers", None), getattr(params, "positions", None)
    return {"layer": layers, "position": positions} if layers and positions else None


def chosen_site(
    said: Mapping[str, Any], told: Mapping[str, Any], held: Sites | None
) -> dict[str, Any]:
    """`layer` and `position` of a loaded SAE; None where nobody says.

    Args:
        said: by the study, which counts first.
        told: by the file.
        held: by the activations; counts last, and where there is one only.
    """
    site = {}
    for name in SITE:
        only = held[name][0] if held is not None and len(held[name]) == 1 else None
        said_by = (said.get(name), told.get(name), only)
        site[name] = next((each for each in said_by if each is not None), None)
    return site


def unsaid(site: Mapping[str, Any], hook: str) -> Iterator[Fault]:
    """What is missing of a site; `hook` is what the file says in place of a layer."""
    for name in SITE:
        if site[name] is None:
            place = f", but {hook!r}, which is no residual stream after a block" if hook else ""
            message = (
                f"the file names no {name}{place if name == 'layer' else ''}; "
                f"say which it is ({name}: {EXAMPLES[name]})"
            )
            yield Fault((), message)


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
