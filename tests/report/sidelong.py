"""Runs of a matrix as they would be stored, for the comparison: real runs, planted tables."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from shelf import Shelf
from studyrun import Compared, Result
from studyrun.registry import Registry
from studyrun.runs import Run

KINDS = ["operation", "value", "general", "insufficient"]
STEPS = {"data": "problems", "sae": "sae", "labels": "labels", "patched": "effects",
         "verdicts": "verdicts"}  # fmt: skip


class Matrix:
    """Cells with numbers that can be told from each other."""

    def __init__(self, folder: Path, **axes: list[Any]) -> None:
        self.folder = folder
        self.shelf = Shelf(folder / "store")
        names = list(axes)
        self.axes = [dict(zip(names, point, strict=True)) for point in product(*axes.values())]
        problems = self.shelf.put("problems", Result(tables={"table": pl.DataFrame({"id": ["a"]})}))
        self.steps = [self._steps(number, problems.key) for number in range(len(self.axes))]

    def compared(self) -> list[Compared]:
        names = [_name(point) for point in self.axes]
        cells = {
            name: {"study": _study(), "steps": steps}
            for name, steps in zip(names, self.steps, strict=True)
        }
        record = {"study": "swept", "run": "r", "status": "done", "cells": cells}
        registry = Registry.load(())
        run = Run(self.folder / "swept" / "r", record, registry)
        return [
            Compared(name, run.cells[name] if len(names) > 1 else run, point, f"{name}/report.html")
            for name, point in zip(names, self.axes, strict=True)
        ]

    def _steps(self, number: int, problems: str) -> dict[str, dict[str, Any]]:
        made = {
            "sae": Result(tables={"quality": quality(number)}),
            "labels": Result(tables={"table": labels(number)}, meta={"n_problems": 90}),
            "patched": Result(tables={"table": patched(number)}),
            "verdicts": Result(tables={"table": verdicts(number)}),
        }
        keys = {step: self.shelf.put(STEPS[step], each).key for step, each in made.items()}
        return {
            step: {"status": "done", "key": key, "type": STEPS[step], "component": f"{step} 1",
                   "reasons": []}
            for step, key in {"data": problems, **keys}.items()
        }  # fmt: skip


def quality(number: int) -> pl.DataFrame:
    """Held out is better than on the problems of training, so that they cannot be mixed up."""
    fvu = [0.9, (number + 1) / 1000]
    return pl.DataFrame({
        "split": ["train", "validation"], "n": [210, 90], "fvu": fvu,
        "explained_variance": [1 - each for each in fvu],
        "explained_variance_seed": [0.2, 1 - (number + 1) / 2000],
        "l0": [3.0, 4.0 + number], "dead": [0, number], "dead_share": [0.0, number / 100],
    })  # fmt: skip


def labels(number: int) -> pl.DataFrame:
    """A hundred features, `10 + number` of them with a label and 30 without evidence."""
    kinds = ["operation"] * 10 + ["value"] * number + ["insufficient"] * 30
    kinds += ["general"] * (100 - len(kinds))
    return pl.DataFrame({"feature": range(100), "label": kinds, "kind": kinds})


def patched(number: int) -> pl.DataFrame:
    """One edit."""
    return pl.DataFrame({
        "layer": [14], "position": ["3"], "n_run": [60], "answer_towards": [0.5 - number / 1000],
        "answer_towards_random": [0.1], "answer_towards_q": [0.001 if number % 2 else 0.4],
        "answer_towards_verdict": ["effect" if number % 2 else "no-effect"],
    })  # fmt: skip


def verdicts(number: int) -> pl.DataFrame:
    verdict = ("supported", "refuted", "inconclusive")[number % 3]
    row = {"hypothesis": "it-holds", "claim": "It holds.", "given": "", "expect": "SELECT true",
           "verdict": verdict, "reason": "", "evidence": f"{number} >= 1"}  # fmt: skip
    return pl.DataFrame([row])


def _study() -> dict[str, Any]:
    return {"study": "swept", "about": "A sweep.", "steps": {}}


def _name(point: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in point.items())
