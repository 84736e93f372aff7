"""The recipes of each architecture: its loss by hand, its sparsity, what training comes to."""

from dataclasses import replace
from itertools import accumulate

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from known_dictionary import generator, planted, quietly

from structured import low_rank, structured
from studyrun import params as core
from studyrun_sae import metrics
from studyrun_sae.params import BatchTopK, JumpReLU, Matryoshka, SaeTrain, Standard, Trained
from studyrun_sae.recipes import RECIPES, recipe_of
from studyrun_sae.recipes.batchtopk import largest_of_batch
from studyrun_sae.recipes.gradients import encoded, left, relative_error
from studyrun_sae.recipes.jumprelu import jumped
from studyrun_sae.recipes.matryoshka import doubling
from studyrun_sae.training.initial import initial_weights
from studyrun_sae.training.train import train

SMALL = SaeTrain(d_sae=32, k=4, epochs=40, batch_size=128)
GROUPED = Trained(matryoshka=Matryoshka(groups=[24, 8]))
LEARNT = [GROUPED if name == "matryoshka" else name for name in RECIPES]


# What each minimises


def test_batchtopk_keeps_k_a_row_on_average():
    h = torch.tensor([[5.0, 4.0, 3.0], [1.0, -9.0, 2.0]])
    assert largest_of_batch(h, 1).tolist() == [[5.0, 4.0, 0.0], [0.0, 0.0, 0.0]]
    assert largest_of_batch(h, 2).tolist() == [[5.0, 4.0, 3.0], [0.0, 0.0, 2.0]]
    assert largest_of_batch(h, 3).tolist() == [[5.0, 4.0, 3.0], [1.0, 0.0, 2.0]]


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 9))
def test_what_batchtopk_keeps_is_what_sorting_keeps(seed, k, rows):
    h = torch.randn(rows, 8, generator=generator(seed))
    least = h.flatten().sort(descending=True).values[k * rows - 1]
    expected = h.masked_fill((h < least) | (h <= 0), 0.0)
    assert torch.equal(largest_of_batch(h, k), expected)


def test_the_threshold_is_the_running_mean_of_the_smallest_activation():
    params = SaeTrain(d_sae=2, k=1, architecture=Trained(batchtopk=BatchTopK(momentum=0.75)))
    recipe, weights = by_hand(params)
    smallest = []
    for x in ([[3.0, 1.0]], [[1.0, 0.5]], [[-1.0, -1.0]]):  # the last: nothing is active
        recipe.after(recipe.passed(weights, torch.tensor(x), 1.0))
        smallest.append(float(recipe.architecture(weights).threshold))
    assert smallest == [3.0, 0.75 * 3 + 0.25 * 1, 0.75 * 3 + 0.25 * 1]


def by_hand(params):
    """Two features along the two axes."""
    weights = {"W_enc": torch.eye(2), "b_enc": torch.zeros(2)}
    weights |= {"W_dec": torch.eye(2), "b_dec": torch.zeros(2)}
    return recipe_of(params), weights


def test_the_matryoshka_loss_is_the_sum_over_prefixes():
    own = Trained(matryoshka=Matryoshka(groups=[1, 1]))
    recipe, weights = by_hand(SaeTrain(d_sae=2, k=2, architecture=own))
    passed = recipe.passed(weights, torch.tensor([[3.0, 4.0]]), variance=2.0)
    assert (float(passed.reconstruction), float(passed.penalty)) == (0.0, 4**2 / 2)


@pytest.mark.parametrize(
    ("d_sae", "groups"), [(32, [2, 2, 4, 8, 16]), (10, [1, 1, 3, 5]), (1, [1])]
)
def test_groups_double_unless_they_are_given(d_sae, groups):
    assert doubling(d_sae) == groups


def test_the_standard_penalty_is_the_sum_of_activations_times_norms():
    own = Trained(standard=Standard(l1_weight=0.5))
    recipe, weights = by_hand(SaeTrain(d_sae=2, k=1, architecture=own))
    weights["W_dec"] = torch.diag(torch.tensor([1.0, 2.0]))
    passed = recipe.passed(weights, torch.tensor([[3.0, 4.0]]), variance=4.0)
    assert float(passed.penalty) == 0.5 * (3 * 1 + 4 * 2) / 2
    assert float(passed.reconstruction) == 4**2 / 4


