"""Measure tiny-codi on held-out problems, through transformers, and print Markdown tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import oracle as codi
import torch
from numpy.typing import NDArray
from oracle import Oracle

from studyrun_data.generator import WordProblem, generate

SEED = 71_001
LAYER, POSITION = 14, 3
PROBED_RESULT = 1
"""The second step's result."""
RIDGE = 1.0
CHUNK = 100

Answers = list[int | None]
Change = Callable[[torch.Tensor], torch.Tensor]


def _six(oracle: Oracle, questions: Sequence[str]) -> Answers:
    """With the six thoughts."""
    reading, _, _ = codi.think(oracle, codi.read(oracle, questions, ("<eos>", "<bot>")))
    return [codi.parse_answer(text) for text in codi.answer(oracle, reading)]


def _hidden(oracle: Oracle, questions: Sequence[str]) -> Answers:
    """The thoughts run, but the answer cannot look at them; positions are kept."""
    reading, _, _ = codi.think(oracle, codi.read(oracle, questions, ("<eos>", "<bot>")))
    reading.mask[:, -oracle.thoughts :] = 0
    return [codi.parse_answer(text) for text in codi.answer(oracle, reading)]


def _given(oracle: Oracle, questions: Sequence[str], change: Change) -> Answers:
    """With thoughts that `change` makes from the model's own."""
    _, own, _ = codi.think(oracle, codi.read(oracle, questions, ("<eos>", "<bot>")))
    reading = codi.read(oracle, questions, ("<eos>", "<bot>"))
    reading, _, _ = codi.think(oracle, reading, change(own))
    return [codi.parse_answer(text) for text in codi.answer(oracle, reading)]


def _other(oracle: Oracle, questions: Sequence[str]) -> Answers:
    """With the thoughts of another problem."""
    return _given(oracle, questions, lambda fed: fed.roll(1, dims=0))


def _zeroed(oracle: Oracle, questions: Sequence[str]) -> Answers:
    """With zeros in place of the thoughts."""
    return _given(oracle, questions, torch.zeros_like)


def _none(oracle: Oracle, questions: Sequence[str]) -> Answers:
    """`<eot>` straight after `<bot>`."""
    reading = codi.read(oracle, questions, ("<eos>", "<bot>"))
    return [codi.parse_answer(text) for text in codi.answer(oracle, reading)]


def _written(oracle: Oracle, questions: Sequence[str]) -> Answers:
    """The teacher: steps written out as text."""
    reading = codi.read(oracle, questions, ("<eos>",))
    texts = codi.write(oracle, reading, codi.MAX_WRITTEN_TOKENS)
    return [codi.parse_answer(text) for text in texts]


MODES: dict[str, Callable[[Oracle, Sequence[str]], Answers]] = {
    "six thoughts": _six,
    "thoughts hidden from the answer": _hidden,
    "another problem's thoughts": _other,
    "thoughts zeroed": _zeroed,
    "no thoughts": _none,
    "written steps (teacher)": _written,
}
CONTROLS = tuple(MODES)[1:5]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of right answers."""

    overall: float
    several: float
    """On problems of 2 to 4 steps."""
    by_steps: tuple[float, ...]


@torch.no_grad()
def accuracy(oracle: Oracle, problems: Sequence[WordProblem], mode: str) -> Accuracy:
    """How often the answer is right in a mode."""
    hits: list[bool] = []
    for start in range(0, len(problems), CHUNK):
        chunk = problems[start : start + CHUNK]
        answers = MODES[mode](oracle, [p.question for p in chunk])
        hits += [a == p.answer for a, p in zip(answers, chunk, strict=True)]
    right = np.array(hits)
    n_steps = np.array([len(p.steps) for p in problems])
    by_steps = tuple(float(right[n_steps == n].mean()) for n in (1, 2, 3, 4))
    return Accuracy(float(right.mean()), float(right[n_steps > 1].mean()), by_steps)


@torch.no_grad()
def states_at(oracle: Oracle, problems: Sequence[WordProblem]) -> NDArray[np.float64]:
    """(problems, d) residual stream after block LAYER at POSITION."""
    rows = []
    for start in range(0, len(problems), CHUNK):
        questions = [p.question for p in problems[start : start + CHUNK]]
        reading = codi.read(oracle, questions, ("<eos>", "<bot>"))
        _, _, states = codi.think(oracle, reading)
        rows.append(states[POSITION][LAYER + 1].float())
    return torch.cat(rows).double().numpy()


def ridge(
    x: NDArray[np.float64], y: NDArray[np.float64], new: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Ridge regression of the columns of `y` on standardised `x`, predicted for `new`."""
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-9
    a, b = (x - mean) / std, (new - mean) / std
    centre = y.mean(axis=0)
    weights = np.linalg.solve(a.T @ a + RIDGE * np.eye(a.shape[1]), a.T @ (y - centre))
    predicted: NDArray[np.float64] = b @ weights + centre
    return predicted


@dataclass(frozen=True, slots=True)
class Probe:
    """How well a linear map reads the second result."""

    r2: float
    exact: float
    """Accuracy of ridge classification among the numbers."""


def probe(oracle: Oracle, train: Sequence[WordProblem], test: Sequence[WordProblem]) -> Probe:
    """Read the second result of problems with at least three steps, fitted on `train`."""
    x, new = states_at(oracle, train), states_at(oracle, test)
    values = np.array([float(p.steps[PROBED_RESULT].result) for p in train])
    truth = np.array([float(p.steps[PROBED_RESULT].result) for p in test])
    residual = truth - ridge(x, values, new)
    numbers = np.unique(values)
    scores = ridge(x, (values[:, None] == numbers).astype(float), new)
    exact = float((numbers[scores.argmax(axis=1)] == truth).mean())
    return Probe(1 - float((residual**2).sum() / ((truth - truth.mean()) ** 2).sum()), exact)


def _row(name: str, dtype: str, a: Accuracy) -> str:
    """One line of the table."""
    cells = [name, dtype, *(f"{v:.3f}" for v in (a.overall, *a.by_steps, a.several))]
    return f"| {' | '.join(cells)} |"


def report(package: Path, n: int) -> None:
    """Print accuracies in float32 and bfloat16, the gap, and the probe."""
    problems = generate(n, SEED, held_out=True)
    print(f"Held-out problems: {n}, a quarter for each number of steps\n")
    print("| answer | dtype | all | 1 step | 2 steps | 3 steps | 4 steps | 2-4 steps |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        oracle = codi.load(package, dtype)
        scores = {mode: accuracy(oracle, problems, mode) for mode in MODES}
        for mode, score in scores.items():
            print(_row(mode, name, score), flush=True)
        best = max(scores[mode].several for mode in CONTROLS)
        gap = scores["six thoughts"].several - best
        print(f"<!-- {name}: 2-4 steps, six thoughts above the best control by {gap:.3f} -->")
    oracle = codi.load(package)
    train = generate(3000, SEED + 1, steps=(3, 4), held_out=False)
    found = probe(oracle, train, [p for p in problems if len(p.steps) >= 3])
    print(f"\nRidge probe at layer {LAYER}, position {POSITION}, second result of problems with")
    print(f"at least three steps: R2 {found.r2:.3f}, exact {found.exact:.3f}")


def main() -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, nargs="?", default=codi.PACKAGE)
    parser.add_argument("--problems", type=int, default=1000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    report(args.package, args.problems)


if __name__ == "__main__":
    main()
