"""Usage: what is understood, what is refused, and in which words."""

from __future__ import annotations

import pytest

from studyrun import __version__
from studyrun.cli import arguments


def test_a_study_alone_is_run():
    options = arguments.parse(["studies/quick.yaml", "--keep-going"])
    assert (options.command, options.study, options.keep_going) == (
        "run",
        "studies/quick.yaml",
        True,
    )


def test_options_may_stand_before_the_study():
    options = arguments.parse(["--set", "seed=1", "-p", "mine.py", "quick.yaml"])
    assert (options.command, options.study) == ("run", "quick.yaml")
    assert (options.settings, options.plugins) == (["seed=1"], ["mine.py"])


def test_repeatable_options_keep_their_order():
    words = ["check", "a.yaml", "--set", "a=1", "--set", "b=2", "-p", "x", "--plugin", "y"]
    options = arguments.parse(words)
    assert options.settings == ["a=1", "b=2"]
    assert options.plugins == ["x", "y"]


def test_a_folder_named_like_no_command_is_a_study(tmp_path, monkeypatch):
    (tmp_path / "plain").write_text("study: x")
    monkeypatch.chdir(tmp_path)
    assert arguments.parse(["plain"]).command == "run"


USAGE = {
    "unknown command": (
        ["chek", "a.yaml"],
        "studyrun: there is no command or study 'chek'; did you mean 'check'?\n"
        "  commands: run, check, plan, explain, show, compare, plugins, describe, schema, "
        "new-plugin\n",
    ),
    "unknown option": (
        ["check", "a.yaml", "--fromat", "json"],
        "studyrun check: unrecognized arguments: --fromat json; did you mean '--format'? "
        "(see studyrun check --help)\n",
    ),
    "abbreviated option": (
        ["a.yaml", "--keep"],
        "studyrun run: unrecognized arguments: --keep; did you mean '--keep-going'? "
        "(see studyrun run --help)\n",
    ),
    "missing argument": (
        ["new-plugin"],
        "studyrun new-plugin: the following arguments are required: NAME "
        "(see studyrun new-plugin --help)\n",
    ),
    "wrong limit": (
        ["show", "outputs/a", "--limit", "-1"],
        "studyrun show: argument --limit: '-1' is not a number of rows "
        "(see studyrun show --help)\n",
    ),
    "nothing to compare": (
        ["compare"],
        "studyrun compare: the following arguments are required: RUN "
        "(see studyrun compare --help)\n",
    ),
    "negative wait": (
        ["a.yaml", "--wait", "-1"],
        "studyrun run: argument --wait: '-1' is not a number of seconds "
        "(see studyrun run --help)\n",
    ),
    "endless wait": (
        ["a.yaml", "--wait=inf"],
        "studyrun run: argument --wait: 'inf' is not a number of seconds "
        "(see studyrun run --help)\n",
    ),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_said_in_one_line_and_ends_with_2(case, studyrun):
    words, expected = USAGE[case]
    assert studyrun(*words) == (2, "", expected)


def test_an_unknown_format_names_the_known_ones(studyrun):
    code, out, err = studyrun("check", "a.yaml", "--format", "xml")
    assert (code, out) == (2, "")
    assert err.startswith("studyrun check: argument --format: invalid choice: 'xml'")
    assert all(name in err for name in ("text", "json", "github"))


def test_the_version_is_that_of_the_package(studyrun):
    assert studyrun("--version") == (0, f"studyrun {__version__}\n", "")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_every_command_and_the_exit_codes(words, capsys):
    with pytest.raises(SystemExit) as caught:
        arguments.parse(words)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(f"    {name}" in text for name in arguments.COMMANDS)
    assert "exit codes: 0 done, 1 a step failed, 2 the study or the usage is wrong" in text
