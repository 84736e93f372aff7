"""The documents say what the program does: commands, outputs, headings, links."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import studyrun
from studyrun.cli import main
from studyrun.cli.arguments import COMMANDS
from studyrun.registry import Registry
from studyrun.schema import compose

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE))


def shape(text: str) -> list[str]:
    """Lines with every number replaced and spaces folded: what does not depend on the machine."""
    numberless = re.sub(r"\d+(\.\d+)?(e-?\d+)?", "#", text)
    return [" ".join(line.split()) for line in numberless.splitlines()]


@pytest.fixture(scope="module")
def full_study(tmp_path_factory):
    """README's study, run as README says, in a folder of its own."""
    folder = tmp_path_factory.mktemp("readme")
    command = [sys.executable, "-m", "studyrun", str(ROOT / "studies/layer14_pos3.yaml")]
    wide = {**os.environ, "COLUMNS": "100"}  # what is written where nobody says how wide it is
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=wide)
    return folder, done.stdout


@pytest.mark.slow
def test_readme_shows_what_its_study_prints(full_study):
    _, printed = full_study
    shown = next(block for block in blocks(README, "text") if "done in" in block)
    assert shape(printed) == shape(shown)


@pytest.mark.slow
def test_the_second_run_of_the_full_study_reuses_everything_and_imports_no_torch(full_study):
    folder, _ = full_study
    code = (
        "import sys; from studyrun.cli import main; code = main(sys.argv[1:]); "
        "print('torch' in sys.modules); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, str(ROOT / "studies/layer14_pos3.yaml")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "False"
    said = {line.split()[0] for line in lines if line.startswith("  ")}
    assert "reused" in said
    assert said.isdisjoint({"ran", "failed", "blocked"})


@pytest.mark.slow
def test_the_other_commands_of_readme_work_on_its_run(tmp_path, monkeypatch, capsys):
    """All that stand in it, one after the other; installing and pytest aside.

    What they say depends on the study's size, that they work does not: it is small here.
    """
    lines = [line for block in blocks(README, "console") for line in block.splitlines()]
    own = [line for line in lines if line.startswith("studyrun ")]
    assert len(own) >= 4
    (tmp_path / "studies").mkdir()
    text = (ROOT / "studies/layer14_pos3.yaml").read_text()
    for much, little in (("problems: 7473", "problems: 240"), ("top: 10", "top: 2")):
        assert much in text
        text = text.replace(much, little)
    (tmp_path / "studies/layer14_pos3.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    for line in ["studyrun studies/layer14_pos3.yaml", *own]:
        code, said = main(shlex.split(line)[1:]), capsys.readouterr()
        assert code == 0, f"{line}\n{said.err}"
    assert "EV" in said.out


@pytest.mark.slow
def test_readme_python_works_on_its_run(full_study):
    folder, _ = full_study
    run = studyrun.open_run(folder / "outputs/layer14_pos3/latest")
    assert run["activations"].at(layer=14, position=3).shape == (7473, 128)
    assert run["labels"].table.height == 512
    assert run["sae"].load().W_dec.shape == (512, 128)
    for name in ("run.json", "events.jsonl", "report.html", "report.md", "tables/labels.parquet"):
        assert (run.folder / name).stat().st_size > 0


def test_readme_yaml_is_the_study():
    shown = next(block for block in blocks(README, "yaml") if "study: layer14_pos3" in block)
    real = (ROOT / "studies/layer14_pos3.yaml").read_text().splitlines()
    assert [line for line in shown.splitlines() if line not in real] == []
    assert len(shown.splitlines()) <= 15


def test_readme_shows_a_real_diagnostic(tmp_path, capsys):
    study = tmp_path / "layer14_pos3.yaml"
    text = (ROOT / "studies/layer14_pos3.yaml").read_text()
    study.write_text(text.replace("layers: [14]", "layer: [14]"))
    assert main(["check", str(study)]) == 2
    shown = next(block for block in blocks(README, "text") if "did you mean" in block)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith(shown.strip().removeprefix("studies/"))


def test_the_tutorial_shows_the_quick_study():
    tutorial = (ROOT / "docs/tutorial/first-study.md").read_text()
    real = (ROOT / "studies/quick.yaml").read_text().splitlines()
    for block in blocks(tutorial, "yaml"):
        assert [line for line in block.splitlines() if line not in real] == []


def test_the_components_page_is_current(capsys):
    assert main(["describe", "--format", "markdown"]) == 0
    page = ROOT / "docs/reference/components.md"
    assert capsys.readouterr().out == page.read_text(), (
        "renew it: studyrun describe --format markdown > docs/reference/components.md"
    )


def test_every_component_has_a_heading():
    assert {component.name for component in Registry.load().components()} <= headings(
        "reference/components.md"
    )


def test_every_command_has_a_heading():
    assert {f"studyrun {name}" for name in COMMANDS} <= headings("reference/commands.md")


def test_every_key_of_a_study_has_a_heading():
    keys = set(compose(Registry.load())["properties"])
    assert keys <= headings("reference/study-file.md")


def test_every_hook_has_a_heading():
    from studyrun import hookspecs

    hooks = {name for name in vars(hookspecs) if name.startswith("studyrun_")}
    assert hooks <= headings("reference/hooks.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_documents_exist(page):
    consoles = "\n".join(blocks(page.read_text(), "console"))
    used = re.findall(r"^studyrun ([a-z-]+)(?= |$)", consoles, flags=re.MULTILINE)
    assert [name for name in used if name not in COMMANDS] == []


def test_every_trap_names_tests_that_exist():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/traps.md").read_text()))
    files = (ROOT / "tests").rglob("test_*.py")
    written = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert sorted(named - written) == []
