"""What can be wrong with an `extract` step before anything is computed; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import CheckScope, Fault, ModelFacts, Position
from studyrun_models.positions import fault_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun_extract.params import ExtractParams

__all__ = ["check"]


def check(params: ExtractParams, scope: CheckScope) -> Iterator[Fault]:
    """Layers and positions that are named twice, or that the model has not."""
    yield from _repeated("layers", params.layers)
    yield from _repeated("positions", params.positions)
    if scope.model is None:
        return
    yield from _layers(params.layers, scope.model)
    for index, position in enumerate(params.positions):
        yield from _position(index, position, scope.model)


def _repeated(field: str, values: list[int] | list[Position]) -> Iterator[Fault]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield Fault((field, index), f"{value!r} stands here twice")


def _layers(layers: list[int], model: ModelFacts) -> Iterator[Fault]:
    for index, layer in enumerate(layers):
        if not 0 <= layer < model.n_layers:
            yield Fault(
                ("layers", index),
                f"the model has no layer {layer}",
                tuple(map(str, range(model.n_layers))),
            )


def _position(index: int, position: Position, model: ModelFacts) -> Iterator[Fault]:
    if model.positions is None:
        message = fault_of(position)
        if message is not None:
            yield Fault(("positions", index), message)
    elif position not in model.positions:
        yield Fault(
            ("positions", index),
            f"the model has no position {position!r}",
            tuple(map(str, model.positions)),
        )
