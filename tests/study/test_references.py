"""How parameters name components: `name`, `{name: parameters}`, `{use, with}` are one thing."""

import json

import pytest
import study_toys
from hypothesis import given

from strategies import forms, toy_choices
from studyrun.errors import UsageError
from studyrun.faults.references import references
from studyrun.params import short_name, split_ref

REGISTRY = study_toys.registry()


def naming(kind, ref) -> dict:
    """A step that names the component once in every place for its kind."""
    given = {"classifier": ref} if kind == "classifier" else {"concepts": [ref, ref]}
    return {"use": "name", "with": given}


@given(toy_choices)
def test_every_form_of_a_reference_is_the_same_reference(chosen):
    """Law: what a step is given, and what goes into its key, depends on no form."""
    kind, name, given_ = chosen
    bound = [REGISTRY.bind("step", naming(kind, ref)) for ref in forms(name, given_)]
    assert len({repr(each.params) for each in bound}) == 1
    assert len({json.dumps(REGISTRY.canonical(each)) for each in bound}) == 1
    used = [REGISTRY.bind(kind, ref) for ref in forms(name, given_)]
    assert all(each.params == used[0].params for each in used)


@given(toy_choices)
def test_a_reference_is_split_the_same_way_in_every_form(chosen):
    kind, name, given_ = chosen
    for ref in forms(name, given_):
        assert split_ref(ref) == (name, given_)
        found = list(references(study_toys.Name, naming(kind, ref)["with"]))
        assert {(k, split_ref(r)[0]) for _, k, r in found} == {(kind, name)}


def test_what_is_short():
    assert short_name({"contains": {"values": [1]}}) == "contains"
    long = ({"use": "contains"}, {"with": {}}, {"use": "x", "with": {}}, {}, {"a": 1, "b": 2})
    assert [short_name(ref) for ref in (*long, "contains", None, [])] == [None] * 8


@pytest.mark.parametrize("given_", [3, "x", [1]], ids=str)
def test_parameters_must_be_a_mapping_in_python_too(given_):
    for ref in ({"contains": given_}, {"use": "contains", "with": given_}):
        with pytest.raises(UsageError, match="concept 'contains': its parameters must be a mapp"):
            REGISTRY.bind("concept", ref)
