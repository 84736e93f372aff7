"""What encoding and training an SAE cost beside the products that they cannot do without.

    python bench/sae.py [CASE ...] [--rows N] [--runs N]

Cases: encode-512 and encode-32768 (CPU time against the bare product, peak memory against input +
output + one chunk), train-topk and one for every other recipe (CPU time a step against five
products, and against a plain loop), stacked (many at once against a loop); SAELens and
dictionary_learning too, where installed (extra `bench-sae`). Everything of a case is measured
alternately, in one process, with the runner's policy for idle threads; peak memory in processes of
their own. Ends with 1 if a target is missed or a peer is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the runner; before torch

import sae_peers
import torch
from torch import Tensor

from studyrun_sae.architectures import TopK
from studyrun_sae.blocks import BLOCK, blocks
from studyrun_sae.encoding import Encoder, Pairs
from studyrun_sae.params import SaeTrain
from studyrun_sae.recipes import RECIPES
from studyrun_sae.sae import SAE
from studyrun_sae.training.train import Training, train
from studyrun_sae.training.train_stack import train_stack

D_IN = 2048
ENCODE = {"encode-512": (512, 100, 16_384, 1.3), "encode-32768": (32_768, 32, 2_048, 1.12)}
"""Name -> d_sae, k, rows, and how often the bare product's CPU time is allowed."""
ROWS = 16_384
"""Of which the memory is measured: MKL's own buffers, 14 MiB a thread, are the same for few."""
MEMORY = 1.3
"""How often input + output + one chunk of pre-activations is allowed at the peak."""
TRAIN = {"train-topk": 1.2}
"""How often the five products' CPU time is allowed; the other recipes are only told."""
D_SAE, K, BATCH = 2_048, 32, 512
STACKED = SaeTrain(d_sae=512, k=100, batch_size=256, epochs=2)
FASTER = 8
"""How often the time of a stack the loop must take on a GPU; on CPU, with a few, it is told."""
FLOAT = 4


def sae_of(d_sae: int, k: int) -> SAE:
    """Random unit features."""
    generator = torch.Generator().manual_seed(0)
    W = torch.nn.functional.normalize(torch.randn(d_sae, D_IN, generator=generator), dim=1)
    return SAE(W.T.contiguous(), torch.zeros(d_sae), W, torch.zeros(D_IN), TopK(k))


def encoded(sae: SAE, x: Tensor) -> list[Pairs]:
    """As the step `sae-encode` does it."""
    encoder = Encoder(sae)
    return [encoder.pairs(x[rows]) for rows in blocks(len(x))]


