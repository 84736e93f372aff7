"""Which step takes its inputs from which."""

from dataclasses import replace

import pytest
import study_toys
from hypothesis import given
from hypothesis import strategies as st

from strategies import toy_studies
from studyrun.errors import InvalidStudy
from studyrun.reading.links import Slot, link
from studyrun.study import Hypothesis, StepSpec, Study, Use
from studyrun.wiring import wire, wire_cells

REGISTRY = study_toys.registry()
TYPES = {
    "read": ("problems",),
    "fit": ("acts",),
    "code": ("acts", "sae"),
    "edit": ("sae", "codes", "labels?"),
    "name": ("codes", "problems"),
    "tell": ("*",),
}
MAKES = {
    "read": "acts",
    "fit": "sae",
    "code": "codes",
    "edit": "effects",
    "name": "labels",
    "tell": "report",
}


def slots(*words: str) -> list[Slot]:
    """`b=code<a,c`: a slot b of sort code that needs a and c; `data` for the problems."""
    made = [Slot("data", makes="problems")]
    for word in words:
        named, _, needs = word.partition("<")
        name, _, sort = named.partition("=")
        sort = sort or name
        given = tuple(filter(None, needs.split(","))) if "<" in word else None
        made.append(Slot(name, TYPES.get(sort, ()), MAKES.get(sort, ""), given))
    return made


def inputs(*words: str) -> dict[str, dict[str, str]]:
    links, faults = link(slots(*words))
    assert faults == []
    return {each.slot.name: dict(each.inputs) for each in links}


def messages(*words: str) -> list[str]:
    return [f"{'.'.join(map(str, f.path))}: {f.message}" for f in link(slots(*words))[1]]


def test_one_candidate_is_taken():
    assert inputs("read", "fit", "code")["code"] == {"acts": "read", "sae": "fit"}


def test_of_a_chain_the_nearest_is_taken():
    """A step that makes what it took (a filter) stands between."""
    chain = [
        Slot("a", (), "x"),
        Slot("b", ("x",), "x"),
        Slot("c", ("x",), "x"),
        Slot("d", ("x",), "y"),
    ]
    links, faults = link(chain)
    assert faults == []
    assert [dict(each.inputs) for each in links] == [{}, {"x": "a"}, {"x": "b"}, {"x": "c"}]


def test_two_candidates_are_a_fault_that_names_the_cure():
    assert messages("read", "a=fit", "b=fit", "code") == [
        "steps.code.use: takes 'sae', which 'a' and 'b' make; write 'needs: [a]' or 'needs: [b]'"
    ]


def test_of_two_candidates_the_one_is_taken_on_which_another_input_builds():
    found = inputs("read", "a=fit", "b=fit", "code<a", "edit")["edit"]
    assert found == {"sae": "a", "codes": "code"}


def test_needs_decides():
    found = inputs("read", "a=fit", "b=fit", "x=code<a", "y=code<b")
    assert (found["x"]["sae"], found["y"]["sae"]) == ("a", "b")


def test_needs_reach_through_to_their_own_inputs():
    found = inputs("r1=read", "r2=read", "a=fit<r1", "b=fit<r2", "x=code<a")
    assert found["x"] == {"acts": "r1", "sae": "a"}


def test_the_data_are_always_near():
    assert inputs("read", "fit", "code", "name<code")["name"]["problems"] == "data"


def test_an_optional_input_may_be_missing():
    assert inputs("read", "fit", "code", "edit")["edit"] == {"sae": "fit", "codes": "code"}


def test_needs_pull_a_later_step_forward():
    links, faults = link(slots("read", "tell<fit", "fit"))
    assert faults == []
    assert [each.slot.name for each in links] == ["data", "read", "fit", "tell"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fit"], ["steps.fit.use: takes 'acts', which no earlier step makes"]),
        (["fit", "read"], ["steps.fit.use: takes 'acts', which only 'read', later, makes"]),
        (
            ["read", "fit", "x=code<read"],
            ["steps.x.use: takes 'sae', which none of its needs makes; add 'fit'"],
        ),
        (["read", "fit<raed"], ["steps.fit.needs.0: there is no step 'raed'"]),
        (["read<read"], ["steps.read.needs.0: step 'read' needs itself"]),
        (
            ["a=tell<b", "b=tell<c", "c=tell<a"],
            ["steps.c.needs.0: steps need each other: a -> b -> c -> a"],
        ),
    ],
)
def test_what_cannot_be_linked(words, expected):
    assert messages(*words) == expected


def test_without_data_the_fault_names_the_section():
    _, faults = link(slots("read")[1:])
    assert [f.message for f in faults] == [
        "'read' takes the problems, and the study has no 'data' section"
    ]


def test_an_unknown_component_makes_whatever_is_missing():
    assert messages("read", "typo", "code") == []


def test_a_missing_need_is_guessed():
    (fault,) = link(slots("read", "fit<raed"))[1]
    assert (fault.suggestion, fault.allowed) == ("read", ("data", "read", "fit"))


