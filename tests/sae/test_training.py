"""Training: every term reaches the encoder, same seed same bytes, planted directions are found."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from structured import low_rank, structured
from studyrun_sae import metrics
from studyrun_sae.adam import Adam
from studyrun_sae.initial import geometric_median, initial_sae, input_scale
from studyrun_sae.loss import loss_terms
from studyrun_sae.params import AbsTopKRecipe, SaeTrain
from studyrun_sae.training import learning_rate, rescaled, train

SMALL = SaeTrain(d_sae=40, k=4, epochs=4, batch_size=64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def quietly(items, total):
    items = list(items)
    assert len(items) == total
    return items


def trained(x, params=SMALL, seed=0):
    return train(x, params, generator(seed), quietly)


def planted(n=2000, d_in=16, directions=24, active=2, noise=0.02, seed=0):
    """Rows that are sums of few of some unit directions, off centre, and those directions."""
    chance = generator(seed)
    W = normalize(torch.randn(directions, d_in, generator=chance), dim=1)
    chosen = torch.rand(n, directions, generator=chance).topk(active, dim=1).indices
    sizes = torch.zeros(n, directions).scatter(
        1, chosen, 1 + torch.rand(n, active, generator=chance)
    )
    return 5 * (sizes @ W + noise * torch.randn(n, d_in, generator=chance)) + 7, W


# What is minimised


@pytest.mark.parametrize("architecture", ["topk", "abstopk"])
@pytest.mark.parametrize("term", ["reconstruction", "auxiliary"])
@pytest.mark.parametrize("offset", [0.0, -100.0])
def test_every_loss_term_reaches_the_encoder(architecture, term, offset):
    """Trap M3, also where the dead features' pre-activations are far below 0."""
    x, _ = planted(n=32)
    sae = initial_sae(x, replace(SMALL, architecture=architecture), generator())
    dead = torch.arange(40) >= 30
    weights = {name: w.clone().requires_grad_() for name, w in sae.weights.items()}
    with torch.no_grad():
        weights["b_enc"][dead] += offset
    terms = loss_terms(sae.with_weights(weights), x, variance=1.0, dead=dead, aux_k=5)
    getattr(terms, term).backward()
    gradient = weights["W_enc"].grad
    reached = (gradient[:, dead] if term == "auxiliary" else gradient).abs().sum()
    assert reached > 0


def test_the_auxiliary_term_moves_only_dead_features():
    x, _ = planted(n=32)
    weights = initial_sae(x, SMALL, generator()).weights
    weights = {name: w.requires_grad_() for name, w in weights.items()}
    sae = initial_sae(x, SMALL, generator()).with_weights(weights)
    dead = torch.arange(40) < 10
    loss_terms(sae, x, 1.0, dead, aux_k=5).auxiliary.backward()
    for name, dim in (("W_enc", 0), ("W_dec", 1)):
        moved = weights[name].grad.abs().sum(dim) > 0
        assert moved.any()
        assert not moved[~dead].any()


def test_the_loss_by_hand():
    """One row x = (3, 4), a feature that explains (3, 0): error (0, 4), a dead one explains it."""
    x = torch.tensor([[3.0, 4.0]])
    sae = initial_sae(torch.eye(2), SaeTrain(d_sae=2, k=1), generator()).with_weights({
        "W_enc": torch.tensor([[2.0, 0.0], [0.0, 0.25]]), "b_enc": torch.zeros(2),
        "W_dec": torch.tensor([[0.5, 0.0], [0.0, 1.0]]), "b_dec": torch.zeros(2),
    })  # fmt: skip
    terms = loss_terms(sae, x, variance=2.0, dead=torch.tensor([False, True]), aux_k=1)
    assert float(terms.reconstruction) == 4**2 / 2
    assert float(terms.auxiliary) == (4 - 1) ** 2 / 4**2


def test_no_dead_features_no_auxiliary_term():
    x, _ = planted(n=32)
    sae = initial_sae(x, SMALL, generator())
    assert loss_terms(sae, x, 1.0, torch.zeros(40, dtype=torch.bool), 5).auxiliary == 0


def test_adam_is_torchs():
    ours = {name: torch.randn(3, 4, generator=generator(1)) for name in "ab"}
    theirs = {name: t.clone().requires_grad_() for name, t in ours.items()}
    adam = Adam(ours, beta1=0.8, beta2=0.95)
    reference = torch.optim.Adam(theirs.values(), lr=0.1, betas=(0.8, 0.95))
    for step in range(20):
        gradients = {name: torch.randn(3, 4, generator=generator(step)) for name in "ab"}
        for name, t in theirs.items():
            t.grad = gradients[name].clone()
        adam.step(gradients, lr=0.1)
        reference.step()
    for name, t in theirs.items():
        torch.testing.assert_close(ours[name], t.detach())


# Where it starts and what moves


def test_learning_rate_rises_stays_and_falls():
    params = SaeTrain(lr=1.0, warmup=0.1, decay=0.5)
    rates = [learning_rate(step, 100, params) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert rates[10:51] == [1.0] * 41
    assert rates[51:] == pytest.approx([1 - i / 50 for i in range(1, 50)])
    constant = AbsTopKRecipe()
    assert {learning_rate(step, 100, constant) for step in range(100)} == {1e-3}


def test_the_geometric_median_withstands_an_outlier():
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [500.0, 500.0]])
    median = geometric_median(x)
    distance = torch.linalg.vector_norm(x - median, dim=1).sum()
    for step in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        moved = torch.linalg.vector_norm(x - median - torch.tensor(step), dim=1).sum()
        assert moved >= distance - 1e-3
    assert float(median.max()) < 1.1


