"""Training: every term reaches the encoder, same seed same bytes, planted directions are found."""

from dataclasses import replace

import pytest
import torch
from known_dictionary import generator, planted, quietly

from structured import low_rank, structured
from studyrun_sae import metrics
from studyrun_sae.params import AbsTopKRecipe, SaeTrain
from studyrun_sae.recipes import RECIPES, recipe_of
from studyrun_sae.training.adam import Adam
from studyrun_sae.training.initial import geometric_median, initial_weights, input_scale
from studyrun_sae.training.loss import loss_terms
from studyrun_sae.training.resampling import entries_of, resample
from studyrun_sae.training.train import learning_rate, train

SMALL = SaeTrain(d_sae=40, k=4, epochs=4, batch_size=64)


def start(x, params=SMALL):
    """The recipe and what is learnt, at the beginning."""
    recipe = recipe_of(params)
    return recipe, initial_weights(x, params, recipe, generator())


def initial_sae(x, params=SMALL):
    recipe, weights = start(x, params)
    return recipe.sae(weights)


def trained(x, params=SMALL, seed=0):
    return train(x, params, generator(seed), quietly)


# What is minimised


PENALISED = {"matryoshka", "jumprelu", "standard"}
TERMS = [(name, term) for name in RECIPES for term in ("reconstruction", "auxiliary", "penalty")
         if term != "penalty" or name in PENALISED]  # fmt: skip


@pytest.mark.parametrize(("architecture", "term"), TERMS)
@pytest.mark.parametrize("offset", [0.0, -100.0])
def test_every_loss_term_reaches_the_encoder(architecture, term, offset):
    """Trap M3, also where the dead features' pre-activations are far below 0.

    jumprelu's penalty is of the thresholds alone, as its paper has it.
    """
    x, _ = planted(n=32)
    recipe, weights = start(x / input_scale(x, "rms"), replace(SMALL, architecture=architecture))
    dead = torch.arange(40) >= 30
    weights = {name: w.clone().requires_grad_() for name, w in weights.items()}
    with torch.no_grad():
        weights["b_enc"][dead] += offset
    x = x / input_scale(x, "rms")
    terms = loss_terms(recipe, weights, x, variance=1.0, dead=dead, aux_k=5)
    getattr(terms, term).backward()
    thresholds = architecture == "jumprelu" and term == "penalty"
    gradient = weights["exponent" if thresholds else "W_enc"].grad
    reached = (gradient[:, dead] if term == "auxiliary" else gradient).abs().sum()
    assert reached > 0


def test_the_auxiliary_term_moves_only_dead_features():
    x, _ = planted(n=32)
    recipe, weights = start(x)
    weights = {name: w.requires_grad_() for name, w in weights.items()}
    dead = torch.arange(40) < 10
    loss_terms(recipe, weights, x, 1.0, dead, aux_k=5).auxiliary.backward()
    for name, dim in (("W_enc", 0), ("W_dec", 1)):
        moved = weights[name].grad.abs().sum(dim) > 0
        assert moved.any()
        assert not moved[~dead].any()


def test_the_loss_by_hand():
    """One row x = (3, 4), a feature that explains (3, 0): error (0, 4), a dead one explains it."""
    x = torch.tensor([[3.0, 4.0]])
    weights = {
        "W_enc": torch.tensor([[2.0, 0.0], [0.0, 0.25]]), "b_enc": torch.zeros(2),
        "W_dec": torch.tensor([[0.5, 0.0], [0.0, 1.0]]), "b_dec": torch.zeros(2),
    }  # fmt: skip
    recipe, dead = recipe_of(SaeTrain(d_sae=2, k=1)), torch.tensor([False, True])
    terms = loss_terms(recipe, weights, x, variance=2.0, dead=dead, aux_k=1)
    assert float(terms.reconstruction) == 4**2 / 2
    assert float(terms.auxiliary) == (4 - 1) ** 2 / 4**2


def test_no_dead_features_no_auxiliary_term():
    x, _ = planted(n=32)
    none = torch.zeros(40, dtype=torch.bool)
    assert loss_terms(*start(x), x, 1.0, none, 5).auxiliary == 0


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


