"""Digests say what the bytes say, and are remembered only while the bytes cannot have changed."""

import json
import os

import pytest

from studyrun_models import digest
from studyrun_models.digest import cache_file, digest_of


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def large(home, monkeypatch):
    """A file that counts as large and as settled."""
    monkeypatch.setattr(digest, "LARGE", 8)
    monkeypatch.setattr(digest, "SETTLED", -1.0)
    (home / "w").write_bytes(b"0123456789")
    return home


def test_a_digest_depends_on_names_and_bytes_and_not_on_place_or_order(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "x").write_bytes(b"1")
        (tmp_path / place / "y").write_bytes(b"2")
    first = digest_of(tmp_path / "a", ["x", "y"])
    assert digest_of(tmp_path / "b", ["y", "x"]) == first
    (tmp_path / "b" / "y").write_bytes(b"3")
    assert digest_of(tmp_path / "b", ["x", "y"]) != first
    assert digest_of(tmp_path / "a", ["x"]) != first


def test_a_small_file_is_never_remembered(tmp_path):
    (tmp_path / "w").write_bytes(b"0123456789")
    digest_of(tmp_path, ["w"])
    assert not cache_file().exists()


def test_a_large_file_is_read_once(large, monkeypatch):
    first = digest_of(large, ["w"])
    monkeypatch.setattr(digest, "_compute", lambda file: pytest.fail("read again"))
    assert digest_of(large, ["w"]) == first


def test_a_change_that_keeps_size_and_modification_time_is_seen(large):
    first = digest_of(large, ["w"])
    before = (large / "w").stat()
    (large / "w").write_bytes(b"9876543210")
    os.utime(large / "w", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest_of(large, ["w"]) != first


def test_a_file_changed_just_now_is_not_remembered(large, monkeypatch):
    monkeypatch.setattr(digest, "SETTLED", 60.0)
    digest_of(large, ["w"])
    assert not cache_file().exists()


def test_one_entry_per_file_is_kept(large):
    for text in (b"0123456789", b"1123456789", b"2123456789"):
        (large / "w").write_bytes(text)
        digest_of(large, ["w"])
    assert len(json.loads(cache_file().read_text())) == 1


@pytest.mark.parametrize("text", ["not json", "[]", '{"stamp": 3}', "\xff"])
def test_a_cache_that_is_not_ours_is_written_anew(large, text):
    cache_file().parent.mkdir(parents=True)
    cache_file().write_text(text, encoding="latin-1")
    first = digest_of(large, ["w"])
    assert digest_of(large, ["w"]) == first
    assert len(json.loads(cache_file().read_text())) == 1


def test_a_cache_that_cannot_be_written_is_done_without(large):
    cache_file().parent.parent.mkdir(exist_ok=True)
    cache_file().parent.write_text("a file where the folder should be")
    assert digest_of(large, ["w"]) == digest_of(large, ["w"])
