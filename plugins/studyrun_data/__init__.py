"""Data sets of problems with worked solutions, and the concepts that these solutions show."""

from __future__ import annotations

from studyrun import Component, hookimpl
from studyrun_data import params

__all__ = ["studyrun_components"]

DATA = (
    ("word-problems", params.WordProblems, "generated word problems over 1 to 100"),
    ("gsm8k", params.Gsm8k, "the official GSM8K file, or GSM8K from the hub"),
    ("jsonl", params.Jsonl, "your own JSON Lines file"),
)
CONCEPTS = (
    ("operations", params.Operations, "which of + - * / a solution uses"),
    ("values", params.Values, "which numbers a solution contains"),
    ("patterns", params.Patterns, "which operations follow each other"),
)


@hookimpl
def studyrun_components() -> list[Component]:
    """Three data sets and three families of concepts."""
    return [*(_data(*row) for row in DATA), *(_concept(*row) for row in CONCEPTS)]


def _data(name: str, cls: type, summary: str) -> Component:
    module = name.replace("-", "_")
    return Component(
        kind="data",
        name=name,
        version="1",
        params=cls,
        target=f"studyrun_data.{module}:load",
        summary=summary,
        makes="problems",
        check=f"studyrun_data.checks:{module}",
        digest="" if name == "word-problems" else f"studyrun_data.digests:{module}",
    )


def _concept(name: str, cls: type, summary: str) -> Component:
    return Component(
        kind="concept",
        name=name,
        version="1",
        params=cls,
        target=f"studyrun_data.concepts:{name}",
        summary=summary,
    )
