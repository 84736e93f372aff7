"""What it takes to read the residual stream of many problems, beside other ways and the least.

    python bench/extract.py [--problems N] [--rounds N] [--layers N] [--device D] [CASE ...]
    python bench/extract.py --memory 10000 100000

All ways read the same problems in one process, in turns: every layer but the last (whose hidden
state other ways have after the norm only), at the last token of a prompt, or at every thought.

- "one by one": `output_hidden_states` for each problem by itself, as a script would;
- "batches": the same, padded on the left, in the order of the problems;
- libraries, stopped after the deepest layer, where they are installed (`pip install
  studyrun[bench]`), in batches of about one length;
- "studyrun": the step, from the questions' text to the file on disk;
- "bare": only the blocks that are needed, on batches of one length, nothing kept: the limit.

CPU time, or wall time where there is a GPU: medians, and medians of the ratios within a round.
`--memory` extracts so many short problems by a tiny model, each number in a process of its own,
and prints the most memory that it had.
"""

from __future__ import annotations

import argparse
import copy
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from extract_peers import BATCH, PEERS, Case, Way, padded, tokenizer
from peers import LLAMA_1B, installed, ratio

import shelf
import tiny_models
from studyrun import Inputs, ModelFacts, Position, Result
from studyrun_data.generator import generate
from studyrun_extract import ExtractParams, extract
from studyrun_models import codi
from studyrun_models.hf import CausalLM
from studyrun_models.params import CodiParams, HfParams
from studyrun_models.stack import Stack, longest_first
from tiny_models import PlainContext

ONE, BATCHES, OURS, BARE = "one by one", "batches", "studyrun", "bare"
GSM8K = 7_473
"""Problems of its training set, for which the time is projected."""
TINY = {
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_attention_heads": 4,
    "vocab_size": 512,
    "num_hidden_layers": 16,
}
"""The embedded model's shape."""


def seen(case: Case, inputs: dict[str, Any], last: bool) -> tuple[Tensor, Any]:
    """(rows, layers, d_model) at the last token, by `output_hidden_states`; and the output."""
    found = case.model(**inputs, output_hidden_states=True, use_cache=not last)
    streams = [found.hidden_states[layer + 1][:, -1] for layer in case.layers]
    return torch.stack(streams, dim=1).float().cpu(), found


def hidden_states(case: Case, inputs: dict[str, Any]) -> Tensor:
    """(rows, layers, positions, d_model), thoughts included where the model thinks."""
    thoughts = len(case.positions) - 1
    stream, found = seen(case, inputs, last=not thoughts)
    streams = [stream]
    mask = inputs.get("attention_mask")
    for thought in range(thoughts):
        fed = case.model.prj(found.hidden_states[-1][:, -1:])
        more: dict[str, Any] = {"inputs_embeds": fed, "past_key_values": found.past_key_values}
        if mask is not None:
            mask = torch.nn.functional.pad(mask, (0, 1), value=1)
            places = inputs["position_ids"][:, -1:] + 1 + thought
            more |= {"attention_mask": mask, "position_ids": places}
        stream, found = seen(case, more, last=False)
        streams.append(stream)
    return torch.stack(streams, dim=2)


@torch.inference_mode()
def one_by_one(case: Case) -> Tensor:
    """As a script would."""
    out = case.room()
    for row, ids in enumerate(case.ids):
        out[row] = hidden_states(case, {"input_ids": torch.tensor([ids]).to(case.device)})[0]
    return out


@torch.inference_mode()
def batches(case: Case) -> Tensor:
    """In batches as the problems come."""
    out = case.room()
    for start in range(0, len(case.ids), BATCH):
        rows = list(range(start, min(start + BATCH, len(case.ids))))
        out[rows] = hidden_states(case, padded(case, rows))
    return out


def ours(case: Case) -> Way:
    """The step, with what it writes; the problems' table is there already."""
    n = len(case.questions)
    table = pl.DataFrame(
        {"id": [str(row) for row in range(n)], "question": case.questions, "split": ["train"] * n}
    )
    home = tempfile.TemporaryDirectory()  # removed with the function that holds it
    given = shelf.Shelf(Path(home.name) / "given").put("problems", Result({"table": table}))

    def run(case: Case) -> Tensor:
        work = Path(tempfile.mkdtemp(dir=home.name))
        context = PlainContext(BATCH, model=case.adapter, device=case.device).within(work)
        params = ExtractParams(case.layers, case.positions)
        result = extract.run(params, Inputs({"problems": given}), context)
        assert result.tensor_file is not None
        found = load_file(result.tensor_file)["activations"]  # mapped: it stays when the file goes
        shutil.rmtree(work)
        return found

    return run


def bare(case: Case) -> Way:
    """The blocks that are needed, and nothing else: no hook, no mask, nothing read."""
    body = copy.copy(case.model.base_model)
    thoughts = len(case.positions) - 1
    if not thoughts:  # the weights are shared with the case's model, only the list is another
        body._modules = {**body._modules, "layers": body.layers[: max(case.layers) + 1]}

    @torch.inference_mode()
    def run(case: Case) -> Tensor:
        order = longest_first(case.ids)
        for _, group in groupby(order, key=lambda row: len(case.ids[row])):
            alike = list(group)
            for start in range(0, len(alike), BATCH):
                tokens = torch.tensor([case.ids[row] for row in alike[start : start + BATCH]])
                _bare_pass(case, body, tokens.to(case.device), thoughts)
        return torch.empty(0)

    return run


def _bare_pass(case: Case, body: Any, tokens: Tensor, thoughts: int) -> None:
    found = body(input_ids=tokens, use_cache=bool(thoughts))
    for _ in range(thoughts):
        fed = case.model.prj(found.last_hidden_state[:, -1:])
        found = body(inputs_embeds=fed, past_key_values=found.past_key_values, use_cache=True)


