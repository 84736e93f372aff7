"""Parameters of `extract` and `load-activations`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import FilePath, Fraction, NonNegativeInt, Position

__all__ = ["ExtractParams", "LoadParams", "Stored"]

Stored = Literal["float32", "bfloat16"]


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
    store: Stored = "float32"
    """How numbers are written: `bfloat16` takes half of the disk and keeps two to three decimal
    digits. They are read as float32 either way."""


@dataclass(frozen=True, kw_only=True)
class LoadParams:
    """Activations that somebody computed before."""

    path: FilePath
    """A file of safetensors, a `.npy` array, or a `.pt` file with `activations` and `metadata`. Its
    axes are (rows, layers, positions, d_model); an axis of length 1 may be missing."""
    tensor: str = "activations"
    """The tensor's name in the file; an array of `.npy` has none."""
    layers: Annotated[list[NonNegativeInt], Meta(min_length=1)] | None = None
    """The layers along the second axis, where the file does not say."""
    positions: Annotated[list[Position], Meta(min_length=1)] | None = None
    """The positions along the third axis, where the file does not say."""
    ids: FilePath | None = None
    """A JSON file with a list of the rows' problem ids, where the file itself has none. By them
    rows find their problems; without any, row i is problem i."""
    indices: FilePath | None = None
    """Where the study has no data: a JSON file whose list `validation` holds the zero-based numbers
    of the validation rows; replaces `validation` and `seed`."""
    validation: Fraction = 0.2
    """Where the study has no data: the share of the rows, drawn at random, that are for
    validation."""
    seed: NonNegativeInt | None = None
    """Decides which are drawn; the study's seed if not given."""
    model: str = ""
    """The name of the model that they are of, for the record."""
    on_error: Literal["stop", "exclude"] = "stop"
    """A problem without a row, a row without a problem, and a row that is not finite stop the step,
    or are left out; problems are then listed by id in the table `excluded`."""
    store: Stored = "float32"
    """How numbers are written, as in `extract`."""
