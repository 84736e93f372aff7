"""`studyrun new-plugin NAME`: a minimal working package, to be changed line by line."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from string import Template

from studyrun.errors import UsageError

__all__ = ["scaffold"]

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
description = "A studyrun plugin."
requires-python = ">=3.11"
dependencies = ["studyrun"]

[project.optional-dependencies]
test = ["hypothesis", "pytest"]

[project.entry-points.studyrun]
$stem = "$module"
"""

README = """\
# $name

A plugin for studyrun with a concept (`$stem-answer`) and an intervention (`$stem-shift`).

    pip install -e ".[test]"
    studyrun describe $stem-shift
    studyrun study.yaml
    pytest
"""

ANNOUNCED = '''\
"""What this plugin offers, and the parameters; nothing heavy is imported here."""

from dataclasses import dataclass

from studyrun import Component, Fraction, Law, hookimpl


@dataclass(frozen=True)
class Answer:
    """Parameters of the concept `$stem-answer`."""

    above: Fraction = 0.5
    """A problem has the concept if its answer is larger than that share of all answers."""


@dataclass(frozen=True)
class Shift:
    """Parameters of the intervention `$stem-shift`."""

    by: float
    """What is added to the activations; 0 changes nothing."""


@hookimpl
def studyrun_components() -> list[Component]:
    """Every component, with the place of the function that is called when it is used."""
    return [
        Component(
            kind="concept",
            name="$stem-answer",
            version="1",
            params=Answer,
            target="$module.components:answer",
            summary="whether the answer is above a threshold",
        ),
        Component(
            kind="intervention",
            name="$stem-shift",
            version="1",
            params=Shift,
            target="$module.components:shift",
            summary="add a constant to features",
            laws=(Law("identity-at", parameter="by", value=0.0),),
        ),
    ]
'''

COMPONENTS = '''\
"""The functions: pure, and imported only when a study uses them."""

import polars as pl
from studyrun import Concept
from torch import Tensor

from $module import Answer, Shift


def answer(problems: pl.DataFrame, params: Answer) -> list[Concept]:
    """One concept: the answer is large among these problems; a missing answer is not."""
    threshold = problems["answer"].quantile(params.above)
    large = (pl.col("answer") > threshold).fill_null(value=False)
    return [Concept("large answer", "value", large)]


def shift(z: Tensor, features: Tensor, params: Shift) -> Tensor:
    """The activations with `by` added to the features' columns; z itself stays as it is."""
    shifted = z.clone()
    shifted[:, features] += params.by
    return shifted
'''

TESTS = '''\
"""The components keep what they promise, and a study can use them."""

import polars as pl
import pytest
from studyrun.testing import check_law, laws_of, run_study, tiny_study

from $module import Answer
from $module.components import answer

STEPS = """\
labels: {use: classify, with: {concepts: [$stem-answer]}}
shifted: {use: $stem-shift, with: {by: 1.0, features: {top: 3}}}
"""


@pytest.mark.parametrize("case", laws_of("$stem-shift", modules=["$module"]), ids=str)
def test_law(case):
    check_law(case)


def test_the_larger_half_of_the_answers_is_large_and_a_missing_one_is_not():
    problems = pl.DataFrame({"answer": [1.0, 2.0, 3.0, 4.0, 5.0, None]})
    (concept,) = answer(problems, Answer(above=0.5))
    large = problems.select(concept.expr).to_series().to_list()
    assert large == [False, False, False, True, True, False]


def test_a_study_can_use_both(tmp_path):
    run = run_study(tiny_study(tmp_path, STEPS), tmp_path, modules=["$module"])
    assert "large answer" in run["labels"].read_table("associations")["concept"].unique()
    assert run["shifted"].table.height == 3
'''

STUDY = """\
study: $name
about: Does the plugin work?
model: {use: codi}
data: {use: word-problems, with: {problems: 400}}
steps:
  activations: {use: extract, with: {layers: [14], positions: [3]}}
  sae: {use: sae-train, with: {d_sae: 64, k: 8, epochs: 5}}
  features: {use: sae-encode}
  labels: {use: classify, with: {concepts: [operations, $stem-answer]}}
  shifted: {use: $stem-shift, with: {by: 1.0, features: {top: 5}}}
  report: {use: report}
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    "$module/__init__.py": ANNOUNCED,
    "$module/components.py": COMPONENTS,
    "tests/test_$module.py": TESTS,
    "study.yaml": STUDY,
}


def scaffold(name: str, into: Path) -> Path:
    """Write the package, whole or not at all, and return its folder.

    Raises:
        UsageError: the name is no good, it is taken, or the folder cannot be written.
    """
    module = _module_of(name)
    folder = into / name
    if folder.exists():
        raise UsageError(f"{folder} exists already; remove it, or choose another name")
    words = {"name": name, "module": module, "stem": name.removeprefix("studyrun-")}
    try:
        _write(folder, {_filled(path, words): _filled(text, words) for path, text in FILES.items()})
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _module_of(name: str) -> str:
    if not NAME.fullmatch(name):
        better = _better(name)
        hint = f"; try {better!r}" if NAME.fullmatch(better) else ""
        raise UsageError(f"plugin name {name!r} is not lower-case words joined by '-'{hint}")
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise UsageError(f"plugin name {name!r} is a word of Python; try 'studyrun-{name}'")
    found = find_spec(module)
    if found is not None:
        where = found.origin or "this Python"
        raise UsageError(f"a module called {module!r} exists already: {where}; try another name")
    return module


def _better(name: str) -> str:
    words = "-".join(re.findall("[a-z0-9]+", name.casefold()))
    return f"studyrun-{words}" if words[:1].isdigit() else words


def _filled(text: str, words: dict[str, str]) -> str:
    return Template(text).substitute(words)


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write beside, then move into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for path, text in files.items():
            file = beside / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        beside.chmod(0o755)  # mkdtemp's folders are private
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
