"""What a run's folder adds to a report: what became of every step, and with what."""

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from page import Page
from test_report import NASTY

from strategies import run_graphs
from studyrun_report.blocks import RanStep
from studyrun_report.flow import HEIGHT, WIDTH, flow
from studyrun_report.ran import duration, ran_of, size
from studyrun_report.shown import show

NUMBER = re.compile(r"\d[\d.e+-]*\d|\d")


def entry(key, status="done", seconds=1.5, use="extract", **more):
    return {"component": f"{use} 1", "status": status, "seconds": seconds, "key": key,
            "reasons": ["nothing stored yet"], "recipe": {}, **more}  # fmt: skip


@pytest.fixture
def run():
    """The record of a run in which everything happens that can happen to a step."""
    steps = {
        "data": entry("k0", "reused", 0.0, reasons=["unchanged since the latest run"]),
        "activations": entry("k1", seconds=75.2, recipe={"inputs": {"problems": "k0"}}),
        "sae": entry("k2", seconds=0.25, recipe={"inputs": {"activations": "k1"}}),
        "sae@seed-1": entry("k3", "failed", 3.0, error="out of memory",
                            recipe={"inputs": {"activations": "k1"}}),
        "labels": entry("k4", "blocked", None, reasons=["sae@seed-1 failed"],
                        recipe={"inputs": {"problems": "k0", "sae": "k2"},
                                "variants": {"seed-1": {"sae": "k3"}}}),
        "report": entry(None, "planned", None, recipe={"earlier": [["data", "k0"], ["sae", "k2"]]}),
    }  # fmt: skip
    return {
        "run": "20270101-120000", "study": "s", "status": "failed", "seconds": 79.9,
        "started": "2027-01-01T12:00:00.218+00:00", "ended": "2027-01-01T12:01:19.900+00:00",
        "study_file": "studies/my study.yaml", "seed": 3, "cells": {"": {"steps": steps}},
        "versions": {"python": "3.11.7", "studyrun": "0.1.0"},
        "plugins": [{"name": "weather", "version": "2.0", "owner": "clouds", "module": "w"}],
        "git": {"commit": "abc123", "dirty": True}, "peak_memory": {"cpu_bytes": 1_177_165_824},
        "hardware": {"machine": "Linux x86_64", "cpu": "A CPU", "cores": 2,
                     "memory_bytes": 25_276_063_744, "gpus": ["A GPU"]},
    }  # fmt: skip


FILES = {
    "report.json": b'{\n "title": "x",\n "run": null\n}\n',
    "report.html": b"<main>\n<!--run:study-->\n<p>between</p>\n<!--run:provenance-->\n</main>",
    "report.md": b"# x\n\n<!--run:study-->\n\nbetween\n\n<!--run:provenance-->\n\nend\n",
    "figures/a.svg": b"<svg/>",
}


def told(run):
    return {name: content.decode() for name, content in show(FILES, run, "").items()}


def test_the_three_views_are_filled_and_nothing_else_is_touched(run):
    shown = told(run)
    assert set(shown) == {"report.json", "report.html", "report.md"}
    assert json.loads(shown["report.json"])["run"]["steps"][1]["took"] == "1 min 15 s"
    assert not any("<!--run:" in each for each in shown.values())
    assert all("between" in shown[name] for name in ("report.html", "report.md"))
    assert Page(shown["report.html"]).of("table")[0]["id"] == "run-steps"
    assert show({}, run, "") == {}


def test_a_report_as_the_step_writes_it_is_filled_in_both_places(run, files):
    """What stands around a mark is the templates' business, so theirs is tried, too."""
    written = {name: files[name].encode() for name in ("report.html", "report.md", "report.json")}
    for name, content in show(written, run, "").items():
        assert b"<!--run:" not in content, name
        assert b"2027-01-01" in content, name
    page = show(written, run, "")["report.html"].decode()
    for section, identity in (("study", "run-steps"), ("provenance", "run-terms")):
        assert re.search(rf'<section id="{section}"(?:(?!</section>).)*id="{identity}"', page, re.S)


