"""Data sets of problems with worked solutions, and the concepts that these solutions show."""

from __future__ import annotations

from studyrun import Component, hookimpl
from studyrun_data import params
from studyrun_data.concepts import params as concepts

__all__ = ["studyrun_components"]

DATA = (
    ("word-problems", params.WordProblems, "generated word problems over 1 to 100"),
    ("gsm8k", params.Gsm8k, "the official GSM8K file, or GSM8K from the hub"),
    ("jsonl", params.Jsonl, "your own JSON Lines file"),
)
CONCEPTS = (
    ("operations", "1", concepts.Operations, "operations:operations"),
    ("only-operations", "1", concepts.Operations, "operations:only_operations"),
    ("first-operations", "1", concepts.Operations, "operations:first_operations"),
    ("last-operations", "1", concepts.Operations, "operations:last_operations"),
    ("patterns", "1", concepts.Patterns, "patterns:patterns"),
    ("steps", "1", concepts.Steps, "steps:steps"),
    ("values", "2", concepts.Values, "values:values"),
    ("value-classes", "1", concepts.ValueClasses, "classes:value_classes"),
    (
        "operations-with-values",
        "1",
        concepts.OperationValues,
        "operation_values:operations_with_values",
    ),
    ("answers", "1", concepts.Answers, "answers:answers"),
    ("concept", "1", concepts.Free, "free:free"),
)
SUMMARIES = {
    "operations": "which of + - * / a solution uses",
    "only-operations": "which operation is the only one of a solution",
    "first-operations": "which operation a solution begins with",
    "last-operations": "which operation a solution ends with",
    "patterns": "which operations follow each other",
    "steps": "how many steps a solution has",
    "values": "which numbers a solution contains",
    "value-classes": "which sorts of numbers a solution contains: round, of two digits, fractions",
    "operations-with-values": "which numbers an operation goes with",
    "answers": "which sort of number the answer is",
    "concept": "one of your own: SQL over the problems' table",
}


@hookimpl
def studyrun_components() -> list[Component]:
    """Three data sets, ten families of concepts, and a concept of the study's own."""
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
        tables="studyrun_data.columns:tables",
    )


def _concept(name: str, version: str, cls: type, target: str) -> Component:
    return Component(
        kind="concept",
        name=name,
        version=version,
        params=cls,
        target=f"studyrun_data.concepts.{target}",
        check="studyrun_data.concepts.checks:free" if name == "concept" else "",
        summary=SUMMARIES[name],
    )
