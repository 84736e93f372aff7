"""The steps that another step wants once more with something changed."""

from dataclasses import replace

import pytest
import study_toys
from hypothesis import given
from hypothesis import strategies as st
from variant_toys import COMPONENTS, REGISTRY

from strategies import toy_changes
from studyrun import Variant
from studyrun.errors import InvalidStudy
from studyrun.plugging.vetting import faults_of, variant_faults
from studyrun.reading.checking import check_study
from studyrun.source import Source
from studyrun.study import Study
from studyrun.wiring import wire

K2 = {"steps": {"sae": {"k": 2}}}
OTHER = {"model": {"checkpoint": "builtin:other"}}
STEPS = {
    "acts": {"use": "read", "with": {"layers": [1]}},
    "sae": {"use": "fit", "with": {"k": 4}},
    "features": {"use": "code"},
}


def asking(wanted, use="compare"):
    return {"use": use, "with": {"wanted": wanted}}


def document(**askers):
    return {
        "study": "toy",
        "model": {"use": "toy"},
        "data": {"use": "numbers"},
        "steps": {**STEPS, **askers},
    }


def nodes(**askers):
    return by_name(document(**askers))


def by_name(plain):
    return {node.name: node for node in wire(Study.from_plain(plain), REGISTRY).nodes}


def test_what_a_replaced_parameter_reaches_is_cloned_before_the_step_that_asks():
    found = nodes(compared=asking({"k-2": K2}))
    assert list(found) == [
        "data", "acts", "sae", "features", "sae@k-2", "features@k-2", "compared",
    ]  # fmt: skip
    assert found["compared"].variants == {
        "k-2": {"problems": "data", "sae": "sae@k-2", "feature-acts": "features@k-2"}
    }
    assert found["sae@k-2"].bound.params == study_toys.Fit(k=2)
    assert found["sae@k-2"].inputs == {"activations": "acts"}
    assert found["features@k-2"].inputs == {"activations": "acts", "sae": "sae@k-2"}
    assert (found["sae"].bound.params.k, found["sae@k-2"].step) == (4, "sae")


def test_a_replaced_model_reaches_what_uses_it_and_all_that_follows():
    found = nodes(compared=asking({"other": OTHER}))
    assert [name for name in found if "@" in name] == ["acts@other", "sae@other", "features@other"]
    assert found["acts@other"].model.params.checkpoint == "builtin:other"
    assert found["acts"].model.params.checkpoint == "builtin:toy"
    assert found["acts@other"].bound is found["acts"].bound
    assert found["sae@other"].model is None


def test_a_variant_may_change_both():
    found = nodes(compared=asking({"both": {**OTHER, **K2}}))
    assert found["sae@both"].inputs == {"activations": "acts@both"}
    assert found["sae@both"].bound.params.k == 2


def test_changed_data_reach_everything():
    found = nodes(compared=asking({"few": {"steps": {"problems": {"n": 3}}}}))
    assert found["compared"].variants["few"]["problems"] == "data@few"
    assert found["acts@few"].inputs == {"problems": "data@few"}


def test_a_variant_that_replaces_nothing_has_the_study_s_own():
    """Law: without replacements, variants[name] == by_type, and no node is added."""
    found = nodes(compared=asking({"same": {}}))
    assert list(found) == ["data", "acts", "sae", "features", "compared"]
    assert found["compared"].variants == {"same": found["compared"].inputs}


def test_two_steps_that_ask_for_the_same_share_it():
    found = nodes(
        one=asking({"k-2": K2}), two=asking({"k-2": K2, "k-3": {"steps": {"sae": {"k": 3}}}})
    )
    assert [name for name in found if "@" in name] == [
        "sae@k-2", "features@k-2", "sae@k-3", "features@k-3",
    ]  # fmt: skip
    assert found["one"].variants["k-2"] == found["two"].variants["k-2"]


def test_one_name_with_two_meanings_gets_a_number():
    wide, wider = ({"steps": {"sae": {"k": k}}} for k in (6, 8))
    found = nodes(
        one=asking({"wide": wide}), two=asking({"wide": wider}), three=asking({"wide-2": wide})
    )
    given = {name: found[name].variants for name in ("one", "two", "three")}
    assert given["one"]["wide"]["sae"] == "sae@wide"
    assert given["two"]["wide"]["sae"] == "sae@wide-2"
    assert given["three"]["wide-2"]["sae"] == "sae@wide-2-2"
    assert [found[f"sae@{label}"].bound.params.k for label in ("wide", "wide-2", "wide-2-2")] == [
        6, 8, 6,
    ]  # fmt: skip