def test_the_jumprelu_loss_and_the_gradient_of_its_thresholds_by_hand():
    """Activations 3 and 0.9, thresholds 1, bandwidth 0.5: only the second is within the kernel.

    l0 = 1, d l0 / d threshold = -1 / 0.5, dz / d threshold = -0.9 / 0.5, where the error is 0.9.
    """
    own = Trained(jumprelu=JumpReLU(l0_weight=3.0, bandwidth=0.5))
    recipe, weights = by_hand(SaeTrain(d_sae=2, k=2, architecture=own))
    weights["exponent"] = torch.zeros(2, requires_grad=True)
    passed = recipe.passed(weights, torch.tensor([[3.0, 0.9]]), variance=1.0)
    assert passed.penalty.item() == 3 * (1 / 2 - 1) ** 2
    assert passed.reconstruction.item() == pytest.approx(0.9**2)
    per_exponent = 5.0  # d threshold / d exponent, at threshold 1
    (l0,) = torch.autograd.grad(passed.penalty, weights["exponent"], retain_graph=True)
    assert l0.tolist() == pytest.approx([0, 3 * 2 * (1 / 2 - 1) / 2 * -2 * per_exponent])
    (error,) = torch.autograd.grad(passed.reconstruction, weights["exponent"])
    assert error.tolist() == pytest.approx([0, 2 * 0.9 * (0.9 / 0.5) * per_exponent])


@given(st.floats(0.1, 3.0))
def test_the_slope_of_the_step_has_area_one(bandwidth):
    """Law: its integral is the height of the step, whatever the bandwidth."""
    h = torch.linspace(0, 8, 80_001, dtype=torch.float64)[:, None]
    threshold = torch.tensor([4.0], dtype=torch.float64, requires_grad=True)
    _, counts = jumped(h, threshold, bandwidth)
    counts.sum().backward()
    assert float(threshold.grad * 1e-4) == pytest.approx(-1, abs=5e-3)


@given(stack=st.sampled_from([(), (3,)]), pre_bias=st.booleans(), seed=st.integers(0, 999))
def test_gradients_written_by_hand_are_those_of_autograd(stack, pre_bias, seed):
    """Law: for `encoded`, `left` and `relative_error`, alone and stacked, in double precision."""
    g = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn((*stack, *shape), dtype=torch.float64, generator=g)

    x, variance = drawn(5, 4), drawn().square() + 1 if stack else 2.0
    shapes = {"W_enc": (4, 6), "b_enc": (6,), "W_dec": (6, 4), "b_dec": (4,)}
    weights = {name: drawn(*shape).requires_grad_() for name, shape in shapes.items()}
    leaves = list(weights.values())
    towards = drawn(5, 6), drawn(5, 4), drawn()

    def gradients(pre_acts, error, share):
        z = pre_acts.relu()
        loss = (pre_acts * towards[0]).sum() + (share(z) * towards[2]).sum()
        return torch.autograd.grad(loss + error(z).sum(), leaves)

    def x_hat(z):
        return z @ weights["W_dec"] + weights["b_dec"].unsqueeze(-2)

    bias = weights["b_dec"].unsqueeze(-2) if pre_bias else 0
    plain = gradients(
        (x - bias) @ weights["W_enc"] + weights["b_enc"].unsqueeze(-2),
        lambda z: (x - x_hat(z)).square().sum((-2, -1)) / (5 * variance),
        lambda z: (x - x_hat(z)).square().sum((-2, -1)) / (5 * variance),
    )
    ours = gradients(
        encoded(weights, x, pre_bias),
        lambda z: relative_error(x - x_hat(z), variance),
        lambda z: left(x, z, weights, variance)[1],
    )
    assert torch.equal(left(x, x @ weights["W_enc"], weights, variance)[0],
                       x - x_hat(x @ weights["W_enc"]))  # fmt: skip
    for mine, theirs in zip(ours, plain, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-9)


# What training comes to


