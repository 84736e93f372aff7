"""What is known of the embedded model, found by patching: thought 3 carries the answer on."""

import pytest
from reruns import values_of  # found through the line above

from studyrun.testing import run_study

STUDY = """\
study: planted
model: {use: codi, with: {checkpoint: builtin:tiny-codi}}
data:
  use: word-problems
  with: {problems: 90, validation: 0.7, steps: [3], operations: [+, "*"], held_out: exclude}
steps:
  activations: {use: extract, with: {layers: [14], positions: [3]}}
  patched:
    use: patch
    with:
      effects: [answer, thoughts]
      problems: 60
      controls: {resamples: 200, flips: 2000}
"""


@pytest.fixture(scope="module")
def patched(tmp_path_factory):
    return run_study(STUDY, tmp_path_factory.mktemp("planted"))["patched"]


def test_the_answer_moves_towards_the_donors(patched):
    """More often than in a random direction of the same norm, and than one thought later."""
    (row,) = patched.table.rows(named=True)
    assert row["n"] >= 50
    assert row["answer_towards"] > row["answer_towards_random"]
    found = patched.read_table("effects_by_feature").filter(quantity="answer_towards")
    assert found["random_p"].item() < 0.01
    assert found["elsewhere_p"].item() < 0.01
    assert row["answer_towards_verdict"] == "effect"


def test_thoughts_before_the_edit_are_not_read(patched):
    effects = patched.read_table("effects").filter(quantity="thought_shift", arm="edit")
    assert sorted(effects["place"].unique()) == ["3", "4", "5", "6"]


def test_the_edited_thought_itself_is_moved_most(patched):
    """Law: a difference added to the residual of thought 3 moves its state, on every problem."""
    assert min(values_of(patched, "thought_shift", place="3").values()) > 0
