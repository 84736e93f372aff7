"""The passes of a CODI model, as `Replaying` needs them: question, thoughts, answer."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from studyrun_data.expression import format_number
from studyrun_models.blocks import Hooks, edited, recorded
from studyrun_models.lines import Clean, Follows, FullLine, Line
from studyrun_models.replay import Seen, Spot
from studyrun_models.stack import greedy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from studyrun import Position, Read
    from studyrun_models.codi import Codi

__all__ = ["CodiPasses"]

OFFICIAL = "with `padding: official` a run depends on the padding of its batch"


class CodiPasses:
    """Columns are the question's tokens up to `<bot>`, then the thoughts."""

    def __init__(self, codi: Codi, ids: Sequence[Sequence[int]]) -> None:
        self.codi, self.stack, self.ids = codi, codi.stack, ids
        official = codi.params.padding == "official"
        self.full_because = OFFICIAL if official else codi.full_because

    def lengths(self) -> Sequence[Sequence[int]]:
        """The token ids of every question."""
        return self.ids

    def spot(self, position: Position, question: int) -> Spot:  # noqa: ARG002 - every one's is the same
        """A thought is one column, the same for every question."""
        return Spot(self.codi.thoughts + 1 - self.codi.pass_of(position), 1)

    def places(self, position: Position, spot: Spot) -> tuple[Position, ...]:  # noqa: ARG002
        """The edited thought and all later ones."""
        return tuple(range(self.codi.pass_of(position), self.codi.thoughts + 1))

    def reach(self, wanted: int) -> int:  # noqa: ARG002
        """All thoughts, which are few, so that one clean pass serves every position."""
        return self.codi.thoughts + 1

    def clean(self, questions: Sequence[int], hooks: Hooks, reach: int, layer: int) -> Clean:  # noqa: ARG002
        """Question and thoughts without an edit."""
        ids = [self.ids[question] for question in questions]
        width = max(map(len, ids))
        device = self.stack.device
        tokens = torch.tensor([[0] * (width - len(r)) + list(r) for r in ids], device=device)
        lengths = torch.tensor([[len(row)] for row in ids], device=device)
        last = torch.full((len(ids), 1), -1)
        with recorded(hooks, last) as seen:
            own = torch.arange(width, device=device) >= width - lengths
            line = Line.fresh(self.stack, tokens, own, room=self.codi.thoughts)
        streams = [seen[layer][:, 0]]
        for _ in range(self.codi.thoughts):
            with recorded(hooks, last) as seen:
                line.feed(embeds=self.codi.project(line.hidden)[:, None])
            streams.append(seen[layer][:, 0])
        return line.left(torch.stack(streams, 1), layer, first=width - 1)

    def follow(
        self,
        line: Follows,
        position: Position,
        spot: Spot,  # noqa: ARG002
        reads: Collection[Read],
    ) -> Seen:
        """The later thoughts, then the answer."""
        states = [line.hidden]
        for _ in range(self.codi.pass_of(position), self.codi.thoughts):
            line.feed(embeds=self.codi.project(line.hidden)[:, None])
            states.append(line.hidden)
        seen = Seen()
        if "states" in reads:
            seen.states = torch.stack(states, 1)
        if "logits" in reads or "answers" in reads:
            self._speak(line, seen, reads)
        return seen

    def _speak(self, line: Follows, seen: Seen, reads: Collection[Read]) -> None:
        """Read from `<eot>` to the end of the answer's prefix in one pass, then go on.

        A row that would not have written the prefix by itself is written again without it.
        """
        codi, closing, prefix = self.codi, self.codi.closing, self.codi.answer_prefix
        begin = line.mark()
        states = line.feed(ids=self._repeated([*closing, *prefix], line))
        logits = self.stack.logits(states[:, -1])
        if "logits" in reads:
            seen.logits = logits
        if "answers" not in reads:
            return
        guessed = self.stack.best(self.stack.logits(states[:, len(closing) - 1 : -1]))
        wanted = torch.tensor(prefix, dtype=guessed.dtype, device=guessed.device)
        astray = (guessed != wanted).any(1).nonzero()[:, 0]
        room = codi.params.max_new_tokens - len(prefix)
        rows = [[*prefix, *row] for row in self._written(line, logits, room)]
        if room <= 0:
            rows, astray = [[]] * len(logits), torch.arange(len(logits), device=logits.device)
        if len(astray):
            line.rewind(begin)
            line.keep(astray)
            line.feed(ids=self._repeated(closing, line))
            again = self._written(line, self.stack.logits(line.hidden), codi.params.max_new_tokens)
            for row, text in zip(astray.tolist(), again, strict=True):
                rows[row] = text
        seen.answers = [codi.text_of(row) for row in rows]

    def _written(self, line: Follows, logits: Tensor, limit: int) -> list[list[int]]:
        """Greedy tokens, the first of them from `logits`."""

        def following(tokens: Tensor) -> Tensor:
            line.feed(ids=tokens[:, None])
            return self.stack.best(self.stack.logits(line.hidden))

        return greedy(self.stack.best(logits), following, {self.codi.eos}, limit)

    def _repeated(self, ids: Sequence[int], line: Follows) -> Tensor:
        return torch.tensor([ids], device=self.stack.device).expand(len(line.hidden), -1)

    def full(
        self, questions: Sequence[int], hooks: Hooks, position: Position, delta: Tensor
    ) -> FullLine:
        """The question and the thoughts up to the position, edited there by a hook."""
        ids = [self.ids[question] for question in questions]
        last = torch.full((len(ids),), -1)
        reading, moved = None, [torch.empty(0)]
        for number in range(self.codi.pass_of(position) + 1):
            is_site = number == position
            editing = edited(hooks, last, delta) if is_site else nullcontext(moved)
            with editing as moved:
                reading = self.codi.advance(reading, ids)
        assert reading is not None
        return FullLine(self.stack, reading, reading.hidden, moved[0])

    def targets(self, answers: Sequence[float | None]) -> Tensor:
        """The first token of each right answer; -1 where it is no text of the vocabulary."""
        texts = ["" if answer is None else format_number(answer) for answer in answers]
        ids = [self.codi.vocabulary.after(self.codi.frame.answer, text) for text in texts]
        return torch.tensor([row[0] if row else -1 for row in ids], dtype=torch.int64)

    def token(self, number: int) -> str:
        """The text of a token."""
        return self.codi.token(number)
