"""docs/how-to/write-a-concept.md, done from its first line to its last."""

import ast
import contextlib
import io
import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest

from installing import clean_imports  # noqa: F401  # a fixture
from studyrun import open_run
from studyrun.cli import main
from studyrun.registry import Registry

PAGE = (Path(__file__).parents[2] / "docs/how-to/write-a-concept.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
FILES = {
    found[1]: text
    for _, text in BLOCKS
    if (found := re.match(r"# (\S+\.(?:py|yaml))\n", text)) is not None
}


def blocks(language: str) -> list[str]:
    """What is shown in a language and is no file."""
    return [text for found, text in BLOCKS if found == language and text not in FILES.values()]


def said(*words: str) -> tuple[int, str]:
    """The exit code of a command, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(list(words))
    return code, out.getvalue()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which every file was written and every command run, in the page's order."""
    folder = tmp_path_factory.mktemp("concept")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    with contextlib.chdir(folder):
        for command in "".join(blocks("console")).splitlines():
            program, *words = shlex.split(command)
            code, printed = said(*words)
            assert (program, code) == ("studyrun", 0), printed
    return folder


def test_everything_on_the_page_is_done_here():
    assert set(FILES) == {"each.yaml", "chains.py", "chains.yaml", "test_chains.py"}
    assert {len(blocks(language)) for language in ("text", "toml")} == {1}
    assert len(BLOCKS) == len(FILES) + sum(
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
    code, printed = said("check", "each.yaml")
    assert (code, printed.splitlines()[0]) == (2, blocks("text")[0].strip())


def test_the_runs_own_table_says_which_problems_have_it(done, monkeypatch):
    monkeypatch.chdir(done)
    (code,) = blocks("python")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "page", "exec"), {})
    problems = open_run(done / "outputs/each/latest")["data"].table
    n = sum("each" in question for question in problems["question"])
    assert out.getvalue() == f"{n} of 240\n"
    assert 20 <= n <= 220


def test_the_concept_in_a_file_is_used_and_nothing_else_is_made_anew(done):
    run = open_run(done / "outputs/chains/latest")
    concepts = set(run["labels"].read_table("associations")["concept"])
    assert concepts == {"uses +", "uses -", "uses *", "uses /", "used 1 on", "used 2 on"}
    made = {step: each["action"] for step, each in run.record["cells"][""]["steps"].items()}
    assert {step for step, action in made.items() if action == "run"} == {"labels"}


def test_the_test_on_the_page_passes(done, monkeypatch, clean_imports):  # noqa: F811
    monkeypatch.syspath_prepend(str(done))
    tests = runpy.run_path(str(done / "test_chains.py"))
    tests["test_the_second_step_goes_on_with_the_result_of_the_first"]()


def test_the_same_in_a_package(tmp_path, monkeypatch, clean_imports):  # noqa: F811
    install_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    bound = Registry.load().bind("concept", {"chains": {"apart": 2}})
    both = "from studyrun_chains import Chains\nfrom studyrun_chains.concepts import chains"
    page = FILES["test_chains.py"].replace("from chains import Chains, chains", both)
    (tmp_path / "test_chains.py").write_text(page)
    tests = runpy.run_path(str(tmp_path / "test_chains.py"))
    tests["test_the_second_step_goes_on_with_the_result_of_the_first"]()
    (concept,) = bound.load()(tests["PROBLEMS"], bound.params)
    assert concept.name == "used 2 on"


def install_package(site: Path) -> None:
    """The function in one module, everything else in the other, and the entry point."""
    source = FILES["chains.py"]
    nodes = {getattr(node, "name", ""): node for node in ast.parse(source).body}
    function = str(ast.get_source_segment(source, nodes["chains"]))
    rest = source.replace(function, "").replace("chains:chains", "studyrun_chains.concepts:chains")
    package, info = site / "studyrun_chains", site / "studyrun_chains-1.0.dist-info"
    package.mkdir()
    (package / "__init__.py").write_text(rest)
    polars, body = "import polars as pl\n", re.sub(r"\n    import polars as pl .*", "", function)
    (package / "concepts.py").write_text(f"{polars}from studyrun import Concept\n\n\n{body}\n")
    entries = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]["studyrun"]
    lines = [f"{name} = {module}" for name, module in entries.items()]
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: studyrun-chains\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[studyrun]", *lines, ""]))
