"""The passes of any causal language model, as `Replaying` needs them: a prompt, then the answer."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from studyrun import QuestionsRefused
from studyrun_data.expression import format_number
from studyrun_models.blocks import Hooks, edited, recorded
from studyrun_models.lines import Clean, Follows, FullLine, Line
from studyrun_models.positions import Tokens, column_of
from studyrun_models.replay import Seen, Spot
from studyrun_models.stack import greedy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from studyrun import Position, Read
    from studyrun_models.hf import CausalLM

__all__ = ["PromptPasses"]

LAST = "last"


class PromptPasses:
    """Columns are the prompt's tokens; an edit reaches all of them from its own on."""

    def __init__(self, model: CausalLM, prompts: Sequence[Tokens]) -> None:
        self.model, self.stack = model, model.stack
        self.full_because = model.full_because
        self.prompts = prompts
        self.ids = [prompt.ids for prompt in prompts]
        self._column = lru_cache(None)(self._found)

    def _found(self, position: Position, question: int) -> int:
        """The position's token in that prompt.

        Raises:
            QuestionsRefused: there is none.
        """
        try:
            return column_of(position, self.prompts[question])
        except LookupError as error:
            raise QuestionsRefused({question: str(error.args[0])}) from error

    def lengths(self) -> Sequence[Sequence[int]]:
        """The token ids of every prompt."""
        return self.ids

    def spot(self, position: Position, question: int) -> Spot:
        """The position's token and all after it."""
        tokens = len(self.ids[question]) - self._column(position, question)
        return Spot(tokens, tokens)

    def places(self, position: Position, spot: Spot) -> tuple[Position, ...]:
        """The edited token, and the last one if that is another."""
        return (position,) if spot.tokens == 1 else (position, LAST)

    def reach(self, wanted: int) -> int:
        """No more than is needed: a prompt's streams may be many."""
        return wanted

    def clean(self, questions: Sequence[int], hooks: Hooks, reach: int, layer: int) -> Clean:
        """The prompts without an edit."""
        ids = [self.ids[question] for question in questions]
        width = max(map(len, ids))
        reach = min(reach, width)
        device = self.stack.device
        tokens = torch.tensor([[0] * (width - len(r)) + list(r) for r in ids], device=device)
        lengths = torch.tensor([[len(row)] for row in ids], device=device)
        own = torch.arange(width, device=device) >= width - lengths
        wanted = torch.arange(width - reach, width).expand(len(ids), -1)
        with recorded(hooks, wanted) as seen:
            line = Line.fresh(self.stack, tokens, own, room=0)
        return line.left(seen[layer], layer, first=width - reach)

    def follow(
        self, line: Follows, position: Position, spot: Spot, reads: Collection[Read]
    ) -> Seen:
        """The answer."""
        seen = Seen()
        if "states" in reads:
            several = len(self.places(position, spot)) > 1
            seen.states = torch.stack([line.site, line.hidden] if several else [line.site], 1)
        if "logits" not in reads and "answers" not in reads:
            return seen
        logits = self.stack.logits(line.hidden)
        seen.logits = logits if "logits" in reads else None
        if "answers" in reads:
            stop, most = self.model.stop, self.model.params.max_new_tokens

            def following(tokens: Tensor) -> Tensor:
                line.feed(ids=tokens[:, None])
                return self.stack.logits(line.hidden).argmax(-1)

            rows = greedy(logits.argmax(-1), following, stop, most)
            seen.answers = self.model.texts_of(rows)
        return seen

    def full(
        self, questions: Sequence[int], hooks: Hooks, position: Position, delta: Tensor
    ) -> FullLine:
        """The prompts, edited at the position by a hook."""
        ids = [self.ids[question] for question in questions]
        width = max(map(len, ids))
        columns = [self._column(position, question) for question in questions]
        places = torch.tensor([width - len(i) + c for i, c in zip(ids, columns, strict=True)])
        with edited(hooks, places, delta) as moved:
            reading = self.stack.read(ids)
        rows = torch.arange(len(ids), device=self.stack.device)
        site = reading.states[rows, places.to(self.stack.device)]
        return FullLine(self.stack, reading, site, moved[0])

    def targets(self, answers: Sequence[float | None]) -> Tensor:
        """The first token of each right answer where it follows its prompt.

        It is -1 where there is no answer, where the answer would change the prompt's own tokens,
        and where the blank before it is a token of its own: then end the prompt with a blank.
        """
        found = [self._target(*pair) for pair in zip(self.prompts, answers, strict=True)]
        return torch.tensor(found, dtype=torch.int64)

    def _target(self, prompt: Tokens, answer: float | None) -> int:
        if answer is None:
            return -1
        between = "" if prompt.text[-1:].isspace() else " "
        encoded = self.model.tokenizer(prompt.text + between + format_number(answer))["input_ids"]
        own = len(prompt.ids)
        if encoded[:own] != list(prompt.ids) or len(encoded) == own:
            return -1
        token = int(encoded[own])
        return token if self.token(token).strip() else -1

    def token(self, number: int) -> str:
        """The text of a token."""
        return self.model.token(number)
