"""Train tiny-codi or its idle twin from nothing: drills, written steps, then answers and thoughts.

Every stage runs for a number of steps, and its learning rate follows that number. With
`--finish HH:MM` (UTC) the last stage follows the clock instead and ends then. Interrupted runs
continue from their last checkpoint; batches depend on the seed, the stage and the step alone.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from muon import Muon
from network import Network, Shape, Weights, grow
from objectives import (
    Outcome,
    codi_loss,
    direct_loss,
    drill_loss,
    measure,
    parallel_loss,
    read_prefix,
    teacher_loss,
)
from torch import nn
from vocabulary import Vocabulary, build_vocabulary

from data import Batch, draw_batch, draw_drills, encode_batch
from studyrun_data.generator import generate

EVALUATION_SEED = 20_000_003
LOG_EVERY = 10
SAVE_EVERY = 100


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the training."""

    name: str
    objective: str
    """drills, teacher, parallel, direct or codi."""
    steps: int
    muon_lr: float
    lr: float
    warmup: int
    decay: float = 0.0
    """Share of the stage, at its end, in which the rates fall linearly."""
    floor: float = 1.0
    """What is left of the rates at the end."""
    drill_share: float = 0.0
    """Probability of a drill beside a step."""
    drill_size: int = 16
    keep_last: float = 0.5
    """How often the teacher writes out the last step."""
    hide: float = 0.35
    """How often the answer cannot see the question."""
    feed: bool = True
    """Whether what thoughts 2, 4 and 6 are fed is trained towards the results' embeddings."""
    gold_until: int = 0
    """Results are fed with a probability that falls from 0.9 to 0 until this step."""
    grown: bool = False
    """Whether the network has grown to twice the blocks."""


BEGINNING = (
    Stage("drills", "drills", 300, 0.02, 2e-3, 50, drill_size=64),
    Stage("teacher", "teacher", 600, 0.02, 2e-3, 20, 0.3, 0.5, drill_share=0.25, drill_size=32),
)  # fmt: skip
THINKING = (
    *BEGINNING,
    Stage("parallel", "parallel", 900, 0.01, 1.5e-3, 20, 0.4, 0.4, drill_share=0.3, drill_size=32),
    Stage("codi8", "codi", 600, 0.008, 1e-3, 20, drill_share=0.3, keep_last=0.4, gold_until=120),
    Stage("codi16", "codi", 1300, 0.004, 5e-4, 20, 0.8, 0.05, drill_share=0.3, keep_last=0.4,
          grown=True),
)  # fmt: skip
"""The answer needs its thoughts: tiny-codi."""
IDLE = (
    *BEGINNING,
    Stage("direct8", "direct", 500, 0.015, 1.5e-3, 20, drill_share=0.3, drill_size=32),
    Stage("direct16", "direct", 1200, 0.01, 1e-3, 20, 0.6, 0.15, drill_share=0.3, drill_size=32,
          grown=True),
    Stage("codi16", "codi", 500, 0.004, 5e-4, 20, 0.8, 0.05, drill_share=0.3, keep_last=0.4,
          hide=0.0, feed=False, grown=True),
)  # fmt: skip
"""The answer learns to do without, then CODI's plain objective: tiny-codi-idle."""
RECIPES = {"thinking": THINKING, "idle": IDLE}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line said."""

    folder: Path
    shape: Shape
    stages: tuple[Stage, ...]
    size: int
    seed: int
    finish: float | None
    """Time at which the last stage ends, in seconds since the epoch."""


def rate(stage: Stage, step: int, progress: float) -> float:
    """Factor on the learning rates at a step, with `progress` through the stage in 0..1."""
    warm = min(1.0, (step + 1) / stage.warmup)
    if progress <= 1 - stage.decay or stage.decay == 0:
        return warm
    left = (1 - progress) / stage.decay
    return warm * (stage.floor + (1 - stage.floor) * max(0.0, left))


def optimizers(network: Network, stage: Stage) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for everything else."""
    matrices = {id(p) for p in network.matrices()}
    others = [p for p in network.parameters() if id(p) not in matrices]
    groups = [
        {"params": [p for p in others if p.ndim == 2], "weight_decay": 0.01},
        {"params": [p for p in others if p.ndim != 2], "weight_decay": 0.0},
    ]
    return [
        Muon(network.matrices(), stage.muon_lr),
        torch.optim.AdamW(groups, lr=stage.lr, betas=(0.9, 0.98), foreach=True),
    ]