def dense(way: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """As peers do it, who leave a dense z; it is not kept."""
    for rows in blocks(len(x)):
        _ = way(x[rows])


def product(sae: SAE, x: Tensor) -> None:
    """The bare product, as large at once."""
    for rows in blocks(len(x)):
        _ = x[rows] @ sae.W_enc


def encode(name: str, rows: int | None, runs: int) -> bool:
    """Whether CPU time and memory are within the targets; tells both."""
    d_sae, k, usual, allowed = ENCODE[name]
    sae, x = sae_of(d_sae, k), torch.randn(rows or usual, D_IN)
    peers = sae_peers.encoders(D_IN, d_sae, k)
    works = [partial(dense, way, x) for way in peers.values()]
    bare, ours, *theirs = alternately(
        [lambda: product(sae, x), lambda: encoded(sae, x), *works], runs
    )
    held = rows or ROWS
    peaks = [memory(what, name, held) for what in ("studyrun", "product", *peers)]
    counted = FLOAT * (held * D_IN + BLOCK * d_sae) + held * k * (4 + 4 + FLOAT)
    share, least, *shares = (peak / counted for peak in peaks)
    print(f"{name:18} {ours / bare:5.2f} of {allowed:4.2f} times the product's {bare:6.2f} s   "
          f"peak {share:4.2f} (product {least:.2f}) of {MEMORY} times {counted / 2**20:.0f} MiB",
          flush=True)  # fmt: skip
    for peer, taken, part in zip(peers, theirs, shares, strict=True):
        print(f"  {peer:30} {taken / bare:5.2f}   peak {part:4.2f}", flush=True)
    return ours <= min([allowed * bare, *theirs]) and share <= MEMORY


def memory(what: str, name: str, rows: int) -> int:
    """Bytes that a fresh process holds at the peak, beside the SAE and the libraries."""
    command = [sys.executable, __file__, "--memory", what, name, "--rows", str(rows)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return int(json.loads(done.stdout))


def alone(what: str, name: str, rows: int) -> int:
    """The work of `memory`, after a few rows that do not count."""
    d_sae, k, _, _ = ENCODE[name]
    work: Callable[[Tensor], object]
    if what == "studyrun":
        work = partial(encoded, sae_of(d_sae, k))
    elif what == "product":
        work = partial(product, sae_of(d_sae, k))
    else:
        work = partial(dense, sae_peers.encoders(D_IN, d_sae, k)[what])
    work(torch.randn(8, D_IN))
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak so far is forgotten
    before = status("VmRSS")
    work(torch.randn(rows, D_IN))
    return status("VmHWM") - before


def status(name: str) -> int:
    """Bytes of this process; getrusage's peak is the parent's too."""
    told = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(told.partition(f"{name}:")[2].split()[0])


def training(name: str, rows: int | None, runs: int) -> bool:
    """Whether a step takes as long as it may; tells it."""
    recipe = name.removeprefix("train-")
    x = torch.randn(rows or 8 * BATCH, D_IN)
    params = SaeTrain(d_sae=D_SAE, k=K, epochs=1, batch_size=BATCH, architecture=recipe)

    def ours() -> None:
        train(x, params, torch.Generator().manual_seed(0), lambda items, _total: items)

    peers = sae_peers.trainers(recipe, D_IN, D_SAE, K, BATCH)
    works = [partial(_stepped, steps, x) for steps in peers.values()]
    floor, plain, taken, *theirs = alternately(
        [lambda: five(x), lambda: loop(x), ours, *works], runs
    )
    allowed = TRAIN.get(name)
    target = f" of {allowed}" if allowed else ""
    print(f"{name:18} {taken / floor:5.2f}{target} times five products' {floor:6.2f} s   "
          f"a plain TopK loop {plain / floor:.2f}", flush=True)  # fmt: skip
    for peer, seconds in zip(peers, theirs, strict=True):
        print(f"  {peer:30} {seconds / floor:5.2f}", flush=True)
    return taken <= min([(allowed or float("inf")) * floor, *theirs])


def _stepped(steps: Callable[[Iterator[Tensor]], None], x: Tensor) -> None:
    steps(batches(x))


def batches(x: Tensor) -> Iterator[Tensor]:
    """The rows, a batch at a time."""
    yield from x.split(BATCH)


def five(x: Tensor) -> None:
    """What a dense step multiplies: encode, decode, and the gradients of z, W_dec and W_enc."""
    W_enc, W_dec = torch.randn(D_IN, D_SAE), torch.randn(D_SAE, D_IN)
    for batch in batches(x):
        z = batch @ W_enc
        x_hat = z @ W_dec
        _ = x_hat @ W_dec.T
        _ = z.T @ x_hat
        _ = batch.T @ z


def loop(x: Tensor) -> None:
    """A TopK SAE as one writes it down: autograd, torch's Adam, a dense z."""
    sae = sae_of(D_SAE, K)
    weights = [t.clone().requires_grad_() for t in (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)]
    W_enc, b_enc, W_dec, b_dec = weights
    adam = torch.optim.Adam(weights, lr=1e-3)
    for batch in batches(x):
        top = torch.topk((batch - b_dec) @ W_enc + b_enc, K, dim=1)
        z = torch.zeros(len(batch), D_SAE).scatter(1, top.indices, top.values.relu())
        loss = (batch - z @ W_dec - b_dec).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()


def stacked(name: str, rows: int | None, runs: int) -> bool:
    """Whether many trained as one are as much faster as they should be; by the clock, not CPU."""
    gpu = torch.cuda.is_available()
    device, count, usual = ("cuda", 48, 4_096) if gpu else ("cpu", 4, 512)
    x = torch.randn(rows or usual, D_IN, device=device)

    def trainings() -> list[Training]:
        seeds = range(count)
        return [Training(x, STACKED, torch.Generator().manual_seed(seed)) for seed in seeds]

    def together() -> None:
        train_stack(trainings(), lambda items, _total: items)

    def loop() -> None:
        for each in trainings():
            train(each.x, each.params, each.generator, lambda items, _total: items)

    alone, one = alternately([loop, together], runs, waited)
    target, where = (f" of {FASTER}", torch.cuda.get_device_name()) if gpu else ("", "cpu")
    print(f"{name:18} {alone / one:5.2f}{target} times faster than {count} in a loop, "
          f"{alone:.2f} s on {where}", flush=True)  # fmt: skip
    return not gpu or alone >= FASTER * one


def waited() -> float:
    """The clock, once the device has done everything that it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def alternately(
    works: list[Callable[[], object]], runs: int, clock: Callable[[], float] = time.process_time
) -> list[float]:
    """The median (CPU) seconds of each, taken in turns after one go that does not count."""
    taken: list[list[float]] = [[] for _ in works]
    for run in range(runs + 1):
        for work, seconds in zip(works, taken, strict=True):
            begin = clock()
            work()
            if run:
                seconds.append(clock() - begin)
    return [statistics.median(seconds) for seconds in taken]


def main() -> int:
    """Run the cases that are named, or all."""
    cases = [*ENCODE, *(f"train-{name}" for name in RECIPES), "stacked"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(cases))
    parser.add_argument("--rows", type=int, help="rows of activations; by the case if left out")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        print(json.dumps(alone(given.memory, given.cases[0], given.rows)))
        return 0
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}")
    work = dict.fromkeys(cases, training) | dict.fromkeys(ENCODE, encode) | {"stacked": stacked}
    met = [work[name](name, given.rows, given.runs) for name in given.cases or cases]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
