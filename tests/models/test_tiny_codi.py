"""The embedded model keeps what its card promises, and its answers need its thoughts."""

import pytest
import torch
from conditions import answers_of, linear_r2

from studyrun_data.generator import generate
from studyrun_models import CodiParams
from studyrun_models.codi import load
from tiny_models import PlainContext

N = 200
CONTROLS = ("hidden", "another problem's", "zeroed", "none")


@pytest.fixture(scope="module")
def problems():
    """Given numbers that occur in training under no story."""
    return generate(N, 1_000_003, held_out=True)


@pytest.fixture(scope="module")
def model():
    return load(CodiParams(), PlainContext())


@pytest.fixture(scope="module")
def right(model, problems):
    """By condition, which problems are answered right."""
    true = [str(problem.answer) for problem in problems]
    return {
        name: torch.tensor([a == b for a, b in zip(given, true, strict=True)]).double()
        for name, given in answers_of(model, problems).items()
    }


@pytest.fixture(scope="module")
def n_steps(problems):
    return torch.tensor([len(problem.steps) for problem in problems])


def test_it_answers_with_its_thoughts(right, n_steps):
    assert right["own"].mean() >= 0.85
    assert [right["own"][n_steps == n].mean() >= 0.75 for n in (1, 2, 3, 4)] == [True] * 4


def test_it_answers_after_written_steps(right):
    assert right["written"].mean() >= 0.85


@pytest.mark.parametrize("control", CONTROLS)
def test_with_several_steps_it_cannot_answer_without_its_own_thoughts(right, n_steps, control):
    several = n_steps >= 2
    assert right["own"][several].mean() - right[control][several].mean() >= 0.5


def test_the_contract_answers_as_the_passes_do(model, problems, right):
    given = model.answers([problem.question for problem in problems], PlainContext())
    hits = [text == str(problem.answer) for text, problem in zip(given, problems, strict=True)]
    assert torch.tensor(hits).double().mean() == right["own"].mean()


def test_bfloat16_is_within_two_points(problems, right):
    half = load(CodiParams(), PlainContext(dtype=torch.bfloat16))
    given = half.answers([problem.question for problem in problems], PlainContext())
    hits = [text == str(problem.answer) for text, problem in zip(given, problems, strict=True)]
    assert abs(torch.tensor(hits).double().mean() - right["own"].mean()) <= 0.02


def test_a_linear_probe_at_layer_14_position_3_reads_the_second_result(model):
    """Ridge regression; on problems of three and four steps it is an intermediate result."""
    assert linear_r2(model, N) >= 0.9


def test_activations_do_not_depend_on_the_batch(model, problems):
    """Any problem alone and among others of all lengths, at the sites of the example study."""
    some = [problem.question for problem in problems[:40]]
    sites = ([0, 8, 14, 15], [0, 1, 3, 6])
    mixed = model.activations(some, *sites, PlainContext())
    alone = torch.cat([model.activations([q], *sites, PlainContext()) for q in some])
    assert ((mixed - alone).norm(dim=-1) / alone.norm(dim=-1)).max() <= 1e-5
    assert mixed.equal(alone) or not torch.backends.mkl.is_available()