def step_loss(
    network: Network, stage: Stage, settings: Settings, step: int, vocabulary: Vocabulary
) -> Outcome:
    """The loss of one step, with its drill if chance wants one."""
    key = f"{settings.seed}/{stage.name}/{step}"
    rng = random.Random(key)
    weights = network.weights(torch.bfloat16)
    drills = rng.random() < stage.drill_share
    if stage.objective == "drills":
        return drill_loss(network, weights, draw_drills(stage.drill_size, key, vocabulary))
    batch = draw_batch(settings.size, key, vocabulary, stage.keep_last)
    outcome = _problem_loss(network, weights, stage, batch, step, rng)
    if drills:
        extra = drill_loss(network, weights, draw_drills(stage.drill_size, key, vocabulary))
        outcome = Outcome(outcome.loss + extra.loss, outcome.facts | extra.facts)
    return outcome


def _problem_loss(
    network: Network, weights: Weights, stage: Stage, batch: Batch, step: int, rng: random.Random
) -> Outcome:
    """The stage's loss on a batch of problems."""
    size = len(batch.prefix)
    g = torch.Generator().manual_seed(rng.getrandbits(48))
    hide = torch.rand(size, generator=g) < stage.hide
    prefix = read_prefix(network, weights, batch)
    if stage.objective == "teacher":
        return teacher_loss(network, weights, batch, prefix)[0]
    if stage.objective == "codi":
        p = 0.9 * max(0.0, 1 - step / stage.gold_until) if stage.gold_until else 0.0
        gold = torch.rand(size, 3, generator=g) < p
        return codi_loss(network, weights, batch, prefix, hide, gold if stage.feed else None)
    if stage.objective == "direct":
        outcome = direct_loss(network, weights, batch, prefix)
    else:
        outcome = parallel_loss(network, weights, batch, prefix, hide)
    if rng.random() < 0.3:
        teacher, _ = teacher_loss(network, weights, batch, prefix)
        outcome = Outcome(outcome.loss + teacher.loss, outcome.facts | teacher.facts)
    return outcome


