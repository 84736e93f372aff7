"""docs/how-to/your-own-activations.md, done from its first line to its last."""

import contextlib

import pytest
import yaml
from pages import Page, printed

import studyrun
from studyrun.registry import Registry
from studyrun_extract.headers import SUFFIXES

PAGE = Page("your-own-activations.md")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which everything on the page was done."""
    folder = tmp_path_factory.mktemp("own")
    (code,) = PAGE.blocks("python")
    with contextlib.chdir(folder):
        printed(code)
    return PAGE.done_in(folder)


def test_the_study_of_the_page_needs_no_model(done):
    run = studyrun.open_run(done / "outputs/loaded/latest")
    assert run["activations"].sites == [(14, 3)]
    assert run["activations"].table["split"].to_list().count("validation") == 50
    assert run["labels"].table.height == 24


def test_the_split_of_the_page_is_one():
    (shown,) = PAGE.blocks("yaml")
    data = yaml.safe_load(shown)["data"]
    bound = Registry.load().bind("data", data).params
    assert bound.indices.endswith(data["with"]["indices"])


def test_the_table_names_the_sorts_of_files():
    named = {line.split("`")[1] for line in PAGE.text.splitlines() if line.startswith("| `.")}
    assert named == {*SUFFIXES} - {".pth"}
