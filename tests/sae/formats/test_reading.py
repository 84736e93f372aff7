"""What is read computes what the tool computes: every format, every architecture, by value."""

import json

import layouts
import pytest
import torch

from studyrun import NoParams
from studyrun_sae.formats.auto import Auto
from studyrun_sae.formats.dictionary_learning import DictionaryLearning
from studyrun_sae.formats.saelens import SaeLens
from studyrun_sae.formats.seed import Seed
from studyrun_sae.formats.sparsify import Sparsify
from studyrun_sae.neutral import sae_of
from studyrun_sae.params import DictionaryLearning as DictionaryParams

SHAPES = [(6, 10), (8, 8)]
"""(d_in, d_sae); where they are equal, a wrong orientation shows in values alone."""


def read(format, path):
    return sae_of(format.read(path), str(path))


def demand_same(sae, x, expected):
    """Z and x_hat are those of the oracle."""
    z, x_hat = expected
    torch.testing.assert_close(sae.encode(x), z, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sae.decode(sae.encode(x)), x_hat, rtol=1e-5, atol=1e-5)
    assert (z != 0).any()
    assert (z == 0).any()


# SAELens


@pytest.mark.parametrize("apply_b_dec", [True, False])
@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ("standard", {}),
        ("topk", {"k": 3}),
        ("topk", {"k": 3, "rescale_acts_by_decoder_norm": True}),
        ("abstopk", {"k": 3}),
        ("abstopk", {"k": 3, "rescale_acts_by_decoder_norm": True}),
        ("jumprelu", {}),
        ("gated", {}),
        ("batchtopk", {"k": 2.5}),
        ("batchtopk", {"k": 2.5, "rescale_acts_by_decoder_norm": True}),
        ("matryoshka_batchtopk", {"k": 3, "matryoshka_widths": [2, 5]}),
    ],
)
def test_saelens(tmp_path, architecture, more, d_in, d_sae, apply_b_dec):
    tensors = layouts.lens_tensors(d_in, d_sae, architecture)
    config = layouts.lens_config(
        d_in, d_sae, architecture, apply_b_dec_to_input=apply_b_dec, **more
    )
    sae = read(SaeLens(NoParams()), layouts.write_lens(tmp_path / "sae", tensors, config))
    x = layouts.rows(d_in)
    demand_same(sae, x, layouts.lens(x, tensors, config))


def test_saelens_groups_are_the_steps_between_its_widths(tmp_path):
    tensors = layouts.lens_tensors(6, 10, "matryoshka_batchtopk")
    config = layouts.lens_config(6, 10, "matryoshka_batchtopk", k=3, matryoshka_widths=[2, 5, 10])
    found = SaeLens(NoParams()).read(layouts.write_lens(tmp_path, tensors, config))
    assert found.settings["group_sizes"] == [2, 3, 5]


@pytest.mark.parametrize("rescale", [False, True])
def test_saelens_scale_of_the_input_is_folded(tmp_path, rescale):
    """A checkpoint trained on s * x, given x: x_hat is that of s * x divided by s."""
    tensors, scale = layouts.lens_tensors(6, 10), 2.5
    config = layouts.lens_config(6, 10, "topk", k=3, rescale_acts_by_decoder_norm=rescale)
    trained_on = config | {"normalize_activations": "expected_average_only_in"}
    folder = layouts.write_lens(tmp_path, tensors, trained_on)
    scaler = {"scaling_factor": scale, "has_whitening": False}
    (folder / "activation_scaler.json").write_text(json.dumps(scaler))
    x = layouts.rows(6)
    z, x_hat = layouts.lens(x * scale, tensors, config)
    sae = read(SaeLens(NoParams()), folder)
    # W_dec /= s shrinks the norms that activations are multiplied with
    demand_same(sae, x, (z / scale if rescale else z, x_hat / scale))


def test_saelens_scale_of_the_input_moves_a_threshold_of_rescaled_activations(tmp_path):
    """SAELens #763: what the threshold is compared with has shrunk by s, so it shrinks too."""
    tensors, scale = layouts.lens_tensors(6, 10, "batchtopk"), 2.5
    config = layouts.lens_config(6, 10, "batchtopk", k=3, rescale_acts_by_decoder_norm=True)
    trained_on = config | {"normalize_activations": "expected_average_only_in"}
    folder = layouts.write_lens(tmp_path, tensors, trained_on)
    (folder / "activation_scaler.json").write_text(json.dumps({"scaling_factor": scale}))
    x = layouts.rows(6)
    z, x_hat = layouts.lens(x * scale, tensors, config)
    demand_same(read(SaeLens(NoParams()), folder), x, (z / scale, x_hat / scale))


