"""The effect on answers, counted by hand on a model whose answers are known."""

import polars as pl
import pytest
import torch
from edit_cases import CaseContext, case  # found through the line above

from studyrun_intervene.answer import COLUMNS, OUTCOMES, measure
from studyrun_intervene.params import AnswerEffect


class Known:
    """A model that answers `question n` with n, and with -1 where an edit moves dimension 0."""

    facts = None

    def __init__(self):
        self.edits = []

    def activations(self, questions, layers, positions, context):
        raise NotImplementedError

    def answers(self, questions, context, edit=None):
        numbers = [question.split()[1] for question in questions]
        if edit is None:
            return [f"The answer is {number}" for number in numbers]
        self.edits.append(edit)
        assert len(edit.delta) == len(questions)
        moved = edit.delta[:, 0].abs() > 1e-6
        return ["it is -1" if m else f"so {n}" for n, m in zip(numbers, moved, strict=True)]


def asked(found, problems=128, seed=0):
    model = Known()
    context = CaseContext(model=model, seed=seed)
    return measure(found, AnswerEffect(problems=problems), context), model


def two_features():
    """Feature 0 (active on 6 rows) moves dimension 0, feature 1 (active on 4) does not."""
    z = torch.zeros(10, 3)
    z[:6, 0], z[2:6, 1] = 1, 2
    W_dec = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    return case("ablate", [(0,), (1,), (2,)], z=z, W_dec=W_dec, x=torch.ones(10, 2))


def test_counts_by_hand():
    measurement, _ = asked(two_features())
    columns = [
        "answer_n",
        "answer_right_before",
        "answer_right_after",
        "answer_flipped",
        "answer_changed",
        "answer_control_right_after",
        "answer_control_flipped",
        "answer_control_changed",
    ]
    assert measurement.table.select(columns).rows() == [
        (6, 6, 0, 6, 1.0, 0, 6, 1.0),
        (4, 4, 4, 0, 0.0, 0, 4, 1.0),
        (0, 0, 0, 0, None, 0, 0, None),
    ]
    assert measurement.table["answer_changed_ci_low"].to_list() == [
        pytest.approx(1 / (1 + 1.6449**2 / 6), abs=1e-4),
        pytest.approx(0, abs=1e-12),
        None,
    ]


def test_the_edit_is_a_difference_at_the_site_and_the_control_has_its_norm():
    found = two_features()
    _, model = asked(found)
    edit = model.edits[0]
    assert (edit.layer, edit.position) == (1, 2)
    own, control = edit.delta[:6], edit.delta[6:]
    assert own.tolist() == [[-1, 0]] * 6
    torch.testing.assert_close(
        torch.linalg.vector_norm(control, dim=1), torch.linalg.vector_norm(own, dim=1)
    )
    assert len(set(control[:, 0].tolist())) == 6


def test_only_so_many_problems_are_asked_and_the_seed_draws_them():
    found = two_features()
    drawn = {}
    for seed in (0, 0, 1, 2, 3):
        measurement, _ = asked(found, problems=2, seed=seed)
        assert measurement.table["answer_n"].to_list() == [2, 2, 0]
        chosen = tuple(measurement.evidence["outcomes"]["problem"])
        assert drawn.setdefault(seed, chosen) == chosen
    assert len(set(drawn.values())) > 1


def test_the_evidence_has_every_answer():
    outcomes = asked(two_features())[0].evidence["outcomes"]
    assert outcomes.schema == OUTCOMES
    assert outcomes.height == 10
    row = outcomes.filter(pl.col("edit") == 1).rows(named=True)[0]
    assert (row["problem"], row["answer"]) == (2, 2.0)
    assert (row["before"], row["after"], row["control"]) == ("The answer is 2", "so 2", "it is -1")


def test_another_text_with_the_same_number_is_no_other_answer():
    """`The answer is 2` and `so 2` both say 2."""
    assert asked(two_features())[0].table["answer_changed"][1] == 0


def test_a_problem_without_a_known_answer_is_never_right():
    found = two_features()
    problems = found.problems.with_columns(answer=pl.lit(None, pl.Float64))
    measurement, _ = asked(case("ablate", [(1,)], z=found.z, W_dec=found.W_dec, problems=problems))
    (row,) = measurement.table.rows(named=True)
    assert (row["answer_right_before"], row["answer_right_after"], row["answer_n"]) == (0, 0, 4)
    assert row["answer_changed"] == 0


@pytest.mark.parametrize("edits", [(), ((2,),)])
def test_nothing_to_ask_asks_nothing(edits):
    found = two_features()
    measurement, model = asked(case("ablate", edits, z=found.z, W_dec=found.W_dec))
    assert measurement.table.columns == list(COLUMNS)
    assert measurement.evidence["outcomes"].height == 0
    assert model.edits == []
