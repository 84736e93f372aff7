"""A process may end at any instant: the next run ends with the bytes of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from toys import DOCUMENT, PLUGIN, contents

from studyrun.store import Store
from studyrun.trying.specimen import tiny_study

INSTANTS = 20
FLUSHES = 7
FORKER = """
import json, os, signal, sys
import numpy, polars, scipy.stats, torch, transformers
import studyrun.running.preparation, studyrun.runner, studyrun.runs
import studyrun_data.jsonl, studyrun_extract.extract, studyrun_intervene.steps.editing
import studyrun_models.codi, studyrun_sae.encode_step, studyrun_sae.train_step
from transformers import AutoModelForCausalLM, LlamaForCausalLM

def run(job):
    flushes, fsync = 0, os.fsync
    def counting(handle):
        nonlocal flushes
        flushes += 1
        if flushes == job["die_at_flush"]:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(handle)
    os.fsync = counting
    os.environ["TOY_PAUSE"] = job["pause"]
    try:
        studyrun.run(job["study"], out=job["out"], plugins=job["plugins"], progress=False)
    except KeyboardInterrupt:
        return 130
    print(flushes, file=open(job["out"] + "/flushes", "w"))
    return 0

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os._exit(run(json.loads(line)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Imports once what is heavy and has run nothing yet, so that a run costs only itself.

An instant of it falls into its work, then, and not into its imports."""


class Forker:
    """Starts runs and ends them early; says how they ended and how long they took."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, study, out, *, pause="0", die_at_flush=0, stop=None):
        plugins = [str(PLUGIN)] if study.name == "toy.yaml" else []
        job = {"study": str(study), "out": str(out), "plugins": plugins, "pause": pause}
        began = time.monotonic()
        self._say({**job, "die_at_flush": die_at_flush})
        child = int(self._process.stdout.readline())
        if stop is not None:
            sent, after = stop
            time.sleep(after)
            with suppress(ProcessLookupError):  # quicker than the one that was timed
                os.kill(child, sent)
        return int(self._process.stdout.readline()), time.monotonic() - began

    def _say(self, job):
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()

    def close(self):
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def forker():
    forker = Forker()
    yield forker
    forker.close()


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A study of the toy plugin, and one that really extracts, trains, encodes and ablates."""
    folder = tmp_path_factory.mktemp("studies")
    (folder / "toy.yaml").write_text(yaml.safe_dump(DOCUMENT, sort_keys=False))
    text = tiny_study(folder, "ablation: {use: ablate}")
    (folder / "real.yaml").write_text(f"{text}runtime: {{device: cpu, threads: 1}}\n")
    return {name: folder / f"{name}.yaml" for name in ("toy", "real")}


@pytest.fixture(scope="module")
def whole(forker, studies, tmp_path_factory):
    """Per study: the artifacts of a run that nobody disturbs, its seconds and its flushes."""
    found = {}
    for name, study in studies.items():
        out = tmp_path_factory.mktemp("whole")
        code, seconds = forker.run(study, out, pause="0.05")
        assert code == 0
        found[name] = contents(out / "store"), seconds, int((out / "flushes").read_text())
    return found


def finish(forker, study, out, expected):
    """What is there is whole; the next run completes it."""
    left = Store(out / "store")
    for key in {name.partition("/")[0] for name in contents(left.folder)}:
        assert left.state(key) == "stored"
    assert forker.run(study, out)[0] == 0
    assert contents(left.folder) == expected
    assert list((left.folder / "tmp").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(INSTANTS))
def test_killed_at_a_random_instant(forker, studies, whole, tmp_path, number):
    expected, seconds, _ = whole["real"]
    after = random.Random(number).uniform(0, 0.9 * seconds)
    code, _ = forker.run(studies["real"], tmp_path, stop=(signal.SIGKILL, after))
    assert code in (-signal.SIGKILL, 0)
    finish(forker, studies["real"], tmp_path, expected)


@pytest.mark.slow
@pytest.mark.parametrize("study", ["toy", "real"])
@pytest.mark.parametrize("number", range(FLUSHES))
def test_killed_while_something_reaches_the_disk(forker, studies, whole, tmp_path, study, number):
    """Wall-clock instants seldom fall into a write; these always do."""
    expected, _, flushes = whole[study]
    flush = 1 + number * flushes // FLUSHES
    code, _ = forker.run(studies[study], tmp_path, die_at_flush=flush)
    assert code == -signal.SIGKILL
    finish(forker, studies[study], tmp_path, expected)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_interrupted_at_a_random_instant(forker, studies, whole, tmp_path, number):
    expected, seconds, _ = whole["toy"]
    after = seconds * (number + 0.5) / 5
    forker.run(studies["toy"], tmp_path, pause="0.05", stop=(signal.SIGINT, after))
    finish(forker, studies["toy"], tmp_path, expected)


@pytest.mark.slow
def test_an_interrupt_is_recorded_and_not_swallowed(forker, studies, tmp_path):
    code, _ = forker.run(studies["toy"], tmp_path, pause="1", stop=(signal.SIGINT, 1.5))
    assert code == 130
    record = json.loads(Path(tmp_path / "toy" / "latest" / "run.json").read_text())
    assert record["status"] == "interrupted"
