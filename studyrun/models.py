"""What a model must do, and what it may offer besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from studyrun.contracts import Context, ModelFacts, Position
    from studyrun.edits import Replay

__all__ = ["LogitLens", "Model", "Refusing", "SiteEdit"]


@dataclass(frozen=True, slots=True, eq=False)
class SiteEdit:
    """A difference added to the residual stream at one site: x + delta."""

    layer: int
    position: Position
    delta: Tensor
    """(rows, d_model), one row per question, in the order of the questions."""


class Model(Protocol):
    """kind `model`: the target is a function (params, context) -> Model."""

    facts: ModelFacts

    def activations(
        self,
        questions: Sequence[str],
        layers: Sequence[int],
        positions: Sequence[Position],
        context: Context,
    ) -> Tensor:
        """Residuals after each block, (questions, layers, positions, d_model), float32, on CPU.

        A row does not depend on the other questions.

        Raises:
            QuestionsRefused: some cannot be taken; says why for each, by row, before computing.
        """

    def answers(
        self, questions: Sequence[str], context: Context, edit: SiteEdit | None = None
    ) -> list[str]:
        """Greedy answers as text, with `edit` applied exactly once per row at its site.

        Raises:
            QuestionsRefused: some cannot be taken; says why for each, by row, before computing.
        """

    def replay(self, questions: Sequence[str], layer: int, context: Context) -> Replay:
        """The questions, ready to be edited after block `layer` in many runs each.

        Raises:
            QuestionsRefused: some cannot be taken; says why for each, by row, before computing.
        """


@runtime_checkable
class Refusing(Protocol):
    """What a `Model` may offer besides: which questions it cannot take, told beforehand.

    Long work is done in pieces; with this it ends before the first, not at a later one.
    """

    def refusals(
        self, questions: Sequence[str], positions: Sequence[Position]
    ) -> Mapping[int, str]:
        """Why it cannot give the activations of some questions, by row."""


@runtime_checkable
class LogitLens(Protocol):
    """What a `Model` may offer besides: which tokens a direction of the stream speaks for."""

    def unembed(self, directions: Tensor) -> Tensor:
        """What directions (n, d_model) add to the scores of tokens, (n, vocabulary) float32.

        W_U (gamma * (d - mean(d))), the mean subtracted where the final norm is a LayerNorm, not
        where it is an RMSNorm: the norm's weight is folded into the head, its scale is left out.
        Every row is held at once, so ask for few.

        Raises:
            StudyError: the head is not known well enough.
        """

    def token(self, number: int) -> str:
        """The text of a token; empty for a number without one."""
