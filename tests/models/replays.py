"""What the tests of replayed runs share: edits that are wanted, and what came of every run."""

import math
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from hypothesis import strategies as st

import tiny_models
from strategies import Nudge
from studyrun import SiteEdits
from studyrun.context import CACHE_BYTES
from studyrun_models import HfParams, replay
from studyrun_models.blocks import stream_of
from studyrun_models.hf import CausalLM
from studyrun_models.stack import Stack
from studyrun_models.verify import verify
from studyrun_models.weights import quiet

FLOOR = 1e-4
"""Relative difference of float32 results that is rounding; a wrong run differs by about 1."""
READS = ("logits", "answers", "states")
HAS_GPU = torch.cuda.is_available()
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="no CUDA device")],
    ),
]


def edits_of(nudges, positions, d_model, device="cpu"):
    """The same as a replay takes them."""
    deltas = torch.stack([nudge.delta(d_model) for nudge in nudges]).to(device)
    numbers = [(nudge.question, nudge.at) for nudge in nudges]
    questions, at = torch.tensor(numbers, dtype=torch.int64).unbind(1)
    return SiteEdits(questions, positions, at, lambda runs: deltas[runs.to(device)])


@dataclass(frozen=True, eq=False)
class Run:
    """What came of one run."""

    question: int
    position: object
    moved: float
    places: tuple
    logits: torch.Tensor
    clean_logits: torch.Tensor
    states: torch.Tensor
    clean_states: torch.Tensor
    answer: str
    clean_answer: str

    def asked_as(self, question):
        """The same under the question's other number."""
        return replace(self, question=question)

    @property
    def is_clean(self):
        """Whether it has the bits of the run without an edit."""
        return (
            self.logits.equal(self.clean_logits)
            and self.states.equal(self.clean_states)
            and self.answer == self.clean_answer
        )


class Gathered:
    """Takes what a replay hands over, some runs at a time."""

    def __init__(self):
        self.by_index, self.times = {}, {}

    def __call__(self, runs):
        assert runs.index.shape == runs.questions.shape == runs.moved.shape
        assert (runs.moved.dtype, runs.moved.device.type) == (torch.float64, "cpu")
        assert runs.states.shape[:2] == (len(runs.index), len(runs.places))
        tensors = (runs.logits, runs.clean_logits, runs.states, runs.clean_states)
        rows = zip(
            runs.index.tolist(),
            runs.questions.tolist(),
            runs.moved.tolist(),
            *(tensor.detach().cpu().clone() for tensor in tensors),
            runs.answers,
            runs.clean_answers,
            strict=True,
        )
        for index, question, moved, *read in rows:
            self.times[index] = self.times.get(index, 0) + 1
            self.by_index[index] = Run(question, runs.position, moved, runs.places, *read)


def gathered(run, edits, reads=READS):
    """Every run by its number; each must be handed over exactly once."""
    found = Gathered()
    run(edits, reads, found)
    assert found.times == dict.fromkeys(range(len(edits)), 1)
    return [found.by_index[index] for index in range(len(edits))]


def apart(one, other):
    """The largest relative difference of two runs in what was read of them, and in |moved|."""
    assert (one.question, one.position) == (other.question, other.position)
    assert one.places == other.places
    pairs = [
        (one.logits, other.logits),
        (one.clean_logits, other.clean_logits),
        (one.states, other.states),
        (one.clean_states, other.clean_states),
        (torch.tensor([one.moved]), torch.tensor([other.moved])),
    ]
    return max(relative(*pair) for pair in pairs)


def relative(found, expected):
    """The largest |found - expected| / |expected| of the last dimension."""
    found, expected = found.double().cpu(), expected.double().cpu()
    far, size = (x.norm(dim=-1) for x in (found - expected, expected))
    return torch.where(far == 0, 0.0, far / size).max().item()


def from_clean(run):
    """The largest relative difference of a run from the one without an edit."""
    return max(relative(run.logits, run.clean_logits), relative(run.states, run.clean_states))


def same_bits(one, other):
    """Whether two runs agree in every bit, and so do those without an edit beside them."""
    return (
        one.answer == other.answer
        and one.clean_answer == other.clean_answer
        and apart(one, other) == 0.0
    )


