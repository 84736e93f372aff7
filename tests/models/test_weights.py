"""Weights: every tensor has its place, and the untrained control has the trained one's scale."""

import pytest
import torch
from torch import nn

from studyrun_models.weights import WeightsError, load_strictly, quiet, randomise


def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(300, 200), nn.LayerNorm(200))


def test_every_tensor_is_loaded():
    source, target = module(), module()
    randomise(source, seed=1)
    load_strictly(target, source.state_dict())
    for name, tensor in source.state_dict().items():
        assert target.state_dict()[name].equal(tensor)


def test_what_does_not_fit_is_listed_and_nothing_is_loaded():
    target = module()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    state = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    state["2.weight"] = state.pop("0.bias")
    state["1.bias"] = torch.ones(3)
    with pytest.raises(WeightsError) as raised:
        load_strictly(target, state)
    assert str(raised.value) == (
        "the checkpoint's tensors are not the model's; missing: 0.bias; unexpected: 2.weight; "
        "wrong shape: 1.bias (3,) instead of (200,)"
    )
    assert all(target.state_dict()[name].equal(tensor) for name, tensor in before.items())


def test_a_long_list_is_cut():
    state = {f"t{i:02}": torch.ones(1) for i in range(20)} | module().state_dict()
    with pytest.raises(WeightsError, match=r"t00, .*, t09 and 10 more$"):
        load_strictly(module(), state)


def test_a_shared_tensor_may_be_missing():
    state = module().state_dict()
    del state["1.bias"]
    state["0.weight"] = state["0.weight"] + 1
    loaded = module()
    load_strictly(loaded, state, tied=["1.bias"])
    assert loaded[0].weight.equal(state["0.weight"])


def test_random_weights_keep_mean_and_deviation_and_nothing_else():
    trained, drawn = module(), module()
    with torch.no_grad():
        trained[0].weight.add_(0.5)
        drawn.load_state_dict(trained.state_dict())
    randomise(drawn, seed=0)
    a, b = trained[0].weight.detach().flatten(), drawn[0].weight.detach().flatten()
    assert b.mean().item() == pytest.approx(a.mean().item(), rel=0.01)
    assert b.std().item() == pytest.approx(a.std().item(), rel=0.02)
    assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 0.02
    assert drawn[1].weight.equal(torch.ones(200))


def test_random_weights_depend_on_their_seed_alone():
    first, same, other = module(), module(), module()
    state = torch.random.get_rng_state()
    for drawn, seed in ((first, 3), (same, 3), (other, 4)):
        randomise(drawn, seed)
    assert first[0].weight.equal(same[0].weight)
    assert not first[0].weight.equal(other[0].weight)
    assert torch.random.get_rng_state().equal(state)


def test_quiet_puts_transformers_switches_back():
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet():
        assert not logging.is_progress_bar_enabled()
        assert logging.get_verbosity() == logging.ERROR
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    with pytest.raises(KeyError), quiet():
        {}["x"]
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
