"""The idle twin: it answers without its thoughts, although they hold what tiny-codi's hold."""

import pytest
import torch
from conditions import answers_of, linear_r2

from studyrun_data.generator import generate
from studyrun_models import CodiParams
from studyrun_models.codi import load
from tiny_models import PlainContext

N = 200
IDLE = "builtin:tiny-codi-idle"


@pytest.fixture(scope="module")
def model():
    return load(CodiParams(IDLE), PlainContext())


@pytest.fixture(scope="module")
def right(model):
    """By condition, the share of held-out problems answered right."""
    problems = generate(N, 1_000_003, held_out=True)
    true = [str(problem.answer) for problem in problems]
    return {
        name: sum(a == b for a, b in zip(given, true, strict=True)) / N
        for name, given in answers_of(model, problems, without_thoughts=False).items()
    }


def test_it_answers(right):
    assert right["own"] >= 0.7


@pytest.mark.parametrize("condition", ["another problem's", "hidden", "zeroed"])
def test_its_thoughts_can_be_exchanged_hidden_and_zeroed(right, condition):
    assert abs(right["own"] - right[condition]) <= 0.05


def test_the_same_probe_reads_the_second_result_off_both_models(model):
    here, there = linear_r2(model, N), linear_r2(load(CodiParams(), PlainContext()), N)
    assert here >= 0.9
    assert abs(here - there) <= 0.05


def test_both_have_the_same_shape(model):
    other = load(CodiParams(), PlainContext())
    assert (model.facts.n_layers, model.facts.d_model) == (
        other.facts.n_layers,
        other.facts.d_model,
    )
    assert model.facts.digest != other.facts.digest
    assert not torch.equal(*(m.stack.model.lm_head.weight for m in (model, other)))