def test_the_biases_start_where_the_recipe_says():
    x, _ = planted()
    start = {init: initial_sae(x, replace(SMALL, bias_init=init), generator()).b_dec
             for init in ("mean", "median", "zero")}  # fmt: skip
    torch.testing.assert_close(start["mean"], x.mean(0))
    torch.testing.assert_close(start["median"], geometric_median(x))
    assert not start["zero"].any()


def test_without_pre_bias_the_encoder_starts_centred_all_the_same():
    x, _ = planted()
    first, second = (
        initial_sae(x, replace(SMALL, architecture=name), generator())
        for name in ("topk", "abstopk")
    )
    torch.testing.assert_close(first.pre_acts(x), second.pre_acts(x), rtol=1e-4, atol=1e-4)


def test_decoder_rows_keep_norm_one_only_if_asked():
    x, _ = planted()
    for norm, keeps in (("unit", True), ("initial", False)):
        W_dec = trained(x, replace(SMALL, decoder_norm=norm)).sae.W_dec
        norms = torch.linalg.vector_norm(W_dec, dim=1)
        assert torch.allclose(norms, torch.ones(40), atol=1e-5) == keeps


@pytest.mark.parametrize("name", ["topk", "abstopk"])
def test_the_input_scale_is_folded_exactly(name):
    """Law: rescaled(sae, s).encode(s x) == s sae.encode(x), and the same of x_hat."""
    x, _ = planted()
    sae = initial_sae(x, replace(SMALL, architecture=name), generator())
    larger = rescaled(sae, 3.0)
    torch.testing.assert_close(larger.encode(3 * x), 3 * sae.encode(x), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(
        larger.reconstruct(3 * x), 3 * sae.reconstruct(x), rtol=1e-4, atol=1e-3
    )


def test_training_does_not_depend_on_the_inputs_units():
    """With input_norm `rms` the SAE of 4 x is the one of x, activations times 4 (4: exact)."""
    x, _ = planted()
    first, second = trained(x).sae, trained(4 * x).sae
    assert torch.equal(first.W_dec, second.W_dec)
    assert torch.equal(4 * first.encode(x), second.encode(4 * x))


def test_input_scale_is_the_root_mean_square_about_the_mean():
    x = torch.tensor([[0.0, 10.0], [2.0, 14.0]])
    assert input_scale(x, "rms") == pytest.approx((10 / 4) ** 0.5)
    assert input_scale(x, "none") == 1


@pytest.mark.parametrize("x", [torch.ones(9, 4), torch.full((9, 4), torch.nan)])
def test_nothing_to_learn_is_said(x):
    with pytest.raises(ValueError, match="nothing to learn"):
        trained(x)


# What comes out


def test_same_seed_same_bytes_and_another_seed_other_ones():
    x, _ = planted()
    first, again, other = trained(x), trained(x), trained(x, seed=1)
    for name, weights in first.sae.weights.items():
        assert torch.equal(weights, again.sae.weights[name])
    assert first.history.equals(again.history)
    assert not torch.equal(first.sae.W_dec, other.sae.W_dec)


@pytest.mark.parametrize("architecture", ["topk", "abstopk"])
def test_the_number_of_threads_does_not_change_a_bit(architecture):
    x, _ = planted(n=600, d_in=64)
    params = SaeTrain(d_sae=600, k=8, epochs=1, architecture=architecture, bias_init="median")
    before, weights = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            weights.append(trained(x, params).sae.weights)
    finally:
        torch.set_num_threads(before)
    for name, expected in weights[0].items():
        assert all(torch.equal(expected, each[name]) for each in weights[1:]), name


def test_history_speaks_of_the_training_rows():
    x, _ = planted()
    history = trained(x).history
    assert history["epoch"].to_list() == [1, 2, 3, 4]
    assert history["fvu"].is_sorted(descending=True)
    assert history["fvu"][0] < 1.5


def test_planted_directions_are_found():
    """2 of 24 directions per row in 16 dimensions: most have a feature that points along them."""
    x, W = planted()
    sae = trained(x, SaeTrain(d_sae=32, k=4, epochs=40, batch_size=128)).sae
    assert metrics.explained_variance(x, sae.reconstruct(x)) > 0.95
    best = (W @ sae.W_dec.T).max(1).values
    assert float((best > 0.9).double().mean()) > 0.8


def test_correlated_data_is_explained_with_few_dead_features():
    """600 directions in topics, some far more frequent: held-out quality of the defaults."""
    x = structured(n=2500)
    sae = trained(x[:2000], SaeTrain(epochs=20)).sae
    held_out = x[2000:]
    assert metrics.explained_variance(held_out, sae.reconstruct(held_out)) > 0.75
    assert metrics.n_dead((sae.encode(x) != 0).sum(0)) <= 5


def test_dead_features_are_revived():
    """Data of few dimensions kill many features; the auxiliary term brings most of them back."""
    x, dead = low_rank(n=1500), {}
    for weight in (0.0, SaeTrain().aux_weight):
        params = SaeTrain(d_sae=256, k=16, epochs=60, batch_size=128, aux_weight=weight)
        z = trained(x, params).sae.encode(x)
        dead[weight] = metrics.n_dead((z != 0).sum(0))
    assert dead[0.0] > 40
    assert dead[SaeTrain().aux_weight] < dead[0.0] / 2