def test_a_step_that_asks_is_asked_again_in_another_s_variant():
    """Both changes at once, and what the inner one does not need is not made."""
    found = nodes(compared=asking({"k-2": K2}), review=asking({"other": OTHER}, "review"))
    again = found["compared@other"]
    assert again.inputs["sae"] == "sae@other"
    assert again.variants["k-2"]["sae"] == "sae@k-2@other"
    inner = found["sae@k-2@other"]
    assert (inner.bound.params.k, inner.inputs["activations"]) == (2, "acts@other")
    assert inner.step == "sae"


def test_steps_that_take_everything_and_verdicts_see_no_variant():
    plain = document(compared=asking({"k-2": K2}), report={"use": "tell"})
    claim = {"claim": "c", "expect": "SELECT count(*) > 0 FROM sae"}
    found = by_name({**plain, "hypotheses": {"h": claim}})
    own = {"data", "acts", "sae", "features", "compared"}
    assert set(found["report"].earlier) == own | {"verdicts"}
    assert set(found["verdicts"].earlier) == {"sae"}


def test_what_takes_everything_can_itself_be_in_a_variant():
    """It is given the variant's artifacts under the study's names."""
    found = nodes(report={"use": "tell"}, told=asking({"k-2": K2}, "retell"))
    assert found["report@k-2"].earlier == {
        "data": "data",
        "acts": "acts",
        "sae": "sae@k-2",
        "features": "features@k-2",
    }


def test_a_model_is_asked_for_its_facts_once_in_each_variant(monkeypatch):
    asked, facts = [], REGISTRY.facts
    monkeypatch.setattr(
        REGISTRY, "facts", lambda bound: asked.append(bound.params.checkpoint) or facts(bound)
    )
    effects = {"use": "edit"}
    found = nodes(effects=effects, one=asking({"other": OTHER}), two=asking({"other": OTHER}))
    assert found["acts@other"].facts is not found["acts"].facts
    assert asked == ["builtin:toy", "builtin:other"]


def reached(name, change, nodes):
    """Whether a change can be found at a node or by walking upwards from it."""
    node = nodes[name]
    return (
        bool(change.get("steps", {}).get(node.bound.component.makes))
        or (node.model is not None and "model" in change)
        or any(reached(other, change, nodes) for other in node.reads)
    )


@given(st.lists(toy_changes, max_size=3), st.lists(toy_changes, max_size=3))
def test_variants_add_what_they_reach_and_change_nothing_else(inner, outer):
    """Law: the clones are those nodes from which a change can be found by walking upwards.

    Law: the nodes before stay what they are, and every node comes after what it reads.
    """
    inner = {f"v-{number}": each for number, each in enumerate(inner)}
    outer = {f"w-{number}": each for number, each in enumerate(outer)}
    stages = [
        (inner, nodes(), nodes(compared=asking(inner)), "compared"),
        (
            outer,
            nodes(compared=asking(inner)),
            nodes(compared=asking(inner), review=asking(outer, "review")),
            "review",
        ),
    ]
    for wanted, before, after, asker in stages:
        clones = {f"{own}@{v}" for own in before for v in wanted if reached(own, wanted[v], before)}
        assert set(after) == {*before, *clones, asker}
        for name, node in before.items():
            assert (after[name].reads, after[name].bound.params) == (node.reads, node.bound.params)
        order = list(after)
        assert all(set(order[: order.index(name)]) >= set(after[name].reads) for name in order)


# What cannot be


def test_the_place_is_the_step_that_asks():
    text = """\
study: toy
model: {use: toy}
data: {use: numbers}
steps:
  acts: {use: read, with: {layers: [1]}}
  sae: {use: fit, with: {k: 4}}
  features: {use: code}
  compared:
    use: compare
    with: {wanted: {untrained: {model: {weights: random}}}}
"""
    (found,) = check_study(Source("toy.yaml", text), registry=REGISTRY).diagnostics
    assert str(found).splitlines()[0] == (
        "toy.yaml:9:10 $.steps.compared.use: asks for the variant 'untrained': model 'toy' has no "
        "parameter 'weights'; go without that variant, or use a model that has it"
    )


