"""What becomes of a reference: typed parameters, absolute paths, canonical JSON, digests."""

from __future__ import annotations

import pytest

from studyrun.contracts import ModelFacts
from studyrun.errors import PluginError, UsageError
from studyrun.registry import Registry

SOURCE = """
from dataclasses import field
import hashlib
from pathlib import Path
from studyrun import ClassifierRef, ConceptRef, FilePath, ModelFacts

@dataclass(frozen=True)
class WordsParams:
    file: FilePath = "words.txt"
    least: PositiveInt = 2

@dataclass(frozen=True)
class TopicsParams:
    words: ConceptRef = "words"
    more: list[ConceptRef] = field(default_factory=list)
    extra: FilePath | None = None
    by_name: dict[str, ConceptRef] = field(default_factory=dict)
    best: ClassifierRef | None = None

@dataclass(frozen=True)
class PickyParams:
    a: int = 1

    def __post_init__(self):
        if self.a == 2:
            raise ValueError("a must not be 2")
        if self.a == 3:
            raise KeyError("three")

@dataclass(frozen=True)
class NetParams:
    weights: FilePath

def digest_words(params):
    return hashlib.sha256(Path(params.file).read_bytes()).hexdigest()

def facts(params):
    if params.weights.endswith("bad"):
        return {"d_model": 3}
    if params.weights.endswith("worse"):
        raise KeyError("shape")
    return ModelFacts(Path(params.weights).name, "d1", 4, 8)

@hookimpl
def studyrun_components():
    return [
        Component(kind="concept", name="words", version="7", params=WordsParams,
                  target="bound:digest_words", digest="bound:digest_words"),
        Component(kind="concept", name="topics", version="1", params=TopicsParams,
                  target="bound:digest_words"),
        Component(kind="concept", name="picky", version="1", params=PickyParams,
                  target="bound:digest_words"),
        Component(kind="model", name="net", version="1", params=NetParams,
                  target="bound:facts", facts="bound:facts", digest="bound:facts"),
    ]
"""


@pytest.fixture
def registry(install):
    install("bound", SOURCE)
    return Registry.load()


def test_parameters_arrive_typed_with_their_defaults(registry):
    bound = registry.bind("concept", {"use": "words", "with": {"least": 5}})
    assert type(bound.params).__name__ == "WordsParams"
    assert bound.params.least == 5


def test_paths_are_made_absolute_against_the_studys_folder(registry, tmp_path):
    ref = {"use": "words", "with": {"file": "lists/a.txt"}}
    assert registry.bind("concept", ref, tmp_path).params.file == str(tmp_path / "lists/a.txt")
    absolute = {"use": "words", "with": {"file": "/data/a.txt"}}
    assert registry.bind("concept", absolute, tmp_path).params.file == "/data/a.txt"
    for elsewhere in ("builtin:short", "hub:owner/name"):
        ref = {"use": "words", "with": {"file": elsewhere}}
        assert registry.bind("concept", ref, tmp_path).params.file == elsewhere


def test_a_path_may_begin_at_home(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    ref = {"use": "words", "with": {"file": "~/lists/a.txt"}}
    assert registry.bind("concept", ref, tmp_path).params.file == "/home/ann/lists/a.txt"


def test_paths_of_nested_components_are_made_absolute_too(registry, tmp_path):
    nested = {"use": "words", "with": {"file": "a.txt"}}
    ref = {
        "use": "topics",
        "with": {"words": nested, "more": [nested, "words"], "by_name": {"x": nested}},
    }
    params = registry.bind("concept", ref, tmp_path).params
    absolute = {"use": "words", "with": {"file": str(tmp_path / "a.txt")}}
    assert params.words == absolute
    assert params.more == [absolute, {"use": "words", "with": {}}]
    assert params.by_name == {"x": absolute}
    assert params.extra is None


def test_the_canonical_form_holds_every_default_and_no_path(registry, tmp_path):
    bound = registry.bind("concept", "words", tmp_path)
    assert registry.canonical(bound) == {"least": 2}
    reference = {"use": "words", "with": {"least": 2}}
    assert registry.canonical(registry.bind("concept", reference, tmp_path)) == {"least": 2}


def test_the_canonical_form_of_a_reference_is_version_parameters_and_content(registry, tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    ref = {"use": "words", "with": {"file": "a.txt"}}
    bound = registry.bind("concept", {"use": "topics", "with": {"words": ref}}, tmp_path)
    expected = {
        "use": "words",
        "version": "7",
        "with": {"least": 2},
        "digest": registry.digest(registry.bind("concept", ref, tmp_path)),
    }
    assert registry.canonical(bound) == {
        "words": expected,
        "more": [],
        "by_name": {},
        "best": None,
        "extra": None,
    }


def test_the_canonical_form_does_not_depend_on_the_folder_or_the_spelling(registry, tmp_path):
    forms = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        (folder / "words.txt").write_text("same\n")
        spelt = ["words", {"use": "words"}, {"use": "words", "with": {"file": "words.txt"}}]
        for ref in spelt[2:]:
            bound = registry.bind("concept", {"use": "topics", "with": {"words": ref}}, folder)
            forms.append(registry.canonical(bound))
    assert forms[0] == forms[1]


def test_the_digest_is_of_the_content(registry, tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("one\n")
    digests = [
        registry.digest(
            registry.bind("concept", {"use": "words", "with": {"file": name}}, tmp_path)
        )
        for name in ("a.txt", "b.txt")
    ]
    assert digests[0] == digests[1]
    assert registry.digest(registry.bind("concept", "topics", tmp_path)) is None


def test_a_missing_file_is_the_studys_fault(registry, tmp_path):
    bound = registry.bind("concept", {"use": "words", "with": {"file": "gone.txt"}}, tmp_path)
    with pytest.raises(UsageError, match=r"concept 'words': .*No such file.*gone\.txt"):
        registry.digest(bound)


def test_facts_come_from_the_model_and_are_checked(registry, tmp_path):
    facts = registry.facts(_net(registry, "net-1", tmp_path))
    assert facts == ModelFacts("net-1", "d1", 4, 8)
    with pytest.raises(PluginError, match="model 'net': facts returned dict"):
        registry.facts(_net(registry, "bad", tmp_path))
    with pytest.raises(PluginError, match="model 'net': facts: KeyError: 'shape'"):
        registry.facts(_net(registry, "worse", tmp_path))


def test_parameters_that_do_not_fit_are_refused(registry):
    with pytest.raises(UsageError, match=r"concept 'words': Expected `int`, got `str`.*least"):
        registry.bind("concept", {"use": "words", "with": {"least": "many"}})


def test_parameters_may_refuse_their_values_and_must_not_break(registry):
    with pytest.raises(UsageError, match="concept 'picky': a must not be 2"):
        registry.bind("concept", {"use": "picky", "with": {"a": 2}})
    with pytest.raises(PluginError, match="concept 'picky': params: KeyError: 'three'"):
        registry.bind("concept", {"use": "picky", "with": {"a": 3}})


def _net(registry, weights, folder):
    return registry.bind("model", {"use": "net", "with": {"weights": weights}}, folder)
