"""Many edits of many questions, computing only what an edit changes.

Questions are taken in groups of about one length. A group is read once without an edit; its keys,
values and residuals at the layer are kept as long as memory allows. The edited runs of a question
then start at their site, beside each other over what they share, each group's first run having no
edit, so that a run and what it is compared with went the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock, local
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from studyrun import Runs
from studyrun_models.attention import shared_attention
from studyrun_models.blocks import Hooks
from studyrun_models.crew import crew
from studyrun_models.lines import Clean, Follows, Line, Skips
from studyrun_models.stack import Stack, longest_first

if TYPE_CHECKING:
    from studyrun import Context, Position, Read, SiteEdits

__all__ = ["Passes", "Replaying", "Seen", "Spot"]

GROUP = 64
"""Questions that are read together, and kept together."""
SIDE = 64
"""Edited runs beside each other, at most, in one piece of work."""
ROWS = 512
"""Runs at once on one core: their states just fit its cache."""

Receive = Callable[[Runs], None]


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """Where an edit is among the columns of a clean pass."""

    from_end: int
    """The column, counted back from the end of the columns: 1 is the last."""
    tokens: int
    """How many columns from there on are run again with their clean streams."""


@dataclass(slots=True, eq=False)
class Seen:
    """What was read of some rows."""

    logits: Tensor | None = None
    answers: list[str] | None = None
    states: Tensor | None = None


class Passes(Protocol):
    """What a kind of model says about its passes."""

    stack: Stack
    full_because: str
    """Why its runs cannot be replayed; empty if they can."""

    def spot(self, position: Position, question: int) -> Spot:
        """Where the position is in the columns of that question."""

    def reach(self, wanted: int) -> int:
        """For how many of the last columns streams are kept where `wanted` are needed."""

    def clean(self, questions: Sequence[int], hooks: Hooks, reach: int, layer: int) -> Clean:
        """The columns of these questions, with streams for the last `reach` of them."""

    def places(self, position: Position, spot: Spot) -> tuple[Position, ...]:
        """Where states are read of a run that is edited there."""

    def follow(
        self, line: Follows, position: Position, spot: Spot, reads: Collection[Read]
    ) -> Seen:
        """What runs come to that went through their site."""

    def full(
        self, questions: Sequence[int], hooks: Hooks, position: Position, delta: Tensor
    ) -> Follows:
        """The same runs (rows,) from the beginning, edited by a hook at the position."""

    def targets(self, answers: Sequence[float | None]) -> Tensor:
        """The first token of each right answer; -1 where it is not known."""

    def token(self, number: int) -> str:
        """The text of a token."""

    def lengths(self) -> Sequence[Sequence[int]]:
        """The token ids of every question."""


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Some runs of one question at one position."""

    group: int
    spot: Spot
    at: int
    question: int
    row: int
    """Its place in the group."""
    runs: Tensor
    """Their numbers among the edits."""

    @property
    def alike(self) -> tuple[int, Spot, int]:
        """What pieces that run together have in common."""
        return self.group, self.spot, self.at


class Replaying:
    """`studyrun.Replay` over the passes of a model."""

    def __init__(self, passes: Passes, layer: int, context: Context) -> None:
        self._passes, self._layer, self._context = passes, layer, context
        self.note = passes.full_because and f"run in full: {passes.full_because}"
        order = longest_first(passes.lengths())
        self._groups = [order[i : i + GROUP] for i in range(0, len(order), GROUP)]
        self._row_of = {
            question: (number, row)
            for number, group in enumerate(self._groups)
            for row, question in enumerate(group)
        }
        self._kept: dict[tuple[int, int], Clean] = {}
        self._keeping = Lock()
        self._locks = [Lock() for _ in self._groups]
        self._thread = local()

    @property
    def stack(self) -> Stack:
        """The model's blocks."""
        return self._passes.stack

    # The contract

    def run(self, edits: SiteEdits, reads: Collection[Read], receive: Receive) -> None:
        """Hand every edited run to `receive`; see `studyrun.Replay`."""
        self._run(edits, reads, receive, full=bool(self._passes.full_because))

    def rerun(self, edits: SiteEdits, reads: Collection[Read], receive: Receive) -> None:
        """The same by running the whole model for every edit."""
        self._run(edits, reads, receive, full=True)

    def targets(self, answers: Sequence[float | None]) -> Tensor:
        """The first token of each right answer; -1 where it is not known."""
        return self._passes.targets(answers)

    def scores(self, states: Tensor) -> Tensor:
        """Next-token scores of states after the final norm."""
        return self._passes.stack.logits(states.to(self._passes.stack.device))

    def token(self, number: int) -> str:
        """The text of a token."""
        return self._passes.token(number)

    # The work

    def _run(
        self, edits: SiteEdits, reads: Collection[Read], receive: Receive, *, full: bool
    ) -> None:
        if not len(edits):
            return
        pieces = sorted(self._pieces(edits), key=lambda piece: (piece.alike, piece.row))
        stack = self._passes.stack
        reach = self._passes.reach(max(piece.spot.from_end for piece in pieces))
        batch = _Batch(self, edits, reads, receive, reach, full)
        with batch.open():

            def work(numbers: Sequence[int]) -> None:
                batch.compute([pieces[number] for number in numbers])

            with crew(stack.device, work) as (own, threads):
                self._context.in_batches(
                    own,
                    range(len(pieces)),
                    label="edited runs",
                    unit="questions",
                    alike=lambda number: pieces[number].alike,
                    threads=threads,
                )

    def _pieces(self, edits: SiteEdits) -> Iterator[_Piece]:
        """The runs of each question and position, `SIDE` at most at a time."""
        key = edits.questions * len(edits.positions) + edits.at
        order = key.argsort(stable=True)
        at, counts = torch.unique(key, return_counts=True)
        for number, runs in zip(
            at.tolist(), order.tensor_split(counts.cumsum(0)[:-1]), strict=True
        ):
            question, at_position = divmod(number, len(edits.positions))
            spot = self._passes.spot(edits.positions[at_position], question)
            group, row = self._row_of[question]
            for some in torch.split(runs, SIDE):
                yield _Piece(group, spot, at_position, question, row, some)

    def _clean(self, group: int, hooks: Hooks, reach: int) -> Clean:
        """The clean pass of a group: kept if there is room, else until the next group's."""
        key = (group, reach)
        newest: tuple[tuple[int, int], Clean] | None = getattr(self._thread, "newest", None)
        if newest is not None and newest[0] == key:
            return newest[1]
        with self._locks[group]:
            found = self._kept.get(key)
            if found is None:
                self._thread.newest = None  # so that its memory can be used
                found = self._passes.clean(self._groups[group], hooks, reach, self._layer)
                self._keep(key, found)
        self._thread.newest = (key, found)
        return found

    def _keep(self, key: tuple[int, int], clean: Clean) -> None:
        with self._keeping:
            held = sum(each.bytes for each in self._kept.values())
            if held + clean.bytes <= self._context.cache_bytes:
                self._kept[key] = clean


