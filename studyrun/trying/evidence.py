"""Evidence for a classifier, made up from a seed: what its features follow is known."""

from __future__ import annotations

import random
from collections.abc import Iterable
from operator import add, mul, sub, truediv
from typing import Any

import polars as pl

from studyrun.analysis import Concept, Evidence

__all__ = ["sample_evidence"]

OPERATORS = {"+": add, "-": sub, "*": mul, "/": truediv}
MOST_STEPS = 3
STEP = pl.Struct(
    {
        "expression": pl.String(),
        "operands": pl.List(pl.Float64()),
        "operators": pl.List(pl.String()),
        "result": pl.Float64(),
    }
)
PROBLEMS = pl.Schema(
    {
        "problem": pl.UInt32(),
        "id": pl.String(),
        "question": pl.String(),
        "solution": pl.String(),
        "answer": pl.Float64(),
        "split": pl.String(),
        "steps": pl.List(STEP),
        "n_steps": pl.UInt32(),
    }
)
PAIRS = pl.Schema({"problem": pl.UInt32, "feature": pl.UInt32, "activation": pl.Float32})


def sample_evidence(problems: int = 120, features: int = 6, *, seed: int = 0) -> Evidence:
    """Problems of one to three steps, three concepts, and features that follow them or not.

    The concepts are `uses +`, `uses *` and the pattern `+ then *`. Feature 0 follows `uses +`, 1
    is never active, 2 always and stronger where `uses *` holds, 3 follows `+ then *`, 4 is active
    by chance, 5 on two problems; 6 is like 0, and so on. Problems' numbers have gaps, as those of a
    split have.

    Args:
        problems: how many, at least one.
        features: how many, at least one.
        seed: everything follows from it.
    """
    chance = random.Random(seed)
    numbers = sorted(chance.sample(range(2 * problems), problems))
    table = pl.DataFrame([_problem(n, chance) for n in numbers], PROBLEMS, orient="row")
    concepts = _concepts()
    holds = [table.select(concept.expr).to_series().to_list() for concept in concepts]
    pairs = [
        (number, feature, strength)
        for feature in range(features)
        for number, strength in zip(numbers, _strengths(feature % 6, holds, chance), strict=True)
        if strength
    ]
    activations = pl.DataFrame(pairs, PAIRS, orient="row").sort("problem", "feature")
    return Evidence(
        problems=table,
        activations=activations,
        features=_ranked(activations, problems, features),
        concepts=concepts,
        membership=_membership(numbers, holds),
        seed=seed,
    )


def _problem(number: int, chance: random.Random) -> tuple[Any, ...]:
    steps = [_step(chance) for _ in range(chance.randint(1, MOST_STEPS))]
    solution = "\n".join(f"{step['expression']}={step['result']:g}" for step in steps)
    question = f"What is {' and '.join(step['expression'] for step in steps)}?"
    answer = steps[-1]["result"]
    return number, f"p{number}", question, solution, answer, "validation", steps, len(steps)


def _step(chance: random.Random) -> dict[str, Any]:
    operator, a, b = chance.choice(list(OPERATORS)), chance.randint(2, 20), chance.randint(2, 20)
    a = a * b if operator == "/" else a
    return {
        "expression": f"{a}{operator}{b}",
        "operands": [float(a), float(b)],
        "operators": [operator],
        "result": float(OPERATORS[operator](a, b)),
    }


def _concepts() -> tuple[Concept, ...]:
    text = pl.col("solution").str
    return (
        Concept("uses +", "operation", text.contains("+", literal=True)),
        Concept("uses *", "operation", text.contains("*", literal=True)),
        Concept("+ then *", "pattern", text.contains(r"(?s)\+.*\*"), ("uses +", "uses *")),
    )


def _strengths(role: int, holds: list[list[bool]], chance: random.Random) -> Iterable[float]:
    """|activation| of a feature on every problem, 0 where it is inactive."""
    plus, times, pattern = holds
    n = len(plus)
    few = set(chance.sample(range(n), min(2, n)))
    frequency = (
        [0.9 if held else 0.05 for held in plus],
        [0.0] * n,
        [1.0] * n,
        [0.9 if held else 0.03 for held in pattern],
        [0.3] * n,
        [float(place in few) for place in range(n)],
    )[role]
    louder = [2.0 * held if role == 2 else 0.0 for held in times]
    return [
        chance.gammavariate(4.0, 0.5) + more + 0.1 if chance.random() < share else 0.0
        for share, more in zip(frequency, louder, strict=True)
    ]


def _ranked(activations: pl.DataFrame, problems: int, features: int) -> pl.DataFrame:
    every = pl.DataFrame({"feature": pl.int_range(features, dtype=pl.UInt32, eager=True)})
    sums = activations.group_by("feature").agg(
        n_active=pl.len(), total=pl.col("activation").cast(pl.Float64).sum()
    )
    counted = every.join(sums, on="feature", how="left").with_columns(
        pl.col("n_active").fill_null(0), pl.col("total").fill_null(0.0)
    )
    return counted.sort(["n_active", "feature"], descending=[True, False]).select(
        "feature",
        rank=pl.int_range(1, features + 1, dtype=pl.UInt32),
        n_active="n_active",
        frequency=pl.col("n_active") / problems,
        mean_abs_activation=pl.col("total") / problems,
    )


def _membership(numbers: list[int], holds: list[list[bool]]) -> pl.DataFrame:
    pairs = [
        (number, concept)
        for concept, held in enumerate(holds)
        for number, has in zip(numbers, held, strict=True)
        if has
    ]
    return pl.DataFrame(pairs, {"problem": pl.UInt32, "concept": pl.UInt32}, orient="row")
