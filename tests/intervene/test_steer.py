"""Steering: which direction is added, and how much of it."""

import pytest
import torch
from reruns import CHEAP, OF_RUNS, Again, norm, values_of  # found through the line above
from torch.nn.functional import normalize

from studyrun.errors import InvalidStudy, StepFailed
from studyrun.testing import run_study, tiny_study

FEW = f"problems: 12, {CHEAP}"
WHERE = "where: [answer > 20, \"question LIKE '%boxes%'\"]"
BOTH = f"features: {{sets: [[11], [20, 5]]}}, {WHERE}, scales: [1, -0.5], effects: {OF_RUNS}"
STEPS = f"""
both: {{use: steer, with: {{{BOTH}, {FEW}}}}}
few: {{use: steer, with: {{features: {{top: 2}}, {FEW}, split: all}}}}
unmade: {{use: steer, with: {{where: [answer > 20], scales: [0], {FEW}}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steer")
    return run_study(tiny_study(folder, STEPS), folder)


@pytest.fixture(scope="module")
def again(run):
    return Again(run)


@pytest.fixture(scope="module")
def added(run, again):
    """What each direction adds at scale 1, from the definitions."""
    problems = run["data"].table
    every = sorted(again.row)
    x = again.x(every)
    large = torch.tensor((problems["answer"][every] > 20).to_list())
    boxes = torch.tensor(problems["question"][every].str.contains("boxes").to_list())
    directions = [
        again.sae.W_dec[11],
        again.sae.W_dec[20] + again.sae.W_dec[5],
        *(x[mask].mean(0) - x[~mask].mean(0) for mask in (large, boxes)),
    ]
    return norm(x).mean().float() * normalize(torch.stack(directions), dim=1)


def test_every_direction_at_every_scale_is_a_row(run):
    table = run["both"].table
    names = ["feature 11", "feature 20 + feature 5", "answer > 20", "question LIKE '%boxes%'"]
    assert table["direction"].to_list() == names * 2
    assert table["feature"].to_list() == [11, None, None, None] * 2
    assert table["scale"].to_list() == [1] * 4 + [-0.5] * 4
    assert table["n_run"].to_list() == [12] * 8


def test_the_unit_is_the_mean_norm_of_the_residuals(run, again):
    expected = norm(again.x(sorted(again.row))).mean()
    assert run["both"].meta["mean_norm"] == pytest.approx(float(expected), rel=1e-5)
    every = norm(again.x(run["data"].table.with_row_index("n")["n"].to_list())).mean()
    assert run["few"].meta["mean_norm"] == pytest.approx(float(every), rel=1e-5)


def test_the_residual_is_moved_by_so_many_mean_norms(run, again):
    """Law: |x' - x| / |x| = |scale| mean |x| / |x|, for every direction."""
    unit, moved = run["both"].meta["mean_norm"], values_of(run["both"], "moved")
    scales = run["both"].table["scale"].to_list()
    for (edit, problem), value in moved.items():
        expected = abs(scales[edit]) * unit / float(norm(again.x([problem])))
        assert value == pytest.approx(expected, rel=1e-4)


def test_answers_are_those_of_a_full_run(run, again, added):
    """Law: x + scale * mean |x| * unit direction, at the site and one position on."""
    scales = run["both"].table["scale"].to_list()

    def delta(edit, problems):
        return (scales[edit] * added[edit % 4]).expand(len(problems), -1)

    assert again.check("both", delta) == 8 * 2 * 12


def test_the_other_way_is_the_other_way(run):
    """A direction and its opposite are not the same edit, though as far."""
    outcomes = run["both"].read_table("answer_outcomes").filter(arm="edit")
    first, second = (outcomes.filter(edit=edit)["after"].to_list() for edit in (0, 4))
    assert first != second


def test_scale_0_moves_nothing(run):
    (row,) = run["unmade"].table.rows(named=True)
    assert (row["n_run"], row["moved"], row["kl"], row["answer_changed"]) == (12, 0, 0, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{}", "say in which direction, with `features` or `where`"),
        ("{features: {ids: [24]}}", r"no feature 24; it has 0\.\.23"),
        ("{where: [answer > 3], effects: [reconstruction]}", "no SAE has a part in this edit"),
    ],
)
def test_what_cannot_be_steered_is_a_diagnostic(tmp_path, given, message):
    with pytest.raises(InvalidStudy, match=message):
        run_study(tiny_study(tmp_path, f"a: {{use: steer, with: {given}}}"), tmp_path)


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        ("answer > 9999", "steer: where 'answer > 9999' is true for 0 of 48 problems"),
        ("answer > -1", "steer: where 'answer > -1' is true for 48 of 48 problems"),
        ("anser > 1", "steer: where 'anser > 1': .*anser"),
        ("answer >", "steer: where 'answer >': "),
    ],
)
def test_a_predicate_that_splits_nothing_is_an_error(tmp_path, predicate, message):
    with pytest.raises(StepFailed, match=message):
        run_study(
            tiny_study(tmp_path, f"a: {{use: steer, with: {{where: [{predicate}]}}}}"), tmp_path
        )
