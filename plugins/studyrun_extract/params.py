"""Parameters of `extract`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import NonNegativeInt, Position

__all__ = ["ExtractParams"]


@dataclass(frozen=True)
class ExtractParams:
    """Where to read the residual stream."""

    layers: Annotated[list[NonNegativeInt], Meta(min_length=1)]
    """Blocks after which to read, counted from 0."""
    positions: Annotated[list[Position], Meta(min_length=1)]
    """CODI: 0 for `<bot>`, 1..T for the thoughts. Other models: a token's index counted from 0,
    or from the end (-1 is the last), `last`, or `/regular expression/` for the last token of its
    last match in the prompt."""
    on_error: Literal["stop", "exclude"] = "stop"
    """A problem that the model cannot take stops the step, or is listed by id in the table
    `excluded` and left out everywhere."""