def questions(n: int) -> list[str]:
    """Problems as they come."""
    return [problem.question for problem in generate(n, 5)]


def prompts(
    shape: dict[str, Any], options: argparse.Namespace, dtype: torch.dtype, usual: int
) -> Case:
    """A plain language model at the last token."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**shape)
    model = transformers.LlamaForCausalLM(config).to(options.device, dtype)
    model.eval().requires_grad_(False)
    depth = config.num_hidden_layers
    facts = ModelFacts("bench", "0", depth, config.hidden_size)
    adapter = CausalLM(Stack(model, depth), tokenizer(), facts, HfParams(checkpoint="none"))
    asked = questions(options.problems or usual)
    found, _ = adapter._located(asked, ["last"], more=0)
    ids = [list(prompt.ids) for prompt in found]
    return Case(adapter, model, asked, ids, list(range(depth - 1)), ["last"])


def embedded(options: argparse.Namespace) -> Case:
    """The embedded model at every thought."""
    torch.manual_seed(0)
    adapter = codi.load(CodiParams(), PlainContext(device=options.device))
    asked = questions(options.problems or 1_024)
    depth = adapter.facts.n_layers
    positions: list[Position] = list(range(adapter.thoughts + 1))
    ids, model = adapter.encode(asked), adapter.stack.model
    return Case(adapter, model, asked, ids, list(range(depth - 1)), positions)


def tiny(options: argparse.Namespace) -> Case:
    """A Llama of the embedded model's size."""
    return prompts(TINY, options, torch.float32, usual=1_024)


def large(options: argparse.Namespace) -> Case:
    """A Llama of the size of Llama 3.2 1B, with few blocks."""
    dtype = torch.float32 if options.device == "cpu" else torch.bfloat16
    usual = 16 if options.device == "cpu" else 1_024
    return prompts({**LLAMA_1B, "num_hidden_layers": options.layers}, options, dtype, usual)


CASES: dict[str, Callable[[argparse.Namespace], Case]] = {
    "tiny": tiny,
    "codi": embedded,
    "large": large,
}


def ways_of(case: Case, peers: bool) -> dict[str, Way]:
    """Every way there is to read it."""
    found: dict[str, Way] = {ONE: one_by_one, BATCHES: batches}
    if peers and len(case.positions) == 1:
        found |= {name: way(case) for name, way in installed(PEERS).items()}
    return {**found, OURS: ours(case), BARE: bare(case)}


def measured(case: Case, ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """Seconds of every round, after one to warm up; every way comes to what the first comes to."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    gpu = case.device.type == "cuda"
    clock = time.perf_counter if gpu else time.process_time
    first: Tensor | None = None
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = clock()
            found = way(case)
            if gpu:
                torch.cuda.synchronize()
            if number:
                seconds[name].append(clock() - begin)
            elif first is None:
                first = found
            elif len(found):
                off = ((found - first).norm() / first.norm()).item()
                print(f"- {name} differs from {ONE} by {off:.1e}", file=sys.stderr)
    return seconds


def shown(name: str, case: Case, seconds: dict[str, list[float]]) -> None:
    """The case's rows of the table."""
    for way, own in seconds.items():
        rate = len(case.ids) / statistics.median(own)
        times = [ratio(seconds[other], own) for other in (ONE, BARE)]
        minutes = GSM8K / rate / 60
        print(f"| {name} | {way} | {statistics.median(own):.3g} s | {rate:,.1f} | "
              f"{times[0]:.2f} | {times[1]:.2f} | {minutes:.1f} min |", flush=True)  # fmt: skip


def memory_of(n: int) -> None:
    """Extract and store n short problems; print the most memory that this process had."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny_models.write_codi(folder / "model", layers=2, d=128)
        model = codi.load(CodiParams(str(folder / "model")), PlainContext())
        store = shelf.Shelf(folder / "store")
        rows = pl.int_range(n, eager=True)
        table = pl.select(
            id=rows.cast(pl.String),
            question=pl.format("{} + {}", rows % 101, (rows // 101) % 101),
            split=pl.lit("train"),
        )
        given = store.put("problems", Result({"table": table}))
        (folder / "work").mkdir()
        context = PlainContext(512, model=model).within(folder / "work")
        params = ExtractParams([0, 1], [0, 1])
        begin = time.perf_counter()
        made = store.put("a", extract.run(params, Inputs({"problems": given}), context))
        took = time.perf_counter() - begin
        size = made.file("tensors.safetensors").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {n:,} | {size / 1e6:,.1f} MB | {took:.1f} s | {peak:,.0f} MB |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, help="by the case if left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=4, help="blocks of the large model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-peers", action="store_true", help="leave other libraries out")
    parser.add_argument("--memory", type=int, nargs="+", help="numbers of problems; nothing else")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="all if none")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory and len(options.memory) == 1:
        memory_of(options.memory[0])
        return 0
    if options.memory:
        print("| problems | file | step | peak memory |\n| --- | --- | --- | --- |", flush=True)
        for n in options.memory:
            subprocess.run([sys.executable, __file__, "--memory", str(n)], check=True)
        return 0
    print(f"{os.cpu_count()} cores, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n")
    print("| case | way | time | problems/s | times as fast as one by one | as bare | "
          f"{GSM8K:,} problems |\n|{' --- |' * 7}", flush=True)  # fmt: skip
    for name in options.cases or CASES:
        case = CASES[name](options)
        shown(name, case, measured(case, ways_of(case, not options.no_peers), options.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
