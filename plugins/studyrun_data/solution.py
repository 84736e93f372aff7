"""The one reader of worked solutions: text in, calculation steps and whatever is wrong out.

Two notations are known: GSM8K's annotations, `He has <<48/2=24>>24 left`, and steps alone,
`20*3=60 | 60+5=65`, separated by `|` or line ends. Text from the last `####` on is the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from studyrun_data.answer import MARKER
from studyrun_data.expression import Expression, ExpressionError, format_number, read_expression
from studyrun_data.problem import Calculation, Malformed

__all__ = ["Solution", "read_solution", "read_step", "render"]

Notation = Literal["auto", "annotated", "plain"]
_ANNOTATION = re.compile(r"<<((?:(?!<<).)*?)>>", re.DOTALL)
_SEPARATOR = re.compile(r"[|\n\r]")
_EQUALS = re.compile(r"[=≈]")
_DECIMALS = re.compile(r"\.([0-9]*)")


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solution's text says."""

    steps: tuple[Calculation, ...]
    """Every step that could be read, with the result as stated."""
    malformed: tuple[Malformed, ...]
    """What could not be read, and steps whose stated result is wrong (these are kept)."""


def read_solution(text: str, notation: Notation = "auto") -> Solution:
    """The steps of a worked solution, in order; nothing in it is passed over in silence.

    Args:
        text: the solution.
        notation: `auto` takes the text for annotated if `<<` or `>>` occurs in it.
    """
    body = text.rpartition(MARKER)[0] if MARKER in text else text
    if notation == "auto":
        notation = "annotated" if "<<" in body or ">>" in body else "plain"
    pieces = _annotations(body) if notation == "annotated" else _lines(body)
    if not pieces:
        what = "<<calculation>>" if notation == "annotated" else "calculation"
        return Solution((), (Malformed("solution", text, f"it has no {what}"),))
    return _read_pieces(pieces)


def read_step(text: str) -> Calculation:
    """The calculation that a step such as `(3+5)*2=16` states, whether or not it is right.

    Raises:
        ExpressionError: it is not an expression, one equals sign and a number or fraction.
    """
    return _read_step(text).calculation


def render(step: Calculation) -> str:
    """The text of a step; `read_step` gives the step back.

    Formula: `read_step(render(step)) == step` for every step that was read.
    """
    return f"{step.expression}={format_number(step.result)}"


@dataclass(frozen=True, slots=True)
class _Step:
    calculation: Calculation
    value: float
    """What the left side really gives."""
    unit: float
    """The place value of the last digit of the stated result; 0 for a fraction."""


def _annotations(body: str) -> list[str]:
    """The insides of `<<...>>`; one that is not closed or not opened is kept with its mark."""
    pieces, end = [], 0
    for match in _ANNOTATION.finditer(body):
        pieces += [*_stray_marks(body[end : match.start()]), match[1]]
        end = match.end()
    return pieces + _stray_marks(body[end:])


def _stray_marks(text: str) -> list[str]:
    if "<<" not in text and ">>" not in text:
        return []
    return [match[0] for match in re.finditer(r"<<[^\n]{0,80}|[^\n]{0,80}>>", text)]


def _lines(body: str) -> list[str]:
    return [piece for piece in _SEPARATOR.split(body) if piece.strip()]


def _read_pieces(pieces: list[str]) -> Solution:
    steps, malformed = [], []
    for number, piece in enumerate(pieces, start=1):
        place, text = f"step {number}", piece.strip()
        try:
            step = _read_step(piece)
        except ExpressionError as error:
            malformed.append(Malformed(place, text, str(error)))
            continue
        steps.append(step.calculation)
        if not _agrees(step):
            malformed.append(Malformed(place, text, _disagreement(step)))
    return Solution(tuple(steps), tuple(malformed))


def _read_step(text: str) -> _Step:
    sides = _sides(text)
    left, right = read_expression(sides[0]), read_expression(sides[1])
    if not _is_constant(right):
        raise ExpressionError("right of '=' stands a calculation, not a number")
    unit = 0.0 if right.operators else _unit(sides[1])
    step = Calculation(sides[0].strip(), left.operands, left.operators, right.value + 0.0)
    return _Step(step, left.value, unit)


def _sides(text: str) -> list[str]:
    if "<<" in text or ">>" in text:
        raise ExpressionError("'<<' and '>>' do not match")
    sides = _EQUALS.split(text)
    if len(sides) == 1:
        raise ExpressionError("no '='")
    if len(sides) > 2:
        raise ExpressionError(f"{len(sides) - 1} signs '=', not one")
    for side, name in zip(sides, ("left", "right"), strict=True):
        if not side.strip():
            raise ExpressionError(f"nothing stands {name} of '='")
    return sides


def _is_constant(side: Expression) -> bool:
    """Whether it is one number, or one fraction."""
    return side.operators in ((), ("/",))


def _unit(number: str) -> float:
    """0.01 for `26.67`, 1 for `27`, 0.001 for `2.5%`."""
    decimals = _DECIMALS.search(number)
    places = len(decimals[1]) if decimals else 0
    return float(10.0 ** -(places + (2 if "%" in number else 0)))


def _agrees(step: _Step) -> bool:
    """Whether the stated result is the value, rounded or (with decimals) cut off."""
    value, stated = step.value, step.calculation.result
    slack = 1e-9 * max(abs(value), abs(stated), 1e-3)
    error = abs(value - stated)
    cut_off = step.unit < 1 and abs(stated) < abs(value) and error < step.unit - slack
    return error <= slack + step.unit / 2 or cut_off


def _disagreement(step: _Step) -> str:
    value, stated = format_number(float(f"{step.value:.12g}")), step.calculation.result
    return f"{step.calculation.expression} is {value}, not {format_number(stated)}; kept as it is"