@pytest.mark.parametrize(
    "old",
    [
        {"architecture": "standard", "activation_fn_str": "relu"},
        {"activation_fn": "relu"},
        {"architecture": "standard", "activation_fn_str": "topk",
         "activation_fn_kwargs": {"k": 3}},
        {"architecture": "jumprelu", "activation_fn_str": "relu"},
        {"architecture": "gated", "activation_fn_str": "relu"},
    ],
)  # fmt: skip
def test_saelens_of_before_version_6(tmp_path, old):
    """No metadata; names that changed, keys that nobody knows any more."""
    is_topk = "topk" in str(old)
    kind = "topk" if is_topk else old.get("architecture", "standard")
    tensors = layouts.lens_tensors(6, 10, kind)
    config = {"d_in": 6, "d_sae": 10, "hook_point": "blocks.4.hook_resid_post", "hook_layer": 4,
              "model_name": "gpt2-small", "normalize_activations": False, "lr": 1e-3,
              "apply_b_dec_to_input": True, "finetuning_scaling_factor": False, **old}  # fmt: skip
    written = {**tensors, "scaling_factor": torch.ones(10)}
    found = SaeLens(NoParams()).read(layouts.write_lens(tmp_path, written, config))
    assert (found.layer, found.origin["model"]) == (4, "gpt2-small")
    x = layouts.rows(6)
    oracle = config | {"architecture": kind, "k": 3}
    demand_same(sae_of(found, "it"), x, layouts.lens(x, tensors, oracle))


@pytest.mark.parametrize(
    ("hook", "layer"),
    [
        ("blocks.8.hook_resid_post", 8),
        ("blocks.8.hook_resid_pre", 7),
        ("blocks.0.hook_resid_pre", None),
        ("model.layers.12", 12),
        ("blocks.8.hook_mlp_out", None),
        ("blocks.8.attn.hook_k", None),
    ],
)
def test_saelens_hooks_are_layers_where_they_are_the_stream_after_a_block(tmp_path, hook, layer):
    config = layouts.lens_config(6, 10, "topk", k=3, metadata={"hook_name": hook})
    folder = layouts.write_lens(tmp_path, layouts.lens_tensors(6, 10), config)
    assert SaeLens(NoParams()).read(folder).layer == layer


# sparsify


@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize("more", [{"k": 3}, {"activation": "groupmax", "k": 2}])
def test_sparsify(tmp_path, more, d_in, d_sae):
    tensors = layouts.sparsify_tensors(d_in, d_sae)
    config = layouts.sparsify_config(d_in, num_latents=d_sae, **more)
    sae = read(Sparsify(NoParams()), layouts.write_sparsify(tmp_path / "h.5", tensors, config))
    x = layouts.rows(d_in)
    demand_same(sae, x, layouts.sparsify(x, tensors, config))
    assert sae.layer == 5


def test_sparsify_without_num_latents_has_as_many_as_the_expansion_says(tmp_path):
    tensors = layouts.sparsify_tensors(4, 12)
    config = layouts.sparsify_config(4, expansion_factor=3, k=2)
    sae = read(Sparsify(NoParams()), layouts.write_sparsify(tmp_path, tensors, config))
    assert (sae.d_in, sae.d_sae) == (4, 12)


def test_sparsify_in_half_precision_is_computed_in_single(tmp_path):
    tensors = {name: t.bfloat16() for name, t in layouts.sparsify_tensors(6, 10).items()}
    config = layouts.sparsify_config(6, num_latents=10, k=3)
    sae = read(Sparsify(NoParams()), layouts.write_sparsify(tmp_path, tensors, config))
    x, exact = layouts.rows(6), {name: t.float() for name, t in tensors.items()}
    demand_same(sae, x, layouts.sparsify(x, exact, config))


@pytest.mark.parametrize(
    ("folder", "layer"),
    [("layers.3", 3), ("h.11", 11), ("layers.3/seed1", 3), ("layers.3.mlp", None), ("x", None)],
)
def test_sparsify_folders_are_named_like_the_hook(tmp_path, folder, layer):
    config = layouts.sparsify_config(6, num_latents=10, k=3)
    path = layouts.write_sparsify(tmp_path / folder, layouts.sparsify_tensors(6, 10), config)
    assert Sparsify(NoParams()).read(path).layer == layer


# dictionary_learning

CLASSES = ["AutoEncoder", "AutoEncoderNew", "GatedAutoEncoder", "JumpReluAutoEncoder",
           "AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE"]  # fmt: skip


@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
@pytest.mark.parametrize("dict_class", CLASSES)
def test_dictionary_learning(tmp_path, dict_class, d_in, d_sae):
    tensors = layouts.dictionary_tensors(dict_class, d_in, d_sae)
    config = layouts.dictionary_config(dict_class, d_in, d_sae)
    folder = layouts.write_dictionary(tmp_path, tensors, config)
    sae, x = read(DictionaryLearning(DictionaryParams()), folder), layouts.rows(d_in)
    demand_same(sae, x, layouts.dictionary(x, tensors, dict_class))


