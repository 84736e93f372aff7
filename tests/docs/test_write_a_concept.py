"""docs/how-to/write-a-concept.md, done from its first line to its last."""

import runpy
from dataclasses import replace

import pytest
from pages import Page, install, printed, said

from installing import clean_imports  # noqa: F401  # a fixture
from studyrun import open_run
from studyrun.registry import Registry

PAGE = Page("write-a-concept.md")
FILES, blocks = PAGE.files, PAGE.blocks
TEST = "test_the_second_step_goes_on_with_the_result_of_the_first"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which everything on the page was done."""
    return PAGE.done_in(tmp_path_factory.mktemp("concept"))


def test_everything_on_the_page_is_done_here():
    assert set(FILES) == {"each.yaml", "chains.py", "chains.yaml", "test_chains.py"}
    assert {len(blocks(language)) for language in ("text", "toml")} == {1}
    assert len(PAGE.every) == len(FILES) + sum(
        len(blocks(language)) for language in ("console", "python", "text", "toml")
    )


def test_the_study_asks_for_the_concept_in_sql(done):
    associations = open_run(done / "outputs/each/latest")["labels"].read_table("associations")
    assert {"says each", "uses *"} < set(associations["concept"])
    assert set(associations.filter(concept="says each")["kind"]) == {"free"}


def test_the_mistake_is_told_as_shown(done, monkeypatch):
    monkeypatch.chdir(done)
    wrong = done / "wrong"
    wrong.mkdir()
    (wrong / "each.yaml").write_text(FILES["each.yaml"].replace("question LIKE", "qestion LIKE"))
    monkeypatch.chdir(wrong)
    code, told = said("check", "each.yaml")
    assert (code, told.splitlines()[0]) == (2, blocks("text")[0].strip())


def test_the_runs_own_table_says_which_problems_have_it(done, monkeypatch):
    monkeypatch.chdir(done)
    (code,) = blocks("python")
    problems = open_run(done / "outputs/each/latest")["data"].table
    n = sum("each" in question for question in problems["question"])
    assert printed(code) == f"{n} of 240\n"
    assert 20 <= n <= 220


def test_the_concept_in_a_file_is_used_and_nothing_else_is_made_anew(done):
    run = open_run(done / "outputs/chains/latest")
    concepts = set(run["labels"].read_table("associations")["concept"])
    assert concepts == {"uses +", "uses -", "uses *", "uses /", "used 1 on", "used 2 on"}
    made = {step: each["action"] for step, each in run.record["cells"][""]["steps"].items()}
    assert {step for step, action in made.items() if action == "run"} == {"labels"}


def test_the_test_on_the_page_passes_and_fails_of_another_step(done, monkeypatch, clean_imports):  # noqa: F811
    monkeypatch.syspath_prepend(str(done))
    tests = runpy.run_path(str(done / "test_chains.py"))
    test, right = tests[TEST], tests["chains"]
    test()

    def wrong(problems, params):
        """Named as it should be, and says of the step after the next."""
        (concept,) = right(problems, replace(params, apart=2))
        return [replace(concept, name="used 1 on")]

    monkeypatch.setitem(test.__globals__, "chains", wrong)
    with pytest.raises(AssertionError):
        test()


def test_the_same_in_a_package(tmp_path, monkeypatch, clean_imports):  # noqa: F811
    install(
        PAGE,
        tmp_path,
        "chains.py",
        "chains",
        "studyrun_chains.concepts",
        "from studyrun import Concept",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    bound = Registry.load().bind("concept", {"chains": {"apart": 2}})
    both = "from studyrun_chains import Chains\nfrom studyrun_chains.concepts import chains"
    page = FILES["test_chains.py"].replace("from chains import Chains, chains", both)
    (tmp_path / "test_chains.py").write_text(page)
    tests = runpy.run_path(str(tmp_path / "test_chains.py"))
    tests[TEST]()
    (concept,) = bound.load()(tests["PROBLEMS"], bound.params)
    assert concept.name == "used 2 on"
