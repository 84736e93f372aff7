"""Steps that a study does not write: what a report shows if it is there, placed where it can be."""

from dataclasses import replace

import pytest
import wanting
from hypothesis import assume, given
from hypothesis import strategies as st
from wanting import REGISTRY

from strategies import branching_studies, flow_yaml
from studyrun.diagnostics import as_text
from studyrun.errors import PluginError
from studyrun.keys import key_of
from studyrun.plugging.vetting import faults_of
from studyrun.reading.checking import check_study
from studyrun.reading.links import Slot
from studyrun.reading.wanted import with_wanted
from studyrun.running.recipes import recipe_of, study_record
from studyrun.source import Source
from studyrun.study import Study
from studyrun.wiring import wire

STEPS = {
    "acts": {"use": "read", "with": {"layers": [1]}},
    "sae": {"use": "fit", "with": {"k": 4}},
    "features": {"use": "code"},
}
TWO = {
    "acts": {"use": "read", "with": {"layers": [1]}},
    "sae": {"use": "fit", "with": {"k": 4}},
    "features": {"use": "code", "needs": ["sae"]},
    "other": {"use": "fit", "with": {"k": 5}},
    "features-b": {"use": "code", "needs": ["other"]},
}


def document(steps, **more):
    return {
        "study": "toy",
        "model": {"use": "toy"},
        "data": {"use": "numbers"},
        "steps": steps,
        **more,
    }


def showing(*wanted, use="gallery"):
    return {"use": use, "with": {"wanted": list(wanted)}}


def wired(plain):
    return wire(Study.from_plain(plain), REGISTRY)


def nodes(steps, **more):
    return {node.name: node for node in wired(document(steps, **more)).nodes}


def keys(plain):
    """Every node's key, with made-up keys where a file would be read."""
    wiring = wired(plain)
    record, found = study_record(wiring, REGISTRY), {}
    for node in wiring.nodes:
        found[node.name] = key_of(recipe_of(node, wiring, REGISTRY, record, found))
    return found


def faults(plain):
    checked = check_study(Source("s", flow_yaml(plain)), registry=REGISTRY)
    return [as_text([each]).split("\n")[0].partition(" ")[2] for each in checked.diagnostics]


CLAIM = {"h": {"claim": "c", "expect": "SELECT max(mean) > 0 FROM portray"}}
CLAIM_MINE = {"h": {"claim": "c", "expect": "SELECT max(mean) > 0 FROM mine"}}


def test_what_the_report_shows_is_placed_before_the_verdicts_and_the_report():
    found = nodes({**STEPS, "report": {"use": "gallery"}}, hypotheses=CLAIM)
    assert list(found) == [
        "data", "acts", "sae", "features", "portray", "relate", "verdicts", "report",
    ]  # fmt: skip
    assert found["portray"].inputs == {"sae": "sae", "feature-acts": "features"}
    assert found["portray"].bound.params == wanting.Portray()
    assert found["portray"].model is not None
    assert (found["portray"].wanted_by, found["sae"].wanted_by) == ("report", "")
    assert list(found["verdicts"].earlier) == ["portray"]
    assert list(found["report"].earlier) == list(found)[:-1]


def test_what_the_study_writes_is_not_placed_again():
    mine = {"use": "portray", "with": {"top": 9}}
    found = nodes({**STEPS, "mine": mine, "report": {"use": "gallery"}})
    assert list(found) == ["data", "acts", "sae", "features", "mine", "relate", "report"]


def test_what_cannot_be_made_is_not_placed():
    bare = {"acts": STEPS["acts"], "report": {"use": "gallery"}}
    assert list(nodes(bare)) == ["data", "acts", "report"]
    assert faults(document(bare)) == []


def test_a_step_that_takes_the_model_is_not_placed_without_one():
    plain = {"study": "s", "data": {"use": "numbers"}, "steps": {"report": showing("ask")}}
    assert [node.name for node in wired(plain).nodes] == ["data", "report"]
    assert "ask" in [node.name for node in wired({**plain, "model": {"use": "toy"}}).nodes]


@pytest.mark.parametrize("name", ["not-installed", "needy", "verdicts", "even"])
def test_what_cannot_be_used_without_a_word_is_not_placed(name):
    """It is not there, needs a parameter, is the core's own, or is no step."""
    assert list(nodes({**STEPS, "report": showing(name)})) == ["data", *STEPS, "report"]


