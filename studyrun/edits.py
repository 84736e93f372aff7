"""Edits inside a model and what comes of them: what a model's replay is given and gives back.

Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from torch import Tensor

    from studyrun.contracts import Position

__all__ = ["Read", "Replay", "Runs", "SiteEdits"]

Read = Literal["logits", "answers", "states"]
"""What can be read of a run; an effect names what it needs."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteEdits:
    """Differences added to the residual stream, x + delta, each in a run of its own."""

    questions: Tensor
    """(runs,) int64, which question each run answers."""
    positions: tuple[Position, ...]
    """Where edits are made."""
    at: Tensor
    """(runs,) int64, which of `positions` each run is edited at."""
    delta: Callable[[Tensor], Tensor]
    """(n,) numbers of runs -> (n, d_model) their differences."""

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self.questions)


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Some edited runs, each beside the run of its question without an edit.

    What was not asked for is None. A run whose difference is 0 has the bits of its clean run.
    """

    index: Tensor
    """(runs,) int64, their numbers among the edits."""
    questions: Tensor
    """(runs,) int64."""
    position: Position
    """Where all of these were edited."""
    moved: Tensor
    """(runs,) float64, |x' - x| / |x| at the site, as measured there."""
    logits: Tensor | None
    """(runs, vocabulary), scores of the answer's first token."""
    clean_logits: Tensor | None
    answers: list[str] | None
    """Greedy answers."""
    clean_answers: list[str] | None
    places: tuple[Position, ...]
    """Where `states` were read: of a model that thinks, the edited thought and all later ones; else
    the edited token and the last one."""
    states: Tensor | None
    """(runs, places, d_model), after the final norm."""
    clean_states: Tensor | None


class Replay(Protocol):
    """Runs of a model on some questions, edited at one layer and read as they are asked for."""

    note: str
    """How runs are computed; says why, where they are not replayed but run in full."""

    def run(
        self, edits: SiteEdits, reads: Collection[Read], receive: Callable[[Runs], None]
    ) -> None:
        """Hand every edited run to `receive`, some at a time, in no order.

        What an edit leaves as it was is computed once per question. `receive` may be called from
        several threads, and with the same runs again after memory ran out: it must write each
        run to its own place.
        """

    def rerun(
        self, edits: SiteEdits, reads: Collection[Read], receive: Callable[[Runs], None]
    ) -> None:
        """The same by running the whole model for every edit, with a hook at the site."""

    def targets(self, answers: Sequence[float | None]) -> Tensor:
        """(questions,) int64, the first token of each right answer; -1 where it is not known."""

    def scores(self, states: Tensor) -> Tensor:
        """Next-token scores (..., vocabulary) of states after the final norm: the logit lens."""

    def token(self, number: int) -> str:
        """The text of a token."""
