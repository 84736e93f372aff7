"""`run`, `check`, `plan` and `explain` on a small study, in this process."""

from __future__ import annotations

import json
import re
import traceback
from pathlib import Path

import pytest

from studyrun.cli import main, terminal
from studyrun.errors import StepFailed

TOY = Path(__file__).parents[1] / "run" / "toy_plugin.py"
STUDY = """\
study: toy
data: {use: toy-data}
steps:
  draws: {use: toy-draw}
  sums: {use: toy-sum}
  report: {use: toy-report}
hypotheses:
  grows:
    claim: The sums exceed -1000.
    given: SELECT count(*) >= 4 FROM sums
    expect: SELECT max(total) > -1000 FROM sums
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a study, and where its results go."""
    (tmp_path / "toy.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def toy(home, studyrun):
    """The command line with the toy plugin."""
    return lambda *words: studyrun(*words, "-p", TOY)


def test_a_run_says_what_became_of_every_step_and_where_the_page_is(toy):
    code, out, err = toy("toy.yaml")
    assert code == 0
    assert (
        re.sub(r"\d+\.\d s", "N s", out)
        == f"""\
toy: done in N s
  ran  data      N s
  ran  draws     N s
  ran  sums      N s
  ran  verdicts  N s
  ran  report    N s
verdicts
  supported  grows  {_evidence(out)}
page: outputs/toy/latest/report.html
run: outputs/toy/latest
"""
    )
    assert "sums: toy-sum 1 (nothing stored yet)\n" in err


def test_a_second_run_reuses_everything(toy):
    toy("toy.yaml")
    code, out, _ = toy("run", "toy.yaml", "--quiet")
    assert (code, out) == (0, "")
    code, out, _ = toy("toy.yaml")
    assert out.splitlines()[1] == "  reused  data, draws, sums, verdicts, report"


def test_quiet_says_nothing(toy):
    assert toy("toy.yaml", "--quiet") == (0, "", "")


def test_settings_and_out_are_taken(toy, home):
    code, _, _ = toy("toy.yaml", "--set", "steps.sums.with.k=2", "--out", "elsewhere", "--quiet")
    assert code == 0
    record = json.loads((home / "elsewhere/toy/latest/run.json").read_text())
    assert record["cells"][""]["steps"]["sums"]["recipe"]["with"]["k"] == 2
    assert not (home / "outputs").exists()


def test_a_failed_step_ends_with_1_and_says_where_it_stands(toy, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    code, out, err = toy("toy.yaml")
    assert code == 1
    assert "step 'sums' failed: ValueError: toy-sum was told to fail\n" in err
    assert "  study: toy.yaml:5:3\n" in err
    assert "Traceback" not in err
    assert "  failed       sums\n" in out
    assert "  not reached  report\n" in out


RAISING = """\
from studyrun import Component, NoParams, hookimpl

def run(params, inputs, context):
    raise ValueError("a row\\n\\x1b[2J\\u202e")

@hookimpl
def studyrun_components():
    return [Component("step", "raise", "1", NoParams, "raising:run", makes="none")]
"""


def test_what_an_error_quotes_cannot_act_on_the_terminal(studyrun, home):
    (home / "raising.py").write_text(RAISING)
    (home / "raising.yaml").write_text(
        "study: r\nplugins: [raising.py]\nsteps: {a: {use: raise}}\n"
    )
    code, _, err = studyrun("raising.yaml", "--quiet")
    assert code == 1
    assert err.startswith("step 'a' failed: ValueError: a row\n<U+001B>[2J<U+202E>\n  component: ")
    assert "<U+001B>[2J" in studyrun("explain", "outputs/r/latest", "a").out
    assert studyrun("show", "x\x1b[2J") == (
        2, "", "x<U+001B>[2J is not a run: there is no such folder\n")  # fmt: skip


def test_keep_going_runs_what_does_not_need_the_failed_step(toy, monkeypatch, home):
    more = STUDY.replace("  report:", "  others: {use: toy-sum, with: {k: 2}}\n  report:")
    (home / "toy.yaml").write_text(more)
    monkeypatch.setenv("TOY_FAIL", "toy-report")
    code, out, err = toy("toy.yaml", "--keep-going")
    assert code == 1
    assert "  ran     others" in out
    assert "step 'report' failed" in err


def test_debug_shows_the_traceback(toy, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    with pytest.raises(StepFailed) as caught:
        toy("toy.yaml", "--debug")
    assert "was told to fail" in "".join(traceback.format_exception(caught.value))


def test_a_wrong_study_is_not_run(toy, home):
    code, out, err = toy("toy.yaml", "--set", "steps.sums.with.kk=2")
    assert (code, out) == (2, "")
    assert "unknown key 'kk'" in err
    assert not (home / "outputs").exists()


def test_a_question_that_polars_refuses_ends_with_2_before_anything_runs(studyrun, home):
    told = TOY.with_name("telling_plugin.py")
    (home / "told.yaml").write_text(
        "study: told\n"
        "data: {use: told-data}\n"
        "steps: {numbers: {use: told}}\n"
        "hypotheses:\n"
        "  it: {claim: It is so., expect: SELECT meen(x) > 1 FROM numbers}\n"
    )
    assert studyrun("check", "told.yaml", "-p", told).code == 0
    code, out, err = studyrun("told.yaml", "-p", told)
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == (
        "told.yaml:5:41 $.hypotheses.it.expect: unsupported function 'meen'"
    )
    assert not (home / "outputs").exists()


def test_a_missing_study_names_a_near_one(toy):
    for command in ("run", "check", "plan"):
        assert toy(command, "toi.yaml") == (
            2,
            "",
            "there is no file 'toi.yaml'; did you mean 'toy.yaml'?\n",
        )


def test_check_says_ok(toy, home):
    assert toy("check", "toy.yaml") == (0, "toy.yaml: ok (3 steps)\n", "")
    assert toy("check", "toy.yaml", "--format", "json") == (0, "[]\n", "")
    assert toy("check", "toy.yaml", "--format", "github") == (0, "", "")
    (home / "toy.yaml").write_text(STUDY + "matrix: {steps.sums.with.k: [2, 3]}\n")
    assert toy("check", "toy.yaml") == (0, "toy.yaml: ok (3 steps in 2 cells)\n", "")


def test_check_shows_every_fault_in_the_chosen_view(toy, home):
    (home / "toy.yaml").write_text(STUDY.replace("toy-sum", "toy-sun").replace("toy-dr", "toi-dr"))
    code, out, err = toy("check", "toy.yaml")
    assert (code, err) == (2, "")
    assert [line.split(" ")[0] for line in out.splitlines() if line.startswith("toy.yaml:")] == [
        "toy.yaml:4:16",
        "toy.yaml:5:15",
    ]
    code, out, _ = toy("check", "toy.yaml", "--format", "json")
    assert code == 2
    assert [(each["line"], each["suggestion"]) for each in json.loads(out)] == [
        (4, "toy-draw"),
        (5, "toy-sum"),
    ]
    code, out, _ = toy("check", "toy.yaml", "--format", "github")
    assert code == 2
    assert out.startswith("::error file=toy.yaml,line=4,col=16,")


def test_a_plugin_that_was_asked_for_and_is_broken_ends_with_3(home, studyrun):
    (home / "bad_plugin.py").write_text("import nowhere_to_be_found\n")
    for command in ("run", "check", "plan"):
        code, _, err = studyrun(command, "toy.yaml", "-p", TOY, "-p", "bad_plugin.py")
        assert code == 3
        assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in err


def test_a_broken_plugin_that_the_study_names_ends_with_3_and_a_place(toy, home):
    (home / "worse_plugin.py").write_text("import nowhere_to_be_found\n")
    (home / "toy.yaml").write_text(STUDY + "plugins: [worse_plugin.py]\n")
    code, out, _ = toy("check", "toy.yaml")
    assert code == 3
    assert out.startswith("toy.yaml:12:11 $.plugins[0]: ModuleNotFoundError: ")


def test_a_broken_plugin_that_nobody_names_stops_nothing(toy, install):
    install("snapped", "import nowhere_to_be_found\n")
    assert toy("check", "toy.yaml").code == 0


def test_a_study_that_uses_a_colliding_name_is_stopped_with_3(toy, home, install):
    announce = (
        "@hookimpl\ndef studyrun_components():\n"
        '    return [Component(kind="step", name="toy-sum", version="1", params=NoParams,\n'
        '                      target="m:run", makes="sums")]\n'
    )
    install("rival", announce)
    code, out, _ = toy("check", "toy.yaml")
    assert code == 3
    assert "step 'toy-sum' is announced by rival (rival-dist 1.0) and " in out
    (home / "toy.yaml").write_text(STUDY.replace("  sums: {use: toy-sum}\n", "").split("hypo")[0])
    assert toy("check", "toy.yaml").code == 0


def test_plan_says_for_every_step_what_would_happen_and_why(toy, home):
    assert toy("plan", "toy.yaml") == (
        0,
        """\
toy: 5 run, 0 reuse, 0 blocked
     step      component     why
run  data      toy-data 1    nothing stored yet
run  draws     toy-draw 1    nothing stored yet
run  sums      toy-sum 1     nothing stored yet
run  verdicts  verdicts 1    nothing stored yet
run  report    toy-report 1  nothing stored yet
""",
        "",
    )
    assert not (home / "outputs").exists()
    toy("toy.yaml", "--quiet")
    _, out, _ = toy("plan", "toy.yaml", "--set", "steps.sums.with.k=5")
    assert out.splitlines()[:5] == [
        "toy: 3 run, 2 reuse, 0 blocked",
        "       step      component     why",
        "reuse  data      toy-data 1    unchanged since the latest run",
        "reuse  draws     toy-draw 1    unchanged since the latest run",
        "run    sums      toy-sum 1     with.k: 4 -> 5",
    ]


def test_plan_as_json_holds_the_recipes(toy):
    facts = json.loads(toy("plan", "toy.yaml", "--format", "json").out)
    assert [step["step"] for step in facts["steps"]] == [
        "data",
        "draws",
        "sums",
        "verdicts",
        "report",
    ]
    assert facts["steps"][2]["recipe"]["with"]["k"] == 4


def test_explain_says_why_a_step_ran(toy, studyrun):
    toy("toy.yaml", "--quiet")
    toy("toy.yaml", "--quiet", "--set", "steps.sums.with.k=5")
    code, out, err = studyrun("explain", "outputs/toy/latest", "sums")
    assert (code, err) == (0, "")
    first, because, component, key, *_ = out.splitlines()
    assert re.fullmatch(r"sums: ran( in \d+\.\d s)?", first)
    assert because == "  because with.k: 4 -> 5"
    assert component == f"  component: toy-sum 1, of plugin {TOY} (local)"
    assert re.fullmatch("  key: [0-9a-f]{64}", key)
    assert '        "k": 5,' in out.splitlines()
    _, out, _ = studyrun("explain", "outputs/toy/latest", "draws")
    assert out.startswith("draws: reused\n  because unchanged since the latest run\n")


def test_explain_of_what_is_not_there(toy, studyrun):
    toy("toy.yaml", "--quiet")
    code, _, err = studyrun("explain", "outputs/toy/latest", "sum")
    assert code == 2
    assert err.startswith("the run has no step 'sum'; did you mean 'sums'?")
    code, _, err = studyrun("explain", "outputs/toi/latest", "sums")
    assert code == 2
    assert err.endswith("is not a run: there is no such folder\n")


def test_schema_prints_one_json_document(toy):
    code, out, err = toy("schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "toy-sum" in out


def test_a_matrix_is_summed_up_by_cell(toy, home):
    (home / "toy.yaml").write_text(STUDY + "matrix: {steps.sums.with.k: [4, 5]}\n")
    code, out, _ = toy("toy.yaml")
    assert code == 0
    assert (
        re.sub(r"\d+\.\d s", "N s", out)
        == """\
toy: done in N s
  ran     8 steps in 2 of 2 cells, N s
  reused  2 steps in 1 of 2 cells
verdicts
  cell  grows
  k=4   supported
  k=5   supported
page: outputs/toy/latest/report.html
run: outputs/toy/latest
"""
    )


def test_an_interruption_ends_with_130(home, monkeypatch, capsys):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("studyrun.runner.execute", interrupted)
    assert main(["toy.yaml", "-p", str(TOY)]) == 130
    assert capsys.readouterr().err == (
        "\nfinished steps and pieces are stored; the same command goes on from there\ninterrupted\n"
    )


@pytest.mark.parametrize(
    ("terminal_there", "variables", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_only_on_a_terminal_that_wants_it(terminal_there, variables, coloured, monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal_there)
    expected = "\x1b[31mfailed\x1b[0m" if coloured else "failed"
    assert terminal.paint("failed", "red") == expected


def _evidence(out: str) -> str:
    (line,) = (line for line in out.splitlines() if line.startswith("  supported"))
    value, comparison = re.fullmatch(r"  supported  grows  (\S+) (.*)", line).groups()
    assert float(value) > -1000
    assert comparison == "> -1000"
    return f"{value} {comparison}"