@pytest.mark.parametrize("architecture", LEARNT, ids=list(RECIPES))
def test_planted_directions_are_found(architecture):
    """2 of 24 directions per row in 16 dimensions: most have a feature that points along them.

    The history's held-out fvu is the one of the SAE that is returned, and falls with the other.
    """
    x, W = planted(n=2500)
    params = replace(SMALL, architecture=architecture, held_out=True)
    result = train(x[:2000], params, generator(), quietly, x[2000:])
    sae, history = result.sae, result.history
    best = (W @ torch.nn.functional.normalize(sae.W_dec, dim=1).T).max(1).values
    assert float((best > 0.9).double().mean()) > 0.8
    held_out = metrics.fvu(x[2000:], sae.reconstruct(x[2000:]))
    assert history["fvu_held_out"][-1] == pytest.approx(held_out, rel=1e-3)
    assert held_out < 0.12 < 0.3 < history["fvu"][0]


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka", "jumprelu"])
@pytest.mark.parametrize("data", [structured, low_rank])
def test_used_alone_a_row_has_as_many_features_as_in_training(architecture, data):
    """Law: the SAE's mean l0 on the training rows is k within 5 %, as the last epoch's was."""
    x = data(n=2000)
    params = SaeTrain(d_sae=256, k=16, epochs=20, batch_size=128, architecture=architecture)
    result = train(x, params, generator(), quietly)
    l0 = metrics.mean_l0(result.sae.encode(x))
    assert l0 == pytest.approx(16, rel=0.05)
    assert l0 == pytest.approx(result.history["l0"][-1], rel=0.05)


def test_more_l1_weight_is_sparser():
    x, l0 = structured(n=1500), []
    for weight in (0.05, 0.2, 0.8):
        own = Trained(standard=Standard(l1_weight=weight))
        params = SaeTrain(d_sae=256, k=16, epochs=10, batch_size=128, architecture=own)
        l0.append(train(x, params, generator(), quietly).history["l0"][-1])
    assert l0[0] > 1.5 * l0[1] > 1.5 * 1.5 * l0[2]


def test_every_prefix_of_groups_is_an_sae():
    """Law: trained with groups, the first 8 features alone explain more by half than without."""
    x, _ = planted()
    groups, explained = [8, 24], {}
    for name, own in (("flat", "batchtopk"), ("nested", Trained(matryoshka=Matryoshka(groups)))):
        sae = train(x, replace(SMALL, k=8, architecture=own), generator(), quietly).sae
        z = sae.encode(x)
        explained[name] = [
            metrics.explained_variance(x, z[:, :end] @ sae.W_dec[:end] + sae.b_dec)
            for end in accumulate(groups)
        ]
    assert explained["nested"][0] > 1.5 * explained["flat"][0]
    assert explained["nested"][1] > 0.98 * explained["flat"][1]


@pytest.mark.parametrize("architecture", RECIPES)
def test_training_does_not_depend_on_the_inputs_units(architecture):
    """With input_norm `rms` the SAE of 4 x is the one of x, activations times 4 (4: exact)."""
    x, _ = planted(n=400)
    params = replace(SMALL, architecture=architecture, epochs=3)
    first, second = (train(y, params, generator(), quietly).sae for y in (x, 4 * x))
    assert torch.equal(first.W_dec, second.W_dec)
    assert torch.equal(4 * first.encode(x), second.encode(4 * x))


# How studies say it


def test_a_name_alone_is_the_architecture_with_its_defaults():
    """Law: one recipe has one form, whichever way it was written."""
    short = core.parse(SaeTrain, {"architecture": "jumprelu"})
    long = core.parse(SaeTrain, {"architecture": {"jumprelu": {}}})
    assert short == long
    told = core.to_builtins(short)
    assert told["architecture"] == {"jumprelu": {"l0_weight": 1.0, "bandwidth": 1.0}}


def test_parameters_that_came_later_are_in_no_key_at_their_defaults():
    told = core.to_builtins(SaeTrain())
    assert told["architecture"] == "topk"
    assert not {"held_out", "resample_every"} & told.keys()
    assert core.to_builtins(SaeTrain(held_out=True))["held_out"] is True


def test_a_recipe_starts_from_the_same_weights_whatever_the_architecture():
    x, _ = planted(n=200)
    weights = []
    for name in RECIPES:
        params = replace(SMALL, architecture=name)
        weights.append(initial_weights(x, params, recipe_of(params), generator()))
    assert all(torch.equal(weights[0]["W_enc"], each["W_enc"]) for each in weights)
