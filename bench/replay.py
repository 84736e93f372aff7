"""What replaying edits saves over running the whole model again for every edit.

    python bench/replay.py [--rounds N] [--threads N] [--no-peers] [CASE ...]

All ways compute the same runs in one process, in turns, and what is compared is CPU time, so that
a busy machine counts as little as possible: medians, and medians of the ratios within a round.
"hook" runs the model once for each edit of all problems, as a script would (`bench/reruns.py`);
"folded" puts all edits into the batch and reads one token's scores: the most that can be had
without sharing what edits have in common. Libraries take part where they are installed
(`pip install studyrun[bench]`). "Cold" is a new replay, its pass without an edit included; "warm"
is the same one again, for other edits of the same problems.

Prints the table of docs/benchmarks.md; ends with 1 if a target is missed, or if a way does not come
to what the hook comes to.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from peers import LLAMA_1B, installed, ratio
from reruns import (
    CODI_WAYS,
    FOLDED,
    HOOK,
    PEERS,
    PROMPT_WAYS,
    Case,
    Codi,
    Outcome,
    Prompts,
    Way,
    by_edit,
)

from studyrun import Runs, SiteEdits
from studyrun_data.generator import generate
from studyrun_models import codi
from studyrun_models.params import CodiParams
from studyrun_models.positions import Tokens
from studyrun_models.prompt_passes import PromptPasses
from studyrun_models.replay import Replaying
from studyrun_models.stack import Stack, longest_first
from tiny_models import PlainContext

COLD, WARM = "replay, cold", "replay, warm"
HEADER = """\
| case | way | CPU, median | times as fast as hook | as folded | target |
| --- | --- | --- | --- | --- | --- |"""
POSITION = 3
"""The thought at which the CODI loop is edited."""


@dataclass(frozen=True, eq=False)
class Bench:
    """A case, the ways to compute it, and what is asked of replaying."""

    name: str
    words: str
    case: Case
    ways: dict[str, Way]
    replaying: Callable[[], Any]
    """A new replay."""
    positions: tuple[Any, ...]
    reads: tuple[str, ...]
    targets: dict[str, float]
    """Way -> how many times as fast as the hook."""
    tolerance: float
    """Of the scores, relative to the largest."""


def tiny() -> Any:
    """The embedded model."""
    torch.manual_seed(0)
    return codi.load(CodiParams(), PlainContext())


def questions(model: Any, n: int = 16) -> list[str]:
    """Problems, longest first."""
    texts = [problem.question for problem in generate(n, 5)]
    ids = model.encode(texts)
    return [texts[row] for row in longest_first(ids)]


@torch.inference_mode()
def edits_of(n_edits: int, ids: list[list[int]], model: Any, layer: int) -> Tensor:
    """Differences half as large as the residual at each problem's last token."""
    streams = [
        model.model(torch.tensor([row]), output_hidden_states=True).hidden_states[layer + 1][0, -1]
        for row in ids
    ]
    size = torch.stack(streams).float().norm(dim=-1, keepdim=True) / 2
    delta = torch.randn(n_edits, len(ids), model.config.hidden_size)
    return (delta / delta.norm(dim=-1, keepdim=True) * size).to(model.dtype)


def prompt(layer: int, targets: dict[str, float]) -> Bench:
    """The next token after a problem, by the embedded model as a plain language model."""
    model = tiny()
    ids = [row[:-1] for row in model.encode(questions(model))]  # up to <eos>, without <bot>
    plain = model.stack.model
    delta = edits_of(64, ids, plain, layer)
    words = f"next token, tiny-codi's Llama, layer {layer}, last of {_range(ids)} tokens"
    return _prompts(f"prompt-{layer}", words, Prompts(plain, ids, layer, delta), targets, 1e-4)


def large() -> Bench:
    """The next token, by a model with the shape of Llama 3.2 1B."""
    import transformers

    torch.manual_seed(0)
    config = transformers.LlamaConfig(**LLAMA_1B, num_hidden_layers=4)
    model = transformers.LlamaForCausalLM(config).to(DTYPE).eval().requires_grad_(False)
    ids = torch.randint(3, LLAMA_1B["vocab_size"], (4, 60)).tolist()
    delta = edits_of(16, ids, model, 2)
    words = f"next token, shape of Llama 3.2 1B with 4 blocks, {DTYPE}, layer 2, last of 60 tokens"
    return _prompts("large", words, Prompts(model, ids, 2, delta), {}, 0.05)


DTYPE = torch.bfloat16
"""Of the large model: what is faster where it is measured."""


def _prompts(
    name: str, words: str, case: Prompts, targets: dict[str, float], tolerance: float
) -> Bench:
    prompts = [Tokens("", row, (), range(len(row))) for row in case.ids]
    stack = Stack(case.model, case.model.config.num_hidden_layers)
    passes = PromptPasses(SimpleNamespace(stack=stack, full_because=""), prompts)
    ways = PROMPT_WAYS | installed(PEERS)
    return Bench(
        name,
        words,
        case,
        ways,
        lambda: Replaying(passes, case.layer, PlainContext(batch_size=1024)),
        ("last",),
        ("logits",),
        targets,
        tolerance,
    )