def test_a_wanted_step_may_take_what_another_one_makes():
    found = nodes({**STEPS, "report": showing("summarise", "portray", "relate")})
    assert list(found)[4:] == ["portray", "relate", "summarise", "report"]
    assert found["summarise"].inputs == {"portraits": "portray", "relations": "relate"}


def test_of_several_candidates_each_gets_a_step_of_its_own():
    found = nodes({**TWO, "report": {"use": "gallery"}})
    added = [name for name in found if found[name].wanted_by]
    assert added == [
        "portray-features", "portray-features-b", "relate-features", "relate-features-b",
    ]  # fmt: skip
    assert found["portray-features-b"].inputs == {"sae": "other", "feature-acts": "features-b"}
    assert found["relate-features-b"].inputs == {"feature-acts": "features-b", "problems": "data"}


def test_each_is_given_what_builds_on_its_own_candidate_alone():
    """Labels of one set of features are none of the other's business."""
    labels = {"use": "name", "needs": ["features"]}
    found = nodes({**TWO, "labels": labels, "report": showing("relate")})
    assert [name for name in found if found[name].wanted_by] == [
        "relate-features", "relate-features-b",
    ]  # fmt: skip
    found = nodes({**TWO, "labels": labels, "report": showing("portray")})
    assert [name for name in found if found[name].wanted_by] == ["portray"]
    assert found["portray"].inputs == {"sae": "sae", "feature-acts": "features", "labels": "labels"}


def test_a_name_that_is_taken_gets_a_number():
    steps = {**STEPS, "Portray": {"use": "edit"}, "portray-2": {"use": "edit"}}
    found = nodes({**steps, "report": showing("portray")})
    assert found["portray-3"].bound.component.name == "portray"


def test_names_stay_names_of_steps():
    long, longer = "f" * 60, "f" * 61
    steps = {
        "acts": STEPS["acts"],
        "sae": STEPS["sae"],
        long: {"use": "code"},
        longer: {"use": "code"},
        "report": showing("relate"),
    }
    added = [node.name for node in wired(document(steps)).nodes if node.wanted_by]
    assert len({*added}) == 2
    assert max(map(len, added)) <= 64
    assert faults(wired(document(steps)).study.plain()) == []


def test_what_takes_only_some_types_may_want_steps_too():
    found = nodes({**STEPS, "board": {"use": "board"}, "late": {"use": "name"}})
    assert list(found)[4:] == ["portray", "relate", "board", "late"]
    assert found["board"].inputs["portraits"] == "portray"


def test_it_is_placed_before_any_report_so_that_hypotheses_may_read_it():
    steps = {**STEPS, "first": {"use": "tell"}, "second": showing("portray")}
    found = nodes(steps, hypotheses=CLAIM)
    assert list(found)[4:] == ["portray", "verdicts", "first", "second"]
    assert found["portray"].wanted_by == "second"
    assert faults(document(steps, hypotheses=CLAIM)) == []


def test_where_the_inputs_come_after_a_report_it_is_placed_before_the_next():
    steps = {
        "acts": STEPS["acts"],
        "first": {"use": "tell"},
        "sae": STEPS["sae"],
        "features": STEPS["features"],
        "second": showing("portray"),
    }
    assert list(nodes(steps)) == ["data", "acts", "first", "sae", "features", "portray", "second"]


def test_what_is_written_after_the_step_that_shows_it_is_moved_before_it():
    """A study that extends another adds its steps at the end, after the report."""
    late = {"use": "portray", "with": {"top": 9}}
    plain = document({**STEPS, "report": {"use": "gallery"}, "mine": late}, hypotheses=CLAIM_MINE)
    found = nodes(plain["steps"], hypotheses=CLAIM_MINE)
    assert list(found)[4:] == ["mine", "relate", "verdicts", "report"]
    assert (found["mine"].bound.params.top, found["mine"].wanted_by) == (9, "")
    assert "mine" in found["report"].earlier
    assert faults(plain) == []
    again = wired(plain).study.plain()
    assert wired(again).study.plain() == again


