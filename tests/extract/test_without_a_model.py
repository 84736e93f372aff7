"""Whole studies: without a model from a file of activations, and killed in the middle."""

import hashlib
import json
import signal
import subprocess
import sys

import pytest
import torch
import yaml
from safetensors.torch import save_file

import studyrun
from studyrun.cli import main
from studyrun.testing import tiny_study, write_problems

STEPS = """\
study: loaded
data: {use: jsonl, with: {path: problems.jsonl, validation: 0.5}}
steps:
  activations: {use: load-activations, with: {path: acts.safetensors, layers: [14], positions: [3]}}
  sae: {use: sae-train, with: {d_sae: 24, k: 4, epochs: 2}}
  features: {use: sae-encode}
  labels: {use: classify}
  ablation: {use: ablate, with: {features: {top: 3}}}
  swaps: {use: swap, with: {pairs: [[0, 1]]}}
  report: {use: report}
"""
KILLED = """\
import os, signal, sys
from studyrun.cli import main
from studyrun_extract import extract
from studyrun_extract.growing import Growing
import studyrun_data.jsonl, studyrun_models.codi, studyrun_sae.encode_step, studyrun_sae.train_step
from transformers import AutoModelForCausalLM, LlamaForCausalLM
extract.length_of_a_piece = lambda *_of, cpu: 16
append, left = Growing.append, 0
def counted(self, *given):
    global left
    append(self, *given)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
Growing.append = counted
for folder, after in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        left = after
        os._exit(main(["run", "tiny.yaml", "--quiet"]))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs the study in each folder and kills it after so many pieces (0: never); each in a process of
its own, which finds what is heavy imported already.
"""


def test_features_are_studied_without_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_problems(tmp_path / "problems.jsonl", 120)
    x = torch.randn(120, 16, generator=torch.Generator().manual_seed(0))
    save_file({"activations": x}, tmp_path / "acts.safetensors")
    (tmp_path / "loaded.yaml").write_text(STEPS)
    assert main(["run", "loaded.yaml", "--quiet"]) == 0
    run = studyrun.open_run(tmp_path / "outputs/loaded/latest")
    assert torch.equal(run["activations"].at(layer=14, position=3), x)
    assert run["sae"].load().d_sae == run["labels"].table.height == 24
    assert (run["ablation"].table.height, run["swaps"].table.height) == (3, 1)
    assert (run.folder / "report.html").stat().st_size > 0
    page = (run.folder / "report.md").read_text()
    assert "activations were not extracted here: rows of a file, the study names no model" in page


def test_effects_that_run_the_model_are_refused_without_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_problems(tmp_path / "problems.jsonl", 20)
    save_file({"activations": torch.randn(20, 16)}, tmp_path / "acts.safetensors")
    steps = STEPS.replace("{top: 3}", "{top: 3}, effects: [reconstruction, answer]")
    (tmp_path / "loaded.yaml").write_text(steps)
    assert main(["check", "loaded.yaml"]) == 2
    assert (
        "$.steps.ablation.with.effects[1]: 'answer' is read of edited runs of the model, and the "
        "study has no 'model' section; effects: [reconstruction] needs none"
    ) in capsys.readouterr().out


def test_a_site_that_only_the_file_says_is_checked_when_it_is_known(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_problems(tmp_path / "problems.jsonl", 40)
    facts = {"layers": "[14]", "positions": "[3, 4]"}
    save_file({"activations": torch.randn(40, 1, 2, 8)}, tmp_path / "acts.safetensors", facts)
    study = yaml.safe_load(STEPS)
    study["steps"]["activations"]["with"] = {"path": "acts.safetensors"}
    (tmp_path / "loaded.yaml").write_text(json.dumps(study))
    assert main(["check", "loaded.yaml"]) == 0
    assert main(["plan", "loaded.yaml"]) == 0
    capsys.readouterr()
    assert main(["run", "loaded.yaml", "--quiet"]) == 1
    said = capsys.readouterr()
    assert "the activations hold positions 3, 4; say which (position: 3)" in said.err + said.out


def _killed(*jobs):
    """How the runs ended."""
    command = [sys.executable, "-c", KILLED, *map(str, (word for job in jobs for word in job))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.splitlines()]


def _stored(folder):
    run = studyrun.open_run(folder / "outputs/tiny/latest")
    names = ("tensors.safetensors", "table.parquet", "excluded.parquet", "manifest.json")
    home = run["activations"].folder
    return [hashlib.sha256((home / name).read_bytes()).hexdigest() for name in names]


@pytest.mark.slow
def test_killed_after_a_piece_a_study_ends_with_the_same_bytes(tmp_path):
    """Each time it loses nothing that was finished: 96 problems, 16 at a time, killed twice."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tiny.yaml").write_text(tiny_study(tmp_path / name))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    codes = _killed((whole, 0), (killed, 2), (killed, 3), (killed, 0))
    assert codes == [0, -signal.SIGKILL, -signal.SIGKILL, 0]
    assert _stored(tmp_path / "killed") == _stored(tmp_path / "whole")
    events = (tmp_path / "killed/outputs/tiny/latest/events.jsonl").read_text()
    assert "80 of 96 problems were done by an earlier run" in events
    assert list((tmp_path / "killed/outputs/store/tmp").iterdir()) == []
