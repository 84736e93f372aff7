"""The sizes that keep a room readable: functions and modules."""

import ast
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "studyrun").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])


def functions(file: Path) -> list[tuple[int, str]]:
    """(lines, where) of every function in a file."""
    return [
        (node.end_lineno - node.lineno + 1, f"{file.relative_to(ROOT)}:{node.lineno} {node.name}")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_no_function_is_longer_than_60_lines():
    every = [entry for file in FILES for entry in functions(file)]
    assert [entry for entry in every if entry[0] > 60] == []


def test_half_of_the_functions_have_at_most_10_lines_and_nine_in_ten_at_most_30():
    lengths = sorted(lines for file in FILES for lines, _ in functions(file))
    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


def test_no_module_is_longer_than_400_lines():
    lengths = {str(file.relative_to(ROOT)): file.read_text().count("\n") for file in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}
    assert statistics.median(lengths.values()) <= 150