def test_the_status_of_every_step_is_told_with_its_reason(run):
    steps = {step.step: step for step in ran_of(run, "").steps}
    assert {name: step.status for name, step in steps.items()} == {
        "data": "reused", "activations": "ran", "sae": "ran", "sae@seed-1": "failed",
        "labels": "blocked", "report": "not reached",
    }  # fmt: skip
    assert steps["sae@seed-1"].why == "out of memory"
    assert steps["data"].why == "unchanged since the latest run"
    assert [step.took for step in steps.values()] == ["", "1 min 15 s", "0.25 s", "3.0 s", "", ""]


def test_what_a_step_reads_is_told_from_its_recipe(run):
    reads = {step.step: step.reads for step in ran_of(run, "").steps}
    assert reads["labels"] == ("data", "sae", "sae@seed-1")
    assert reads["report"] == ("data", "sae")


def test_the_outcome_counts_the_steps(run):
    outcome = ran_of(run, "").terms[0].shown
    assert outcome == (
        "Failed in 1 min 20 s: 2 steps ran, 1 reused, 1 failed, 1 blocked, 1 not reached."
    )


def test_with_what_it_was_run_is_told(run):
    terms = {term.name: term.shown for term in ran_of(run, "").terms}
    assert terms["Command"] == "studyrun 'studies/my study.yaml'"
    assert terms["Started"] == "2027-01-01 12:00:00 UTC"
    assert terms["Commit"] == "abc123, with uncommitted changes"
    assert terms["Machine"] == "Linux x86_64, A CPU, 2 cores, 25.3 GB of memory, A GPU"
    assert terms["Peak memory"] == "1.18 GB of the process"
    assert terms["Plugins"] == "weather of clouds 2.0"
    assert "What was typed" not in terms


def test_the_command_is_the_one_that_does_the_same_again(run):
    again = "studyrun a.yaml --set seed=3"
    same = {**run, "rerun": again, "command": again}
    terms = {term.name: term for term in ran_of(same, "").terms}
    assert (terms["Command"].shown, terms["Command"].code) == (again, True)
    assert "What was typed" not in terms
    other = {**run, "rerun": again, "command": f"{again} --keep-going"}
    terms = {term.name: term.shown for term in ran_of(other, "").terms}
    assert (terms["Command"], terms["What was typed"]) == (again, f"{again} --keep-going")


@pytest.mark.parametrize(
    ("rerun", "where"),
    [
        ("studyrun ../a.yaml -p m.py", "the folder in which outputs lies"),
        ("studyrun a.yaml --out 'my results/b'", "the folder in which my results/b lies"),
        ("studyrun a.yaml --out ../b", None),
        ("studyrun a.yaml --out /b", None),
        ("studyrun a.yaml --out", "the folder in which outputs lies"),
        ("studyrun 'a", None),
    ],
)
def test_where_the_command_is_typed_is_told_by_its_results(run, rerun, where):
    terms = {term.name: term.shown for term in ran_of({**run, "rerun": rerun}, "").terms}
    assert terms.get("Typed in") == where


def test_every_number_that_it_shows_is_in_the_record(run):
    shown = told(run)
    known = set(NUMBER.findall(shown["report.json"]))
    for name, text in (("report.html", " ".join(Page(shown["report.html"]).texts)),
                       ("report.md", shown["report.md"])):  # fmt: skip
        numbers = NUMBER.findall(text.replace("\\", ""))
        assert len(numbers) > 20, name
        assert [each for each in numbers if each not in known] == []


def test_hostile_names_are_inert(run):
    steps = run["cells"][""]["steps"]
    steps[NASTY] = entry("k9", "failed", 1.0, use=NASTY, error=NASTY + "x" * 1_000_000)
    run |= {"study_file": NASTY, "plugins": [{"name": NASTY}], "git": {"commit": NASTY}}
    shown = told(run)
    page = Page(shown["report.html"])
    assert page.of("script") == []
    assert json.loads(shown["report.json"])["run"]["steps"][-1]["step"].startswith("<script>")
    prose = re.sub(r"(`+).*?\1", "", shown["report.md"])
    assert "<script" not in prose
    for text in shown.values():
        assert len(text) < 60_000
        assert "\u202e" not in text
        assert "\x00" not in text


