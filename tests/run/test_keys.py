"""Keys: content, the whole content, and nothing but the content."""

import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import DOCUMENT, Lab, changed

from strategies import json_objects, json_values
from studyrun.keys import ABSENT, canonical_json, changes, key_of

GOLDEN_RECIPE = {
    "format": 1,
    "kind": "step",
    "use": "sae-train",
    "version": "3",
    "with": {"k": 32, "lr": 0.001, "name": "é", "ranks": ["1-20"], "init": None},
    "inputs": {"activations": "ab" * 32},
    "model": {"use": "codi", "version": "1", "with": {}, "digest": "cd" * 32},
    "dtype": "float32",
    "seed": 0,
}
GOLDEN_TEXT = (
    '{"dtype":"float32","format":1,"inputs":{"activations":"' + "ab" * 32 + '"},"kind":"step",'
    '"model":{"digest":"' + "cd" * 32 + '","use":"codi","version":"1","with":{}},"seed":0,'
    '"use":"sae-train","version":"3",'
    '"with":{"init":null,"k":32,"lr":0.001,"name":"é","ranks":["1-20"]}}'
)
GOLDEN_KEY = "f44eabab963ea6f81a8131365278195a6aafbdb117846105630f24141f61210d"


def test_the_key_format_is_what_it_was():
    """If this fails, every stored artifact of every user is forgotten: raise KEY_FORMAT."""
    assert canonical_json(GOLDEN_RECIPE).decode() == GOLDEN_TEXT
    assert key_of(GOLDEN_RECIPE) == GOLDEN_KEY


def test_the_recipe_of_a_step_is_what_it_was(lab):
    """The same for how recipes are made from a study."""
    recipes = {step.name: step.recipe for step in lab.plan().steps}
    assert recipes["data"] == {
        "format": 1,
        "kind": "data",
        "use": "toy-data",
        "version": "1",
        "with": {"rows": 40, "file": None},
        "seed": 0,
    }
    assert recipes["sums"] == {
        "format": 1,
        "kind": "step",
        "use": "toy-sum",
        "version": "1",
        "seed": 0,
        "with": {"k": 4, "concept": {"use": "even", "version": "1", "with": {"of": 2}}},
        "inputs": {"draws": key_of(recipes["draws"])},
    }
    assert [name for name, _ in recipes["report"]["earlier"]] == [
        "data",
        "draws",
        "sums",
        "verdicts",
    ]
    assert recipes["report"]["study"]["runtime"] == {"dtype": "float32"}


@given(json_objects, st.randoms())
def test_the_order_of_a_mapping_does_not_matter(value, random):
    """Law: key(shuffled(recipe)) == key(recipe)."""
    assert key_of(_shuffled(value, random)) == key_of(value)


@given(json_values, json_values)
def test_different_values_have_different_texts(a, b):
    """Law: canonical JSON is one to one, up to Python's equality of JSON texts."""
    assert (canonical_json(a) == canonical_json(b)) == (
        json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_is_no_number_has_no_text(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(value)


@given(json_objects, json_objects)
def test_changes_are_found_where_and_only_where_values_differ(old, new):
    """Law: changes(a, b) is empty exactly when the keys are equal."""
    assert (changes(old, new) == []) == (key_of(old) == key_of(new))


def test_changes_name_the_path_and_both_values():
    old = {"with": {"k": 32, "gone": None, "x": {"y": [1, 2]}}}
    new = {"with": {"k": 64, "x": {"y": [1, 3]}, "new": 1}}
    assert changes(old, new) == [
        ("with.k", 32, 64),
        ("with.gone", None, ABSENT),
        ("with.x.y", [1, 2], [1, 3]),
        ("with.new", ABSENT, 1),
    ]


STEPS = ["data", "draws", "sums", "verdicts", "report"]
SETTINGS = {
    "runtime.device": (["cpu"], []),
    "runtime.batch_size": ([7], []),
    "runtime.threads": ([1, 2], []),
    "plugins": ([["somewhere/toy_plugin.py"]], []),
    "runtime.dtype": (["bfloat16"], ["verdicts", "report"]),
    "seed": ([1, 2**40], STEPS),
    "about": (["new words"], ["verdicts", "report"]),
    "data.with": ([{"rows": 41}], STEPS),
    "steps.draws.with": ([{"scale": 0.25}, {"sites": [1]}], STEPS[1:]),
    "steps.sums.with": ([{"k": 5}, {"concept": {"use": "even", "with": {"of": 3}}}], STEPS[2:]),
    "hypotheses.grows.claim": (["Or not."], ["verdicts", "report"]),
}
"""Setting -> (other values, the steps whose keys change)."""


@pytest.mark.parametrize(
    ("path", "value", "affected"),
    [(path, value, affected) for path, (values, affected) in SETTINGS.items() for value in values],
)
def test_a_change_reaches_the_step_and_its_descendants_and_nobody_else(lab, path, value, affected):
    """Law: a parameter changes the keys of exactly its node and what descends from it."""
    before, after = lab.keys(), lab.keys(changed(path, value))
    assert [name for name in before if before[name] != after[name]] == affected


@pytest.mark.parametrize(
    "value", [{}, {"rows": 40}, {"file": None, "rows": 40}], ids=["none", "one", "all"]
)
def test_writing_a_default_changes_no_key(lab, value):
    assert lab.keys(changed("data.with", value)) == lab.keys()


def test_the_name_of_a_step_is_in_no_key_but_of_those_that_see_names(lab):
    renamed = deepcopy(DOCUMENT)
    steps = renamed["steps"]
    renamed["steps"] = {"noise": steps["draws"], "sums": steps["sums"], "report": steps["report"]}
    before, after = lab.keys(), lab.keys(renamed)
    assert after["noise"] == before["draws"]
    assert after["sums"] == before["sums"]
    assert after["report"] != before["report"]


def test_a_file_counts_by_its_content_and_not_by_its_path(lab, tmp_path):
    files = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for file, text in zip(files, ["same", "same", "other"], strict=True):
        file.write_text(text)
    one, two, three = (lab.keys(changed("data.with", {"file": str(file)})) for file in files)
    assert one == two
    assert not set(one.values()) & set(three.values())


def test_a_model_counts_by_its_bytes_and_dtype_where_it_is_used(lab, tmp_path):
    document = changed("steps.answers", {"use": "toy-ask"})
    keys = {}
    for name, weights, dtype in [
        ("one", b"w", "float32"),
        ("moved", b"w", "float32"),
        ("trained", b"v", "float32"),
        ("short", b"w", "bfloat16"),
    ]:
        file = tmp_path / name
        file.write_bytes(weights)
        study = changed("model", {"use": "toy-model", "with": {"weights": str(file)}}, document)
        keys[name] = lab.keys(changed("runtime.dtype", dtype, study))
    assert keys["one"] == keys["moved"]
    assert len({keys[name]["answers"] for name in keys}) == 3
    assert len({keys[name]["sums"] for name in keys}) == 1


def _shuffled(value, random):
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {name: _shuffled(each, random) for name, each in items}
    return [_shuffled(each, random) for each in value] if isinstance(value, list) else value


def test_a_registry_of_its_own_gives_the_same_keys(lab, tmp_path):
    assert Lab(tmp_path / "elsewhere").keys() == lab.keys()
