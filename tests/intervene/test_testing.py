"""What `studyrun.testing` gives plugin authors besides the laws: a tiny model and a small study."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from studyrun.testing import run_study, tiny_study, write_problems, write_tiny_codi
from tiny_models import PlainContext


def model_of(folder):
    from studyrun_models.codi import load
    from studyrun_models.params import CodiParams

    return load(CodiParams(checkpoint=str(folder)), PlainContext())


def test_the_tiny_model_is_one_that_studies_can_use(tmp_path):
    write_problems(tmp_path / "problems.jsonl", 8)
    lines = (tmp_path / "problems.jsonl").read_text().splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    model = model_of(write_tiny_codi(tmp_path / "model", layers=2, thoughts=4))
    streams = model.activations(questions, [0, 1], [0, 4], PlainContext())
    assert streams.shape == (8, 2, 2, 16)
    assert len(set(model.answers(questions, PlainContext()))) > 1


def test_its_weights_depend_on_the_seed_only(tmp_path):
    first, again, other = (
        load_file(write_tiny_codi(tmp_path / name, seed=seed) / "model.safetensors")
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


def test_its_problems_are_right_and_of_all_operations(tmp_path):
    write_problems(tmp_path / "problems.jsonl", 40)
    lines = (tmp_path / "problems.jsonl").read_text().splitlines()
    problems = [json.loads(line) for line in lines]
    for problem in problems:
        expression, _, result = problem["solution"].partition("=")
        assert eval(expression) == float(result) == float(problem["answer"])  # our own arithmetic
    counts = {o: sum(o in problem["solution"] for problem in problems) for o in "+-*/"}
    assert counts == dict.fromkeys("+-*/", 10)


def test_a_study_with_a_plugins_step_runs(tmp_path):
    run = run_study(tiny_study(tmp_path, "louder: {use: amplify}"), tmp_path)
    assert run.status == "done"
    assert run["activations"].table.height == 96
    assert run["louder"].table.height == 10


def test_without_hypothesis_the_cure_is_named():
    """Seen from a Python that has none: importing works, checking says what to install."""
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from studyrun.testing import check_law, laws_of\n"
        "check_law(laws_of('ablate')[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the laws need hypothesis: pip install 'studyrun[test]'" in done.stderr


@pytest.mark.parametrize("name", ["torch", "hypothesis", "polars"])
def test_importing_it_is_light(name):
    code = f"import sys, studyrun.testing; print({name!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
