"""The room as a study sees it: records, light modules, checks and digests."""

import hashlib
import subprocess
import sys

import pytest
from data_room import REGISTRY, faults, load, write_lines

from studyrun import Absent, CheckScope, StudyError
from studyrun_data import checks
from studyrun_data.digests import gsm8k, jsonl
from studyrun_data.params import Gsm8k, Jsonl
from studyrun_data.sizes import Size, size_of

NAMES = {
    "data": ["gsm8k", "jsonl", "word-problems"],
    "concept": [
        *("answers", "concept", "first-operations", "last-operations", "only-operations"),
        *("operations", "operations-with-values", "patterns", "steps", "value-classes", "values"),
    ],
}
REQUIRED = {"jsonl": {"path": "x"}, "concept": {"name": "x", "where": "answer > 1"}}
HEAVY = {"polars", "torch", "transformers", "numpy", "scipy"}


def ours(kind):
    return [c for c in REGISTRY.components(kind) if REGISTRY.owner(c).module == "studyrun_data"]


@pytest.mark.parametrize("kind", ["data", "concept"])
def test_the_components_are_registered(kind):
    assert [component.name for component in ours(kind)] == NAMES[kind]
    assert all(component.summary for component in ours(kind))


@pytest.mark.parametrize("component", [*ours("data"), *ours("concept")], ids=lambda c: c.name)
def test_every_target_can_be_imported(component):
    ref = {"use": component.name, "with": REQUIRED.get(component.name, {})}
    assert callable(REGISTRY.bind(component.kind, ref).load())


def test_what_the_check_imports_is_light():
    light = ("checks", "digests", "concepts.checks", "concepts.params")
    modules = ", ".join(f"studyrun_data.{module}" for module in light)
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "studyrun_data.checks" in loaded
    assert loaded & (HEAVY | {"studyrun_data.generator"}) == set()


@pytest.mark.parametrize("name", ["jsonl", "gsm8k"])
def test_a_missing_file_is_a_fault_that_lists_its_neighbours(tmp_path, name):
    write_lines(tmp_path / "train.jsonl", {})
    (tmp_path / "notes.txt").touch()
    (fault,) = faults(name, tmp_path, path="trian.jsonl")
    assert (fault.path, fault.allowed) == (("path",), ("train.jsonl",))
    assert fault.message == f"no such file: {tmp_path / 'trian.jsonl'}"
    assert faults(name, tmp_path, path="train.jsonl") == []


def test_a_folder_is_no_file(tmp_path):
    (fault,) = faults("jsonl", tmp_path.parent, path=tmp_path.name)
    assert fault.message == f"{tmp_path} is a folder, not a file"


def test_a_missing_folder_has_no_neighbours(tmp_path):
    (fault,) = faults("jsonl", tmp_path, path="no/such/file.jsonl")
    assert fault.allowed == ()


def test_missing_indices_are_a_fault(tmp_path):
    write_lines(tmp_path / "train.jsonl", {})
    (fault,) = faults("gsm8k", tmp_path, path="train.jsonl", indices="split.json")
    assert fault.path == ("indices",)


def test_a_digest_is_of_the_content_and_not_of_the_path(tmp_path):
    """Trap F2: a key must know the bytes, not the name."""
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert jsonl(Jsonl(path=str(one))) == jsonl(Jsonl(path=str(two)))
    two.write_bytes(b"other")
    assert jsonl(Jsonl(path=str(one))) != jsonl(Jsonl(path=str(two)))


def test_the_digest_of_gsm8k_knows_which_file_is_which(tmp_path, monkeypatch):
    monkeypatch.setattr("studyrun_data.digests.find_spec", lambda name: name)  # as if installed
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    digests = [
        gsm8k(Gsm8k(path=str(a))),
        gsm8k(Gsm8k(path=str(a), indices=str(b))),
        gsm8k(Gsm8k(path=str(b), indices=str(a))),
        gsm8k(Gsm8k(hub="openai/gsm8k", revision="abc")),
    ]
    assert len(set(digests)) == 4
    assert all(len(digest) == hashlib.sha256().digest_size * 2 for digest in digests)


def test_a_library_that_is_not_installed_blocks_the_step_and_is_no_fault(monkeypatch):
    monkeypatch.setattr("studyrun_data.digests.find_spec", lambda name: None)
    params = Gsm8k(hub="openai/gsm8k", revision="abc")
    (absent,) = checks.gsm8k(params, CheckScope())
    assert isinstance(absent, Absent)
    assert "`pip install" in absent.message
    with pytest.raises(StudyError, match=r"^openai/gsm8k needs the datasets library"):
        gsm8k(params)


def test_the_digest_of_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(StudyError, match=r"gone: cannot be read"):
        jsonl(Jsonl(path=str(tmp_path / "gone")))


def test_a_relative_path_is_the_studys(tmp_path, monkeypatch):
    write_lines(tmp_path / "own.jsonl", {"question": "q", "solution": "1+1=2", "answer": 2})
    monkeypatch.chdir("/")
    assert load("jsonl", tmp_path, path="own.jsonl").tables["table"].height == 1


def test_the_size_of_a_gsm8k_file_is_that_of_what_it_holds(tmp_path):
    rows = [{"question": "q" * length, "answer": "#### 1"} for length in (40, 80, 120, 160)]
    file = str(write_lines(tmp_path / "train.jsonl", *rows))
    (tmp_path / "indices.json").write_text('{"validation": [0, 3]}')
    indices = str(tmp_path / "indices.json")

    def size(**given):
        return size_of([REGISTRY.bind("data", {"use": "gsm8k", "with": given}, tmp_path)])

    assert size(path=file, validation=0.25) == Size(problems=4, validation=1, tokens=25)
    assert size(path=file, indices=indices) == Size(problems=4, validation=2, tokens=25)
    assert size(path=file, indices=indices, limit=2) == Size(problems=2, validation=1, tokens=15)
    assert size(path=str(tmp_path / "gone")) is None
    assert size(hub="openai/gsm8k", revision="abc") is None