def said(**askers):
    """The diagnostics of `check`; `wire` refuses the same."""
    plain = document(**askers)
    text = f"study: toy\nmodel: {{use: toy}}\ndata: {{use: numbers}}\nsteps: {plain['steps']}\n"
    found = check_study(Source("toy.yaml", text), registry=REGISTRY).diagnostics
    with pytest.raises(InvalidStudy) as caught:
        wire(Study.from_plain(plain), REGISTRY)
    assert [each.message for each in caught.value.diagnostics] == [each.message for each in found]
    return [f"{each.path}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"model": {"weights": "random"}},
            "model 'toy' has no parameter 'weights'; go without that variant, or use a model "
            "that has it",
        ),
        (
            {"steps": {"sae": {"seed": 1}}},
            "step 'sae' (fit) has no parameter 'seed'; go without that variant, or use a step "
            "that has it",
        ),
        ({"steps": {"sae": {"k": 0}}}, "step 'fit': Expected `int` >= 1 - at `$.k`"),
        ({"steps": {"sae": {"k": 13}}}, "step 'fit': k cannot be 13"),
        (
            {"steps": {"sae": {"k": 9}}},
            "step 'sae' would be wrong in its k: k is more than the activations have",
        ),
        (
            {"steps": {"activations": {"layers": [1, 7]}}},
            "step 'acts' would be wrong in its layers.1: the model has no layer 7",
        ),
        ({"steps": {"labels": {"ranks": []}}}, "nothing that it takes comes from a 'labels'"),
        ({"model": {"checkpoint": "gone"}}, "no such file"),
    ],
)
def test_a_variant_that_cannot_be_is_said_where_it_is_asked_for(change, expected):
    (found,) = said(compared=asking({"v": change}))
    start = "$.steps.compared.use: asks for the variant 'v': "
    assert found.startswith(start)
    assert expected in found


def test_a_model_that_nothing_before_uses_cannot_be_replaced():
    """Else an untrained control would compare a thing with itself."""
    assert said(glanced=asking({"v": OTHER}, "glance")) == [
        "$.steps.glanced.use: asks for the variant 'v': nothing that it takes is made with the "
        "model"
    ]


def test_every_step_and_variant_that_is_wrong_is_said_at_once():
    wrong = {"seeds": {"steps": {"sae": {"seed": 1}}}, "random": {"model": {"weights": 1}}}
    found = said(one=asking(wrong), two=asking({"seeds": wrong["seeds"], "k-2": K2}))
    assert [each.split(": ")[0] for each in found] == [
        "$.steps.one.use", "$.steps.one.use", "$.steps.two.use",
    ]  # fmt: skip


def test_a_step_whose_variants_cannot_be_asked_for_is_its_plugin_s_fault():
    (found,) = said(crashing={"use": "crash-asking"})
    assert "plugin 'askers" in found
    assert "step 'crash-asking': variants: ZeroDivisionError: no seed to divide by" in found


def test_variants_are_said_although_something_else_is_wrong():
    steps = {**STEPS, "wrong": {"use": "fit", "with": {"k": 13}, "needs": ["acts"]}}
    steps["compared"] = {**asking({"v": {"model": {"weights": 1}}}), "needs": ["sae", "features"]}
    text = f"study: toy\nmodel: {{use: toy}}\ndata: {{use: numbers}}\nsteps: {steps}\n"
    found = check_study(Source("toy.yaml", text), registry=REGISTRY).diagnostics
    assert [each.path for each in found] == ["$.steps.wrong.with", "$.steps.compared.use"]


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ((1,), "found int, not a Variant record"),
        ((Variant("Seed 1"),), "name 'Seed 1' is not lower-case words joined by '-'"),
        ((Variant("a"), Variant("a")), "two of them are called 'a'"),
        ((Variant("a", {"k": {1}}),), "'a' replaces what is no mapping of JSON values"),
        ((Variant("a", steps={"sae": 1}),), "'a' replaces what is no mapping of JSON values"),
        ((Variant("a", model=[]),), "'a' replaces what is no mapping of JSON values"),
    ],
)
def test_what_is_no_usable_variant(found, fault):
    assert variant_faults(found) == [fault]


def test_a_usable_variant_has_no_fault():
    assert variant_faults((Variant("seed-1", {"a": [1, None]}, {"sae": {"seed": 1}}),)) == []


def test_only_a_step_may_ask_for_variants():
    concept = replace(COMPONENTS[0], kind="concept", makes="")
    assert faults_of(concept) == ["variants, which a concept cannot ask for; only a step can"]
    assert "variants 'nowhere' is not 'package.module:name'" in faults_of(
        replace(COMPONENTS[0], variants="nowhere")
    )
