"""Two hundred broken copies of the example study: each ends with places, in time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from mutations import MUTATIONS, mutant

from studyrun.diagnostics import VIEWS
from studyrun.reading.checking import check_study
from studyrun.registry import Registry

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "studies" / "layer14_pos3.yaml").read_text(encoding="utf-8")
REGISTRY = Registry.load()
SECONDS = 2


def mutants() -> list[int]:
    return list(range(200))


@pytest.mark.parametrize("seed", mutants(), ids=lambda seed: f"{seed}-{mutant(seed, EXAMPLE)[0]}")
def test_a_mutated_study_ends_with_places(seed, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_bytes(mutant(seed, EXAMPLE)[1])
    began = time.process_time()
    checked = check_study(file, registry=REGISTRY)
    assert time.process_time() - began < SECONDS
    assert checked.cells is None
    lines = len(file.read_bytes().decode("utf-8", "replace").splitlines()) + 1
    for each in checked.diagnostics:
        assert each.file == str(file)
        assert 1 <= each.line <= lines
        assert each.column >= 1
        assert each.message
        assert len(each.message) < 1000
    for view in VIEWS.values():
        assert view(checked.diagnostics)


def test_every_mutation_is_among_them():
    assert {mutant(seed, EXAMPLE)[0] for seed in mutants()} == {
        "broken_bytes",
        *(mutation.__name__ for mutation in MUTATIONS),
    }


@pytest.mark.parametrize("seed", range(0, 210, 15))
@pytest.mark.parametrize("command", [["check"], []], ids=["check", "run"])
def test_the_command_ends_with_2_and_no_traceback(seed, command, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_bytes(mutant(seed, EXAMPLE)[1])
    began = time.monotonic()
    words = [sys.executable, "-m", "studyrun", *command, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, encoding="utf-8")
    assert time.monotonic() - began < 4 * SECONDS  # the machine may be busy
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert f"{file}:" in done.stdout + done.stderr
    assert not (tmp_path / "outputs").exists()
