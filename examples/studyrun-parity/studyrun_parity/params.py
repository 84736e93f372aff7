"""The parameters of every component here; light, because `studyrun plugins` imports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from studyrun import PositiveInt

__all__ = ["Clamp", "EvenFeatures", "LiftRanked", "Parity"]

Lift = Annotated[float, Meta(ge=1)]


@dataclass(frozen=True)
class Parity:
    """Which parities become concepts."""

    odd: bool = False
    """Also make `answer is odd` a concept (an answer with a fraction is neither)."""


@dataclass(frozen=True)
class LiftRanked:
    """When the concept with the largest lift becomes a label."""

    min_support: PositiveInt = 20
    """Active problems without which a feature gets no label."""
    min_lift: Lift = 1.5
    """How many times more frequent the concept must be where the feature is active."""


@dataclass(frozen=True)
class EvenFeatures:
    """How much the section shows."""

    top: PositiveInt = 5
    """The features that tell most of the answer's parity."""


@dataclass(frozen=True)
class Clamp:
    """What the features are set to."""

    value: float
    """The activation that each of the features has afterwards, whatever it was before."""
