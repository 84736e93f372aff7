"""The `hf` adapter: any causal language model that transformers loads from safetensors."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from studyrun import QuestionsRefused, StudyError
from studyrun_models.blocks import Hooks, SiteError, edit_of, edited, recorded
from studyrun_models.checkpoint import Checkpoint, find_checkpoint
from studyrun_models.crew import crew
from studyrun_models.facts import device_map_objection, hf_facts
from studyrun_models.positions import Tokens, column_of
from studyrun_models.prompt_passes import PromptPasses
from studyrun_models.replay import Replaying
from studyrun_models.stack import Stack, longest_first
from studyrun_models.unembedding import Unembedding, unembedding
from studyrun_models.verify import replay_fault, some_ids, verify
from studyrun_models.vocabulary import tokenizer_of
from studyrun_models.weights import account, quiet, randomise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun import Context, ModelFacts, Position, SiteEdit
    from studyrun_models.params import HfParams

__all__ = ["CausalLM", "load"]


def load(params: HfParams, context: Context) -> CausalLM:
    """The model, with its sites checked by value."""
    checkpoint = find_checkpoint(params.checkpoint, params.revision)
    facts = hf_facts(params)
    with quiet():
        model = _model(checkpoint, params, context)
        tokenizer = tokenizer_of(checkpoint.folder)
    if params.weights == "random":
        randomise(model, params.weights_seed)
    model.eval().requires_grad_(False)
    stack = Stack(model, facts.n_layers)
    vocabulary = model.get_input_embeddings().num_embeddings
    with quiet():
        verify(stack, vocabulary)
    loaded = CausalLM(stack, tokenizer, facts, params)
    prompts = [Tokens("", ids, (), range(len(ids))) for ids in some_ids(vocabulary)]
    loaded.full_because = replay_fault(PromptPasses(loaded, prompts), ("last", 1), context)
    return loaded


class CausalLM:
    """A loaded model that reads prompts made from questions."""

    def __init__(self, stack: Stack, tokenizer: Any, facts: ModelFacts, params: HfParams) -> None:
        self.stack, self.tokenizer, self.facts, self.params = stack, tokenizer, facts, params
        config = stack.model.config
        self._longest = getattr(config, "max_position_embeddings", None)
        self._vocabulary: int = stack.model.get_input_embeddings().num_embeddings
        ends = (config, stack.model.generation_config, tokenizer)
        self.full_because = ""
        """Why edited runs cannot be replayed; empty if they can."""
        self.stop = set[int]().union(*(_numbers(each.eos_token_id) for each in ends))

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
        prompts, columns = self._located(questions, positions, more=0)
        # a causal model's stream does not depend on later tokens, so those are left out
        ids = [p.ids[: max(row) + 1] for p, row in zip(prompts, columns, strict=True)]
        with torch.inference_mode(mode=False):
            out = torch.empty(len(ids), len(layers), len(positions), self.facts.d_model)

        with Hooks(self.stack.blocks, layers) as hooks:

            def work(rows: Sequence[int]) -> None:
                lacking = self.stack.lacking(len(rows), len(ids[rows[-1]]))
                some = [*rows, *[rows[-1]] * lacking]
                batch = [ids[row] for row in some]
                places = _padded([columns[row] for row in some], batch)
                with recorded(hooks, places, stop=True) as seen:
                    self.stack.read(batch, keep=False)
                out[list(rows)] = seen.streams[: len(rows)].float().cpu()

            order, alike = longest_first(ids), self.stack.alike(ids)
            with crew(self.stack.device, work) as (own, threads):
                context.in_batches(own, order, label="activations", alike=alike, threads=threads)
        return out

    def refusals(self, questions: Sequence[str], positions: Sequence[Position]) -> dict[int, str]:
        """Why the activations of some questions cannot be given, by row."""
        try:
            self._located(questions, positions, more=0)
        except QuestionsRefused as refused:
            return refused.reasons
        return {}

    @torch.inference_mode()
    def answers(
        self, questions: Sequence[str], context: Context, edit: SiteEdit | None = None
    ) -> list[str]:
        """Greedy continuations of the prompts, with `edit` applied while the prompt is read."""
        positions = () if edit is None else (edit.position,)
        prompts, columns = self._located(questions, positions, more=self.params.max_new_tokens)
        ids = [prompt.ids for prompt in prompts]
        texts = [""] * len(ids)

        with Hooks(self.stack.blocks, () if edit is None else (edit.layer,)) as hooks:

            def work(rows: Sequence[int]) -> None:
                batch = [ids[row] for row in rows]
                part = edit_of(edit, rows, len(ids))
                places = _padded([columns[row] for row in rows], batch)
                editing = edited(hooks, places[:, 0], part.delta) if part else nullcontext()
                spoken = self._answer(batch, editing)
                for row, text in zip(rows, spoken, strict=True):
                    texts[row] = text

            with crew(self.stack.device, work) as (own, threads):
                context.in_batches(own, longest_first(ids), label="answers", threads=threads)
        return texts

    def replay(self, questions: Sequence[str], layer: int, context: Context) -> Replaying:
        """The prompts, to be edited after block `layer` (`studyrun.Replay`)."""
        prompts, _ = self._located(questions, (), more=self.params.max_new_tokens)
        return Replaying(PromptPasses(self, prompts), layer, context)

    def unembed(self, directions: Tensor) -> Tensor:
        """What directions (n, d_model) add to the scores (n, vocabulary) of tokens."""
        return self._unembedding(directions)

    def token(self, number: int) -> str:
        """The text of a token."""
        text: str = self.tokenizer.decode([number])
        return text

    # Helpers

    @cached_property
    def _unembedding(self) -> Unembedding:
        return unembedding(self.stack, some_ids(self._vocabulary)[0])

    def _answer(
        self, ids: Sequence[Sequence[int]], editing: AbstractContextManager[Any]
    ) -> list[str]:
        with editing:
            reading = self.stack.read(ids)
        return self.texts_of(self.stack.greedy(reading, self.stop, self.params.max_new_tokens))

    def texts_of(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """The texts of written ids."""
        texts: list[str] = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _located(
        self, questions: Sequence[str], positions: Sequence[Position], more: int
    ) -> tuple[list[Tokens], list[list[int]]]:
        """Every prompt and the columns of the positions in it.

        Raises:
            QuestionsRefused: some have no token, too many, or lack a position.
        """
        prompts, columns = self._prompts(questions), []
        reasons: dict[int, str] = {}
        for row, prompt in enumerate(prompts):
            if objection := self._objection(prompt, more):
                reasons[row] = objection
                continue
            try:
                columns.append([column_of(position, prompt) for position in positions])
            except LookupError as error:
                reasons[row] = str(error.args[0])
        if reasons:
            raise QuestionsRefused(reasons)
        return prompts, columns

    def _prompts(self, questions: Sequence[str]) -> list[Tokens]:
        if not questions:
            return []
        texts = [self.params.prompt.replace("{question}", question) for question in questions]
        with quiet():  # it warns of prompts that are too long; those are refused
            encoded = self.tokenizer(
                texts, return_offsets_mapping=True, return_special_tokens_mask=True
            )
        rows = zip(
            texts,
            encoded["input_ids"],
            encoded["offset_mapping"],
            encoded["special_tokens_mask"],
            strict=True,
        )
        return [Tokens(text, ids, spans, self._counted(added)) for text, ids, spans, added in rows]

    def _counted(self, added: Sequence[int]) -> list[int]:
        """Which tokens positions count: all, or those that the tokenizer has not added."""
        return [i for i, flag in enumerate(added) if self.params.count_special or not flag]

    def _objection(self, prompt: Tokens, more: int) -> str:
        if not prompt.ids:
            return "its prompt is empty"
        if max(prompt.ids) >= self._vocabulary:
            return f"token {max(prompt.ids)} is beyond the model's {self._vocabulary} embeddings"
        if self._longest is not None and len(prompt.ids) + more > self._longest:
            room = f" and {more} new ones" if more else ""
            return f"its prompt has {len(prompt.ids)} tokens{room}; the model takes {self._longest}"
        return ""


def _padded(columns: Sequence[Sequence[int]], ids: Sequence[Sequence[int]]) -> Tensor:
    """Columns (rows, n) in a batch that is padded on the left."""
    width = max(map(len, ids))
    return torch.tensor(
        [[width - len(row) + i for i in own] for own, row in zip(columns, ids, strict=True)]
    )


def _model(checkpoint: Checkpoint, params: HfParams, context: Context) -> Any:
    import transformers

    if objection := device_map_objection(params):
        raise StudyError(f"model.with.device_map: {objection}")
    factory: Any = transformers.AutoModelForCausalLM
    try:
        model, info = factory.from_pretrained(
            checkpoint.folder,
            dtype=context.dtype,
            attn_implementation=params.attention,
            device_map=params.device_map,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
        )
    except ValueError as error:  # an unknown architecture, or a kernel that it has not
        reason = (str(error).splitlines() or [""])[0]
        if "attention implementation" in reason:
            reason = f"its architecture has no {params.attention!r} attention there; "
            reason += "`attention: eager` may do"
        if "custom code" in reason:
            reason = "its architecture is code in that folder, which is never run here; "
            reason += "only those that transformers itself has can be loaded"
        raise SiteError(f"transformers cannot load {checkpoint.folder}: {reason}") from error
    shapes = [
        f"{name} {tuple(has)} instead of {tuple(needs)}"
        for name, has, needs in sorted(info["mismatched_keys"])
    ]
    account(sorted(info["missing_keys"]), sorted(info["unexpected_keys"]), shapes)
    return model if params.device_map else model.to(context.device)


def _numbers(value: int | list[int] | None) -> set[int]:
    """The token ids in a configuration's value."""
    return set() if value is None else {value} if isinstance(value, int) else set(value)
