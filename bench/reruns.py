"""Ways to run a model again for every edit, which `bench/replay.py` compares replaying with.

Each takes a case and gives back a function that runs all of its edits. Two are written plainly with
transformers: one pass for each edit, as a script has it, and folded into large batches, which is
kindest. The others are written as the documentation of a library says.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

__all__ = [
    "CODI_WAYS",
    "FOLDED",
    "HOOK",
    "PEERS",
    "PROMPT_WAYS",
    "Case",
    "Codi",
    "Outcome",
    "Prompts",
    "Way",
    "by_edit",
]

HOOK, FOLDED = "hook", "hook, folded"
SIZES = (16, 32, 64, 128, 256, 512, 1024)
"""Rows in a batch, of which the folded ways take what is fastest."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What all runs came to, edits before problems."""

    logits: Tensor
    """(edits, problems, vocabulary) of the answer's first token; NaN where it wrote no prefix."""
    answers: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Case:
    """Edits of some problems, a difference for each pair."""

    model: Any
    """A causal model of transformers."""
    ids: list[list[int]]
    """Of every problem, longest first."""
    layer: int
    delta: Tensor
    """(edits, problems, d_model), added after the block at the edited token."""

    @property
    def block(self) -> Any:
        return self.model.model.layers[self.layer]


class Prompts(Case):
    """Edited at a prompt's last token and read there: the next token's scores."""


@dataclass(frozen=True, eq=False)
class Codi(Case):
    """Edited at a thought; later thoughts and the answer follow."""

    thoughts: int
    position: int
    """The pass that is edited, 0 being the question's."""
    eot: int
    eos: int
    limit: int
    """Tokens of an answer."""
    prefix: list[int]
    """How an answer begins."""
    text_of: Callable[[Sequence[int]], str]


Way = Callable[[Any], Callable[[], Outcome]]


