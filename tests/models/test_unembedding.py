"""What directions add to the scores of tokens, against the formula written down plainly."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import layer_norm

from studyrun_models import hf
from studyrun_models.blocks import SiteError
from studyrun_models.params import HfParams
from studyrun_models.unembedding import norm_weight
from tiny_models import PlainContext, hf_configs, write_hf

NORMS = {
    # architecture -> the final norm's weight, whether it is a LayerNorm, the head
    "llama": ("model.norm.weight", False, "lm_head.weight"),
    "gpt2": ("transformer.ln_f.weight", True, "transformer.wte.weight"),
    "gpt-neox": ("gpt_neox.final_layer_norm.weight", True, "embed_out.weight"),
}
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def shaken(model):
    """Norms with weights and biases of their own, which those of a fresh model are not."""
    generator = torch.Generator().manual_seed(7)
    for parameter in model.stack.model.parameters():
        if parameter.ndim == 1:
            drawn = torch.randn(parameter.shape, generator=generator)
            parameter.data += drawn.to(parameter.dtype)
    return model


@pytest.fixture(scope="module", params=sorted(hf_configs()))
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def model(architecture, tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("unembed"), architecture)


def loaded(folder, architecture, dtype=torch.float32):
    checkpoint = str(write_hf(folder / architecture, architecture))
    return shaken(hf.load(HfParams(checkpoint=checkpoint), PlainContext(dtype=dtype)))


def some(n, d):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("architecture", NORMS, indirect=True)
def test_it_is_the_head_times_the_norms_weight_and_the_centred_direction(model, architecture):
    norm, centred, head = NORMS[architecture]
    weights = model.stack.model.state_dict()
    head = head if head in weights else "lm_head.weight"
    d = some(6, model.facts.d_model).double()
    centre = d - d.mean(1, keepdim=True) if centred else d
    expected = (weights[norm].double() * centre) @ weights[head].double().T
    found = model.unembed(d.float())
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


def test_it_is_how_the_models_own_scores_change(model):
    """Law: scores of a stream and of its opposite differ by it, times one number per stream."""
    assert alike(model, torch.float32).min() > 1 - 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma"])
def test_so_it_is_in_half_precision(name, dtype, tmp_path):
    assert alike(loaded(tmp_path, name, dtype), dtype).min() > 0.99


def alike(model, dtype):
    """Cosine of what `unembed` says and of what the model itself does, of some streams."""
    x = some(5, model.facts.d_model)
    after, head = _norm_of(model.stack.model), model.stack.model.get_output_embeddings()
    with torch.inference_mode():
        there, opposite = (head(after((sign * x).to(dtype))).float() for sign in (1, -1))
    return torch.cosine_similarity(there - opposite, model.unembed(x), dim=1)


def _norm_of(model):
    """What stands between the last block and the head, by the names of the architectures."""
    base = model.base_model
    base = getattr(base, "decoder", base)
    names = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "project_out")
    found = [getattr(base, name) for name in names if getattr(base, name, None) is not None]
    return nn.Sequential(*found)


def test_it_is_linear(model):
    a, b = some(2, model.facts.d_model)
    together = model.unembed((2 * a - 3 * b)[None])[0]
    apart = 2 * model.unembed(a[None])[0] - 3 * model.unembed(b[None])[0]
    assert torch.allclose(together, apart, rtol=1e-3, atol=1e-3 * apart.abs().max())


def test_a_row_does_not_depend_on_the_others(codi):
    d = some(5, codi.facts.d_model)
    alone = torch.cat([codi.unembed(row[None]) for row in d])
    assert torch.allclose(codi.unembed(d), alone, rtol=1e-5, atol=1e-5)


def test_a_codi_models_head_is_its_checkpoints(codi, codi_folder):
    weights = load_file(codi_folder / "model.safetensors")
    W_U, gamma = weights["lm_head.weight"].double(), weights["model.norm.weight"].double()
    d = some(5, codi.facts.d_model)
    expected = (gamma * d.double()) @ W_U.T
    found = codi.unembed(d).cpu().double()
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())
    assert found.shape[1] == len(codi.vocabulary)
    assert codi.token(codi.eos) == "<eos>"


@pytest.mark.parametrize("width", [2, 5, 8, 33])
@pytest.mark.parametrize("kind", [nn.LayerNorm, nn.RMSNorm])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_norms_weight_is_found_by_trying(kind, width, dtype):
    norm = kind(width)
    for parameter in norm.parameters():
        parameter.data = some(1, width)[0]
    norm = norm.to(dtype)
    gamma, centring = norm_weight(norm, width, dtype, torch.device("cpu"))
    rough = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}[dtype]
    assert torch.allclose(gamma, norm.weight.float(), rtol=rough, atol=rough)
    if width > 2:
        assert centring == (kind is nn.LayerNorm)


def test_layer_norm_without_weight_is_a_weight_of_ones():
    class Bare(nn.Module):
        def forward(self, x):
            return layer_norm(x, x.shape[-1:])

    gamma, centring = norm_weight(Bare(), 6, torch.float32, torch.device("cpu"))
    assert torch.allclose(gamma, torch.ones(6), atol=1e-5)
    assert centring


@pytest.mark.parametrize("bend", [torch.relu, torch.tanh, torch.abs])
def test_a_head_behind_something_that_is_not_linear_is_refused(bend, tmp_path):
    class Squashed(nn.Module):
        def __init__(self, norm):
            super().__init__()
            self.norm = norm

        def forward(self, x):
            return bend(self.norm(x))

    model = hf.load(HfParams(checkpoint=str(write_hf(tmp_path / "m", "llama"))), PlainContext())
    base = model.stack.base
    base.norm = Squashed(base.norm)
    with pytest.raises(SiteError, match="its head is not linear after its final norm"):
        model.unembed(some(1, model.facts.d_model))
