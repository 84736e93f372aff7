"""Every fault at once, in file order, one message for one mistake."""

import random

import pytest
import study_toys
from hypothesis import given
from hypothesis import strategies as st

from strategies import flow_yaml, toy_studies
from studyrun.diagnostics import as_text
from studyrun.errors import InvalidStudy
from studyrun.plugging.plugins import PluginInfo
from studyrun.reading.checking import check_study, load_study
from studyrun.source import Source
from studyrun.study import Study

REGISTRY = study_toys.registry()
LINES = study_toys.STUDY.splitlines()


def faults(text: str, registry=REGISTRY) -> list[str]:
    checked = check_study(Source("s", text), registry=registry)
    assert (checked.cells is None) == bool(checked.diagnostics)
    return [as_text([each]).split("\n")[0].removeprefix("s:") for each in checked.diagnostics]


def changed(**lines: str) -> str:
    """The toy study with lines replaced: `line5="..."`."""
    text = list(LINES)
    for name, line in lines.items():
        text[int(name.removeprefix("line")) - 1] = line
    return "\n".join(text)


def test_the_toy_study_is_valid():
    assert faults(study_toys.STUDY) == []


@pytest.mark.parametrize(("lines", "expected"), study_toys.mistakes("mistakes.txt"))
def test_one_mistake_is_one_message(lines, expected):
    (fault,) = faults(changed(**lines))
    assert fault.startswith(expected)
    assert fault == expected or "Errno" in expected or "ZeroDivision" in expected


def test_all_mistakes_are_told_at_once_in_file_order():
    found = faults(
        changed(
            line1="study: no name",
            line3="data: {use: numbers, with: {n: 0}}",
            line5="  acts: {use: read, with: {layer: [1]}}",
            line8="  labels: {use: name, with: {classifier: plian}, needs: [featurs]}",
            line15="    expect: SELECT avg(x) > 0.1 FROM efects",
        )
        + "\nruntime: {device: gpu}"
    )
    places = [fault.split(" ")[0] for fault in found]
    assert places == ["1:8", "3:32", "5:28", "8:42", "8:58", "15:38", "16:19"]


def test_a_fault_in_a_named_component_hides_none_of_its_step():
    """The classifier's mistake and the mistake of the step that names it: both are told."""
    text = changed(
        line5="  acts: {use: read, with: {layers: [9], positions: [0]}}",
        line8="  labels: {use: name, with: {concepts: [{use: contains, with: {values: []}}, odd]}}",
        line9="  effects: {use: edit, needs: [featurs]}",
    )
    assert [fault.split(" ")[0] for fault in faults(text)] == ["5:37", "8:72", "8:78", "9:32"]


def test_parameters_beside_a_short_name_are_sent_under_it():
    """The slip `- contains:` with its parameters on the same level."""
    lost = "  labels:\n    use: name\n    with:\n      concepts:\n      - contains:\n        "
    assert faults(changed(line8=f"{lost}values: [1]")) == [
        "12:9 $.steps.labels.with.concepts[0].contains: expected a mapping, got nothing",
        "13:9 $.steps.labels.with.concepts[0]: unknown key 'values'; "
        "it is a parameter: write it under 'contains'",
    ]


def test_a_component_of_a_plugin_that_failed_is_explained():
    broken = PluginInfo("clamp", "2.0", "studyrun-clamp", "clamp", error="ImportError: no torch")
    (fault,) = faults(changed(line10="  report: {use: squeeze}"), study_toys.registry(broken))
    assert fault == (
        "10:17 $.steps.report.use: there is no step 'squeeze', unless in a plugin that failed: "
        "plugin clamp (studyrun-clamp 2.0) did not load: ImportError: no torch"
    )


def test_known_components_are_listed():
    checked = check_study(Source("s", changed(line6="  sae: {use: x}")), registry=REGISTRY)
    assert checked.diagnostics[0].allowed == (
        "code",
        "crash",
        "edit",
        "fit",
        "name",
        "read",
        "tell",
    )


def test_a_refused_name_causes_no_further_message():
    """`1: {use: fit}` is refused, so that nobody makes the SAE is no news."""
    assert len(faults(changed(line6="  1: {use: fit, with: {k: 4}}"))) == 1


def test_a_fault_inside_an_alias_stands_where_it_is_written():
    text = changed(line6="  sae: {use: fit, with: &w {k: 0}}\n  sae2: {use: fit, with: *w}")
    assert faults(text)[0].startswith("6:32 $.steps.sae.with.k: must be at least 1")


def test_a_folded_hypothesis_is_placed_at_the_word():
    text = changed(line15="    expect: >-\n      SELECT avg(x) > 0.1\n      FROM efects")
    (fault,) = faults(text)
    assert fault.startswith("17:12 $.hypotheses.it-works.expect: there is no table 'efects'")


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "null", "5", "study", "study: {}", "steps: 5", "steps: {}", "steps: []",
        "steps: null", "steps: {a: null}", "steps: {a: {use: null}}", "model: []", "data: 3",
        "hypotheses: []", "hypotheses: {h: 3}", "hypotheses: {h: {given: 3, expect: {}}}",
        "matrix: []", "matrix: {a: {paths: [1], values: 2}}", "plugins: {}", "plugins: [[]]",
        "runtime: x", "steps: {a: {use: read, needs: [[], {}, null, 5]}}",
        "steps: {a: {use: name, with: {classifier: {use: [], with: 3}, concepts: [[], {}, null]}}}",
        "model: {use: toy, with: []}\nsteps: {a: {use: read, with: {layers: {}, positions: 1}}}",
    ],
)  # fmt: skip
def test_documents_of_odd_shapes_end_with_places(text):
    found = faults(text)
    assert found
    assert all(fault[0].isdigit() for fault in found)


@given(toy_studies())
def test_a_valid_study_is_valid(document):
    """Law: what the strategy makes of the schema's own rules has no fault."""
    assert faults(flow_yaml(document)) == []


@given(toy_studies())
def test_a_study_round_trips(document):
    """Law: study -> plain -> YAML -> study is the same study."""
    (study,) = load_study(Source("s", flow_yaml(document)), registry=REGISTRY)
    (again,) = load_study(Source("s", flow_yaml(study.plain())), registry=REGISTRY)
    assert again == study
    assert Study.from_plain(study.plain()) == Study.from_plain(document)


@given(toy_studies(), st.integers(0, 2**32))
def test_a_mutated_study_is_valid_or_has_places(document, seed):
    """Law: nothing but diagnostics comes of a broken study."""
    rng = random.Random(seed)
    text = flow_yaml(document)
    at = rng.randrange(len(text))
    put = rng.choice(["", "x", "[", "}", "'", ": ", ", ", "1", "{", "*a", "&a ", "null", "-"])
    broken = text[:at] + put + text[at + rng.randrange(3) :]
    checked = check_study(Source("s", broken), registry=REGISTRY)
    assert (checked.cells is None) == bool(checked.diagnostics)
    assert all(each.line == 1 <= each.column for each in checked.diagnostics)


def test_load_study_raises_with_every_fault():
    with pytest.raises(InvalidStudy) as caught:
        load_study(Source("s", changed(line1="study: /", line2="model: 3")), registry=REGISTRY)
    assert len(caught.value.diagnostics) == 2
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith("s:1:")