def alike(one, other, device):
    """The same bits on CPU; elsewhere the same but for rounding."""
    return same_bits(one, other) or (device != "cpu" and apart(one, other) < FLOOR)


def unmoved(run, device):
    """Whether a run has the bits of the one without an edit; elsewhere than on CPU, nearly."""
    return run.is_clean or (device != "cpu" and from_clean(run) < FLOOR)


def says(text, written, text_of):
    """Whether an answer is what was written plainly, unless that was a matter of rounding."""
    return text == text_of(written.ids) or written.closest < FLOOR


def off(run, scores, states, written, text_of):
    """The largest relative difference of a run from what was computed plainly."""
    assert says(run.answer, written, text_of)
    return max(relative(run.logits, scores), relative(run.states, states))


def prompt_off(run, plain, ids, site, model):
    """The same for a prompt's run with the edit `site`; `plain` is the oracle."""
    x = plain.embedded(ids)
    states = plain.states(x, site)
    written = plain.greedy(x, site, model.stop, model.params.max_new_tokens)
    places = [site.column, -1][: len(run.places)]
    text_of = lambda row: model.texts_of([row])[0]  # noqa: E731
    return off(run, plain.logits(states[-1]), states[places], written, text_of)


@cache
def tokenizer():
    """One that puts `<bos>` in front."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tiny_models.byte_tokenizer("<bos>"),
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
    )


def in_memory(config, seed, device, prompt="{question}"):
    """A random model of a configuration, every part of which matters, that is replayed."""
    from transformers import AutoModelForCausalLM

    config.eos_token_id, config.pad_token_id, config.bos_token_id = 1, 0, None
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        llm = AutoModelForCausalLM.from_config(config)
        for weight in llm.parameters():
            weight.data.add_(0.3 * torch.randn_like(weight) if weight.ndim == 1 else 5 * weight)
    llm.to(device).eval().requires_grad_(False)
    stack = Stack(llm, config.num_hidden_layers)
    verify(stack, config.vocab_size)
    return CausalLM(stack, tokenizer(), None, HfParams("none", prompt=prompt, max_new_tokens=4))


@torch.inference_mode()
def closest(model, prompt, layer, column, delta):
    """How close the best two tokens are at any step of an answer, by transformers alone."""
    ids, llm, gap = model.tokenizer(prompt).input_ids, model.stack.model, math.inf

    def add(_module, _args, output):
        stream_of(output)[0, column] += delta.to(llm.device)

    handle = model.stack.blocks[layer].register_forward_hook(add)
    for _ in range(model.params.max_new_tokens):
        scores = llm(input_ids=torch.tensor([ids], device=llm.device), use_cache=False).logits[
            0, -1
        ]
        best = scores.topk(2)
        gap = min(gap, ((best.values[0] - best.values[1]) / scores.norm()).item())
        ids = [*ids, best.indices[0].item()]
    handle.remove()
    return gap


def threaded(threads, run, *args, **options):
    """The result with another number of torch's threads, set back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return run(*args, **options)
    finally:
        torch.set_num_threads(before)


def rearranged(data, replayed, model, layer, nudges, **texts):
    """The same runs put together otherwise: (order of runs, order of texts, the runs).

    Order of runs and texts, sizes of groups, sides, rows and batches, threads and memory are drawn.
    """
    ((name, known),) = texts.items()
    order = data.draw(st.permutations(range(len(nudges))))
    asked = data.draw(st.permutations(range(len(known))))
    turned = [Nudge(asked.index(n.question), n.at, n.size, n.seed) for n in nudges]
    with pytest.MonkeyPatch.context() as patch:
        for size in ("GROUP", "SIDE", "ROWS"):
            patch.setattr(replay, size, data.draw(st.integers(1, 9), label=size))
        found = threaded(
            data.draw(st.integers(1, 2), label="threads"),
            replayed,
            model,
            layer,
            [turned[number] for number in order],
            batch_size=data.draw(st.integers(1, 9), label="batch size"),
            cache_bytes=data.draw(st.sampled_from([0, 20_000, CACHE_BYTES]), label="memory"),
            **{name: [known[number] for number in asked]},
        )
    return order, asked, found
