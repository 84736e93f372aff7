"""Before a run: what polars refuses of a hypothesis is a fault of the study, with its place."""

import pytest
from toys import PLUGIN

import studyrun
from studyrun.diagnostics import as_text
from studyrun.errors import InvalidStudy, PluginError
from studyrun.running.preparation import prepare

TELLING = str(PLUGIN.with_name("telling_plugin.py"))
STUDY = """\
study: told
data: {{use: told-data}}
steps:
  numbers: {{use: {step}}}
hypotheses:
  it:
    claim: It is so.
    expect: {expect}
"""


def study(folder, expect, step="told", more=""):
    file = folder / "told.yaml"
    file.write_text(STUDY.format(step=step, expect=expect) + more)
    return file


def refused(folder, expect, **more):
    """What is said, without the file."""
    file = study(folder, expect, **more)
    with pytest.raises(InvalidStudy) as caught:
        studyrun.run(file, out=folder / "outputs", plugins=[TELLING], progress=False)
    assert caught.value.exit_code == 2
    assert not (folder / "outputs").exists(), "nothing may have been computed"
    found = caught.value.diagnostics
    return [as_text([each]).split("\n")[0].removeprefix(f"{file}:") for each in found]


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("SELECT meen(x) > 1 FROM numbers", "8:20 {}: unsupported function 'meen'"),
        ("SELECT avg(name) > 1 FROM numbers", "8:13 {}: `mean` operation not supported for dtype"),
        ("SELECT max(name) > 1 FROM numbers", "8:13 {}: cannot compare string with numeric type"),
        (
            "SELECT avg(x) FROM numbers",
            "8:13 {}: it gave Float64, not true or false; compare it, as in `avg(x) >= 0.7`",
        ),
        (
            "SELECT avg(x) > 1, n FROM numbers",
            "8:32 {}: 'n' should participate in the GROUP BY clause",
        ),
        (
            "SELECT x > 1, n > 1 FROM numbers",
            "8:13 {}: it gave 2 columns (x, n); select one comparison",
        ),
        ("SELECT avg(x) > > 1 FROM numbers", "8:13 {}: sql parser error"),
        (
            "SELECT sum(x) > 1 FROM numbers UNION ALL SELECT sum(x) > 2 FROM numbers",
            "8:13 {}: it gave 2 rows; it must give one: aggregate",
        ),
    ],
)
def test_what_polars_cannot_ask_is_refused_with_its_place(tmp_path, expect, said):
    (fault,) = refused(tmp_path, expect)
    assert fault.startswith(said.format("$.hypotheses.it.expect"))


@pytest.mark.parametrize(
    "expect",
    [
        "SELECT avg(x) > 1 FROM numbers WHERE n > 3",
        "SELECT max(x) > 1 FROM numbers",
        "SELECT x > 1 FROM numbers WHERE n = 1 LIMIT 1",
        "SELECT x > (SELECT x FROM numbers LIMIT 1) FROM numbers LIMIT 1",
        "SELECT avg(numbers.x) > avg(d.x) FROM numbers JOIN data AS d USING (name)",
        "SELECT NULL FROM numbers LIMIT 1",
        "SELECT first(x) > 1 FROM numbers",
        "SELECT quantile_cont(x, 0.5) > 1 FROM numbers",
    ],
)
def test_what_is_null_or_empty_without_rows_is_not_refused(tmp_path, expect):
    prepare(study(tmp_path, expect), out=tmp_path / "outputs", plugins=[TELLING]).rehearse()


def test_of_tables_that_are_not_told_whole_nothing_is_known(tmp_path):
    more = "    given: SELECT meen(name) > 1 FROM numbers\n"
    file = study(tmp_path, "SELECT other(x) FROM numbers", "told-openly", more)
    prepare(file, out=tmp_path / "outputs", plugins=[TELLING]).rehearse()


def test_every_hypothesis_is_told_and_given_too(tmp_path):
    more = "    given: SELECT meen(x) > 1 FROM numbers\n"
    faults = refused(tmp_path, "SELECT max(name) > 1 FROM numbers", more=more)
    assert [fault.split(" ")[:2] for fault in faults] == [
        ["8:13", "$.hypotheses.it.expect:"],
        ["9:19", "$.hypotheses.it.given:"],
    ]


def test_cells_that_share_sql_are_told_once(tmp_path):
    more = "matrix: {steps.numbers.with.rows: [1, 2]}\n"
    assert len(refused(tmp_path, "SELECT meen(x) > 1 FROM numbers", more=more)) == 1


def test_settings_have_places_too(tmp_path):
    file = study(tmp_path, "SELECT avg(x) > 1 FROM numbers")
    wrong = ["hypotheses.it.expect=SELECT meen(x) > 1 FROM numbers"]
    prepared = prepare(file, settings=wrong, out=tmp_path / "outputs", plugins=[TELLING])
    with pytest.raises(InvalidStudy) as caught:
        prepared.rehearse()
    assert str(caught.value).startswith("--set:1:29 $.hypotheses.it.expect: unsupported function")


def test_what_was_judged_before_is_not_asked_again(tmp_path, monkeypatch):
    file = study(tmp_path, "SELECT avg(x) > 1 FROM numbers")
    studyrun.run(file, out=tmp_path / "outputs", plugins=[TELLING], progress=False)
    monkeypatch.setattr("studyrun.rehearsal.answer_of", None)
    studyrun.run(file, out=tmp_path / "outputs", plugins=[TELLING], progress=False)


def test_a_type_that_polars_has_not_is_the_plugins_fault(tmp_path):
    file = study(tmp_path, "SELECT avg(x) > 1 FROM numbers", "told-badly")
    with pytest.raises(PluginError, match="'told-badly': tables: 'Float65' is no type of polars"):
        prepare(file, out=tmp_path / "outputs", plugins=[TELLING]).rehearse()


def test_a_plan_rehearses_nothing(tmp_path):
    """It imports no polars, so what only polars knows is told by a run."""
    file = study(tmp_path, "SELECT meen(x) > 1 FROM numbers")
    assert prepare(file, out=tmp_path / "outputs", plugins=[TELLING]).plan.count("run") == 3
