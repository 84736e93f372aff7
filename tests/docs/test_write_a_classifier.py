"""docs/how-to/write-a-classifier.md, done from its first line to its last."""

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
from studyrun.testing import CLASSIFIER_LAWS, check_law, laws_of, sample_evidence

PAGE = (Path(__file__).parents[2] / "docs/how-to/write-a-classifier.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
FILES = {
    found[1]: text
    for _, text in BLOCKS
    if (found := re.match(r"# (\S+\.(?:py|yaml))\n", text)) is not None
}


def blocks(language: str) -> list[str]:
    """What is shown in a language and is no file."""
    return [text for found, text in BLOCKS if found == language and text not in FILES.values()]


def printed(code: str) -> str:
    """What Python code prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "page", "exec"), {})
    return out.getvalue()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which every file was written and every command run, in the page's order."""
    folder = tmp_path_factory.mktemp("classifier")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    with contextlib.chdir(folder):
        for command in "".join(blocks("console")).splitlines():
            program, *words = shlex.split(command)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = main(words)
            assert (program, code) == ("studyrun", 0), out.getvalue()
    return folder


def test_everything_on_the_page_is_done_here():
    assert set(FILES) == {"best_f1.py", "test_best_f1.py", "f1.yaml"}
    assert [len(blocks(language)) for language in ("python", "text", "toml")] == [2, 1, 1]
    assert len(BLOCKS) == len(FILES) + 4 + len(blocks("console"))


def test_the_evidence_is_as_shown():
    assert printed(blocks("python")[0]) == blocks("text")[0]


def test_the_laws_are_those_that_the_page_lists():
    rows = re.findall(r"^\| `([a-z-]+)` \| (C\(e.*?) \|$", PAGE, flags=re.MULTILINE)
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
    install_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    bound = Registry.load().bind("classifier", {"best-f1": {"min_f1": 0.6}})
    found = bound.load()(sample_evidence(), bound.params)
    assert found.labels.height == 6


def install_package(site: Path) -> None:
    """The function in one module, everything else in the other, and the entry point."""
    source = FILES["best_f1.py"]
    nodes = {getattr(node, "name", ""): node for node in ast.parse(source).body}
    function = str(ast.get_source_segment(source, nodes["best_f1"]))
    rest = source.replace(function, "").replace("best_f1:best_f1", "studyrun_f1.classifier:best_f1")
    package, info = site / "studyrun_f1", site / "studyrun_f1-1.0.dist-info"
    package.mkdir()
    (package / "__init__.py").write_text(rest)
    imports = "import polars as pl\nfrom studyrun import Classification\n\n\n"
    body = re.sub(r"\n    import polars as pl .*", "", function)
    (package / "classifier.py").write_text(f"{imports}{body}\n")
    entries = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]["studyrun"]
    lines = [f"{name} = {module}" for name, module in entries.items()]
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: studyrun-f1\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[studyrun]", *lines, ""]))
