"""The studies in tests/studies: a new case is a new file.

A negative one says what is expected: `# expect: LINE:COLUMN PATH: message`, in order, all of it.
A message that a plugin words may end with an ellipsis.
"""

from pathlib import Path

import pytest

from studyrun.diagnostics import as_text
from studyrun.reading.checking import check_study
from studyrun.registry import Registry

ROOT = Path(__file__).parents[2]
STUDIES = Path("tests/studies")
REGISTRY = Registry.load()


def found(file: Path) -> list[str]:
    checked = check_study(file, registry=REGISTRY)
    assert (checked.cells is None) == bool(checked.diagnostics)
    texts = [as_text([each]).split("\n")[0] for each in checked.diagnostics]
    return [text.removeprefix(f"{file}:") for text in texts]


def cases(folder: str) -> list[Path]:
    return sorted(file.relative_to(ROOT) for file in (ROOT / STUDIES / folder).glob("*.yaml"))


@pytest.mark.parametrize("file", cases("positive"), ids=lambda file: file.stem)
def test_it_is_valid(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert found(file) == []


@pytest.mark.parametrize("file", cases("negative"), ids=lambda file: file.stem)
def test_it_has_exactly_the_faults_that_it_announces(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    lines = file.read_bytes().decode("utf-8", "replace").splitlines()
    expected = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    assert expected, "a negative study announces at least one fault"
    told = found(file)
    assert len(told) == len(expected)
    for message, pattern in zip(told, expected, strict=True):
        assert message == pattern or ("…" in pattern and message.startswith(pattern.rstrip("…")))


@pytest.mark.parametrize("file", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda f: f.stem)
def test_the_studies_of_the_project_are_valid(file):
    assert file.read_text().startswith(
        "# yaml-language-server: $schema=../schemas/study.schema.json"
    )
    assert found(file) == []
