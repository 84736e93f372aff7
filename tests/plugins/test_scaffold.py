"""`studyrun new-plugin`: what it writes works, and it never writes over anything."""

from __future__ import annotations

import json

import pytest

from installing import pip_install, shell
from studyrun.errors import UsageError
from studyrun.plugging.scaffold import scaffold


def test_the_package_is_written_whole(tmp_path):
    folder = scaffold("studyrun-tide", tmp_path)
    assert folder == tmp_path / "studyrun-tide"
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert files == {
        "pyproject.toml",
        "README.md",
        "studyrun_tide/__init__.py",
        "studyrun_tide/components.py",
        "tests/test_studyrun_tide.py",
        "study.yaml",
    }
    assert list(tmp_path.iterdir()) == [folder]
    assert not any("$" in file.read_text() for file in folder.rglob("*.*") if file.is_file())


@pytest.mark.slow
def test_the_package_can_be_installed_and_its_own_tests_pass(tmp_path):
    folder = scaffold("studyrun-tide", tmp_path)
    env = pip_install(folder, tmp_path / "site")
    tests = shell("-m", "pytest", "-q", "tests", env=env, cwd=folder)
    assert tests.returncode == 0, tests.stdout
    listed = shell("-m", "studyrun", "plugins", "--format", "json", env=env, cwd=tmp_path)
    components = json.loads(listed.stdout)["components"]
    ours = {(each["kind"], each["name"]) for each in components if each["plugin"] == "tide"}
    assert ours == {
        ("concept", "tide-answer"),
        ("intervention", "tide-shift"),
        ("step", "tide-shift"),
    }
    check = shell("-m", "studyrun", "check", "study.yaml", env=env, cwd=folder)
    assert (check.returncode, check.stderr) == (0, "")


def test_nothing_is_ever_overwritten(tmp_path):
    folder = tmp_path / "studyrun-tide"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        scaffold("studyrun-tide", tmp_path)
    assert str(caught.value) == f"{folder} exists already; remove it, or choose another name"
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]


NAMES = {
    "My Plugin": "plugin name 'My Plugin' is not lower-case words joined by '-'; try 'my-plugin'",
    "3d": "plugin name '3d' is not lower-case words joined by '-'; try 'studyrun-3d'",
    "a_b": "plugin name 'a_b' is not lower-case words joined by '-'; try 'a-b'",
    "../evil": "plugin name '../evil' is not lower-case words joined by '-'; try 'evil'",
    "--": "plugin name '--' is not lower-case words joined by '-'",
    "class": "plugin name 'class' is a word of Python; try 'studyrun-class'",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_good_is_refused_with_a_better_one(name, tmp_path):
    with pytest.raises(UsageError) as caught:
        scaffold(name, tmp_path)
    assert str(caught.value) == NAMES[name]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["studyrun", "studyrun-sae", "json"])
def test_the_name_of_an_installed_module_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match=f"a module called '{name.replace('-', '_')}' exists"):
        scaffold(name, tmp_path)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*studyrun-tide: "):
        scaffold("studyrun-tide", tmp_path / "file")
