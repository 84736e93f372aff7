"""What is written is read back, and computed by each tool's own formula, as the same SAE."""

import io
import json
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import layouts
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, load_file

from strategies import ALL_ARCHITECTURES, activations, random_sae
from studyrun import NoParams, StudyError
from studyrun_sae.architectures import ARCHITECTURES
from studyrun_sae.formats.dictionary_learning import DictionaryLearning
from studyrun_sae.formats.recognition import CANNOT
from studyrun_sae.formats.saelens import SaeLens
from studyrun_sae.formats.seed import Seed
from studyrun_sae.formats.sparsify import Sparsify
from studyrun_sae.neutral import sae_of, weights_of
from studyrun_sae.params import DictionaryLearning as DictionaryParams
from studyrun_sae.sae import SAE

FORMATS = {
    "saelens": SaeLens(NoParams()),
    "sparsify": Sparsify(NoParams()),
    "dictionary-learning": DictionaryLearning(DictionaryParams()),
    "seed": Seed(NoParams()),
}
HOLDS = {name: [a for a in ALL_ARCHITECTURES if a not in CANNOT[name]] for name in FORMATS}
BECOMES = {("saelens", "batchtopk"): "jumprelu", ("saelens", "matryoshka"): "jumprelu"}


def written(format, sae, folder):
    """The folder in which the files lie that a format writes."""
    places = set()
    for name, content in FORMATS[format].write(weights_of(sae)).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        places.add(file.parent)
    (place,) = places
    return place


def at_a_distance(sae, x):
    """Rows of which no pre-activation is nearer than 1e-3 to being chosen otherwise.

    What is folded differs in the last bit, which must not decide whether a feature is active.
    """
    h, own = sae.pre_acts(x), sae.architecture
    by = h.abs() if own.name == "abstopk" else h
    gaps = [(by[:, :, None] - by[:, None, :]).abs() + torch.eye(sae.d_sae)]
    gaps += [(h - own.threshold).abs()] if "threshold" in own.TENSORS else []
    gaps += [(h + own.b_gate).abs()] if "b_gate" in own.TENSORS else []
    return x[torch.stack([gap.flatten(1).min(1).values for gap in gaps]).min(0).values > 1e-3]


def demand_same(found, sae, x):
    """Z and x_hat to 1e-6 of how large they are."""
    x = at_a_distance(sae, x)
    if not len(x):
        return
    z, again = sae.encode(x), found.encode(x)
    size = float(sae.pre_acts(x).abs().max()) + float(x.abs().max())
    torch.testing.assert_close(again, z, rtol=1e-6, atol=2e-6 * size)
    x_hat = sae.decode(z)
    torch.testing.assert_close(found.decode(again), x_hat, rtol=1e-6, atol=1e-5 * size)


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_as_the_same_sae(format, square):
    """Law: read(write(sae)) gives the same z and x_hat, whatever the architecture held."""

    @given(random_sae(names=tuple(HOLDS[format]), square=square), st.data())
    def law(sae, data):
        sae = replace(sae, layer=14, position=3)
        with TemporaryDirectory() as folder:
            found = FORMATS[format].read(written(format, sae, Path(folder)))
        kind = sae.architecture.name
        assert found.architecture == BECOMES.get((format, kind), kind)
        assert (found.layer, found.position) == (14, 3)
        demand_same(sae_of(found, "it"), sae, data.draw(activations(d_in=sae.d_in)))

    law()


def test_every_architecture_has_a_format_and_every_refusal_its_reason():
    for architecture in ALL_ARCHITECTURES:
        assert any(architecture in held for held in HOLDS.values())
    assert HOLDS["seed"] == ["abstopk"]
    assert HOLDS["sparsify"] == ["groupmax", "topk"]
    assert HOLDS["saelens"] == [each for each in ALL_ARCHITECTURES if each != "groupmax"]


@given(random_sae(), st.sampled_from(sorted(FORMATS)))
def test_what_a_format_cannot_hold_it_refuses_with_the_reason(sae, format):
    """Law: it is either written, or refused with the reason that `check` gives too."""
    reason = CANNOT[format].get(sae.architecture.name)
    if reason is None:
        assert FORMATS[format].write(weights_of(sae))
        return
    with pytest.raises(StudyError) as refused:
        FORMATS[format].write(weights_of(sae))
    assert str(refused.value) == (
        f"{format} cannot hold an SAE of architecture {sae.architecture.name!r}: {reason}; "
        "write it in another format"
    )


