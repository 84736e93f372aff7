"""Against the tools themselves, where they are installed: theirs read here, ours read there.

They need torch and little else for this: `pip install sae-lens eai-sparsify dictionary-learning`.
"""

import json
import warnings
from dataclasses import fields
from importlib import import_module

import layouts
import pytest
import torch

from studyrun import NoParams
from studyrun_sae.architectures import ARCHITECTURES
from studyrun_sae.formats.auto import Auto
from studyrun_sae.formats.dictionary_learning import DictionaryLearning
from studyrun_sae.formats.saelens import SaeLens
from studyrun_sae.formats.sparsify import Sparsify
from studyrun_sae.neutral import sae_of, weights_of
from studyrun_sae.params import DictionaryLearning as DictionaryParams
from studyrun_sae.sae import SAE

pytestmark = pytest.mark.filterwarnings("default")  # the tools' own are theirs
SHAPES = [(6, 10), (8, 8)]


def tool(*modules):
    """The modules, or a skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [import_module(name) for name in modules]
        except ImportError as error:
            name = modules[0].partition(".")[0]
            pytest.skip(f"{name} is not installed here ({error})")


@pytest.fixture
def lens():
    return tool("sae_lens")[0]


@pytest.fixture
def sparsify():
    return tool("sparsify")[0]


def read(path):
    return sae_of(Auto(NoParams()).read(path), str(path))


def randomised(module, seed=0):
    """Every parameter drawn anew, none too small to matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return module


def demand_same(sae, x, z, x_hat):
    torch.testing.assert_close(sae.encode(x), z.detach(), rtol=1e-6, atol=3e-5)
    torch.testing.assert_close(sae.decode(sae.encode(x)), x_hat.detach(), rtol=1e-6, atol=3e-5)
    assert (z != 0).any()
    assert (z == 0).any()


def made(kind, pre_bias, d_in, d_sae):
    cls = ARCHITECTURES[kind]
    own = {"k": 4 if kind == "groupmax" and d_sae == 8 else 5 if kind == "groupmax" else 3,
           "group_sizes": (2, d_sae - 2)}  # fmt: skip
    names = {field.name for field in fields(cls)}
    given = {name: value for name, value in own.items() if name in names}
    for name, of in cls.TENSORS.items():
        found = layouts.drawn(7, t=(d_sae,) if of else ())["t"]
        given[name] = found.abs() + 0.1 if name == "threshold" else found
    tensors = layouts.drawn(3, W_enc=(d_in, d_sae), b_enc=(d_sae,), W_dec=(d_sae, d_in),
                            b_dec=(d_in,))  # fmt: skip
    return SAE(**tensors, architecture=cls(pre_bias=pre_bias, **given), layer=14, position=3)


def written(format, sae, folder):
    places = set()
    for name, content in format.write(weights_of(sae)).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        places.add(file.parent)
    (place,) = places
    return place


# SAELens

KINDS = {"standard": "Standard", "topk": "TopK", "abstopk": "AbsTopK", "jumprelu": "JumpReLU",
         "gated": "Gated"}  # fmt: skip


RESCALED = [("topk", True), ("abstopk", True), *((kind, False) for kind in KINDS)]


@pytest.mark.parametrize("apply_b_dec", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("kind", "rescale"), RESCALED)
def test_what_saelens_saves_is_read_here(lens, tmp_path, kind, shape, apply_b_dec, rescale):
    d_in, d_sae = shape
    own = {"k": 3, "rescale_acts_by_decoder_norm": rescale} if "topk" in kind else {}
    config = getattr(lens, f"{KINDS[kind]}SAEConfig")(
        d_in=d_in, d_sae=d_sae, apply_b_dec_to_input=apply_b_dec, **own
    )
    theirs = randomised(getattr(lens, f"{KINDS[kind]}SAE")(config))
    if kind == "jumprelu":
        theirs.threshold.data = theirs.threshold.data.abs() + 0.1
    theirs.save_model(tmp_path)
    x = layouts.rows(d_in)
    z = theirs.encode(x)
    z = z.to_dense() if z.is_sparse else z
    demand_same(read(tmp_path), x, z, theirs.decode(z))


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("kind", ["BatchTopK", "MatryoshkaBatchTopK"])
def test_saelens_checkpoints_and_what_it_saves_of_them_are_one(lens, tmp_path, kind, rescale):
    own = {"matryoshka_widths": [4, 10]} if kind.startswith("M") else {}
    config = getattr(lens, f"{kind}TrainingSAEConfig")(
        d_in=6, d_sae=10, k=3, rescale_acts_by_decoder_norm=rescale, **own
    )
    theirs = randomised(getattr(lens, f"{kind}TrainingSAE")(config))
    theirs.topk_threshold.fill_(1.5)
    theirs.save_model(tmp_path / "checkpoint")
    theirs.save_inference_model(tmp_path / "inference")
    used = lens.SAE.load_from_disk(tmp_path / "inference")
    x = layouts.rows(6)
    z = used.encode(x)
    for folder in ("checkpoint", "inference"):
        demand_same(read(tmp_path / folder), x, z, used.decode(z))


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("kind", ["TopK", "BatchTopK"])
def test_a_scale_of_the_input_is_folded_as_saelens_folds_it(lens, tmp_path, kind, rescale):
    config = getattr(lens, f"{kind}TrainingSAEConfig")(
        d_in=6, d_sae=10, k=3, rescale_acts_by_decoder_norm=rescale,
        normalize_activations="expected_average_only_in",
    )  # fmt: skip
    theirs = randomised(getattr(lens, f"{kind}TrainingSAE")(config))
    if kind == "BatchTopK":
        theirs.topk_threshold.fill_(1.5)
    theirs.save_model(tmp_path / "checkpoint")
    scaler = {"scaling_factor": 2.5, "has_whitening": False}
    (tmp_path / "checkpoint/activation_scaler.json").write_text(json.dumps(scaler))
    theirs.fold_activation_norm_scaling_factor(2.5)
    theirs.save_inference_model(tmp_path / "folded")
    used = lens.SAE.load_from_disk(tmp_path / "folded")
    x = layouts.rows(6)
    z = used.encode(x)
    z = z.to_dense() if z.is_sparse else z
    demand_same(read(tmp_path / "checkpoint"), x, z, used.decode(z))


