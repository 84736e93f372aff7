"""Activation patching: who lends what to whom, and that it is lent."""

import polars as pl
import pytest
from reruns import CHEAP, OF_RUNS, Again, norm, values_of  # found through the line above

from studyrun.errors import InvalidStudy, StepFailed
from studyrun.testing import run_study, tiny_study
from studyrun_data.donors import operations
from studyrun_data.table import problems_of

FEW = f"problems: 12, {CHEAP}"
SITES = "activations: {use: extract, with: {layers: [0, 2], positions: [1, 3]}}"
STEPS = f"""
every: {{use: patch, with: {{effects: {OF_RUNS}, scales: [1, 0.5], {FEW}}}}}
some: {{use: patch, with: {{layers: [2], positions: [3], scales: [1, 0], {FEW}}}}}
alike: {{use: patch, with: {{same: [answer], differ: [operations], split: all, {FEW}}}}}
anyone: {{use: patch, with: {{same: [], differ: [], problems: 60, {CHEAP}}}}}
"""


def only_patching(folder, steps, sites=SITES):
    """A tiny study without an SAE."""
    return tiny_study(folder, "").partition("  activations")[0] + "".join(
        f"  {line}\n" for line in (sites, *steps.strip().splitlines())
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patch")
    return run_study(only_patching(folder, STEPS), folder)


class Lent(Again):
    """The differences of a patch, from the activations themselves."""

    def delta(self, step, edit, problems):
        row = self.run[step].table.row(edit, named=True)
        donors = self.run[step].read_table("donors")
        pairs = dict(donors.select("problem", "donor").iter_rows())
        lent, own = (
            self.x(some, row["layer"], int(row["position"]))
            for some in ([pairs[problem] for problem in problems], problems)
        )
        return row["scale"] * (lent - own)


@pytest.fixture(scope="module")
def lent(run):
    return Lent(run)


# Donors


def steps_of(run, numbers):
    return [problem.steps for problem in problems_of(run["data"].table[list(numbers)])]


def test_a_donor_is_alike_and_different_as_asked(run):
    """The default: the same operations, another first operand, another answer."""
    donors = run["every"].read_table("donors")
    mine, theirs = (steps_of(run, donors[name]) for name in ("problem", "donor"))
    for own, other in zip(mine, theirs, strict=True):
        assert operations(own) == operations(other)
        assert own[0].operands[0] != other[0].operands[0]
    assert (donors["answer"] != donors["donor_answer"]).all()
    alike = run["alike"].read_table("donors")
    mine, theirs = (steps_of(run, alike[name]) for name in ("problem", "donor"))
    assert all(operations(a) != operations(b) for a, b in zip(mine, theirs, strict=True))
    assert (alike["answer"] == alike["donor_answer"]).all()


def test_donors_are_named_and_of_the_same_split(run):
    problems = run["data"].table.with_row_index("problem")
    for step, splits in (("every", {"validation"}), ("alike", {"train", "validation"})):
        donors = run[step].read_table("donors")
        for number, name, answer in (
            ("problem", "id", "answer"),
            ("donor", "donor_id", "donor_answer"),
        ):
            rows = problems[donors[number].to_list()]
            assert rows["id"].to_list() == donors[name].to_list()
            assert rows["answer"].to_list() == donors[answer].to_list()
            assert set(rows["split"]) <= splits
        assert donors["problem"].is_unique().all()
        assert (donors["problem"] != donors["donor"]).all()
        assert run[step].table["n"].to_list() == [donors.height] * run[step].table.height
        assert set(run[step].table["n_donors"]) == {donors["donor"].n_unique()}


def test_anyone_else_may_lend(run):
    donors = run["anyone"].read_table("donors")
    assert donors.height == 48  # every problem of the split
    assert donors["donor"].n_unique() > 20


def test_the_answer_that_is_expected_is_the_donors(run):
    outcomes = run["every"].read_table("answer_outcomes")
    donors = run["every"].read_table("donors")
    both = outcomes.join(donors, on="problem", suffix="_own")
    assert both.height == outcomes.height
    assert both["expected"].to_list() == both["donor_answer"].to_list()
    assert both["answer"].to_list() == both["answer_own"].to_list()


# The edits


def test_every_site_at_every_scale_is_a_row(run):
    table = run["every"].table
    assert table.select("layer", "position", "scale").rows() == [
        (layer, position, scale)
        for layer in (0, 2)
        for scale in (1, 0.5)
        for position in ("1", "3")
    ]
    assert run["some"].table.select("layer", "position", "scale").rows() == [
        (2, "3", 1),
        (2, "3", 0),
    ]
    assert run["every"].meta["layers"] == [0, 2]
    assert run["every"].meta["positions"] == ["1", "3"]


def test_the_residual_becomes_the_donors(run, lent):
    """Law: x + scale (x_donor - x_own), at each site; |moved| and the answers of a full run."""
    table = run["every"].table
    moved = values_of(run["every"], "moved")
    for edit, row in enumerate(table.rows(named=True)):
        problems = [problem for number, problem in moved if number == edit]
        assert len(problems) == row["n_run"] == 12
        x = lent.x(problems, row["layer"], int(row["position"]))
        expected = norm(lent.delta("every", edit, problems)) / norm(x)
        assert [moved[edit, p] for p in problems] == pytest.approx(expected.tolist(), rel=1e-4)

    def site(edit, arm):
        """Elsewhere is thought 2: after 1, and before 3, which is the last."""
        return table["layer"][edit], int(table["position"][edit]) if arm == "edit" else 2

    assert lent.check("every", lambda e, p: lent.delta("every", e, p), site) == 8 * 2 * 12


def test_with_the_own_residual_nothing_is_another(run):
    """Scale 0 replaces x by x: runs are made, and nothing changes."""
    found = run["some"].table.row(1, named=True)
    assert (found["n_run"], found["moved"], found["answer_changed"]) == (12, 0, 0)
    assert found["answer_changed_verdict"] == "no-effect"


def test_states_are_read_from_the_edited_thought_on(run):
    """Law: a patch at thought 3 leaves the thoughts before it unread, one at 1 has three."""
    table = run["every"].table.with_row_index("edit")
    effects = run["every"].read_table("effects").filter(quantity="thought_shift", arm="edit")
    summary = run["every"].read_table("effects_by_feature").filter(quantity="thought_shift")
    for position, places in (("1", {"1", "2", "3"}), ("3", {"3"})):
        edits = table.filter(pl.col("position") == position)["edit"]
        for each in (effects, summary):
            assert set(each.filter(pl.col("edit").is_in(edits.implode()))["place"]) == places


def test_q_values_are_over_all_sites(run):
    """Law: Benjamini-Hochberg over the layers, too."""
    summary = run["every"].read_table("effects_by_feature").filter(quantity="kl")
    assert summary.height == 8
    p, q = (summary[name].to_list() for name in ("random_p", "random_q"))
    order = sorted(range(8), key=lambda i: p[i])
    expected, least = [0.0] * 8, 1.0
    for rank in range(8, 0, -1):
        least = min(least, p[order[rank - 1]] * 8 / rank)
        expected[order[rank - 1]] = least
    assert q == pytest.approx(expected)


# What is refused


@pytest.mark.parametrize(
    ("given", "place", "message"),
    [
        ("positions: [3, 2]", "positions", "position 2 is not extracted"),
        ("layers: [1]", "layers", "layer 1 is not extracted"),
        ("effects: [reconstruction]", "effects", "no SAE has a part in this edit"),
    ],
)
def test_what_cannot_be_patched_is_a_diagnostic_with_its_place(tmp_path, given, place, message):
    text = only_patching(tmp_path, f"a: {{use: patch, with: {{{given}}}}}")
    with pytest.raises(InvalidStudy, match=message) as caught:
        run_study(text, tmp_path)
    (found,) = caught.value.diagnostics
    assert found.path.startswith(f"$.steps.a.with.{place}[")
    wrong = given.strip("]").replace("[", ", ").split(", ")[-1]
    assert found.place.source[found.column - 1 :].startswith(wrong)
    assert found.line == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("same: [pair], differ: []", "patch: these problems have no column 'pair'"),
        (
            "same: [answer, operations, first-operand], differ: [n_steps]",
            "no problem of split 'validation' has a donor with the same answer, operations, "
            "first-operand and another n_steps; ask for less, or use more problems",
        ),
    ],
)
def test_problems_without_donors_are_an_error(tmp_path, given, message):
    text = only_patching(tmp_path, f"a: {{use: patch, with: {{{given}}}}}")
    with pytest.raises(StepFailed, match=message):
        run_study(text, tmp_path)
