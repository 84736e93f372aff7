"""Hypotheses judged: `given` says whether there is evidence enough, `expect` what was claimed.

Both are SQL over the study's tables, written before the run. The verdict is computed:
`supported`, `refuted`, or `inconclusive` with its reason.
"""

from __future__ import annotations

import math
import operator
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from studyrun.artifacts import Result
from studyrun.columns import Table
from studyrun.contracts import Component
from studyrun.errors import StudyError
from studyrun.hookspecs import hookimpl
from studyrun.params import NoParams
from studyrun.reading import sql
from studyrun.running import tables as stored
from studyrun.running.queries import answer_of, fault_of_answer
from studyrun.study import Hypothesis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from studyrun.contracts import Context, Inputs

__all__ = ["Verdict", "judge", "run", "studyrun_components"]

Judgement = Literal["supported", "refuted", "inconclusive"]
OPERATORS = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A hypothesis, what came of it and why."""

    hypothesis: str
    claim: str
    given: str | None
    expect: str
    verdict: Judgement
    reason: str
    evidence: str
    """The comparison with its values, `0.83 >= 0.7`; empty where there is nothing so simple."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one SELECT said."""

    value: bool | None
    rows: int
    evidence: str
    undefined: str = ""
    """Why the value means nothing: what it was computed from holds NaN."""


TABLE = Table({field.name: "String" for field in fields(Verdict)})


def judge(hypothesis: Hypothesis, frames: Mapping[str, pl.DataFrame]) -> Verdict:
    """The verdict on a hypothesis; pure.

    `given` false, null or without a row: inconclusive. Then `expect` true: supported, false:
    refuted, null: inconclusive. NaN is no evidence (polars ranks it above every number).

    Raises:
        StudyError: the SQL cannot be run, or is no yes/no question; says which and the cure.
    """
    if hypothesis.given is not None:
        given = _ask(hypothesis.name, "given", hypothesis.given, frames)
        if given.undefined or given.value is not True:
            return _verdict(hypothesis, "inconclusive", _why("given", given), given)
    expect = _ask(hypothesis.name, "expect", hypothesis.expect, frames)
    if expect.rows == 0:
        raise _wrong(hypothesis.name, "expect", "gave no row; aggregate, or say when in `given`")
    if expect.undefined or expect.value is None:
        return _verdict(hypothesis, "inconclusive", _why("expect", expect), expect)
    outcome: Judgement = "supported" if expect.value else "refuted"
    return _verdict(hypothesis, outcome, _why("expect", expect), expect)


def _verdict(hypothesis: Hypothesis, outcome: Judgement, reason: str, answer: Answer) -> Verdict:
    h = hypothesis
    return Verdict(h.name, h.claim, h.given, h.expect, outcome, reason, answer.evidence)


def _why(part: str, answer: Answer) -> str:
    if answer.undefined:
        return f"{part} is undefined: {answer.undefined}"
    if answer.rows == 0:
        return f"{part} found no row"
    if answer.value is None:
        return f"{part} is null: there was nothing to compare"
    return f"{part} is {str(answer.value).lower()}"


def _wrong(name: str, part: str, message: str) -> StudyError:
    return StudyError(f"hypothesis {name!r}: {part}: {message}")


# One question to the tables


def _ask(name: str, part: str, query: str, frames: Mapping[str, pl.DataFrame]) -> Answer:
    fault = sql.fault_of(query)
    if fault is not None:
        raise _wrong(name, part, fault)
    try:
        found = answer_of(query, frames)
    except ValueError as error:
        tables = ", ".join(sorted(frames)) or "none"
        raise _wrong(name, part, f"{error}; tables: {tables}") from error
    fault = fault_of_answer(found)
    if fault is not None:
        raise _wrong(name, part, fault)
    value = found.item() if found.height else None
    sides = _sides(query, frames)
    undefined = _nan_in_columns(query, frames) or _nan_in_sides(sides)
    return Answer(value, found.height, _evidence(sides, value), undefined)


def _nan_in_columns(query: str, frames: Mapping[str, pl.DataFrame]) -> str:
    """The first column that the SQL names and that holds NaN, in words."""
    names = sql.names_in(query)
    tables_named = {name.casefold() for name in sql.tables_named(query)}
    for table, frame in frames.items():
        if table.casefold() not in tables_named:
            continue
        for series in frame:
            if series.name in names and series.dtype.is_float() and series.is_nan().any():
                return f"{table}.{series.name} holds {series.is_nan().sum()} NaN"
    return ""