def test_strings_of_the_report_are_not_taken_for_its_marks(run):
    record = b'{\n "title": "\\n \\"run\\": null\\n",\n "run": null\n}\n'
    text = b"# x\n\nA `<!--run:study-->` in a claim\n\n<!--run:study-->\n\nend\n"
    shown = show({"report.json": record, "report.md": text}, run, "")
    assert json.loads(shown["report.json"])["title"] == '\n "run": null\n'
    assert b"A `<!--run:study-->` in a claim" in shown["report.md"]
    assert shown["report.md"].count(b"| Step |") == 1


def test_a_run_of_which_little_is_known_is_shown(run):
    bare = {"cells": {"k=1": {"steps": {}}}, "run": "r", "study": "s"}
    shown = show(FILES, bare, "k=1")
    Page(shown["report.html"].decode())
    assert b"None" not in shown["report.html"] + shown["report.md"]
    assert b"studyrun s.yaml" in shown["report.md"]


def test_showing_a_run_imports_nothing_heavy():
    code = (
        "import sys, studyrun_report.shown;"
        "print([n for n in ('torch', 'polars', 'altair', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The picture


def steps_of(graph):
    return [
        RanStep(f"s{i}", "c 1", "ran", "", 1.0, "1.0 s", tuple(f"s{j}" for j in reads))
        for i, reads in enumerate(graph)
    ]


def behind(graph):
    """Step -> all it rests on, by walking."""
    found: list[set[int]] = []
    for reads in graph:
        found.append(set(reads).union(*(found[j] for j in reads)))
    return found


@given(run_graphs)
def test_every_step_stands_to_the_right_of_all_that_it_reads(graph):
    """Law: boxes never overlap, and arrows lead to the right."""
    picture = flow(steps_of(graph))
    place = {box.step.step: box for box in picture.boxes}
    for i, reads in enumerate(graph):
        for j in reads:
            assert place[f"s{j}"].x + WIDTH < place[f"s{i}"].x
    corners = {(box.x, box.y) for box in picture.boxes}
    assert len(corners) == len(graph)
    for x, y in corners:
        inside = [(a, b) for a, b in corners if a == x and abs(b - y) < HEIGHT]
        assert inside == [(x, y)]
        assert 0 <= x <= picture.width - WIDTH
        assert 0 <= y <= picture.height - HEIGHT


@given(run_graphs)
def test_arrows_are_the_fewest_that_say_what_rests_on_what(graph):
    """Law: following arrows backwards reaches what a step rests on; no arrow can be left out."""
    picture = flow(steps_of(graph))
    right = {(box.x, box.y): box.step.step for box in picture.boxes}
    arrows: dict[str, set[str]] = {box.step.step: set() for box in picture.boxes}
    for arrow in picture.arrows:
        start = right[arrow.x1 - WIDTH, arrow.y1 - HEIGHT // 2]
        arrows[right[arrow.x2, arrow.y2 - HEIGHT // 2]].add(start)
    drawn = [sorted(int(name[1:]) for name in arrows[f"s{i}"]) for i in range(len(graph))]
    assert behind(drawn) == behind(graph)
    for i, reads in enumerate(drawn):
        for j in reads:
            others = set().union(*(behind(drawn)[k] for k in reads if k != j))
            assert j not in others, (i, j)


def test_the_longest_step_has_the_longest_bar(run):
    bars = {box.step.step: box.bar for box in flow(ran_of(run, "").steps).boxes}
    assert bars["activations"] == 1
    assert bars["data"] == bars["labels"] == 0
    assert bars["sae"] == 0.02


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0, "0.00 s"), (0.034, "0.03 s"), (27.144, "27.1 s"), (59.96, "1 min 0 s"),
     (125.4, "2 min 5 s"), (3599.8, "1 h 0 min"), (3780, "1 h 3 min")],
)  # fmt: skip
def test_times_are_written_in_the_units_one_says(seconds, written):
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("n", "written"),
    [(0, "0 bytes"), (999, "999 bytes"), (512_000_000, "512 MB"), (999_999_999, "1 GB"),
     (1_177_165_824, "1.18 GB"), (25_276_063_744, "25.3 GB"), (1.5e12, "1500 GB")],
)  # fmt: skip
def test_sizes_have_three_digits(n, written):
    assert size(n) == written
