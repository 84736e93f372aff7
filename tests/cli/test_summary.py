"""What is said at the end of a run, from records written by hand: long, broken and bad ones."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from studyrun.cli.summary import summary_text
from studyrun.cli.terminal import breadth
from studyrun.cli.verdicts import verdict_lines
from studyrun.registry import Registry
from studyrun.runs import Run
from studyrun.verdicts import Verdict


def step(status="done", seconds=1.0):
    reused = status == "reused"
    return {"status": status, "seconds": 0.0 if reused else seconds, "type": "thing", "key": ""}


@pytest.fixture
def summed(tmp_path, monkeypatch):
    """The summary of a run with these cells and, at the top, this report.json."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs" / "s" / "run"
    folder.mkdir(parents=True)

    def summed(cells, report=None, pages=()):
        record = {"study": "s", "run": "run", "status": "done", "seconds": 3.0}
        record["cells"] = {name: {"steps": steps} for name, steps in cells.items()}
        if report is not None:
            text = report if isinstance(report, str) else json.dumps(report)
            (folder / "report.json").write_text(text)
        for page in pages:
            (folder / page).parent.mkdir(exist_ok=True)
            (folder / page).write_text("")
        return summary_text(Run(folder, record, Registry.load())).splitlines()

    return summed


def facts(*terms, **more):
    summary = [{"name": name, "shown": shown} for name, shown in terms]
    return {"format": 2, "summary": summary, "sections": [], **more}


def test_steps_that_ran_have_a_line_and_those_that_were_reused_share_one(summed):
    cell = {"data": step("reused"), "a": step("reused"), "sae": step(seconds=12.34), "r": step()}
    assert summed({"": cell}) == [
        "s: done in 3.0 s",
        "  ran     sae  12.3 s",
        "  ran     r     1.0 s",
        "  reused  data, a",
        "run: outputs/s/run",
    ]


def test_the_terms_in_which_a_report_sums_itself_up_are_shown(summed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    found = summed(
        {"": {"data": step()}},
        facts(("Kinds", "274 of 512 labelled: operation 120, value 90"), ("EV", "0.98")),
        ["report.html"],
    )
    assert found[2:] == [
        "findings",
        "  Kinds  274 of 512 labelled: operation 120, value",
        "         90",
        "  EV     0.98",
        "page: outputs/s/run/report.html",
        "run: outputs/s/run",
    ]


@pytest.mark.parametrize(
    "report",
    [
        "",
        "no JSON",
        "[" * 100_000,
        [],
        {"summary": []},
        {"format": 99, "summary": [{"name": "a", "shown": "b"}]},
        {"format": 2},
        {"format": 2, "summary": [{"name": "a"}]},
        {"format": 2, "summary": ["a"]},
        {"format": 2, "summary": None},
        {"format": [], "summary": []},
    ],
    ids=lambda report: str(report)[:30],
)
def test_a_report_that_is_not_understood_says_nothing_and_fails_nothing(summed, report):
    assert "findings" not in summed({"": {"data": step()}}, report)


def test_what_a_report_says_cannot_act_on_the_terminal(summed):
    evil = facts(("\x1b[2J\u202ename", "a\nb\x9b31m" + "x" * 10_000), extra="\x07")
    lines = summed({"": {"data": step()}}, evil)
    assert "".join(lines).isprintable()
    assert "<U+001B>[2J<U+202E>name" in lines[3]
    assert len("".join(lines)) < 2000


def test_a_large_matrix_is_a_few_lines(summed):
    """However many cells: how many steps, and by name what did not end well."""
    cells = {f"k={k}": {"data": step("reused"), "sae": step()} for k in range(200)}
    cells["k=7"]["sae"] = step("failed")
    cells["k=9"]["sae"] = step("blocked")
    assert summed(cells, pages=["report.html", "k=1/report.html"]) == [
        "s: done in 3.0 s",
        "  reused   200 steps in 200 of 200 cells",
        "  ran      198 steps in 198 of 200 cells, 200.0 s",
        "  failed   1 step in 1 of 200 cells: k=7/sae",
        "  blocked  1 step in 1 of 200 cells: k=9/sae",
        "page: outputs/s/run/report.html",
        "run: outputs/s/run",
    ]


def test_pages_of_cells_are_named_where_there_is_none_over_all(summed):
    cells = {f"k={k}": {"data": step()} for k in range(9)}
    lines = summed(cells, pages=[f"k={k}/report.html" for k in range(9)])
    assert lines[2:8] == [f"page: outputs/s/run/k={k}/report.html" for k in range(6)]
    assert lines[8] == "      and 3 more"


class Judged(NamedTuple):
    """A cell of which only the verdicts are asked."""

    verdicts: dict[str, Verdict]


def judged(**found):
    return Judged({n: Verdict(n, "", None, "", v, "why", "1 > 0") for n, v in found.items()})


def test_verdicts_of_a_study_stand_with_their_evidence():
    assert verdict_lines({"": judged(a="supported", longer="inconclusive")}) == [
        "verdicts",
        "  supported     a       1 > 0",
        "  inconclusive  longer  1 > 0",
    ]
    assert verdict_lines({"": judged()}) == []


def test_verdicts_of_a_matrix_are_a_grid(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    cells = {"k=4": judged(a="supported", b="refuted"), "k=16": judged(a="inconclusive")}
    assert verdict_lines(cells) == [
        "verdicts",
        "  cell  a             b",
        "  k=4   supported     refuted",
        "  k=16  inconclusive  -",
    ]


def test_verdicts_of_many_cells_or_long_names_are_counted(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    cells = {f"k={k}": judged(a="supported" if k else "refuted", b="refuted") for k in range(40)}
    assert verdict_lines(cells) == [
        "verdicts",
        "  a  supported in 39; refuted in 1 (k=0)",
        "  b  refuted in all 40 cells",
    ]
    long = {f"k={k}": judged(**{"a" * 30: "supported", "b" * 30: "refuted"}) for k in range(2)}
    assert verdict_lines(long)[1:] == [
        f"  {'a' * 30}  supported in all 2 cells",
        f"  {'b' * 30}  refuted in all 2 cells",
    ]


def test_lines_fit_the_terminal(summed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    cell = {f"step-number-{number}": step("reused") for number in range(40)}
    lines = summed({"": cell}, facts(("Largest", "word " * 60)))
    assert max(map(breadth, lines)) <= 60
