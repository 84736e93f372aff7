"""The `codi` adapter: a model that thinks in continuous thoughts (Shen et al. 2025, CODI).

A row is: question, `<bot>`, T thoughts, `<eot>`, answer, in some models with an `<eos>` before
`<bot>` or after `<eot>` as well. Thought p + 1 is fed the projection of the state after the final
norm at position p; position 0 is `<bot>`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from studyrun import QuestionsRefused, StudyError
from studyrun_models.blocks import Hooks, edit_of, edited, recorded
from studyrun_models.codi_passes import CodiPasses
from studyrun_models.crew import crew
from studyrun_models.embedded import load_embedded
from studyrun_models.facts import codi_facts, codi_source
from studyrun_models.official import Official
from studyrun_models.replay import Replaying
from studyrun_models.stack import Reading, Stack, longest_first
from studyrun_models.unembedding import Unembedding, unembedding
from studyrun_models.unwrap import load_official
from studyrun_models.verify import replay_fault, some_ids, verify
from studyrun_models.weights import quiet, randomise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from studyrun import Context, ModelFacts, Position, SiteEdit
    from studyrun_models.params import CodiParams
    from studyrun_models.vocabulary import Frame, Vocabulary

__all__ = ["Codi", "load"]

OFFICIAL_BATCH = 128


def load(params: CodiParams, context: Context) -> Codi:
    """The model, with its sites checked by value."""
    facts, source = codi_facts(params), codi_source(params)
    with quiet(), torch.random.fork_rng(devices=[]):
        if isinstance(source, Official):
            model, vocabulary, frame = load_official(source, params, context)
        else:
            model, vocabulary, frame = load_embedded(source, params)
    if params.weights == "random":
        randomise(model, params.weights_seed)
    model.to(device=context.device, dtype=context.dtype).eval().requires_grad_(False)
    stack = Stack(model, facts.n_layers)
    stack.writable = frame.writable
    verify(stack, len(vocabulary))
    codi = Codi(stack, vocabulary, facts, params, frame)
    ids = some_ids(len(vocabulary))
    middle = (1 + codi.thoughts) // 2
    codi.full_because = replay_fault(CodiPasses(codi, ids), (middle, 0), context)
    return codi


class Codi:
    """A loaded model. `read`, `think`, `project` and `speak` are its passes, one by one."""

    def __init__(
        self,
        stack: Stack,
        vocabulary: Vocabulary,
        facts: ModelFacts,
        params: CodiParams,
        frame: Frame,
    ) -> None:
        self.stack, self.vocabulary, self.facts, self.params = stack, vocabulary, facts, params
        self.frame, self.thoughts = frame, frame.thoughts
        self.opening, self.closing = frame.opening, frame.closing
        self.eos, self.bot, self.eot = frame.eos, frame.opening[-1], frame.closing[0]
        self.answer_prefix = vocabulary.prefix(frame.answer)
        self.full_because = ""
        """Why edited runs cannot be replayed; empty if they can."""

    # The contract

    @torch.inference_mode()
    def activations(
        self,
        questions: Sequence[str],
        layers: Sequence[int],
        positions: Sequence[Position],
        context: Context,
    ) -> Tensor:
        """Residuals (questions, layers, positions, d_model), float32, on CPU."""
        ids = self.encode(questions)
        passes = [self.pass_of(position) for position in positions]
        shape = (len(ids), len(layers), len(passes), self.facts.d_model)
        with torch.inference_mode(mode=False):
            out = torch.empty(shape)

        with Hooks(self.stack.blocks, layers) as hooks:

            def work(rows: Sequence[int]) -> None:
                streams = self._streams([ids[row] for row in rows], hooks, passes)
                out[list(rows)] = streams.float().cpu()

            self._in_batches(work, ids, context, "activations", self.stack.alike(ids))
        return out

    def refusals(
        self,
        questions: Sequence[str],
        positions: Sequence[Position],  # noqa: ARG002  # every question has them all
    ) -> dict[int, str]:
        """Why some questions cannot be read, by row."""
        try:
            self.encode(questions)
        except QuestionsRefused as refused:
            return refused.reasons
        return {}

    @torch.inference_mode()
    def answers(
        self, questions: Sequence[str], context: Context, edit: SiteEdit | None = None
    ) -> list[str]:
        """Greedy answers, with `edit` applied in the pass that computes its position."""
        ids = self.encode(questions)
        texts = [""] * len(ids)

        with Hooks(self.stack.blocks, () if edit is None else (edit.layer,)) as hooks:

            def work(rows: Sequence[int]) -> None:
                part = edit_of(edit, rows, len(ids))
                spoken = self._answer([ids[row] for row in rows], hooks, part)
                for row, text in zip(rows, spoken, strict=True):
                    texts[row] = text

            self._in_batches(work, ids, context, "answers")
        return texts

    def replay(self, questions: Sequence[str], layer: int, context: Context) -> Replaying:
        """The questions, to be edited after block `layer` (`studyrun.Replay`)."""
        passes = CodiPasses(self, self.encode(questions))
        return Replaying(passes, layer, context)

    def unembed(self, directions: Tensor) -> Tensor:
        """What directions (n, d_model) add to the scores (n, vocabulary) of tokens."""
        return self._unembedding(directions)

    def token(self, number: int) -> str:
        """The text of a token; empty for a number without one."""
        return self.vocabulary.token(number)

    # The passes

    def encode(self, questions: Sequence[str]) -> list[list[int]]:
        """Token ids of every question up to `<bot>`.

        Raises:
            QuestionsRefused: some cannot be read; says why for each.
        """
        length = self.stack.model.config.max_position_embeddings
        others = len(self.opening) + self.thoughts + len(self.closing) + len(self.answer_prefix) + 1
        ids = self.vocabulary.encode(questions, length - others)
        return [[*row, *self.opening] for row in ids]

    def read(self, ids: Sequence[Sequence[int]]) -> Reading:
        """The first pass; its last token is position 0."""
        official = self.params.padding == "official"
        reading = self.stack.read(ids, count_padding=official, pad=self.frame.pad)
        if official:
            reading.mask[:] = True
        return reading

    def project(self, hidden: Tensor) -> Tensor:
        """What the next thought is fed: (rows, d_model) from states after the final norm."""
        fed: Tensor = self.stack.model.prj(hidden)
        return fed

    def think(self, reading: Reading, fed: Tensor) -> None:
        """The pass of one thought, fed with (rows, d_model)."""
        self.stack.extend(reading, embeds=fed[:, None])

    def speak(self, reading: Reading) -> list[str]:
        """The answers' texts, greedy, from `<eot>` on, without the answer's prefix."""
        begin = torch.tensor([self.closing], device=reading.mask.device)
        self.stack.extend(reading, ids=begin.expand(len(reading.mask), -1))
        rows = self.stack.greedy(reading, {self.eos}, self.params.max_new_tokens)
        return [self.text_of(row) for row in rows]

    def text_of(self, ids: Sequence[int]) -> str:
        """The text of written ids, without the answer's prefix."""
        n = len(self.answer_prefix)
        if list(ids[:n]) == self.answer_prefix:
            return self.vocabulary.decode(ids[n:])
        return self.vocabulary.decode(ids).removeprefix(self.frame.answer).strip()

    # Helpers

    @cached_property
    def _unembedding(self) -> Unembedding:
        return unembedding(self.stack, some_ids(len(self.vocabulary))[0])

    def _streams(self, ids: Sequence[Sequence[int]], hooks: Hooks, passes: Sequence[int]) -> Tensor:
        """(rows, layers, passes, d_model), not computing what lies beyond the last site."""
        n, found = len(ids), {}
        ids = [*ids, *[ids[-1]] * self.stack.lacking(n, len(ids[-1]))]
        reading: Reading | None = None
        for number in range(max(passes) + 1):
            if number == 1 and reading is not None:
                reading.repeat_last(self.stack.lacking(len(ids), 1))
            last = torch.full((len(ids) if reading is None else len(reading.mask), 1), -1)
            with recorded(hooks, last, stop=number == max(passes)) as seen:
                reading = self.advance(reading, ids)
            found[number] = seen.streams[:n]
        return torch.cat([found[number] for number in passes], dim=2)

    def advance(self, reading: Reading | None, ids: Sequence[Sequence[int]]) -> Reading:
        """The next pass: the question, or one more thought."""
        if reading is None:
            return self.read(ids)
        self.think(reading, self.project(reading.hidden))
        return reading

    def _answer(
        self, ids: Sequence[Sequence[int]], hooks: Hooks, edit: SiteEdit | None
    ) -> list[str]:
        reading: Reading | None = None
        for number in range(self.thoughts + 1):
            with self._editing(hooks, edit, number):
                reading = self.advance(reading, ids)
        assert reading is not None
        return self.speak(reading)

    def _editing(
        self, hooks: Hooks, edit: SiteEdit | None, number: int
    ) -> AbstractContextManager[Any]:
        """The edit, if this is the pass that computes its position."""
        if edit is None or self.pass_of(edit.position) != number:
            return nullcontext()
        return edited(hooks, torch.full((len(edit.delta),), -1), edit.delta)

    def pass_of(self, position: Position) -> int:
        """The pass that computes a position; StudyError if it is none."""
        if not isinstance(position, int) or not 0 <= position <= self.thoughts:
            raise StudyError(f"position {position!r} is none of 0..{self.thoughts}")
        return position

    def _in_batches(
        self,
        work: Callable[[Sequence[int]], None],
        ids: Sequence[Sequence[int]],
        context: Context,
        label: str,
        alike: Callable[[int], int] | None = None,
    ) -> None:
        """With `padding: official` as the authors' evaluation takes them, in their order."""
        if self.params.padding == "masked":
            order = longest_first(ids)
            with crew(self.stack.device, work) as (own, threads):
                context.in_batches(own, order, label=label, alike=alike, threads=threads)
            return
        rows = range(len(ids))
        for start in context.track(rows, total=len(rows), label=label, unit="problems"):
            if start % OFFICIAL_BATCH == 0:
                work(rows[start : start + OFFICIAL_BATCH])
