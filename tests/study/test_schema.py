"""The composed schema: one meaning in two dialects, self-contained, documented, current."""

import copy
import json
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
import study_toys
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from strategies import study_scalars, toy_studies
from studyrun.contracts import Component
from studyrun.reading.fields import Parameters
from studyrun.registry import Registry
from studyrun.schema import compose, published_schema

ROOT = Path(__file__).parents[2]
TOYS = compose(study_toys.registry())
ONLY_IN_ONE_DIALECT = {
    "$anchor", "$defs-only", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveRef", "$vocabulary",
    "additionalItems", "contains", "dependencies", "dependentRequired", "dependentSchemas",
    "format", "maxContains", "minContains", "oneOf", "prefixItems", "unevaluatedItems",
    "unevaluatedProperties",
}  # fmt: skip


def schemas(node):
    """Every mapping of a schema that is a schema."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key in ("properties", "$defs"):  # schemas, by names of which none is a keyword
                yield from schemas(list(value.values()))
            elif key not in ("default", "examples", "enum", "const"):
                yield from schemas(value)
    elif isinstance(node, list):
        for item in node:
            yield from schemas(item)


def mutated(document, seed: int):
    """A copy with one thing changed anywhere."""
    rng = random.Random(seed)
    document = copy.deepcopy(document)
    places = [(document, key) for key in document]
    for parent, key in places:
        value = parent[key]
        if isinstance(value, dict):
            places += [(value, inner) for inner in value]
        elif isinstance(value, list):
            places += [(value, index) for index in range(len(value))]
    parent, key = rng.choice(places)
    odd = [None, True, 0, -1, 1.5, 1.0, "", "x", [], {}, [1], {"use": "fit"}, 10**30, "1-2\n"]
    if isinstance(parent, dict) and rng.random() < 0.4:
        parent[f"{key}x"] = parent.pop(key)
    elif rng.random() < 0.3:
        del parent[key]
    else:
        parent[key] = rng.choice(odd)
    return document


def agree(schema, document) -> bool:
    """Whether it is valid; an AssertionError if the dialects do not agree, error by error."""
    found = []
    for dialect in (Draft7Validator, Draft202012Validator):
        errors = dialect(schema).iter_errors(document)
        found.append(
            sorted((e.validator, list(map(str, e.absolute_path)), e.message) for e in errors)
        )
    assert found[0] == found[1]
    return not found[0]


@given(toy_studies(), st.integers(0, 2**32))
def test_both_dialects_say_the_same(study, seed):
    """Law: for valid and mutated studies, draft-07 and 2020-12 find the same errors."""
    assert agree(TOYS, study)
    agree(TOYS, mutated(study, seed))
    agree(TOYS, mutated(mutated(study, seed), seed + 1))


@given(
    st.recursive(
        study_scalars,
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(sorted(TOYS["properties"])), inner)
        ),
    )
)
def test_both_dialects_say_the_same_of_anything(document):
    agree(TOYS, document)


@pytest.mark.parametrize("schema", [TOYS, compose(Registry.load())], ids=["toys", "built-in"])
class TestForm:
    def test_it_is_valid_in_both_dialects(self, schema):
        Draft7Validator.check_schema(schema)
        Draft202012Validator.check_schema(schema)

    def test_it_uses_only_what_both_dialects_know(self, schema):
        for node in schemas(schema):
            assert not ONLY_IN_ONE_DIALECT & set(node)
            assert "$ref" not in node or set(node) == {"$ref"}
            assert not isinstance(node.get("items"), list)
            assert isinstance(node.get("exclusiveMinimum", 0), int | float)

    def test_every_reference_is_inside(self, schema):
        for node in schemas(schema):
            if "$ref" in node:
                name = node["$ref"].removeprefix("#/$defs/")
                assert name in schema["$defs"]

    def test_every_definition_is_used(self, schema):
        text = json.dumps(schema)
        assert [name for name in schema["$defs"] if f'"#/$defs/{name}"' not in text] == []

    def test_no_mapping_of_a_study_is_open(self, schema):
        for node in schemas(schema):
            if node.get("type") == "object" and "properties" in node:
                assert "additionalProperties" in node


def test_a_component_with_required_parameters_cannot_be_named_alone():
    assert TOYS["$defs"]["named.classifier"]["then"]["enum"] == ["plain"]
    assert TOYS["$defs"]["use.classifier"]["properties"]["use"]["enum"] == ["plain", "strict"]


def test_the_step_of_the_verdicts_is_nobodys_to_use():
    assert "verdicts" not in TOYS["$defs"]["use.step"]["properties"]["use"]["enum"]


@dataclass(frozen=True)
class Paired:
    pair: tuple[int, str]
    same: tuple[int, int] = (1, 2)


def test_a_tuple_of_a_fixed_length_means_the_same_too():
    paired = Parameters(Component("step", "paired", "1", Paired, "x:y", makes="z"))
    schema = paired.definitions["step.paired"]
    assert agree(schema, {"pair": [1, "x"]})
    assert not agree(schema, {"pair": [1]})
    assert not agree(schema, {"pair": [1, "x", 2]})
    assert not agree(schema, {"pair": [1, "x"], "same": [1, "x"]})


def test_a_study_that_extends_may_be_partial():
    partial = {"extends": "x.yaml", "steps": {"sae": {"with": {"k": None}}, "swaps": None}}
    assert agree(TOYS, partial)
    del partial["extends"]
    assert not agree(TOYS, partial)


def test_the_published_schema_has_the_docs_of_every_field():
    published = json.loads(published_schema(study_toys.registry()))
    fit = published["$defs"]["step.fit"]["properties"]
    assert fit["k"]["description"] == "Active features per row."
    edit = published["$defs"]["step.edit"]["properties"]["features"]
    assert edit["description"] == "Whose effects."
    assert edit["allOf"] == [{"$ref": "#/$defs/step.edit.Choice"}]
    inner = published["$defs"]["step.edit.Choice"]["properties"]["top"]
    assert inner["description"] == "The most frequent ones."
    step = published["$defs"]["use.step"]["properties"]["use"]["description"]
    assert "- tell: tells everything" in step
    assert "x-studyrun" not in json.dumps(published)
    assert published["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_the_published_schema_means_the_same_as_the_one_that_validates():
    published = json.loads(published_schema(study_toys.registry()))
    study = {"study": "s", "steps": {"a": {"use": "fit", "with": {"k": 0}}}}
    for document in (study, mutated(study, 1), mutated(study, 2), mutated(study, 3)):
        assert agree(published, document) == agree(TOYS, document)


def test_schemas_study_schema_json_is_current():
    file = ROOT / "schemas" / "study.schema.json"
    assert file.read_text(encoding="utf-8") == published_schema(Registry.load()), (
        "run: studyrun schema > schemas/study.schema.json"
    )