# Evidence: the values on both sides of what was compared


@dataclass(frozen=True, slots=True)
class Side:
    """One comparison with its values."""

    left: Any
    operator: str
    right: Any


def _sides(query: str, frames: Mapping[str, pl.DataFrame]) -> tuple[Side, ...]:
    """The values compared, where the SQL is a comparison and they can be asked for."""
    asked = sql.sides_of(query)
    try:
        found = answer_of(asked.query, frames) if asked else None
    except ValueError:
        return ()  # not so simple after all; evidence is a courtesy, the verdict stands without
    if asked is None or found is None or found.height != 1:
        return ()
    values = found.row(0)
    pairs = zip(values[::2], asked.operators, values[1::2], strict=True)
    return tuple(Side(*pair) for pair in pairs)


def _nan_in_sides(sides: Sequence[Side]) -> str:
    values = (value for side in sides for value in (side.left, side.right))
    nan = any(isinstance(value, float) and math.isnan(value) for value in values)
    return "a side of the comparison is NaN" if nan else ""


def _evidence(sides: Sequence[Side], value: bool | None) -> str:
    """`0.83 >= 0.7`; empty unless the values themselves give the same answer as polars."""
    truths = [_truth(side.left, side.operator, side.right) for side in sides]
    if not sides or value is not _all(truths):
        return ""
    return " and ".join(map(_shown, sides))


def _truth(left: Any, sign: str, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    try:
        return bool(OPERATORS[sign](_as_polars(left), _as_polars(right)))
    except TypeError:
        return None


def _as_polars(value: Any) -> Any:
    """Numbers written with a point are decimals; polars compares them as floats."""
    return float(value) if isinstance(value, Decimal) else value


def _all(truths: Sequence[bool | None]) -> bool | None:
    """SQL's AND: false if any is false, else null if any is null."""
    if False in truths:
        return False
    return None if None in truths else True


def _shown(side: Side) -> str:
    """The comparison with as few digits as keep it true or false as it is."""
    for digits in range(3, 18):
        left, right = _rounded(side.left, digits), _rounded(side.right, digits)
        if _same(left, side.left, right, side.right):
            break
    left, right = ("no value" if value is None else value for value in (left, right))
    return f"{left} {side.operator} {right}"


def _rounded(value: Any, digits: int) -> Any:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _same(left: Any, exact_left: Any, right: Any, exact_right: Any) -> bool:
    """Whether rounding left the order of the two as it was."""
    signs = ("<", "=", ">")
    return all(_truth(left, s, right) == _truth(exact_left, s, exact_right) for s in signs)


# The step


def run(_params: NoParams, inputs: Inputs, _context: Context) -> Result:
    """Judge every hypothesis of the study.

    Raises:
        StudyError: some SQL is wrong; every such hypothesis is named.
    """
    stated = inputs.study.get("hypotheses", {})
    hypotheses = [Hypothesis(name, **spec) for name, spec in stated.items()]
    names = {
        n for h in hypotheses for part in (h.given, h.expect) for n in sql.tables_named(part or "")
    }
    frames = stored.read(inputs.by_step, names)
    verdicts, wrong = [], []
    for hypothesis in hypotheses:
        try:
            verdicts.append(judge(hypothesis, frames))
        except StudyError as error:
            wrong.append(str(error))
    if wrong:
        raise StudyError("\n".join(wrong))
    return _result(verdicts)


def _result(verdicts: Sequence[Verdict]) -> Result:
    import polars as pl

    rows = [asdict(verdict) for verdict in verdicts]
    table = pl.DataFrame(rows, schema=TABLE.schema())
    return Result(tables={"table": table}, meta={"verdicts": rows})


def tables(_params: NoParams) -> Mapping[str, Table]:
    """One row a hypothesis."""
    return {"table": TABLE}


@hookimpl
def studyrun_components() -> list[Component]:
    """The step that judges, which every study with hypotheses gets."""
    return [
        Component(
            kind="step",
            name="verdicts",
            version="1",
            params=NoParams,
            target="studyrun.verdicts:run",
            summary="judge the study's hypotheses by SQL over its tables",
            takes=("study", "*"),
            makes="verdicts",
            tables="studyrun.verdicts:tables",
        )
    ]
