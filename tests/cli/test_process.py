"""The command line as a real process: what only a process can show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studyrun import __version__

TOY = Path(__file__).parents[1] / "run" / "toy_plugin.py"
STUDY = """\
study: toy
data: {use: toy-data}
steps:
  draws: {use: toy-draw}
  sums: {use: toy-sum}
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "toy.yaml").write_text(STUDY)
    return tmp_path


def start(home, *words, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "studyrun", *map(str, words)],
        cwd=home,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def modules_after(home, *words):
    """The top-level modules that a command has imported when it ends."""
    code = (
        "import sys; from studyrun.cli import main; code = main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=home, capture_output=True, text=True
    )
    return done.returncode, set(done.stderr.splitlines()[-1].split())


def test_the_version_is_said_without_loading_anything(home):
    assert finish(start(home, "--version")) == (0, f"studyrun {__version__}\n", "")
    code, modules = modules_after(home, "--version")
    assert code == 0
    assert modules.isdisjoint({"argparse", "pluggy", "msgspec", "dataclasses", "yaml"})


@pytest.mark.parametrize("words", [["plugins"], ["check", "toy.yaml"], ["plan", "toy.yaml"]])
def test_looking_imports_nothing_heavy(home, words):
    code, modules = modules_after(home, *words, "-p", TOY)
    assert code == 0
    assert modules.isdisjoint({"torch", "polars", "transformers", "scipy", "numpy"})


def test_a_run_ends_with_0_and_a_second_one_imports_no_torch(home):
    code, out, _ = finish(start(home, "toy.yaml", "-p", TOY))
    assert code == 0
    assert out.startswith("toy: done in ")
    code, modules = modules_after(home, "toy.yaml", "-p", TOY, "--quiet")
    assert code == 0
    assert modules.isdisjoint({"torch", "polars", "transformers"})


def test_progress_goes_to_stderr_and_results_to_stdout(home):
    _, out, err = finish(start(home, "toy.yaml", "-p", TOY))
    assert "sums: done in" in err
    assert "sums: done in" not in out
    assert "\x1b" not in out + err


def test_a_reader_that_leaves_is_no_error(home):
    process = start(home, "plugins", "--format", "json")
    process.stdout.close()
    assert (process.wait(timeout=60), process.stderr.read()) == (141, "")
    process.stderr.close()


def test_an_interrupted_run_goes_on_where_it_was(home):
    process = start(home, "toy.yaml", "-p", TOY, TOY_PAUSE="1.5")
    for line in process.stderr:
        if line.startswith("draws: toy-draw"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert err.endswith(
        "finished steps and pieces are stored; the same command goes on from there\ninterrupted\n"
    )
    assert "Traceback" not in err
    code, out, _ = finish(start(home, "toy.yaml", "-p", TOY))
    assert code == 0
    assert "  reused  data\n" in out


def test_a_character_that_the_terminal_cannot_show_is_escaped(home):
    (home / "toy.yaml").write_text(STUDY.replace("toy-sum", "toy-süm"), encoding="utf-8")
    process = start(home, "check", "toy.yaml", "-p", TOY, PYTHONIOENCODING="ascii")
    code, out, err = finish(process)
    assert (code, err) == (2, "")
    assert "there is no step 'toy-s\\xfcm'" in out


def test_wrong_usage_has_no_traceback(home):
    code, out, err = finish(start(home, "explain", "nowhere", "sums"))
    assert (code, out) == (2, "")
    assert err.endswith("nowhere is not a run: there is no such folder\n")
    assert len(err.splitlines()) == 1