@dataclass(slots=True, eq=False)
class _Batch:
    """The work of one call."""

    replaying: Replaying
    edits: SiteEdits
    reads: Collection[Read]
    receive: Receive
    reach: int
    full: bool
    skips: Skips | None = None
    hooks: Hooks | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """With hooks set, and the model attending as runs side by side need it."""
        stack = self.replaying._passes.stack
        with ExitStack() as opened:
            self.hooks = opened.enter_context(Hooks(stack.blocks, (self.replaying._layer,)))
            if not self.full:
                opened.enter_context(shared_attention(stack))
                self.skips = opened.enter_context(Skips(stack))
            yield

    def compute(self, pieces: Sequence[_Piece]) -> None:
        """Pieces of one group and position, as many at a time as fit."""
        on_cpu = self.replaying._passes.stack.device.type == "cpu"
        most = max(1, ROWS // self._side(pieces)) if on_cpu else len(pieces)
        parts = -(-len(pieces) // most)
        size = -(-len(pieces) // parts)
        for start in range(0, len(pieces), size):
            self._together(pieces[start : start + size])

    def _together(self, pieces: Sequence[_Piece]) -> None:
        """Run pieces as (questions, runs), the first run of each without an edit."""
        passes, first = self.replaying._passes, pieces[0]
        position = self.edits.positions[first.at]
        runs = torch.full((len(pieces), self._side(pieces)), -1)
        for row, piece in enumerate(pieces):
            runs[row, 1 : 1 + len(piece.runs)] = piece.runs
        delta = self._deltas(runs)
        line = self._line(pieces, position, delta)
        moved = line.moved
        seen = passes.follow(line, position, first.spot, self.reads)
        self._hand_over(runs, first, position, moved, seen)

    def _side(self, pieces: Sequence[_Piece]) -> int:
        """Runs beside each other: the most of any piece, the one without an edit, and fillers."""
        even = self.replaying._passes.stack.even
        return even * -(-(1 + max(len(piece.runs) for piece in pieces)) // even)

    def _deltas(self, runs: Tensor) -> Tensor:
        """(questions, runs, d_model), 0 where there is no run."""
        stack = self.replaying._passes.stack
        numbers = runs[runs >= 0]
        some = self.edits.delta(numbers)
        deltas = torch.zeros(*runs.shape, some.shape[-1], dtype=some.dtype, device=some.device)
        deltas[(runs >= 0).to(some.device)] = some
        return deltas.to(stack.device)

    def _line(self, pieces: Sequence[_Piece], position: Position, delta: Tensor) -> Follows:
        passes, replaying = self.replaying._passes, self.replaying
        assert self.hooks is not None
        if self.full:
            each = [piece.question for piece in pieces for _ in range(delta.shape[1])]
            return passes.full(each, self.hooks, position, delta.flatten(0, 1))
        spot = pieces[0].spot
        clean = replaying._clean(pieces[0].group, self.hooks, self.reach)
        some = clean.at(torch.tensor([piece.row for piece in pieces]))
        assert self.skips is not None
        columns = (clean.seen.shape[1] - spot.from_end, spot.tokens)
        return Line.edited(self.skips, passes.stack, some, delta, columns)

    def _hand_over(
        self, runs: Tensor, first: _Piece, position: Position, moved: Tensor, seen: Seen
    ) -> None:
        """Give every real run, with the clean one of its question, to who asked."""
        flat = runs.flatten()
        rows = (flat >= 0).nonzero()[:, 0]
        clean = rows // runs.shape[1] * runs.shape[1]
        index = flat[rows]
        self.receive(
            Runs(
                index=index,
                questions=self.edits.questions[index],
                position=position,
                moved=moved[rows],
                logits=_rows(seen.logits, rows),
                clean_logits=_rows(seen.logits, clean),
                answers=seen.answers and [seen.answers[row] for row in rows.tolist()],
                clean_answers=seen.answers and [seen.answers[row] for row in clean.tolist()],
                places=self.replaying._passes.places(position, first.spot),
                states=_rows(seen.states, rows),
                clean_states=_rows(seen.states, clean),
            )
        )


def _rows(part: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if part is None else part.index_select(0, rows.to(part.device))