@given(st.integers(1, 400), st.randoms(use_true_random=False))
def test_long_chains_of_needs_end(length, rng):
    """Law: needs in any order, however deep, are put in order without recursion."""
    names = [f"s{i}" for i in range(length)]
    chain = [Slot(name, needs=(names[i - 1],) if i else None) for i, name in enumerate(names)]
    rng.shuffle(chain)
    links, faults = link(chain)
    assert faults == []
    assert [each.slot.name for each in links] == names


needs = st.lists(st.integers(0, 11), max_size=3).map(lambda ns: tuple(f"s{n}" for n in ns))


@given(st.lists(st.none() | needs, max_size=10))
def test_linking_always_ends_in_an_order(given_needs):
    """Law: every slot is linked once, and after all of its inputs and (acyclic) needs."""
    sorts = list(TYPES)
    given = [
        Slot(f"s{i}", TYPES[sorts[i % 6]], MAKES[sorts[i % 6]], needs)
        for i, needs in enumerate(given_needs)
    ]
    links, faults = link(given)
    order = [each.slot.name for each in links]
    assert sorted(order) == sorted(slot.name for slot in given)
    for each in links:
        before = order[: order.index(each.slot.name)]
        assert set(each.inputs.values()) <= set(before)
        assert each.ancestors <= set(before)
        assert faults or set(each.slot.needs or ()) <= set(before)


def study(**changes) -> Study:
    steps = tuple(
        StepSpec(name, Use(use, given))
        for name, use, given in [
            ("acts", "read", {"layers": [1]}),
            ("sae", "fit", {"k": 4}),
            ("features", "code", {}),
            ("report", "tell", {}),
            ("late", "edit", {}),
        ]
    )
    return replace(Study("s", steps, model=Use("toy"), data=Use("numbers")), **changes)


def test_a_wired_study():
    claim = Hypothesis("h", "It is.", "SELECT min(a) > 0 FROM sae_quality JOIN DATA USING (id)")
    wiring = wire(study(hypotheses=(claim,)), REGISTRY)
    nodes = {node.name: node for node in wiring.nodes}
    assert list(nodes) == ["data", "acts", "sae", "features", "verdicts", "report", "late"]
    assert nodes["acts"].model is wiring.model
    assert nodes["sae"].model is None
    assert nodes["late"].model is wiring.model  # optional, and the study has one
    assert nodes["late"].inputs == {"sae": "sae", "feature-acts": "features"}
    assert list(nodes["verdicts"].earlier) == ["data", "sae"]
    assert nodes["verdicts"].uses_study
    assert list(nodes["report"].earlier) == ["data", "acts", "sae", "features", "verdicts"]
    assert nodes["sae"].bound.params == study_toys.Fit(k=4)
    assert (nodes["acts"].facts.n_layers, wiring.model.component.name) == (4, "toy")


def test_cells_ask_a_model_that_they_share_once(monkeypatch):
    asked = []
    facts = REGISTRY.facts
    monkeypatch.setattr(REGISTRY, "facts", lambda bound: asked.append(bound) or facts(bound))
    other = Use("toy", {"checkpoint": "other"})
    cells = [study(cell="a"), study(cell="b", seed=1), study(cell="c", model=other)]
    wired = wire_cells(cells, REGISTRY)
    assert list(wired) == ["a", "b", "c"]
    assert [wiring.study.seed for wiring in wired.values()] == [0, 1, 0]
    assert len(asked) == 2


def test_without_hypotheses_there_are_no_verdicts():
    assert "verdicts" not in [node.name for node in wire(study(), REGISTRY).nodes]


def test_the_verdicts_come_last_where_nothing_takes_everything():
    steps = tuple(step for step in study().steps if step.name != "report")
    claim = Hypothesis("h", "It is.", "SELECT min(a) > 0 FROM late")
    assert wire(study(steps=steps, hypotheses=(claim,)), REGISTRY).nodes[-1].name == "verdicts"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("late", "'report' takes everything before it, and 'late' comes later"),
        ("lat", "there is no table 'lat'; tables are called like the steps"),
        ("verdicts", "there is no table 'verdicts'; tables are called like the steps"),
    ],
)
def test_a_hypothesis_that_reads_what_is_not_there(table, message):
    claim = Hypothesis("h", "It is.", f"SELECT min(a) > 0 FROM {table}")
    with pytest.raises(InvalidStudy) as caught:
        wire(study(hypotheses=(claim,)), REGISTRY)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.path, diagnostic.message) == ("$.hypotheses.h.expect", message)


@given(toy_studies())
def test_every_valid_study_can_be_wired(document):
    """Law: nodes come after what they take, and their number is that of the parts."""
    wiring = wire(Study.from_plain(document), REGISTRY)
    seen = []
    for node in wiring.nodes:
        assert set(node.reads) <= set(seen)
        seen.append(node.name)
    assert len(seen) == 1 + len(document["steps"]) + bool(document.get("hypotheses"))
