"""docs/how-to/write-a-classifier.md, done from its first line to its last."""

import re
import runpy

import pytest
from pages import Page, install, printed

from installing import clean_imports  # noqa: F401  # a fixture
from studyrun import open_run
from studyrun.registry import Registry
from studyrun.testing import CLASSIFIER_LAWS, check_law, laws_of, sample_evidence

PAGE = Page("write-a-classifier.md")
FILES, blocks = PAGE.files, PAGE.blocks


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which everything on the page was done."""
    return PAGE.done_in(tmp_path_factory.mktemp("classifier"))


def test_everything_on_the_page_is_done_here():
    assert set(FILES) == {"best_f1.py", "test_best_f1.py", "f1.yaml"}
    assert [len(blocks(language)) for language in ("python", "text", "toml")] == [2, 1, 1]
    assert len(PAGE.every) == len(FILES) + 4 + len(blocks("console"))


def test_the_evidence_is_as_shown():
    assert printed(blocks("python")[0]) == blocks("text")[0]


def test_the_laws_are_those_that_the_page_lists():
    rows = re.findall(r"^\| `([a-z-]+)` \| (C\(e.*?) \|$", PAGE.text, flags=re.MULTILINE)
    sentences = {
        name: (law.__doc__ or "").partition("\n")[0].rstrip(".")
        for name, law in CLASSIFIER_LAWS.items()
    }
    assert dict(rows) == sentences


def test_the_tests_on_the_page_pass(done, monkeypatch, clean_imports):  # noqa: F811
    monkeypatch.chdir(done)
    monkeypatch.syspath_prepend(str(done))
    tests = runpy.run_path("test_best_f1.py")
    tests["test_a_feature_is_called_after_what_it_detects"]()
    cases = laws_of("best-f1", kind="classifier", modules=["best_f1.py"])
    assert len(cases) == len(CLASSIFIER_LAWS)
    for case in cases:
        check_law(case, examples=4)


def test_the_study_compares_it_with_controls_and_with_enrichment(done, monkeypatch):
    monkeypatch.chdir(done)
    labels = open_run("outputs/f1/latest")["labels"]
    controls = labels.read_table("controls").filter(classifier="best-f1")
    rates = dict(controls.select("control", "rate").rows())
    assert rates["none"] > 0
    assert min(rates["permuted"], rates["matched"]) > rates["none"] / 2  # as the page says
    assert labels.read_table("agreement").select("classifier", "other").rows() == [
        ("best-f1", "enrichment")
    ]
    assert "f1" in labels.table.columns
    assert "permuted" in printed(blocks("python")[1])


def test_the_same_in_a_package(tmp_path, monkeypatch, clean_imports):  # noqa: F811
    install(
        PAGE,
        tmp_path,
        "best_f1.py",
        "best_f1",
        "studyrun_f1.classifier",
        "from studyrun import Classification",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    bound = Registry.load().bind("classifier", {"best-f1": {"min_f1": 0.6}})
    found = bound.load()(sample_evidence(), bound.params)
    assert found.labels.height == 6