def loop() -> Bench:
    """The embedded model as it is meant: later thoughts and the answer, after an edit."""
    model = tiny()
    texts = questions(model)
    ids, layer = model.encode(texts), 14
    case = Codi(
        model.stack.model,
        ids,
        layer,
        edits_of(64, ids, model.stack.model, layer),
        thoughts=model.thoughts,
        position=POSITION,
        eot=model.eot,
        eos=model.eos,
        limit=model.params.max_new_tokens,
        prefix=model.answer_prefix,
        text_of=model.text_of,
    )
    words = f"thoughts and answer, tiny-codi, layer {layer}, position {POSITION} of 6"
    return Bench(
        "codi",
        words,
        case,
        CODI_WAYS,
        lambda: model.replay(texts, layer, PlainContext(batch_size=1024)),
        (POSITION,),
        ("logits", "answers"),
        {COLD: 8},
        1e-3,
    )


def _range(ids: list[list[int]]) -> str:
    lengths = sorted(map(len, ids))
    return f"{lengths[0]} to {lengths[-1]}"


def replayed(bench: Bench, replaying: Any) -> Outcome:
    """All runs by a replay."""
    n_edits, n_problems = bench.case.delta.shape[:2]
    delta = bench.case.delta.transpose(0, 1).flatten(0, 1)
    at = torch.zeros(len(delta), dtype=torch.int64)
    problems = torch.arange(n_problems).repeat_interleave(n_edits)
    edits = SiteEdits(problems, bench.positions, at, lambda runs: delta[runs])
    logits = delta.new_empty(len(delta), bench.case.model.config.vocab_size)
    answers = [""] * len(delta)

    def receive(runs: Runs) -> None:
        logits[runs.index] = runs.logits
        for run, text in zip(runs.index.tolist(), runs.answers or (), strict=False):
            answers[run] = text

    replaying.run(edits, bench.reads, receive)
    texts = [text for edit in range(n_edits) for text in answers[edit::n_edits]]
    return Outcome(by_edit(bench.case, logits), texts)


def measured(bench: Bench, rounds: int) -> tuple[dict[str, list[float]], dict[str, Outcome]]:
    """CPU seconds of every round, and what the last one came to."""
    runs = {name: way(bench.case) for name, way in bench.ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in (*runs, COLD, WARM)}
    found: dict[str, Outcome] = {}

    def timed(name: str, run: Callable[[], Outcome]) -> None:
        begin = time.process_time()
        found[name] = run()
        seconds[name].append(time.process_time() - begin)

    for _ in range(rounds):
        for name, run in runs.items():
            timed(name, run)
        kept: list[Any] = []

        def cold(kept: list[Any] = kept) -> Outcome:
            kept.append(bench.replaying())
            return replayed(bench, kept[0])

        timed(COLD, cold)
        timed(WARM, lambda kept=kept: replayed(bench, kept[0]))
    return seconds, found


def shown(bench: Bench, seconds: dict[str, list[float]]) -> bool:
    """Print the case's rows of the table; whether its targets are met."""
    good = True
    for name, own in seconds.items():
        ratios = [ratio(seconds[other], own) for other in (HOOK, FOLDED)]
        target = bench.targets.get(name)
        good &= target is None or ratios[0] >= target
        times = " | ".join(f"{each:.1f}" for each in ratios)
        print(f"| {bench.name} | {name} | {statistics.median(own):.3g} s | {times} | "
              f"{target or ''} |", flush=True)  # fmt: skip
    return good


def checked(bench: Bench, found: dict[str, Outcome]) -> tuple[bool, str]:
    """Whether all ways come to the same, and how far they are from it."""
    hook = found.pop(HOOK)
    far = {name: difference(outcome, hook) for name, outcome in found.items()}
    words = [f"{name} {each:.1e}" for name, each in far.items()]
    if hook.answers:
        pairs = zip(hook.answers, found[COLD].answers, strict=True)
        same = sum(one == other for one, other in pairs)
        words.append(f"answers the same in {same} of {len(hook.answers)}")
    n_edits, n_problems = bench.case.delta.shape[:2]
    size = f"{n_edits} edits x {n_problems} problems"
    note = f"- {bench.name}: {bench.words}; {size}. Scores differ by: {', '.join(words)}."
    return max(far.values()) <= bench.tolerance, note


def difference(one: Outcome, other: Outcome) -> float:
    """The largest difference of the scores, where both have them, over the largest score."""
    there = ~(one.logits.isnan() | other.logits.isnan())
    scores, others = one.logits[there].float(), other.logits[there].float()
    return ((scores - others).abs().max() / others.abs().max()).item()


def machine() -> str:
    """On what it is measured."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.processor(),
    )  # fmt: skip
    return (f"{os.cpu_count()} cores of {cpu}, torch {torch.__version__}, "
            f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")  # fmt: skip


CASES: dict[str, tuple[Callable[[], Bench], int]] = {
    "prompt-14": (lambda: prompt(14, {COLD: 20, WARM: 100}), 5),
    "prompt-7": (lambda: prompt(7, {}), 5),
    "codi": (loop, 5),
    "large": (large, 3),
}
"""Name -> the case, and rounds unless told otherwise."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-peers", action="store_true", help="leave other libraries out")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="all if none")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.no_peers:
        PEERS.clear()
    print(f"{machine()}\n\n{HEADER}")
    good, notes = True, []
    for name in options.cases or CASES:
        build, rounds = CASES[name]
        bench = build()
        seconds, found = measured(bench, options.rounds or rounds)
        same, note = checked(bench, found)
        good &= shown(bench, seconds) and same
        notes.append(note)
    print("\n" + "\n".join(notes))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
