"""Vega's script is kept once it is put together; whatever became of it, a page is whole."""

import pytest
import vl_convert

from studyrun_report.drawing import bundle
from studyrun_report.drawing.bundle import kept_in, vega


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    vega.cache_clear()
    yield tmp_path
    vega.cache_clear()


@pytest.fixture(scope="module")
def script():
    """Made without the kept one."""
    made = bundle.alone(f"const console = {bundle.SILENT};\n{vl_convert.javascript_bundle()}")
    assert len(made) > 500_000
    return made


def again():
    vega.cache_clear()
    return vega()


def test_the_kept_script_is_the_one_that_was_made(script, monkeypatch):
    assert vega() == script
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda: pytest.fail("made again"))
    assert again() == script


@pytest.mark.parametrize(
    "damage",
    [lambda kept: kept[:-1], lambda kept: kept + b" ", lambda kept: b"", lambda kept: b"\xff" * 9,
     lambda kept: kept.replace(b"vega", b"vegb", 1), lambda kept: kept[65:]],
    ids=["cut", "longer", "empty", "no text", "changed", "without digest"],
)  # fmt: skip
def test_a_damaged_one_is_made_anew(script, damage):
    vega()
    whole = kept_in().read_bytes()
    kept_in().write_bytes(damage(whole))
    assert again() == script
    assert kept_in().read_bytes() == whole


def test_another_version_has_its_own(monkeypatch):
    first = kept_in()
    monkeypatch.setattr(bundle, "version", lambda name: "99")
    assert kept_in() != first


def test_a_folder_that_cannot_be_written_to_is_done_without(home, script):
    (home / "cache").write_text("a file where the folder should be")
    assert vega() == script
    assert again() == script


def test_nothing_else_is_left_in_the_folder():
    vega()
    assert list(kept_in().parent.iterdir()) == [kept_in()]