@pytest.mark.parametrize(
    "steps",
    [
        {"report": showing(), "mine": {"use": "portray"}},
        {"report": showing("portray"), "mine": {"use": "portray", "needs": ["features", "report"]}},
        {"report": showing("portray"), "labels": {"use": "name"}, "mine": {"use": "portray"}},
        {"report": showing("gallery"), "mine": {"use": "tell"}},
    ],
    ids=["nobody shows it", "it needs the report", "it takes what comes later", "another report"],
)
def test_what_cannot_be_shown_without_taking_other_things_stays_where_it_is(steps):
    assert list(nodes({**STEPS, **steps})) == ["data", *STEPS, *steps]


def test_a_step_in_between_is_not_given_what_comes_later():
    """What is moved may be taken by who asked for it, and by nobody else."""
    written = {"board": showing("portray", use="board"), "mine": {"use": "portray"}}
    assert list(nodes({**STEPS, **written}))[4:] == ["mine", "board"]
    two = {"plain": showing(use="board"), **written}
    found = nodes({**STEPS, **two})
    assert list(found)[4:] == ["plain", "mine", "board"]
    assert "portraits" not in found["plain"].inputs
    assert found["board"].inputs["portraits"] == "mine"


def test_the_study_is_as_if_it_had_written_them():
    """Law: the resolved study, run again, is the same study."""
    plain = wired(document({**TWO, "report": {"use": "gallery"}})).study.plain()
    assert plain["steps"]["portray-features"] == {
        "use": "portray", "with": {}, "needs": ["features"],
    }  # fmt: skip
    assert faults(plain) == []
    assert wired(plain).study.plain() == plain


def test_a_study_without_wishes_stays_as_it_is():
    study = Study.from_plain(document({**STEPS, "report": showing()}))
    assert wire(study, REGISTRY).study is study


# Said by check


def test_columns_of_a_placed_step_are_checked():
    claim = {"claim": "c", "expect": "SELECT max(maen) > 0 FROM portray"}
    steps = {**STEPS, "report": {"use": "gallery"}}
    assert faults(document(steps, hypotheses=CLAIM)) == []
    assert faults(document(steps, hypotheses={"h": claim})) == [
        "$.hypotheses.h.expect: table 'portray' has no column 'maen'; did you mean 'mean'?"
    ]


def test_a_hypothesis_cannot_read_what_was_not_placed():
    steps = {**STEPS, "report": showing("relate")}
    (fault,) = faults(document(steps, hypotheses=CLAIM))
    assert "there is no table 'portray'" in fault


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({"sae": {"use": "fti", "with": {"k": 4}}}, "$.steps.sae.use: there is no step 'fti'"),
        ({"features": {"use": "code", "needs": ["say"]}}, "$.steps.features.needs[0]: there is no"),
        ({"report": {"use": "gallery", "with": {"wantd": []}}}, "$.steps.report.with: unknown key"),
        ({"report": {"use": "gallery", "with": {"wanted": 3}}}, "$.steps.report.with.wanted: exp"),
    ],
)
def test_one_mistake_above_it_is_one_message(steps, expected):
    """What cannot be placed because of a fault elsewhere is not missed by hypotheses."""
    whole = {**STEPS, "report": {"use": "gallery"}, **steps}
    (fault,) = faults(document(whole, hypotheses=CLAIM))
    assert fault.startswith(expected)


def test_a_placed_step_that_does_not_fit_is_said_where_it_is_wanted():
    fast = {"use": "read", "with": {"layers": [1], "fast": True}}
    assert faults(document({**STEPS, "acts": fast, "report": {"use": "gallery"}})) == [
        "$.steps.report.use: shows 'portray', which would be wrong in its top: "
        "fast activations have no top"
    ]


def test_an_asker_that_fails_is_its_plugin_s_fault():
    said = {
        use: faults(document({**STEPS, "report": {"use": use}})) for use in ("broken", "counting")
    }
    (crashed,), (counted,) = said.values()
    assert "$.steps.report.use: plugin 'wanters (wanters 1.0)': step 'broken': wants:" in crashed
    assert "ZeroDivisionError: nothing to show" in crashed
    assert counted.endswith("wants: found 1, which is no name")
    with pytest.raises(PluginError, match="nothing to show"):
        wired(document({**STEPS, "report": {"use": "broken"}}))


