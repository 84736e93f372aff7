"""Edits of which more or less is made, of several features at once, and of what they else are."""

import pytest
import torch
from reruns import CHEAP, EVERY, Again, norm, values_of  # found through the line above

from studyrun.testing import run_study, tiny_study

FEW = f"effects: {EVERY}, problems: 10, {CHEAP}"
ALL = f"effects: [reconstruction, next-token], problems: 60, {CHEAP}"
STEPS = f"""
plain: {{use: ablate, with: {{features: {{ids: [11, 20]}}, {FEW}}}}}
scaled: {{use: ablate, with: {{features: {{ids: [11, 20]}}, scales: [0, 1, 2.5], {FEW}}}}}
sets: {{use: ablate, with: {{features: {{sets: [[11, 20, 5], [20]]}}, {FEW}}}}}
together: {{use: ablate, with: {{features: {{top: 3, together: true}}, {FEW}}}}}
unmade: {{use: ablate, with: {{features: {{ids: [11]}}, scales: [0], {FEW}}}}}
mean: {{use: mean-ablate, with: {{features: {{ids: [11, 20]}}, {FEW}}}}}
other: {{use: resample-ablate, with: {{features: {{ids: [11, 20, 5, 1]}}, {ALL}}}}}
fewer: {{use: resample-ablate, with: {{features: {{ids: [11, 20, 5, 1]}}, {FEW}}}}}
swaps: {{use: swap, with: {{pairs: [[11, 20]], scales: [0.5, 1], {FEW}}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scales")
    return run_study(tiny_study(folder, STEPS), folder)


@pytest.fixture(scope="module")
def again(run):
    return Again(run)


def edited(again, problems, features, scale=1.0):
    """What ablating some features adds, so much of it."""
    z = again.of(problems)
    return scale * again.difference(z, z.index_fill(1, torch.tensor(features), 0))


# Scales


def test_every_edit_is_made_at_every_scale(run):
    table = run["scaled"].table
    assert table["scale"].to_list() == [0, 0, 1, 1, 2.5, 2.5]
    assert table["feature"].to_list() == [11, 20] * 3
    assert run["scaled"].meta["scales"] == [0, 1, 2.5]


def test_scale_0_changes_nothing(run):
    """Law: no difference of the reconstruction, no runs; told of all the same."""
    for name, edits in (("scaled", 2), ("unmade", 1)):
        artifact = run[name]
        head = artifact.table.head(edits)
        assert head["mean_abs_diff"].to_list() == [0] * edits
        assert head["n_run"].to_list() == [0] * edits
        assert head["kl"].null_count() == edits
        assert not [edit for edit, _ in values_of(artifact, "moved") if edit < edits]
    for table in ("effects", "effects_by_feature", "answer_outcomes", "logit_lens_outcomes"):
        assert run["unmade"].read_table(table).is_empty()


def test_scale_1_is_the_edit_itself(run):
    """Law: the same effects as without scales, to rounding."""
    shift, plain, scaled = 2, run["plain"], run["scaled"]
    for quantity in ("moved", "kl", "answer_changed", "thoughts_shift", "rank_change"):
        for arm in ("edit", "elsewhere"):
            expected = values_of(plain, quantity, arm)
            found = values_of(scaled, quantity, arm)
            mine = {(e - shift, p): value for (e, p), value in found.items() if e - shift in (0, 1)}
            assert mine == pytest.approx(expected, rel=1e-4, abs=1e-6)
    for column in ("mean_abs_diff", "control_mean", "random_mean", "n_run"):
        assert scaled.table[column][2:4].to_list() == plain.table[column].to_list()


def test_a_scale_multiplies_the_difference(run, again):
    """Law: of the reconstruction, of the residual, and of answers made in full."""
    table = run["scaled"].table
    one, more = (table["mean_abs_diff"][some].to_list() for some in (slice(2, 4), slice(4, 6)))
    assert more == pytest.approx([2.5 * value for value in one], rel=1e-5)
    moved = values_of(run["scaled"], "moved")
    for (edit, problem), value in moved.items():
        assert value == pytest.approx(moved[edit % 2 + 2, problem] * table["scale"][edit], rel=1e-4)

    def delta(edit, problems):
        return edited(again, problems, table["features"][edit].to_list(), table["scale"][edit])

    assert again.check("scaled", delta) > 20


def test_half_a_swap_meets_in_the_middle(run, again):
    def delta(edit, problems):
        z = again.of(problems)
        swapped = z.clone()
        swapped[:, [11, 20]] = z[:, [20, 11]]
        return run["swaps"].table["scale"][edit] * again.difference(z, swapped)

    assert again.check("swaps", delta) > 10


# Sets


def test_a_set_is_edited_at_once(run, again):
    table = run["sets"].table
    assert table["features"].to_list() == [[11, 20, 5], [20]]
    z = run["features"].dense("validation")
    assert table["n_active"].to_list() == [
        int((z[:, some] != 0).any(1).sum()) for some in ([11, 20, 5], [20])
    ]

    def delta(edit, problems):
        return edited(again, problems, table["features"][edit].to_list())

    assert again.check("sets", delta) > 10
    problems = [problem for edit, problem in values_of(run["sets"], "moved") if edit == 0]
    expected = norm(delta(0, problems)) / norm(again.x(problems))
    found = [values_of(run["sets"], "moved")[0, problem] for problem in problems]
    assert found == pytest.approx(expected.tolist(), rel=1e-4)


def test_a_set_has_no_name_and_a_single_feature_keeps_its_own(run):
    several, single = run["sets"].table.rows(named=True)
    assert [several[name] for name in ("feature", "rank", "mean_abs_activation")] == [None] * 3
    assert (single["feature"], single["rank"]) == (20, run["plain"].table["rank"][1])


def test_all_that_are_chosen_may_be_edited_together(run):
    table = run["together"].table
    top = [feature for _, feature in sorted(_ranks(run))[:3]]
    assert table["features"].to_list() == [top]
    assert table["feature"].to_list() == [None]
    alone = values_of(run["plain"], "moved")
    together = values_of(run["together"], "moved")
    assert {problem for _, problem in alone} <= {problem for _, problem in together}


def _ranks(run):
    """(rank, feature) on the validation problems, most frequent first, ties by number."""
    n = (run["features"].dense("validation") != 0).sum(0).tolist()
    return [(rank, f) for rank, f in enumerate(sorted(range(24), key=lambda f: (-n[f], f)))]


# What they else are


def test_mean_ablation_sets_a_feature_to_its_mean(run, again):
    """Law: over all problems of the split, not only those that are run; so inactive ones move."""
    table, mean = run["mean"].table, again.z.mean(0)

    def delta(edit, problems):
        z, feature = again.of(problems), table["feature"][edit]
        filled = z.clone()
        filled[:, feature] = mean[feature]
        return again.difference(z, filled)

    assert table["n_run"].to_list() == [10, 10]
    assert again.check("mean", delta) == 40
    every = sorted(again.row)
    expected = [float(delta(edit, every).abs().mean()) for edit in range(2)]
    assert table["mean_abs_diff"].to_list() == pytest.approx(expected, rel=1e-4)


def test_resampling_takes_a_feature_from_another_problem(run, again):
    """Law: for every problem there is another one from which all features could come."""
    table, moved = run["other"].table, values_of(run["other"], "moved")
    features = table["feature"].to_list()
    lengths = norm(again.sae.W_dec[features])
    given = set()
    for problem in sorted({problem for _, problem in moved}):
        own = again.of([problem])[0, features].double()
        size = norm(again.x([problem]))
        found = torch.tensor([moved.get((edit, problem), 0.0) for edit in range(len(features))])
        fitting = [
            other
            for other, row in again.row.items()
            if torch.allclose(
                (again.z[row, features].double() - own).abs() * lengths / size,
                found.double(),
                rtol=1e-4,
                atol=1e-7,
            )
        ]
        assert set(fitting) - {problem}
        given.add(fitting[0])
    assert len(given) > 20


def test_resampling_is_the_same_for_the_reconstruction_and_for_runs(run, again):
    """Law: every problem takes from the same other one, whoever asks; all 48 are run here."""
    moved = values_of(run["other"], "moved")
    for edit, row in enumerate(run["other"].table.rows(named=True)):
        W_dec = again.sae.W_dec[row["feature"]]
        problems = [problem for number, problem in moved if number == edit]
        far = torch.tensor([moved[edit, problem] for problem in problems]) * norm(again.x(problems))
        change = far.sum() / norm(W_dec[None]).item() / 48  # the mean of |z' - z|
        assert row["n_run"] == len(problems)
        assert row["mean_abs_diff"] == pytest.approx(float(change * W_dec.abs().mean()), rel=1e-4)


def test_the_other_problem_is_the_same_however_many_are_run(run):
    """Law: a run on 10 of the problems is the run on all of them."""
    every, some = values_of(run["other"], "moved"), values_of(run["fewer"], "moved")
    assert len({problem for _, problem in some}) == 10
    assert some == pytest.approx({key: every[key] for key in some}, rel=1e-5)