def test_dictionary_learning_leaves_a_decoder_as_it_is_where_asked(tmp_path):
    tensors = layouts.dictionary_tensors("AutoEncoder", 6, 10)
    config = layouts.dictionary_config("AutoEncoder", 6, 10)
    folder = layouts.write_dictionary(tmp_path, tensors, config)
    sae = read(DictionaryLearning(DictionaryParams(normalize_decoder=False)), folder)
    x = layouts.rows(6)
    demand_same(sae, x, layouts.dictionary(x, tensors, "AutoEncoder", normalize=False))


def test_dictionary_learning_takes_the_threshold_where_asked(tmp_path):
    tensors = layouts.dictionary_tensors("AutoEncoderTopK", 6, 10)
    config = layouts.dictionary_config("AutoEncoderTopK", 6, 10, k=3)
    folder = layouts.write_dictionary(tmp_path, tensors, config)
    sae = read(DictionaryLearning(DictionaryParams(use_threshold=True)), folder)
    x = layouts.rows(6)
    demand_same(sae, x, layouts.dictionary(x, tensors, "AutoEncoderTopK", use_threshold=True))


def test_dictionary_learning_reads_checkpoints_with_the_configuration_above_them(tmp_path):
    tensors = layouts.dictionary_tensors("BatchTopKSAE", 6, 10)
    config = layouts.dictionary_config("BatchTopKSAE", 6, 10, layer=8, submodule_name="resid_post")
    layouts.write_dictionary(tmp_path, layouts.dictionary_tensors("BatchTopKSAE", 6, 10, 5), config)
    (tmp_path / "checkpoints").mkdir()
    file = tmp_path / "checkpoints/ae_2000.pt"
    torch.save(tensors, file)
    found = Auto(NoParams()).read(file)
    assert found.layer == 8
    x = layouts.rows(6)
    demand_same(sae_of(found, "it"), x, layouts.dictionary(x, tensors, "BatchTopKSAE"))


@pytest.mark.parametrize(
    ("trainer", "buffer", "layer"),
    [
        ({"layer": 8, "submodule_name": "resid_post_layer_8"}, {"io": "out"}, 8),
        ({"layer": 8}, None, 8),
        ({"layer": 8, "submodule_name": "mlp_out"}, {"io": "out"}, None),
        ({"layer": 8, "submodule_name": "resid_post_layer_8"}, {"io": "in"}, None),
        ({"submodule_name": "model.layers.9"}, {"io": "out"}, 9),
    ],
)
def test_dictionary_learning_says_its_layer(tmp_path, trainer, buffer, layer):
    config = layouts.dictionary_config("AutoEncoderNew", 6, 10, **trainer)
    config |= {"buffer": buffer} if buffer else {}
    tensors = layouts.dictionary_tensors("AutoEncoderNew", 6, 10)
    folder = layouts.write_dictionary(tmp_path, tensors, config)
    assert DictionaryLearning(DictionaryParams()).read(folder).layer == layer


# The seed's


@pytest.mark.parametrize(("d_in", "d_sae"), SHAPES)
def test_seed(tmp_path, d_in, d_sae):
    state = layouts.seed_state(d_in, d_sae)
    file = layouts.seed_file(tmp_path / "sae_layer14_pos3.pt", state)
    sae, x = read(Seed(NoParams()), file), layouts.rows(d_in)
    demand_same(sae, x, layouts.seeds(x, state, 3))
    assert (sae.layer, sae.position) == (14, 3)
    assert (sae.encode(x) < 0).any()


# Recognition


@pytest.mark.parametrize("inside", ["", "file"])
def test_files_are_recognised_by_their_names(tmp_path, inside):
    config = layouts.lens_config(6, 10, "topk", k=3)
    lens = layouts.write_lens(tmp_path / "lens", layouts.lens_tensors(6, 10), config)
    config = layouts.sparsify_config(6, num_latents=10, k=3)
    sparse = layouts.write_sparsify(tmp_path / "sparse", layouts.sparsify_tensors(6, 10), config)
    config = layouts.dictionary_config("AutoEncoderNew", 6, 10)
    tensors = layouts.dictionary_tensors("AutoEncoderNew", 6, 10)
    theirs = layouts.write_dictionary(tmp_path / "theirs", tensors, config)
    seed = layouts.seed_file(tmp_path / "sae.pt", layouts.seed_state(6, 10))
    if inside:
        lens, sparse = lens / "sae_weights.safetensors", sparse / "cfg.json"
        theirs = theirs / "ae.pt"
    found = [Auto(NoParams()).read(each).architecture for each in (lens, sparse, theirs, seed)]
    assert found == ["topk", "topk", "standard", "abstopk"]