def test_only_steps_want_and_only_reports_are_shown():
    (model,) = REGISTRY.components("model")
    assert faults_of(replace(model, wants="a:b")) == [
        "wants, which a model cannot ask for; only a step can"
    ]
    assert faults_of(replace(model, shows="a:b")) == [
        "shows, which only a step that makes a 'report' has"
    ]
    gallery = REGISTRY.get("step", "gallery")
    assert faults_of(replace(gallery, shows="a b")) == ["shows 'a b' is not 'package.module:name'"]


# Laws


@given(branching_studies())
def test_writing_a_placed_step_by_hand_changes_no_key(plain):
    """Law: placing is idempotent, and what is placed is what it would be if it were written."""
    study = wired(plain).study
    assert keys(study.plain()) == keys(plain)
    assert wire(study, REGISTRY).study is study


@given(branching_studies(), st.randoms(use_true_random=False))
def test_the_order_of_wishes_does_not_matter(plain, rng):
    """Law: which steps are placed, and where, does not depend on the order of what is wanted."""
    first = [node.name for node in wired(plain).nodes]
    rng.shuffle(plain["steps"]["report"]["with"]["wanted"])
    assert [node.name for node in wired(plain).nodes] == first


@given(branching_studies())
def test_wishes_change_nothing_that_the_study_writes(plain):
    """Law: but for what takes everything, written steps keep their inputs and their keys."""
    without = {**plain, "steps": {**plain["steps"], "report": showing()}}
    before, after = keys(without), keys(plain)
    assert {name: after[name] for name in before if name != "report"} == {
        name: key for name, key in before.items() if name != "report"
    }
    added = [node for node in wired(plain).nodes if node.wanted_by]
    assert all(node.wanted_by == "report" for node in added)


@given(branching_studies())
def test_check_and_run_see_the_same_steps(plain):
    """Law: a valid study has no fault with the steps that a run adds to it, table by table."""
    placed = [node.name for node in wired(plain).nodes if node.wanted_by]
    for table in (*placed, "portray-nowhere"):
        expect = f'SELECT count(*) > 0 FROM "{table}"'
        claimed = {**plain, "hypotheses": {"h": {"claim": "c", "expect": expect}}}
        assert bool(faults(claimed)) == (table not in placed)


@given(branching_studies())
def test_every_placed_step_settles_what_it_takes(plain):
    """Law: its inputs belong together: of two, one builds on the other, or nothing else could."""
    found = {node.name: node for node in wired(plain).nodes}
    for node in found.values():
        if node.wanted_by and {"sae", "feature-acts"} <= node.inputs.keys():
            coded = found[node.inputs["feature-acts"]]
            assert coded.inputs["sae"] == node.inputs["sae"]


@given(branching_studies(), st.sampled_from(["portray", "relate"]))
def test_where_the_study_writes_what_is_shown_does_not_matter(plain, use):
    """Law: a step that the report wants is the same before it and after it, and so is all else."""
    steps = plain["steps"]
    report = steps.pop("report")
    coded = [name for name in steps if name.startswith("features")]
    assume(coded and not any(step["use"] == use for step in steps.values()))
    late = {"use": use, "needs": [coded[0]]}
    report["with"]["wanted"] = [use, "summarise"]
    before = keys({**plain, "steps": {**steps, "late": late, "report": report}})
    after = keys({**plain, "steps": {**steps, "report": report, "late": late}})
    assert [*after.items()] == [*before.items()]


@given(
    st.lists(st.sampled_from(["x", "y", "z", "x?", "model"]), max_size=3, unique=True),
    st.booleans(),
)
def test_slots_alone_decide(takes, model):
    """Law: a wish is granted if, and only if, every type that it must have is made by one slot."""
    slots = [Slot("a", (), "x", use="a"), Slot("b", ("x",), "y", use="b"), Slot("all", ("*",), "r")]
    wish = Slot("w", tuple(takes), "w", use="w")
    found = with_wanted(slots, lambda slot: [wish] if slot.name == "all" else [], model=model)
    granted = "z" not in takes and (model or "model" not in takes)
    assert [slot.name for slot in found] == ["a", "b", *(["w"] if granted else []), "all"]
