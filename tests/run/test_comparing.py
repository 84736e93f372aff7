"""Runs aligned by what differs between their studies."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import DOCUMENT, cell, changed

from strategies import sweeps
from studyrun.comparing import compared
from studyrun.errors import UsageError
from studyrun.runs import Run


def run_of(entry, number=0, study="s", name=""):
    """A run of which nothing but its record is there."""
    record = {"study": study, "run": f"run-{number}", "status": "done", "cells": {name: entry}}
    return Run(Path("outputs") / study / f"run-{number}", record, None)


def runs_of(sweep):
    return [run_of(entry, number) for number, entry in enumerate(sweep.entries)]


def differing(sweep):
    """Path -> its values, for those of which not all are equal as JSON."""
    written = {path: [json.dumps(v) for v in row] for path, row in sweep.places.items()}
    return {path: row for path, row in sweep.places.items() if len(set(written[path])) > 1}


def title_of(path, others, values):
    """What a path is called, written out for the paths of a sweep."""
    match path:
        case (*_, "layers"):
            return "layer" if all(len(value) == 1 for value in values) else "layers"
        case (_, step, _, "k"):
            both = sum(other[-1] == "k" for other in others) == 2
            return f"{step}.k" if both else "k"
    return path[-1]


@given(sweeps())
def test_what_differs_is_listed_with_its_values_and_nothing_else(sweep):
    """Law: title -> values, for exactly the places whose values are not all equal."""
    expected = {}
    different = differing(sweep)
    for path, values in different.items():
        title = title_of(path, different, values)
        expected[title] = [v[0] for v in values] if title == "layer" else values
    found = compared(runs_of(sweep))
    for number, each in enumerate(found):
        assert each.differences == {title: values[number] for title, values in expected.items()}
        assert list(each.differences) == list(found[0].differences)


@given(sweeps(), st.data())
def test_the_order_of_runs_changes_nothing_but_the_order(sweep, data):
    """Law: compared(permuted runs) == permuted compared(runs)."""
    runs = runs_of(sweep)
    order = data.draw(st.permutations(range(len(runs))))
    plain, permuted = compared(runs), compared([runs[place] for place in order])
    assert [each.run for each in permuted] == [runs[place] for place in order]
    for each, place in zip(permuted, order, strict=True):
        assert (each.name, each.differences) == (plain[place].name, plain[place].differences)


@given(sweeps())
def test_names_are_unique(sweep):
    names = [each.name for each in compared(runs_of(sweep))]
    assert len(set(names)) == len(names)


def entry_of(**steps):
    """An entry whose steps have these recipes (None: the step never got one)."""
    study = {"study": "s", "steps": {}}
    ran = {}
    for name, recipe in steps.items():
        use = recipe["use"] if recipe else name
        study["steps"][name] = {"use": use, "with": {}}
        ran[name] = {"type": name, "status": "done", "key": "", "recipe": recipe}
    return {"study": study, "steps": ran}


def recipe(use, version="1", /, **parameters):
    return {"use": use, "version": version, "with": parameters}


def differences(*entries):
    runs = [run_of(entry, number) for number, entry in enumerate(entries)]
    return [dict(each.differences) for each in compared(runs)]


def test_parameters_are_compared_within_one_component():
    a, b = recipe("topk", k=8, lr=0.1), recipe("gated", k=9, width=3)
    assert differences(entry_of(sae=a), entry_of(sae=b)) == [{"sae": "topk"}, {"sae": "gated"}]
    more = recipe("topk", k=16, lr=0.1)
    assert differences(entry_of(sae=a), entry_of(sae=b), entry_of(sae=more)) == [
        {"sae": "topk", "k": 8},
        {"sae": "gated", "k": None},
        {"sae": "topk", "k": 16},
    ]


def test_a_step_that_only_some_have_is_one_difference():
    assert differences(entry_of(sae=recipe("topk", k=8)), entry_of()) == [
        {"sae": "topk"},
        {"sae": None},
    ]


def test_versions_are_compared():
    old, new = entry_of(sae=recipe("topk", "1")), entry_of(sae=recipe("topk", "2"))
    assert differences(old, new) == [{"sae.version": "1"}, {"sae.version": "2"}]


def test_components_in_a_list_are_named_unless_that_hides_the_difference():
    def naming(*concepts):
        return entry_of(labels=recipe("classify", concepts=list(concepts)))

    values, few = recipe("values", top=20), recipe("values", top=3)
    assert differences(naming(values), naming(recipe("operations"), values)) == [
        {"concepts": ["values"]},
        {"concepts": ["operations", "values"]},
    ]
    assert differences(naming(values), naming(few)) == [{"concept": values}, {"concept": few}]


def test_files_are_compared_by_what_is_in_them():
    def reading(file, digest):
        entry = entry_of()
        entry["study"]["data"] = {"use": "jsonl", "with": {"path": file}}
        found = {**recipe("jsonl", limit=None), "outside": digest * 64}
        entry["steps"]["data"] = {"type": "problems", "recipe": found}
        return entry

    assert differences(reading("a.jsonl", "1"), reading("/data/a.jsonl", "1")) == [{}, {}]
    assert differences(reading("a.jsonl", "1"), reading("b.jsonl", "2")) == [
        {"data.content": "a.jsonl 11111111"},
        {"data.content": "b.jsonl 22222222"},
    ]


def test_the_model_is_the_studys_own_and_not_a_variants():
    def with_model(checkpoint, digest):
        entry = entry_of()
        entry["study"]["model"] = {"use": "codi", "with": {"checkpoint": checkpoint}}
        for name, found in (("acts@other", "f"), ("acts", digest)):
            model = {**recipe("codi"), "digest": found * 64}
            entry["steps"][name] = {"type": "activations", "recipe": {"model": model}}
        return entry

    assert differences(with_model("a", "1"), with_model("b", "2")) == [
        {"model.content": "a 11111111"},
        {"model.content": "b 22222222"},
    ]


def test_reports_and_what_they_want_and_hypotheses_are_not_compared():
    def entry(rows, wanted, claim):
        made = entry_of(sae=recipe("topk", k=8), out=recipe("report", rows=rows))
        made["steps"]["out"]["type"] = "report"
        if wanted:
            made["study"]["steps"]["portraits"] = {"use": "portraits", "with": {}}
            made["steps"]["portraits"] = {
                "type": "portraits", "wanted_by": "out", "recipe": recipe("portraits")
            }  # fmt: skip
        made["study"] |= {"hypotheses": {"h": {"claim": claim}}, "about": claim}
        return made

    assert differences(entry(1, True, "a"), entry(2, False, "b")) == [{}, {}]


def test_a_title_is_as_long_as_it_must_be_to_be_the_only_one():
    def entry(first, second):
        inner = {"use": "enrichment", "version": "1", "with": {"top": first}}
        return entry_of(labels=recipe("classify", top=second, classifier=inner))

    assert differences(entry(1, 1), entry(2, 1)) == [{"top": 1}, {"top": 2}]
    assert differences(entry(1, 1), entry(2, 2)) == [
        {"labels.top": 1, "classifier.top": 1},
        {"labels.top": 2, "classifier.top": 2},
    ]


def test_names_are_as_short_as_keeps_them_apart():
    entry = entry_of(sae=recipe("topk", k=8))
    matrix = run_of(entry, name="k=8")
    matrix.record["cells"]["k=16"] = entry
    assert [each.name for each in compared([matrix])] == ["k=8", "k=16"]
    other = run_of(entry, 1, study="t")
    assert [each.name for each in compared([matrix, other])] == ["s/k=8", "s/k=16", "t"]
    again = run_of(entry, 2)
    assert [each.name for each in compared([run_of(entry, 1), again])] == ["s/run-1", "s/run-2"]
    assert [each.name for each in compared([run_of(entry, 1), again, other, matrix])] == [
        "s/run-1", "s/run-2", "t", "s/k=8", "s/k=16",
    ]  # fmt: skip


def test_there_must_be_two_and_each_once():
    run = run_of(entry_of())
    with pytest.raises(UsageError, match="there is nothing to compare it with"):
        compared([run])
    with pytest.raises(UsageError, match=r"outputs/s/run-0 is given 2 times; give each once"):
        compared([run, copy.copy(run)])


def test_real_runs_are_compared_with_defaults_filled_in(lab):
    explicit = changed("steps.sums.with", {"k": 4, "concept": {"use": "even", "with": {}}})
    plain = Run(lab.run().folder, lab_record(lab), lab.registry)
    same = Run(lab.run(explicit).folder, lab_record(lab), lab.registry)
    other = Run(lab.run(changed("steps.sums.with.k", 6)).folder, lab_record(lab), lab.registry)
    assert [dict(each.differences) for each in compared([plain, same])] == [{}, {}]
    assert [dict(each.differences) for each in compared([plain, other])] == [{"k": 4}, {"k": 6}]


def lab_record(lab):
    return json.loads((lab.out / "toy/latest/run.json").read_text())


def test_cells_are_compared_with_links_to_their_pages(lab):
    cells = [cell(f"k={k}", changed("steps.sums.with.k", k, DOCUMENT)) for k in (3, 5)]
    run = Run(lab.run(*cells).folder, lab_record(lab), lab.registry)
    found = compared([run], lambda each: f"{each.cell}/report.html")
    assert [(each.name, each.page, dict(each.differences)) for each in found] == [
        ("k=3", "k=3/report.html", {"k": 3}),
        ("k=5", "k=5/report.html", {"k": 5}),
    ]
    assert [each.run["sums"].table.height for each in found] == [3, 5]