class Log:
    """Means of what happened since the last line, to the screen and to a CSV file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sums: dict[str, list[float]] = defaultdict(list)

    def add(self, facts: dict[str, float]) -> None:
        """Remember the facts of one step."""
        for name, value in facts.items():
            self.sums[name].append(value)

    def write(self, stage: Stage, step: int, seconds: float) -> None:
        """One line per fact: stage, step, seconds, name, value."""
        means = {name: sum(v) / len(v) for name, v in sorted(self.sums.items())}
        self.sums.clear()
        with self.path.open("a", newline="") as file:
            rows = csv.writer(file)
            for name, value in means.items():
                rows.writerow([stage.name, step, f"{seconds:.1f}", name, f"{value:.4g}"])
        text = " ".join(f"{name}={value:.3g}" for name, value in means.items())
        print(f"{stage.name} {step} {seconds:.0f}s {text}", flush=True)


@dataclass(slots=True)
class Progress:
    """Where the run stands."""

    stage: int = 0
    step: int = 0
    seconds: float = 0.0
    """Time spent in this stage."""


class Run:
    """A training run in a folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.vocabulary = build_vocabulary()
        self.progress = Progress()
        self.log = Log(settings.folder / "curves.csv")
        self.network = Network(settings.shape, settings.seed)
        problems = generate(128, EVALUATION_SEED, held_out=True)
        self.held_out = encode_batch(problems, self.vocabulary, [True] * len(problems))
        self.state: list[dict[str, object]] | None = None
        if self.checkpoint.exists():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """The newest state."""
        return self.settings.folder / "checkpoint.pt"

    def _resume(self) -> None:
        """Continue from the checkpoint."""
        saved = torch.load(self.checkpoint, weights_only=True)
        self.progress = Progress(**saved["progress"])
        self.network = Network(replace(self.settings.shape, **saved["shape"]))
        self.network.load_state_dict(saved["network"])
        self.state = saved["optimizers"]

    def save(self, opts: list[torch.optim.Optimizer], name: str | None = None) -> None:
        """Write the state, atomically."""
        path = self.checkpoint if name is None else self.settings.folder / name
        state = {
            "progress": asdict(self.progress),
            "shape": asdict(self.network.shape),
            "network": self.network.state_dict(),
            "optimizers": [o.state_dict() for o in opts],
        }
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def train(self) -> None:
        """All stages from where the run stands."""
        for index in range(self.progress.stage, len(self.settings.stages)):
            stage = self.settings.stages[index]
            if index != self.progress.stage:
                self.progress = Progress(stage=index)
            if stage.grown and self.network.shape.layers == self.settings.shape.layers:
                self.network = grow(self.network)
            self._train_stage(stage, last=index == len(self.settings.stages) - 1)

    def _train_stage(self, stage: Stage, *, last: bool) -> None:
        """Steps of one stage until its steps are done or its time is up."""
        opts = optimizers(self.network, stage)
        if self.state is not None:
            for optimizer, state in zip(opts, self.state, strict=True):
                optimizer.load_state_dict(state)
            self.state = None
        finish = self.settings.finish if last else None
        begin = time.time() - self.progress.seconds
        while (done := self._share_done(stage, begin, finish)) < 1:
            self._step(stage, opts, rate(stage, self.progress.step, done))
            self.progress.step += 1
            self.progress.seconds = time.time() - begin
            self._report(stage, opts)
        self.save(opts, f"{stage.name}.pt")

    def _share_done(self, stage: Stage, begin: float, finish: float | None) -> float:
        """Progress through the stage, by steps or by the clock."""
        if finish is None:
            return self.progress.step / stage.steps
        return (time.time() - begin) / max(1.0, finish - begin)

    def _step(self, stage: Stage, opts: list[torch.optim.Optimizer], factor: float) -> None:
        """One update."""
        for optimizer, lr in zip(opts, (stage.muon_lr, stage.lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
            optimizer.zero_grad(set_to_none=True)
        outcome = step_loss(self.network, stage, self.settings, self.progress.step, self.vocabulary)
        outcome.loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not torch.isfinite(norm):
            raise FloatingPointError(f"gradient norm {norm} in {stage.name} {self.progress.step}")
        for optimizer in opts:
            optimizer.step()
        self.log.add(outcome.facts | {"gradient": float(norm)})

    def _report(self, stage: Stage, opts: list[torch.optim.Optimizer]) -> None:
        """Log, evaluate and save now and then."""
        step = self.progress.step
        if step % SAVE_EVERY == 0:
            if stage.objective in ("direct", "codi"):
                self.log.add(self._held_out())
            self.save(opts)
        if step % LOG_EVERY == 0:
            self.log.write(stage, step, self.progress.seconds)

    def _held_out(self) -> dict[str, float]:
        """Accuracy on held-out problems."""
        weights = self.network.weights(torch.float32)
        scores: dict[str, float] = measure(self.network, weights, self.held_out)
        return {f"held_out_{name}": value for name, value in scores.items()}


def _finish_time(text: str | None) -> float | None:
    """Seconds since the epoch of HH:MM today, UTC."""
    if text is None:
        return None
    hour, minute = map(int, text.split(":"))
    return datetime.now(UTC).replace(hour=hour, minute=minute, second=0).timestamp()


def parse(arguments: list[str] | None = None) -> Settings:
    """Settings from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="checkpoints and curves go here")
    parser.add_argument("--recipe", choices=RECIPES, default="thinking")
    parser.add_argument("--d", type=int, default=128)
    parser.add_argument("--inner", type=int, default=352)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--layers", type=int, default=8, help="before they are doubled")
    parser.add_argument("--size", type=int, default=64, help="problems per step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", nargs="*", default=[], metavar="STAGE=N")
    parser.add_argument("--finish", help="HH:MM (UTC) at which the last stage ends")
    args = parser.parse_args(arguments)
    wanted = {name: int(n) for name, n in (text.split("=") for text in args.steps)}
    stages = tuple(replace(s, steps=wanted.get(s.name, s.steps)) for s in RECIPES[args.recipe])
    shape = Shape(len(build_vocabulary()), args.d, args.layers, args.heads, args.inner)
    args.folder.mkdir(parents=True, exist_ok=True)
    finish = _finish_time(args.finish)
    return Settings(args.folder, shape, stages, args.size, args.seed, finish)


def main() -> None:
    """Train from the command line."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    Run(parse()).train()


if __name__ == "__main__":
    main()