def padded(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, mask and position ids (rows, tokens), padded on the left."""
    width = max(map(len, ids))
    tokens = torch.tensor([[0] * (width - len(row)) + list(row) for row in ids])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
    return tokens, mask, mask.cumsum(1).sub(1).clamp_min(0)


@contextmanager
def hooked(block: Any, delta: Tensor) -> Iterator[None]:
    """With `delta` (rows, d_model) added after a block, at the last token."""

    def add(_module: Any, _args: Any, output: Tensor) -> Tensor:
        output = output.clone()
        output[:, -1] += delta
        return output

    handle = block.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


def in_batches(case: Case, size: int, run: Callable[[Any, Tensor], Any]) -> Iterator[Any]:
    """All pairs of a problem and an edit, problem by problem, so that there is little padding."""
    n = case.delta.shape[0]
    ids = [row for row in case.ids for _ in range(n)]
    delta = case.delta.transpose(0, 1).flatten(0, 1)
    for start in range(0, len(ids), size):
        some = slice(start, start + size)
        yield run(ids[some], delta[some])


def by_edit(case: Case, rows: Tensor) -> Tensor:
    """(edits, problems, n) from problems before edits."""
    n_edits, n_problems = case.delta.shape[:2]
    return rows.view(n_problems, n_edits, -1).transpose(0, 1)


def kindest(case: Case, run: Callable[[int], object]) -> int:
    """The batch size with which all runs take the least CPU time."""
    sizes = [s for s in SIZES if s <= case.delta.shape[0] * case.delta.shape[1]]
    seconds = {}
    for size in sizes[-5:]:
        begin = time.process_time()
        run(size)
        seconds[size] = time.process_time() - begin
    return min(seconds, key=seconds.__getitem__)


# The next token after a prompt


def hook(case: Prompts) -> Callable[[], Outcome]:
    """One pass for each edit of all problems, with every token's scores, as `model()` has it."""
    tokens, mask, places = padded(case.ids)

    @torch.inference_mode()
    def run() -> Outcome:
        found = []
        for delta in case.delta:
            with hooked(case.block, delta):
                output = case.model(input_ids=tokens, attention_mask=mask, position_ids=places)
            found.append(output.logits[:, -1].clone())
        return Outcome(torch.stack(found))

    return run


def folded(case: Prompts) -> Callable[[], Outcome]:
    """Large batches of all edits, no keys and values kept, the scores of the last token only."""

    def batch(ids: Any, delta: Tensor) -> Tensor:
        tokens, mask, places = padded(ids)
        options = {"attention_mask": mask, "position_ids": places, "use_cache": False}
        with hooked(case.block, delta):
            states = case.model.model(input_ids=tokens, **options).last_hidden_state
        return case.model.lm_head(states[:, -1])  # much faster than with `logits_to_keep=1`

    @torch.inference_mode()
    def run(size: int) -> Outcome:
        return Outcome(by_edit(case, torch.cat(list(in_batches(case, size, batch)))))

    size = kindest(case, run)
    return lambda: run(size)


def nnsight(case: Prompts) -> Callable[[], Outcome]:
    """A trace for each edit of all problems, in one session."""
    import nnsight as library

    model = library.TransformersModel(copy.deepcopy(case.model), tokenizer=some_tokenizer())
    tokens, mask, places = padded(case.ids)
    inputs = {"input_ids": tokens, "attention_mask": mask, "position_ids": places}
    layer = case.layer

    @torch.inference_mode()
    def run() -> Outcome:
        with model.session():
            found = library.save([])
            for delta in case.delta:
                with model.trace(**inputs):
                    model.model.layers[layer].output[:, -1] += delta
                    found.append(model.output.logits[:, -1])
        return Outcome(torch.stack(found))

    return run


def transformer_lens(case: Prompts) -> Callable[[], Outcome]:
    """`run_with_hooks` for each edit of all problems."""
    from transformer_lens.model_bridge import TransformerBridge

    model = TransformerBridge.boot_transformers(
        "the case's", hf_model=copy.deepcopy(case.model), tokenizer=some_tokenizer(), device="cpu",
        dtype=case.model.dtype,
    )  # fmt: skip
    tokens, mask, places = padded(case.ids)
    name = f"blocks.{case.layer}.hook_resid_post"

    @torch.inference_mode()
    def run() -> Outcome:
        found = []
        for delta in case.delta:

            def add(resid: Tensor, hook: Any, delta: Tensor = delta) -> Tensor:  # noqa: ARG001
                resid[:, -1] += delta
                return resid

            logits = model.run_with_hooks(
                tokens, attention_mask=mask, position_ids=places, fwd_hooks=[(name, add)]
            )
            found.append(logits[:, -1].clone())
        return Outcome(torch.stack(found))

    return run


def pyvene(case: Prompts) -> Callable[[], Outcome]:
    """An intervenable model with an addition at the block's output, run for each edit."""
    import pyvene as library

    site = {"layer": case.layer, "component": "block_output"}
    site |= {"intervention_type": library.AdditionIntervention}
    model = library.IntervenableModel(site, model=copy.deepcopy(case.model))
    tokens, mask, places = padded(case.ids)
    base = {"input_ids": tokens, "attention_mask": mask, "position_ids": places}
    at = {"base": tokens.shape[1] - 1}

    @torch.inference_mode()
    def run() -> Outcome:
        found = []
        for delta in case.delta:
            _, output = model(base, unit_locations=at, source_representations=delta[:, None])
            found.append(output.logits[:, -1].clone())
        return Outcome(torch.stack(found))

    return run


def some_tokenizer() -> Any:
    """The libraries want a tokenizer, even for token ids."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<eos>": 1, "<unk>": 2}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<unk>")),
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
    )


PROMPT_WAYS: dict[str, Way] = {HOOK: hook, FOLDED: folded}
PEERS: dict[str, tuple[str, Way]] = {
    "nnsight": ("nnsight", nnsight),
    "TransformerLens": ("transformer-lens", transformer_lens),
    "pyvene": ("pyvene", pyvene),
}
"""Name -> the distribution it is in, and the way."""


# Thoughts and an answer


def codi_hook(case: Codi) -> Callable[[], Outcome]:
    """One loop for each edit of all problems, with every token's scores, as `model()` has it."""

    @torch.inference_mode()
    def run() -> Outcome:
        parts = [_thought_and_said(case, _Plain(case), case.ids, delta) for delta in case.delta]
        logits = torch.stack([part.logits for part in parts])
        return Outcome(logits, [text for part in parts for text in part.answers])

    return run


def codi_folded(case: Codi) -> Callable[[], Outcome]:
    """Large batches of all edits, the scores of written tokens only."""

    def batch(ids: Any, delta: Tensor) -> Outcome:
        return _thought_and_said(case, _Thrifty(case), ids, delta)

    @torch.inference_mode()
    def run(size: int) -> Outcome:
        parts = list(in_batches(case, size, batch))
        logits = by_edit(case, torch.cat([part.logits for part in parts]))
        texts = [text for part in parts for text in part.answers]
        n = case.delta.shape[0]
        return Outcome(logits, [text for edit in range(n) for text in texts[edit::n]])

    size = kindest(case, run)
    return lambda: run(size)


class _Plain:
    """Passes of the causal model, one after the other."""

    def __init__(self, case: Codi) -> None:
        from transformers import DynamicCache

        self.model, self.cache = case.model, DynamicCache()
        self.mask = self.next = torch.empty(0)

    def read(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """The last state of the questions."""
        tokens, self.mask, places = padded(ids)
        self.next = places[:, -1:]
        return self.passed(places, input_ids=tokens)

    def feed(self, **inputs: Tensor) -> Tensor:
        """The last state of one more token."""
        self.mask, self.next = F.pad(self.mask, (0, 1), value=1), self.next + 1
        return self.passed(self.next, **inputs)

    def passed(self, places: Tensor, **inputs: Tensor) -> Tensor:
        options = {"attention_mask": self.mask, "position_ids": places}
        self.output = self.model(
            **inputs, **options, past_key_values=self.cache, output_hidden_states=True
        )
        return self.output.hidden_states[-1][:, -1]

    def scores(self, hidden: Tensor) -> Tensor:  # noqa: ARG002 - they were computed
        return self.output.logits[:, -1]


class _Thrifty(_Plain):
    """The same without scores that nobody reads."""

    def passed(self, places: Tensor, **inputs: Tensor) -> Tensor:
        options = {"attention_mask": self.mask, "position_ids": places}
        output = self.model.model(**inputs, **options, past_key_values=self.cache)
        return output.last_hidden_state[:, -1]

    def scores(self, hidden: Tensor) -> Tensor:
        return self.model.lm_head(hidden)


def _thought_and_said(
    case: Codi, passes: _Plain, ids: Sequence[Sequence[int]], delta: Tensor
) -> Outcome:
    """Question, thoughts with the edit, and the answer written greedily from `<eot>` on."""
    for number in range(case.thoughts + 1):
        with hooked(case.block, delta) if number == case.position else nullcontext():
            if number == 0:
                hidden = passes.read(ids)
            else:
                hidden = passes.feed(inputs_embeds=case.model.prj(hidden)[:, None])
    newest = torch.full((len(ids),), case.eot)
    written, done = [], torch.zeros(len(ids), dtype=torch.bool)
    while len(written) < case.limit and not done.all():
        logits = passes.scores(passes.feed(input_ids=newest[:, None]))
        if len(written) == len(case.prefix):
            first = logits.clone()
        newest = logits.argmax(-1)
        written.append(newest)
        done |= newest == case.eos
    tokens = torch.stack(written, 1)
    first[(tokens[:, : len(case.prefix)] != torch.tensor(case.prefix)).any(1)] = torch.nan
    return Outcome(first, [case.text_of(_until(row, case.eos)) for row in tokens.tolist()])


def _until(row: list[int], end: int) -> list[int]:
    return row[: row.index(end)] if end in row else row


CODI_WAYS: dict[str, Way] = {HOOK: codi_hook, FOLDED: codi_folded}
