"""The runs of a step: which there are, where each is edited, and by what."""

from types import SimpleNamespace

import polars as pl
import pytest
import torch
from edit_cases import CaseContext  # found through the line above
from hypothesis import given
from hypothesis import strategies as st

from studyrun import ModelFacts
from studyrun_intervene.edits.differences import Dense
from studyrun_intervene.params import Controls
from studyrun_intervene.runs.arms import EDIT, ELSEWHERE, RANDOM, Arm, Plan, next_to
from studyrun_intervene.runs.by_feature import Edited
from studyrun_intervene.runs.collected import Questions
from studyrun_intervene.runs.running import Request, planned

ROWS, D_MODEL = 4, 5


@pytest.mark.parametrize(
    ("position", "positions", "expected"),
    [
        (2, (0, 1, 2, 3), 3),
        (3, (0, 1, 2, 3), 2),  # after the last, the one before
        (0, (0,), None),
        (1, (1, 3), None),
        (4, None, 5),  # a prompt: where it ends shows when it is read
        (-2, None, -1),
        (-1, None, -2),
        ("last", None, -2),
        ("first", None, None),
    ],
)
def test_the_position_next_to_one(position, positions, expected):
    assert next_to(position, positions) == expected


def runs_of(n_edits, seed):
    """Some edits on some of the problems."""
    generator = torch.Generator().manual_seed(seed)
    edit, row = (torch.rand(n_edits, ROWS, generator=generator) < 0.6).nonzero(as_tuple=True)
    matrices = torch.randn(n_edits, ROWS, D_MODEL, generator=generator)
    return Dense(edit, row, lambda e, some: matrices[e][some])


def test_arms_are_numbered_one_after_the_other():
    first, second = runs_of(3, 0), runs_of(2, 1)
    plan = Plan((Arm(EDIT, first, [1, 1, 2]), Arm(RANDOM, second, [2, "last"])))
    n, m = len(first.edit), len(second.edit)
    assert plan.starts == [0, n, n + m]
    assert plan.arm(EDIT) == slice(0, n)
    assert plan.arm(RANDOM) == slice(n, n + m)
    assert plan.arm(ELSEWHERE) is None
    assert plan.edit.equal(torch.cat([first.edit, second.edit]))
    assert plan.row.equal(torch.cat([first.row, second.row]))


def test_each_run_is_edited_where_its_arm_says():
    """Law: the position of its edit in its arm, the difference of its arm, its own problem."""
    arms = (Arm(EDIT, runs_of(3, 0), [1, 1, 2]), Arm(RANDOM, runs_of(2, 1), [2, "last"]))
    plan = Plan(arms)
    edits = plan.site_edits()
    assert edits.positions == (1, 2, "last")
    assert edits.questions.equal(plan.row)
    assert len(edits) == plan.starts[-1]
    number = 0
    for arm in arms:
        for run in range(len(arm.differences.edit)):
            edit = int(arm.differences.edit[run])
            assert edits.positions[edits.at[number]] == arm.positions[edit]
            own, found = arm.differences(torch.tensor([run])), edits.delta(torch.tensor([number]))
            assert found.equal(own)
            number += 1


def request(differences, positions, n, controls):
    return Request(
        layer=0,
        positions=positions,
        differences=differences,
        edited=Edited(n, ROWS, [[]] * n, [None] * n, {}),
        questions=Questions(pl.DataFrame(), "last-number", []),
        effects=[],
        controls=controls,
    )


def context(positions):
    facts = ModelFacts("made", "0", 1, D_MODEL, positions=positions)
    return CaseContext(model=SimpleNamespace(facts=facts))


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
    st.sampled_from(["next", None, 0, 2]),
    st.integers(0, 4),
    st.integers(0, 2**16),
)
def test_controls_are_the_asked_edits_turned_and_elsewhere(positions, elsewhere, more, seed):
    """Law: `more` edits that only serve as controls are neither turned nor made elsewhere, and
    `elsewhere` is never the site itself."""
    n = len(positions)
    every = [*positions, *([positions[0]] * more)]
    differences = runs_of(len(every), seed)
    asked = request(differences, every, n, Controls(elsewhere=elsewhere))
    plan = planned(asked, context((0, 1, 2, 3)))
    assert [arm.name for arm in plan.arms] == [EDIT, RANDOM, ELSEWHERE][
        : 2 + (elsewhere is not None)
    ]
    assert plan.arms[0].differences.edit.equal(differences.edit)
    own = (differences.edit < n).nonzero()[:, 0]
    turned = plan.arms[1]
    assert turned.positions == every
    assert turned.differences.edit.equal(differences.edit[own])
    if elsewhere is None:
        return
    edits, there = plan.site_edits(), plan.arm(ELSEWHERE)
    numbers = torch.arange(there.start, there.stop)
    expected = [run for run in own.tolist() if every[differences.edit[run]] != elsewhere]
    assert len(numbers) == len(expected)
    for number, run in zip(numbers.tolist(), expected, strict=True):
        site, position = every[differences.edit[run]], edits.positions[edits.at[number]]
        assert position != site
        assert position == (next_to(site, (0, 1, 2, 3)) if elsewhere == "next" else elsewhere)
        assert edits.delta(torch.tensor([number])).equal(differences(torch.tensor([run])))


def test_without_controls_there_are_only_the_edits():
    asked = request(runs_of(2, 0), [1, 1], 2, Controls(random=False, elsewhere=None))
    assert [arm.name for arm in planned(asked, context((0, 1))).arms] == [EDIT]


def test_where_no_other_position_is_nothing_is_made_elsewhere():
    asked = request(runs_of(2, 0), [0, 0], 2, Controls(random=False))
    plan = planned(asked, context((0,)))
    assert plan.arm(ELSEWHERE) == slice(plan.starts[1], plan.starts[1])
