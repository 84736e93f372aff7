"""The SAE as a value: encode, decode, architectures."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from strategies import activations, random_sae
from studyrun_sae.architectures import (
    ARCHITECTURES,
    K_SPARSE,
    AbsTopK,
    Active,
    BatchTopK,
    Gated,
    GroupMax,
    JumpReLU,
    Matryoshka,
    Standard,
    TopK,
)
from studyrun_sae.sae import SAE, decode_active

PRE_ACTS = torch.tensor([[0.5, -3.0, 2.0, 1.0], [-1.0, -4.0, -2.0, -3.0]])


def test_topk_keeps_the_largest_and_rectifies():
    assert TopK(2).activate(PRE_ACTS).tolist() == [[0, 0, 2, 1], [0, 0, 0, 0]]


def test_abstopk_keeps_the_largest_magnitudes_with_their_signs():
    assert AbsTopK(2).activate(PRE_ACTS).tolist() == [[0, -3, 2, 0], [0, -4, 0, -3]]


def test_groupmax_keeps_the_largest_of_each_group_and_rectifies():
    pre_acts = torch.tensor([[1.0, 3.0, -2.0, -1.0], [5.0, 4.0, 6.0, 7.0]])
    assert GroupMax(2).activate(pre_acts).tolist() == [[0, 3, 0, 0], [5, 0, 0, 7]]


def test_a_threshold_itself_is_inactive():
    pre_acts = torch.tensor([[0.5, 1.0, 2.0], [-1.0, -2.0, 3.0]])
    expected = [[0, 0, 2], [0, 0, 3]]
    assert BatchTopK(1, torch.tensor(1.0)).activate(pre_acts).tolist() == expected
    assert Matryoshka(1, torch.tensor(1.0), (1, 2)).activate(pre_acts).tolist() == expected
    each = JumpReLU(torch.tensor([0.5, 0.5, 2.5]))
    assert each.activate(pre_acts).tolist() == [[0, 1, 0], [0, 0, 3]]
    below_0 = JumpReLU(torch.tensor([-3.0, 0.0, 0.0]))
    assert below_0.activate(pre_acts).tolist() == [[0.5, 1, 2], [0, 0, 3]]


def test_a_gate_says_whether_and_the_magnitude_how_much():
    """z = (h + b_gate > 0) * relu(exp(r_mag) * h + b_mag)"""
    tensors = {"b_gate": [0.0, -2.0, 5.0], "r_mag": [0.0, 0.0, 0.0], "b_mag": [1.0, 1.0, 1.0]}
    gated = Gated(**{name: torch.tensor(values) for name, values in tensors.items()})
    assert gated.activate(torch.tensor([[2.0, 2.0, -3.0]])).tolist() == [[3, 0, 0]]
    assert gated.activate(torch.tensor([[-1.0, 3.0, 1.0]])).tolist() == [[0, 4, 2]]


def test_standard_is_relu():
    assert Standard().activate(PRE_ACTS).tolist() == [[0.5, 0, 2, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("name", [each for each in K_SPARSE if each != "groupmax"])
def test_at_most_k_are_active_even_among_equals(name):
    z = K_SPARSE[name](3).activate(torch.ones(5, 7))
    assert (z != 0).sum(1).tolist() == [3] * 5


def test_pre_bias_is_subtracted_for_topk_only():
    tensors = (torch.eye(2), torch.zeros(2), torch.eye(2), torch.tensor([10.0, 0.0]))
    x = torch.tensor([[11.0, 2.0]])
    assert SAE(*tensors, TopK(2)).encode(x).tolist() == [[1, 2]]
    assert SAE(*tensors, AbsTopK(2)).encode(x).tolist() == [[11, 2]]


def test_abstopk_is_what_the_seeds_linear_layers_compute():
    """h = encoder(x); z keeps the k largest |h| with their sign; x_hat = decoder(z)."""
    torch.manual_seed(0)
    encoder, decoder, k = torch.nn.Linear(6, 10), torch.nn.Linear(10, 6), 3
    x = torch.randn(8, 6)
    with torch.no_grad():
        h = encoder(x)
        z = torch.zeros_like(h)
        for row in range(len(h)):
            kept = sorted(range(10), key=lambda f, row=row: -abs(float(h[row, f])))[:k]
            z[row, kept] = h[row, kept]
        x_hat = decoder(z)
    sae = SAE(
        encoder.weight.detach().T, encoder.bias.detach(),
        decoder.weight.detach().T, decoder.bias.detach(), AbsTopK(k),
    )  # fmt: skip
    torch.testing.assert_close(sae.encode(x), z)
    torch.testing.assert_close(sae.reconstruct(x), x_hat)


@given(random_sae(), st.data())
def test_reconstruct_is_decode_of_encode(sae, data):
    """Law: reconstruct(x) == decode(encode(x)); the sparse path is the dense one."""
    x = data.draw(activations(d_in=sae.d_in))
    torch.testing.assert_close(sae.reconstruct(x), sae.decode(sae.encode(x)), rtol=1e-4, atol=1e-3)


@given(random_sae(), st.data())
def test_decoding_is_affine(sae, data):
    """Law: decode(z') - decode(z) == (z' - z) @ W_dec."""
    z = sae.encode(data.draw(activations(d_in=sae.d_in)))
    other = z.roll(1, 1)
    torch.testing.assert_close(
        sae.decode(other) - sae.decode(z), (other - z) @ sae.W_dec, rtol=1e-4, atol=1e-2
    )


def test_sparse_decoding_by_hand():
    active = Active(torch.tensor([[0, 2]]), torch.tensor([[2.0, -1.0]]))
    W_dec = torch.tensor([[1.0, 0.0], [5.0, 5.0], [0.0, 3.0]])
    assert decode_active(active, W_dec, torch.tensor([0.5, 0.0])).tolist() == [[2.5, -3]]
    assert active.dense(3).tolist() == [[2, 0, -1]]


def sample(name, d_sae):
    """An architecture of that name."""
    cls = ARCHITECTURES[name]
    every = {"k": 2, "group_sizes": (2, d_sae - 2)}
    given = {field.name for field in dataclasses.fields(cls)}
    own = {tensor: torch.ones(d_sae if of else ()) for tensor, of in cls.TENSORS.items()}
    return cls(**own, **{key: value for key, value in every.items() if key in given})


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_results_lie_where_the_weights_lie(name, device):
    tensors = (torch.ones(4, 6), torch.ones(6), torch.ones(6, 4), torch.ones(4))
    sae = SAE(*tensors, sample(name, 6), layer=3, position=1).to(device)
    assert {tensor.device.type for tensor in sae.weights.values()} == {device}
    x = torch.ones(5, 4, device=device)
    found = (sae.encode(x), sae.decode(sae.encode(x)), sae.reconstruct(x))
    assert [(t.device.type, tuple(t.shape)) for t in found] == [
        (device, (5, 6)),
        (device, (5, 4)),
        (device, (5, 4)),
    ]
    assert (sae.layer, sae.position) == (3, 1)


def test_tensors_that_do_not_fit_are_refused():
    with pytest.raises((ValueError, TypeError), match="W_dec"):  # whichever check comes first
        SAE(torch.ones(4, 6), torch.ones(6), torch.ones(4, 6), torch.ones(4), TopK(2))


def test_thresholds_that_do_not_fit_are_refused():
    tensors = (torch.ones(4, 6), torch.ones(6), torch.ones(6, 4), torch.ones(4))
    with pytest.raises((ValueError, TypeError), match="threshold"):
        SAE(*tensors, JumpReLU(torch.ones(5)))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_is_made_of_json_values_and_tensors(name):
    architecture = sample(name, 6)
    settings = json.loads(json.dumps(architecture.settings))
    again = ARCHITECTURES[name](**settings, **architecture.tensors)
    assert again.settings == architecture.settings
    assert again.tensors.keys() == architecture.tensors.keys() == architecture.TENSORS.keys()
    assert architecture.name == name


@given(random_sae(), st.sampled_from([0.5, 2.0, 4.0]), st.data())
def test_a_rescaled_sae_is_the_one_of_rescaled_rows(sae, scale, data):
    """Law: rescaled(s).encode(s x) == s encode(x), and so is x_hat; exact for powers of 2."""
    x, scaled = data.draw(activations(d_in=sae.d_in)), sae.rescaled(scale)
    torch.testing.assert_close(scaled.encode(x * scale), sae.encode(x) * scale, rtol=0, atol=0)
    found, expected = scaled.reconstruct(x * scale), sae.reconstruct(x) * scale
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@given(random_sae())
def test_with_weights_gives_back_what_it_was_given(sae):
    """Law: with_weights(weights) is the same SAE; other tensors are other tensors."""
    again = sae.with_weights({name: tensor + 1 for name, tensor in sae.weights.items()})
    assert again.architecture.settings == sae.architecture.settings
    for name, tensor in again.weights.items():
        assert torch.equal(tensor, sae.weights[name] + 1)