@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize("kind", [each for each in ARCHITECTURES if each != "groupmax"])
def test_what_is_written_here_is_used_by_saelens(lens, tmp_path, kind, d_in, d_sae, pre_bias):
    sae, x = made(kind, pre_bias, d_in, d_sae), layouts.rows(d_in)
    theirs = lens.SAE.load_from_disk(written(SaeLens(NoParams()), sae, tmp_path))
    z = theirs.encode(x)
    z = z.to_dense() if z.is_sparse else z
    demand_same(sae, x, z, theirs.decode(z))
    assert theirs.cfg.metadata.hook_name == "blocks.14.hook_resid_post"


# sparsify


def dense(encoded, d_sae):
    z = torch.zeros(len(encoded.top_acts), d_sae)
    return z.scatter(1, encoded.top_indices.long(), encoded.top_acts.detach().float())


@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize("activation", ["topk", "groupmax"])
def test_what_sparsify_saves_is_read_here(sparsify, tmp_path, activation, d_in, d_sae):
    config = sparsify.SparseCoderConfig(activation=activation, num_latents=d_sae, k=2)
    theirs = randomised(sparsify.SparseCoder(d_in, config, dtype=torch.float32))
    theirs.save_to_disk(tmp_path / "layers.3")
    x = layouts.rows(d_in)
    encoded = theirs.encode(x)
    x_hat = theirs.decode(encoded.top_acts, encoded.top_indices)
    demand_same(read(tmp_path / "layers.3"), x, dense(encoded, d_sae), x_hat)


@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize("kind", ["topk", "groupmax"])
def test_what_is_written_here_is_used_by_sparsify(sparsify, tmp_path, kind, d_in, d_sae, pre_bias):
    sae, x = made(kind, pre_bias, d_in, d_sae), layouts.rows(d_in)
    place = written(Sparsify(NoParams()), sae, tmp_path)
    theirs = sparsify.SparseCoder.load_from_disk(place)
    encoded = theirs.encode(x)
    x_hat = theirs.decode(encoded.top_acts, encoded.top_indices)
    demand_same(sae, x, dense(encoded, d_sae), x_hat)


# dictionary_learning

HOMES = {
    "AutoEncoder": "dictionary",
    "AutoEncoderNew": "dictionary",
    "GatedAutoEncoder": "dictionary",
    "JumpReluAutoEncoder": "dictionary",
    "AutoEncoderTopK": "trainers.top_k",
    "BatchTopKSAE": "trainers.batch_top_k",
    "MatryoshkaBatchTopKSAE": "trainers.matryoshka_batch_top_k",
}


def their_class(name):
    return getattr(tool(f"dictionary_learning.{HOMES[name]}")[0], name)


@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize("name", HOMES)
def test_what_dictionary_learning_saves_is_read_here(tmp_path, name, d_in, d_sae):
    cls = their_class(name)
    own = {"k": 3} if "TopK" in name else {}
    own |= {"group_sizes": [2, d_sae - 2]} if name.startswith("Matryoshka") else {}
    theirs = randomised(cls(d_in, d_sae, **own))
    if "TopK" in name:
        theirs.threshold.fill_(1.5)
    if name == "JumpReluAutoEncoder":
        theirs.threshold.data = theirs.threshold.data.abs() + 0.1
    config = layouts.dictionary_config(name, d_in, d_sae)
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(theirs.state_dict(), tmp_path / "ae.pt")
    used = cls.from_pretrained(tmp_path / "ae.pt")  # AutoEncoder is rescaled by this
    x = layouts.rows(d_in)
    z = used.encode(x)
    demand_same(read(tmp_path), x, z, used.decode(z))


@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize(
    "kind", ["standard", "topk", "batchtopk", "matryoshka", "jumprelu", "gated"]
)
def test_what_is_written_here_is_used_by_dictionary_learning(tmp_path, kind, d_in, d_sae, pre_bias):
    tool("dictionary_learning.dictionary")
    sae, x = made(kind, pre_bias, d_in, d_sae), layouts.rows(d_in)
    place = written(DictionaryLearning(DictionaryParams()), sae, tmp_path)
    trainer = json.loads((place / "config.json").read_text())["trainer"]
    theirs = their_class(trainer["dict_class"]).from_pretrained(place / "ae.pt")
    z = theirs.encode(x)
    demand_same(sae, x, z, theirs.decode(z))