def test_a_cosine_falls_from_the_end_of_the_warmup_to_zero():
    params = SaeTrain(lr=2.0, warmup=0.1, decay="cosine")
    rates = [learning_rate(step, 100, params) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * i for i in range(1, 11)])
    assert rates[10] == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[99] < 0.01


def test_resampling_by_hand():
    """The only row with an error gives the dead feature its direction, seen from b_dec."""
    weights = {
        "W_enc": torch.tensor([[5.0, 0.0], [0.0, 2.0]]), "b_enc": torch.tensor([1.0, 1.0]),
        "W_dec": torch.eye(2), "b_dec": torch.tensor([1.0, 1.0]),
        "exponent": torch.tensor([9.0, 4.0]),
    }  # fmt: skip
    x, error = torch.tensor([[9.0, 9.0], [4.0, 5.0]]), torch.tensor([0.0, 3.0])
    resample(weights, torch.tensor([True, False]), x, error, generator())
    assert weights["W_dec"].tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 1]]
    assert weights["W_enc"].T.tolist() == [[pytest.approx(0.24), pytest.approx(0.32)], [0, 2]]
    assert weights["b_enc"].tolist() == [0, 1]
    assert weights["exponent"].tolist() == [4, 4]


def test_rows_are_drawn_by_the_square_of_their_loss():
    x, error = torch.eye(3), torch.tensor([1.0, 2.0, 0.0])
    weights = initial_weights(torch.randn(9, 3, generator=generator()),
                              SaeTrain(d_sae=5001, k=1, bias_init="zero"),
                              recipe_of(SaeTrain(k=1)), generator())  # fmt: skip
    dead = torch.arange(5001) > 0
    resample(weights, dead, x, error, generator(1))
    shares = weights["W_dec"][1:].mean(0)
    assert shares.tolist() == pytest.approx([1 / 5, 4 / 5, 0], abs=0.02)


def test_the_optimiser_forgets_resampled_features():
    x, _ = planted(n=32)
    _, weights = start(x)
    adam = Adam(weights)
    adam.step({name: torch.ones_like(t) for name, t in weights.items()}, lr=0.1)
    dead = torch.arange(40) < 10
    adam.forget(entries_of(dead, weights))
    for moments in (adam.means, adam.squares):
        assert (moments["W_enc"] == 0).all(0).equal(dead)
        assert (moments["W_dec"] == 0).all(1).equal(dead)
        assert (moments["b_enc"] == 0).equal(dead)
        assert (moments["b_dec"] != 0).all()


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
    start = {init: initial_sae(x, replace(SMALL, bias_init=init)).b_dec
             for init in ("mean", "median", "zero")}  # fmt: skip
    torch.testing.assert_close(start["mean"], x.mean(0))
    torch.testing.assert_close(start["median"], geometric_median(x))
    assert not start["zero"].any()


def test_without_pre_bias_the_encoder_starts_centred_all_the_same():
    x, _ = planted()
    first, second = (
        initial_sae(x, replace(SMALL, architecture=name)) for name in ("topk", "abstopk")
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
    """Law: sae.rescaled(s).encode(s x) == s sae.encode(x), and the same of x_hat."""
    x, _ = planted()
    sae = initial_sae(x, replace(SMALL, architecture=name))
    larger = sae.rescaled(3.0)
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


@pytest.mark.parametrize("architecture", RECIPES)
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


@pytest.mark.parametrize("remedy", [{}, {"aux_weight": 0.0, "resample_every": 10}])
def test_dead_features_are_revived(remedy):
    """Data of few dimensions kill many features; either remedy brings most of them back."""
    x, dead = low_rank(n=1500), []
    for changes in ({"aux_weight": 0.0}, remedy):
        params = SaeTrain(d_sae=256, k=16, epochs=60, batch_size=128, **changes)
        z = trained(x, params).sae.encode(x)
        dead.append(metrics.n_dead((z != 0).sum(0)))
    assert dead[0] > 40
    assert dead[1] < dead[0] / 2


def test_resampling_leaves_what_lives_as_it_is():
    """Where nothing dies, it changes no bit."""
    x, _ = planted()
    params = replace(SMALL, dead_after=100)
    plain, watched = trained(x, params), trained(x, replace(params, resample_every=1))
    assert torch.equal(plain.sae.W_enc, watched.sae.W_enc)
