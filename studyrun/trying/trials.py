"""Putting laws of interventions to examples that hypothesis draws."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from studyrun.trying.laws import LAWS, LawBroken

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DataObject, SearchStrategy

    from studyrun.contracts import Law

__all__ = ["Subject", "Trial", "trial"]

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


@dataclass(frozen=True, eq=False)
class Subject:
    """An intervention as the laws see it."""

    name: str
    function: Callable[[Tensor, Tensor, Any], Tensor]
    arity: int
    params: SearchStrategy[Any]
    other: Subject | None = None
    """The other intervention of an `equals` law."""
    takes_reference: bool = False
    """It is given other feature activations as a fourth argument."""


@dataclass(eq=False)
class Trial:
    """One example that a law is put to, and the means to build more of it."""

    subject: Subject
    law: Law
    z: Tensor
    features: Tensor
    params: Any
    data: DataObject
    drawn: dict[str, Any] = field(default_factory=dict)
    """What the law drew on top, for the message."""

    # What the law speaks of

    def apply(
        self, z: Tensor | None = None, features: Tensor | None = None, params: Any = None
    ) -> Tensor:
        """I(z, S) with this example's z, S and parameters where none are given."""
        return self._call(self.subject, z, features, self.params if params is None else params)

    def apply_other(self) -> Tensor:
        """J(z, S), J being the other intervention of the law."""
        assert self.subject.other is not None
        other = self.subject.other
        return self._call(other, None, None, self._draw("other's params", other.params))

    def at_value(self) -> Any:
        """The parameters with the law's parameter at the law's value."""
        if not self.law.parameter:
            return self.params
        return replace(self.params, **{self.law.parameter: self.law.value})

    def decoder(self) -> Tensor:
        """Some W_dec (d_sae, 3), float64, without equal rows."""
        d_sae = self.z.shape[1]
        return (torch.arange(3 * d_sae).reshape(d_sae, 3).double() + 1).sin()

    def devices(self) -> list[str]:
        """Where an intervention must work: CPU, shapes only, and CUDA where there is one."""
        return ["cpu", "meta", *(["cuda"] if torch.cuda.is_available() else [])]

    def others(self) -> Tensor:
        """The columns outside S."""
        kept = torch.ones(self.z.shape[1], dtype=torch.bool)
        return kept.index_fill(0, self.features, False).nonzero()[:, 0]

    def edited(self) -> Tensor:
        """The columns in S, each once."""
        return torch.tensor(sorted(set(self.features.tolist())), dtype=torch.int64)

    def shuffled(self) -> Tensor:
        """S in another order, every feature named twice as often."""
        return self.features.flip(0).repeat(2)

    def concatenated(self, *parts: Tensor) -> Tensor:
        """The parts one after the other."""
        return torch.cat(parts)

    # What it draws on top

    def draw_features(self) -> Tensor:
        """Another set T."""
        more: Tensor = self._draw("T", _features(self.subject.arity, self.z.shape[1]))
        return more

    def draw_params(self) -> Any:
        """Other parameters."""
        return self._draw("other params", self.subject.params)

    def draw_row(self) -> int:
        """A place to cut the rows in two."""
        return int(self._draw("cut", st.integers(0, len(self.z))))

    def redrawn_except(self, feature: Tensor) -> Tensor:
        """Other feature activations that agree with z in one column."""
        y: Tensor = self._draw("y", _values(len(self.z), self.z.shape[1], self.z.dtype))
        y[:, feature] = self.z[:, feature]
        return y

    # The verdict

    def equal(self, found: Tensor, expected: Tensor, *, exactly: bool = False) -> None:
        """Break the law unless the two are equal, to the precision of z's dtype."""
        tolerance = 0.0 if exactly else TOLERANCE[self.z.dtype]
        holds = found.shape == expected.shape and torch.allclose(
            found.double(), expected.double(), rtol=tolerance, atol=tolerance
        )
        self.expect(holds, found=found, expected=expected)

    def expect(self, holds: bool, **facts: Any) -> None:
        """Break the law, with those facts, unless it holds."""
        if not holds:
            raise self._broken(facts)

    # Helpers

    def _call(
        self, subject: Subject, z: Tensor | None, features: Tensor | None, params: Any
    ) -> Tensor:
        z = self.z if z is None else z
        features = self.features if features is None else features
        try:
            found = subject.function(z, features, params, *_reference(subject, z))
        except Exception as error:  # whatever a plugin's function raises breaks the law
            raise self._broken({"raised": error}) from error
        if not isinstance(found, Tensor):
            raise self._broken({"found": found, "expected": "a tensor"})
        return found

    def _draw(self, name: str, strategy: SearchStrategy[Any]) -> Any:
        value = self.data.draw(strategy)
        self.drawn[name] = value
        return value

    def _broken(self, facts: dict[str, Any]) -> LawBroken:
        example = {"z": self.z, "S": self.features.tolist(), "params": self.params}
        equation = (LAWS[self.law.name].__doc__ or "").partition("\n")[0].rstrip(".")
        return LawBroken(self.law.name, self.subject.name, equation, example | self.drawn | facts)


def trial(subject: Subject, law: Law, data: DataObject) -> Trial:
    """An example for a law of an intervention."""
    rows = data.draw(st.integers(0, 3))
    d_sae = data.draw(st.integers(subject.arity, 5))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    z = data.draw(_values(rows, d_sae, dtype))
    features = data.draw(_features(subject.arity, d_sae))
    return Trial(subject, law, z, features, data.draw(subject.params), data)


def _values(rows: int, d_sae: int, dtype: torch.dtype) -> SearchStrategy[Tensor]:
    """Sparse, signed feature activations; one draw of bytes, since many small ones are slow."""
    size = rows * d_sae

    def decoded(code: bytes) -> Tensor:
        return torch.tensor([_number(byte) for byte in code], dtype=dtype).reshape(rows, d_sae)

    return st.binary(min_size=size, max_size=size).map(decoded)


def _number(byte: int) -> float:
    """0 for half of the bytes, else +-1, 1.25, ... 16.75: exact in float32, easy to read."""
    if byte % 2 == 0:
        return 0.0
    size = 1 + (byte >> 2) / 4
    return -size if byte & 2 else size


def _features(arity: int, d_sae: int) -> SearchStrategy[Tensor]:
    """A set, perhaps empty, perhaps with repetitions; or an ordered pair of two."""
    index = st.integers(0, d_sae - 1)
    if arity == 2:
        chosen = st.lists(index, min_size=2, max_size=2, unique=True)
    else:
        chosen = st.lists(index, max_size=4)
    return chosen.map(lambda features: torch.tensor(features, dtype=torch.int64))


def _reference(subject: Subject, z: Tensor) -> list[Tensor]:
    """Some reference activations (1, d_sae), the same for every z; none where none are taken."""
    values = (torch.arange(z.shape[1], dtype=torch.float64) + 1).cos()[None]
    return [values.to(device=z.device, dtype=z.dtype)] if subject.takes_reference else []