@given(random_sae(), st.sampled_from(sorted(FORMATS)))
def test_bytes_repeat(sae, format):
    """Law: the same SAE is written as the same bytes, so that an artifact's digest repeats."""
    if sae.architecture.name in HOLDS[format]:
        first, second = (FORMATS[format].write(weights_of(sae)) for _ in range(2))
        assert first == second


# The tools' own formulas, on what is written


def made(kind, pre_bias, d_in=6, d_sae=10):
    """An SAE of that architecture in which every tensor counts."""
    cls = ARCHITECTURES[kind]
    own = {"k": 5 if kind == "groupmax" else 3, "group_sizes": (2, d_sae - 2)}
    names = {field.name for field in fields(cls)}
    given = {name: value for name, value in own.items() if name in names}
    for name, of in cls.TENSORS.items():
        found = layouts.drawn(7, t=(d_sae,) if of else ())["t"]
        given[name] = found.abs() + 0.1 if name == "threshold" else found
    tensors = layouts.drawn(3, W_enc=(d_in, d_sae), b_enc=(d_sae,), W_dec=(d_sae, d_in),
                            b_dec=(d_in,))  # fmt: skip
    architecture = cls(pre_bias=pre_bias, **given)
    return SAE(**tensors, architecture=architecture, layer=14, position=3)


def demand_oracle(sae, oracle):
    """The tool computes of the written tensors what ours does."""
    x = at_a_distance(sae, layouts.rows(6, n=40))
    assert len(x) > 10
    z, x_hat = oracle(x)
    torch.testing.assert_close(sae.encode(x), z, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sae.decode(sae.encode(x)), x_hat, rtol=1e-5, atol=1e-5)
    assert (z != 0).any()


@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize("kind", HOLDS["saelens"])
def test_saelens_computes_the_same(kind, pre_bias):
    sae = made(kind, pre_bias)
    files = FORMATS["saelens"].write(weights_of(sae))
    config, tensors = json.loads(files["cfg.json"]), load(files["sae_weights.safetensors"])
    demand_oracle(sae, lambda x: layouts.lens(x, tensors, config))
    assert config["metadata"]["sae_lens_version"] >= "6"
    assert config["metadata"]["hook_name"] == "blocks.14.hook_resid_post"
    keys = set(layouts.lens_tensors(6, 10, config["architecture"]))
    assert tensors.keys() == keys


@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize("kind", HOLDS["sparsify"])
def test_sparsify_computes_the_same(kind, pre_bias):
    sae = made(kind, pre_bias)
    files = FORMATS["sparsify"].write(weights_of(sae))
    assert {Path(name).parent.name for name in files} == {"layers.14"}
    config = json.loads(files["layers.14/cfg.json"])
    tensors = load(files["layers.14/sae.safetensors"])
    demand_oracle(sae, lambda x: layouts.sparsify(x, tensors, config))
    assert tensors.keys() == layouts.sparsify_tensors(6, 10).keys()


@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize("kind", HOLDS["dictionary-learning"])
def test_dictionary_learning_computes_the_same(kind, pre_bias):
    sae = made(kind, pre_bias)
    files = FORMATS["dictionary-learning"].write(weights_of(sae))
    config = json.loads(files["config.json"])
    tensors = torch.load(io.BytesIO(files["ae.pt"]), weights_only=True)
    dict_class = config["trainer"]["dict_class"]
    demand_oracle(sae, lambda x: layouts.dictionary(x, tensors, dict_class))
    expected = layouts.dictionary_tensors(dict_class, 6, 10)
    assert {k: (t.shape, t.dtype) for k, t in tensors.items()} == {
        k: (t.shape, t.dtype) for k, t in expected.items()
    }
    assert "buffer" in config, "SAELens' loader of these files asks for it"


@pytest.mark.parametrize("pre_bias", [True, False])
def test_the_seeds_script_computes_the_same(pre_bias):
    sae = made("abstopk", pre_bias)
    loaded = torch.load(io.BytesIO(FORMATS["seed"].write(weights_of(sae))["sae.pt"]),
                        weights_only=True)  # fmt: skip
    k = loaded["config"]["k"]
    demand_oracle(sae, lambda x: layouts.seeds(x, loaded["model_state_dict"], k))


def test_tensors_in_a_file_are_contiguous_and_apart(tmp_path):
    place = written("sparsify", made("topk", True), tmp_path)
    tensors = load_file(place / "sae.safetensors")
    assert all(tensor.is_contiguous() for tensor in tensors.values())
