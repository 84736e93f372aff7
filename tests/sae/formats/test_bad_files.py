"""Bad files: each is one line that names file, key and cure, and nothing of it is ever run."""

import json
import os
import pickle
import zipfile

import layouts
import pytest
import torch
from safetensors.torch import save_file

from studyrun import CheckScope, NoParams, StudyError
from studyrun_sae.formats.auto import Auto
from studyrun_sae.formats.dictionary_learning import DictionaryLearning
from studyrun_sae.formats.seed import Seed
from studyrun_sae.loading import check_load
from studyrun_sae.params import DictionaryLearning as DictionaryParams
from studyrun_sae.params import SaeLoad

SITE = {"layer": 14, "position": 3}


def refused(path, format=None):
    """The one line with which it is refused."""
    with pytest.raises(StudyError) as error:
        (format or Auto(NoParams())).read(path)
    text = str(error.value)
    assert "\n" not in text
    assert "; " in text, "there is a cure"
    return text


def told_by_check(path):
    """What `check` says, which reads no tensor."""
    return [fault.message for fault in check_load(SaeLoad(str(path), **SITE), CheckScope())]


def lens(folder, change=lambda tensors, config: None, architecture="topk", **more):
    tensors = layouts.lens_tensors(6, 10, architecture)
    config = layouts.lens_config(6, 10, architecture, k=3, **more)
    change(tensors, config)
    return layouts.write_lens(folder, tensors, config)


def sparse(folder, change=lambda tensors, config: None):
    tensors, config = (
        layouts.sparsify_tensors(6, 10),
        layouts.sparsify_config(6, num_latents=10, k=3),
    )
    change(tensors, config)
    return layouts.write_sparsify(folder, tensors, config)


def theirs(folder, change=lambda tensors, config: None, dict_class="BatchTopKSAE"):
    tensors = layouts.dictionary_tensors(dict_class, 6, 10)
    config = layouts.dictionary_config(dict_class, 6, 10, k=3)
    change(tensors, config)
    return layouts.write_dictionary(folder, tensors, config)


# Bytes


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
@pytest.mark.parametrize("write", [lens, sparse])
def test_a_truncated_safetensors_file(tmp_path, write, share):
    folder = write(tmp_path)
    (file,) = folder.glob("*.safetensors")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    text = refused(folder)
    assert text.startswith(f"{file}: is no complete safetensors file (")
    assert text.endswith("; copy the file again")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_pt_file(tmp_path, share):
    file = layouts.seed_file(tmp_path / "sae.pt", layouts.seed_state(6, 10))
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    text = refused(file)
    assert text.startswith(f"{file}: is no complete file of torch.save (")
    assert text.endswith("; copy the file again")


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("where", ["whole", "beside", "inside"])
@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_named_and_does_not_run(tmp_path, where, legacy):
    """Trap F1. The same file, unpickled, does run it."""
    mark, file = tmp_path / "it ran", tmp_path / "sae.pt"
    bomb, whole = Bomb(mark), {"model_state_dict": layouts.seed_state(6, 10), "config": {}}
    hostile = {
        "whole": bomb,
        "beside": {**whole, "metrics": bomb},
        "inside": {**whole, "model_state_dict": {**whole["model_state_dict"], "x": bomb}},
    }[where]
    torch.save(hostile, file, _use_new_zipfile_serialization=not legacy)
    text = refused(file)
    assert not mark.exists()
    assert text == (
        f"{file}: names posix.mkdir, which is code and no tensor (nothing of it was run); "
        "get it as tensors, numbers and text alone, best as safetensors"
    )
    torch.load(file, weights_only=False)
    assert mark.exists()


def test_a_plain_pickle_with_code_does_not_run_either(tmp_path):
    mark, file = tmp_path / "it ran", tmp_path / "sae.pt"
    file.write_bytes(pickle.dumps({"model_state_dict": Bomb(mark)}))
    assert str(file) in refused(file)
    assert not mark.exists()


# Tensors


@pytest.mark.parametrize(
    ("write", "key", "config"),
    [(lens, "W_dec", "cfg.json"), (sparse, "encoder.weight", "cfg.json"),
     (theirs, "decoder.weight", "config.json")],
)  # fmt: skip
def test_wrong_shapes(tmp_path, write, key, config):
    def turn(tensors, _):
        tensors[key] = tensors[key].T.contiguous()

    text = refused(write(tmp_path, turn))
    wide, high = (10, 6) if key in ("W_dec", "encoder.weight") else (6, 10)
    assert text.endswith(
        f": {key} is ({high}, {wide}), which is it transposed, not ({wide}, {high}) as {config} "
        f"says; the file and {config} do not belong together"
    )

    def cut(tensors, _):
        tensors[key] = tensors[key][:5]

    assert f"{key} is (5, {high}), not ({wide}, {high})" in refused(write(tmp_path, cut))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("write", "key"), [(lens, "W_enc"), (sparse, "b_dec"), (theirs, "encoder.bias")]
)
def test_weights_that_are_no_numbers(tmp_path, write, key, value):
    def damage(tensors, _):
        tensors[key].view(-1)[1] = value

    folder = write(tmp_path, damage)
    size = 60 if key == "W_enc" else 6 if key == "b_dec" else 10
    assert refused(folder).endswith(
        f": {key} has 1 of {size} values that are not finite; "
        "train it again, or take an earlier checkpoint"
    )


@pytest.mark.parametrize(
    ("write", "key"),
    [(lens, "b_enc"), (sparse, "W_dec"), (theirs, "threshold"), (theirs, "k")],
)
def test_a_missing_key(tmp_path, write, key):
    text = refused(write(tmp_path, lambda tensors, _: tensors.pop(key)))
    assert f": has no key {key!r}; it has " in text
    assert text.endswith(" do not belong together")


def test_a_key_that_nobody_knows_is_not_passed_over(tmp_path):
    """What it does to the activations is not known: an affine skip, a scale, a mask."""

    def more(tensors, _):
        tensors["W_skip"] = torch.eye(6)

    for number, write in enumerate((lens, sparse, theirs)):
        text = refused(write(tmp_path / str(number), more))
        assert "has keys that this SAE does not: W_skip" in text


def transposed(d=24, norms="any"):
    """A square SAE whose encoder points along its decoder rows, the decoder turned."""
    W_dec = layouts.drawn(2, W=(d, d))["W"]
    if norms == "unit":
        W_dec = W_dec / W_dec.norm(dim=1, keepdim=True)
    W_enc = (W_dec + 0.3 * layouts.drawn(3, W=(d, d))["W"]).T
    return W_enc.contiguous(), W_dec.T.contiguous()


@pytest.mark.parametrize("norms", ["any", "unit"])
def test_a_transposed_square_decoder_of_somebody_elses(tmp_path, norms):
    """Trap F10. Shapes cannot tell; norms of 1, or the encoder's directions, can."""
    W_enc, turned = transposed(norms=norms)
    d = len(turned)
    more = layouts.drawn(4, b_enc=(d,), b_dec=(d,))
    config = layouts.lens_config(d, d, "topk", k=3)
    folder = layouts.write_lens(tmp_path, {**more, "W_enc": W_enc, "W_dec": turned}, config)
    why = {
        "any": "the encoder points along its other axis (cosine ",
        "unit": "norm 1 is not that of its features, but of its other axis",
    }[norms]
    text = refused(folder)
    assert f"W_dec is transposed: {why}" in text
    assert text.endswith("; transpose it")
    right = {**more, "W_enc": W_enc, "W_dec": turned.T.contiguous()}
    assert Auto(NoParams()).read(layouts.write_lens(tmp_path, right, config))


def test_a_square_decoder_whose_axes_cannot_be_told_apart_is_taken_as_it_is(tmp_path):
    d = 24
    config = layouts.lens_config(d, d, "topk", k=3)
    folder = layouts.write_lens(tmp_path, layouts.lens_tensors(d, d), config)
    assert Auto(NoParams()).read(folder)


# Configurations; `check` tells of them without reading a tensor


def set_in(*path, value):
    def change(_, config):
        for name in path[:-1]:
            config = config[name]
        config[path[-1]] = value

    return change


def without(name):
    return lambda _, config: config.pop(name)


LENS = {
    "k": (
        set_in("k", value=11),
        "k is 11, but there are d_sae = 10 features; one of the two is wrong",
    ),
    "no k": (without("k"), "has no k, which topk needs; write it into the file"),
    "no d_in": (
        without("d_in"),
        "Object missing required field `d_in`; is it a configuration of SAELens?",
    ),
    "half a k": (
        set_in("k", value=3.5),
        "k is 3.5, of which every row would have so many; write a whole number",
    ),
    "widths": (
        lambda _, config: config.update(
            architecture="matryoshka_batchtopk", matryoshka_widths=[5, 2]
        ),
        "matryoshka_widths are [5, 2], which do not grow up to d_sae = 10; correct them",
    ),
    "text": (
        set_in("d_sae", value="many"),
        "Expected `int`, got `str` - at `d_sae`; is it a configuration of SAELens?",
    ),
    "architecture": (
        set_in("architecture", value="sigmoid"),
        "unknown architecture 'sigmoid'; known are standard, topk, abstopk, jumprelu, "
        "gated, batchtopk, matryoshka_batchtopk",
    ),
    "transcoder": (
        set_in("architecture", value="jumprelu_skip_transcoder"),
        "architecture 'jumprelu_skip_transcoder' cannot be read: it predicts another "
        "place than it reads, so its decoder is no direction there; use another SAE",
    ),
    "pursuit": (
        set_in("architecture", value="matching_pursuit"),
        "architecture 'matching_pursuit' cannot be read: its features are chosen one "
        "after the other, each from what is left; use another SAE",
    ),
    "heads": (
        set_in("reshape_activations", value="hook_z"),
        "it reads the heads of hook_z, which are no residual stream; use an SAE of a "
        "hook_resid_post",
    ),
    "layer norm": (
        set_in("normalize_activations", value="layer_norm"),
        "normalize_activations 'layer_norm' cannot be folded: every row is scaled by its "
        "own standard deviation; use an SAE trained without it",
    ),
    "row norm": (
        set_in("normalize_activations", value="constant_norm_rescale"),
        "normalize_activations 'constant_norm_rescale' cannot be folded: every row is "
        "scaled by its own norm; use an SAE trained without it",
    ),
    "scaler": (
        set_in("normalize_activations", value="expected_average_only_in"),
        "normalize_activations is expected_average_only_in, and there is no "
        "activation_scaler.json with the factor; fold it with SAELens' "
        "fold_activation_norm_scaling_factor, or add the file",
    ),
    "old normalization": (
        lambda _, config: config.update(
            metadata={},
            activation_fn="topk",
            activation_fn_kwargs={"k": 3},
            normalize_activations=True,
        ),
        "normalize_activations is expected_average_only_in, and there is no "
        "activation_scaler.json with the factor; fold it with SAELens' "
        "fold_activation_norm_scaling_factor, or add the file",
    ),
    "old activation": (
        lambda _, config: config.update(
            metadata={}, architecture="standard", activation_fn_str="tanh-relu"
        ),
        "activation_fn 'tanh-relu' is none that can be computed here; relu and topk are",
    ),
    "old heads": (
        lambda _, config: config.update(
            metadata={},
            architecture="standard",
            hook_point="blocks.3.attn.hook_z",
            reshape_activations=None,
        ),
        "it reads the heads of hook_z, which are no residual stream; use an SAE of a "
        "hook_resid_post",
    ),
}
SPARSIFY = {
    "k": (set_in("k", value=11), "k is 11, but there are 10 latents; one of the two is wrong"),
    "skip": (
        set_in("skip_connection", value=True),
        "skip_connection is true: its output is not made of its decoder's directions "
        "alone; use an SAE without it",
    ),
    "transcode": (
        set_in("transcode", value=True),
        "transcode is true: its output is not made of its decoder's directions alone; "
        "use an SAE without it",
    ),
    "activation": (
        set_in("activation", value="relu"),
        "unknown activation 'relu'; known are topk, groupmax",
    ),
    "groups": (
        lambda _, config: config.update(activation="groupmax", k=3),
        "10 latents are no 3 groups of one size; k or num_latents is wrong",
    ),
}
THEIRS = {
    "k": (
        set_in("trainer", "k", value=11),
        "k is 11, but dict_size is 10; one of the two is wrong",
    ),
    "class": (
        set_in("trainer", "dict_class", value="CrossCoder"),
        "unknown dict_class 'CrossCoder'; known are AutoEncoder, AutoEncoderNew, "
        "GatedAutoEncoder, JumpReluAutoEncoder, AutoEncoderTopK, BatchTopKSAE, "
        "MatryoshkaBatchTopKSAE",
    ),
    "no trainer": (
        without("trainer"),
        "Object missing required field `trainer`; is it a configuration of dictionary_learning?",
    ),
}
CONFIGS = [
    *((lens, "cfg.json", LENS[each]) for each in LENS),
    *((sparse, "cfg.json", SPARSIFY[each]) for each in SPARSIFY),
    *((theirs, "config.json", THEIRS[each]) for each in THEIRS),
]


@pytest.mark.parametrize(
    ("write", "name", "case"), CONFIGS, ids=[*LENS, *SPARSIFY, *(f"dict {each}" for each in THEIRS)]
)
def test_a_configuration_that_cannot_be_used(tmp_path, write, name, case):
    change, expected = case
    folder = write(tmp_path, change)
    assert refused(folder) == f"{folder / name}: {expected}"
    assert told_by_check(folder) == [f"{folder / name}: {expected}"]


@pytest.mark.parametrize(
    ("write", "name", "tool"),
    [(lens, "cfg.json", "SAELens"), (sparse, "cfg.json", "sparsify"),
     (theirs, "config.json", "dictionary_learning")],
)  # fmt: skip
def test_a_configuration_that_is_no_json(tmp_path, write, name, tool):
    folder = write(tmp_path)
    (folder / name).write_text("{'k': 3}")
    text = refused(folder)
    assert text.startswith(f"{folder / name}: is not JSON (")
    assert text.endswith(f"); save the SAE again with {tool}")
    assert told_by_check(folder) == [text]
    (folder / name).unlink()
    text = f"{folder / name}: cannot be read (No such file or directory); a {tool} SAE has it"
    assert refused(folder) == text
    assert told_by_check(folder) == [text]


@pytest.mark.parametrize("threshold", [-1.0, 0.0])
@pytest.mark.parametrize("dict_class", ["BatchTopKSAE", "MatryoshkaBatchTopKSAE"])
def test_a_threshold_that_was_never_learnt(tmp_path, dict_class, threshold):
    """Trap M4: before step 1000 it is -1, with which everything positive would be active."""

    def unset(tensors, _):
        tensors["threshold"] = torch.tensor(threshold)

    assert refused(theirs(tmp_path, unset, dict_class)).endswith(
        f"/ae.pt: threshold is {threshold:g}, with which it would be a dense ReLU; "
        "it is learnt from step 1000 on; take a later checkpoint"
    )


def test_a_topk_sae_needs_no_threshold_unless_it_is_asked_for(tmp_path):
    def unset(tensors, _):
        tensors["threshold"] = torch.tensor(-1.0)

    folder = theirs(tmp_path, unset, "AutoEncoderTopK")
    assert Auto(NoParams()).read(folder).architecture == "topk"
    assert "threshold is -1" in refused(
        folder, DictionaryLearning(DictionaryParams(use_threshold=True))
    )


def test_saelens_thresholds_that_were_never_learnt(tmp_path):
    def unset(tensors, _):
        tensors["topk_threshold"] = torch.tensor(0.0, dtype=torch.float64)

    folder = lens(tmp_path, unset, "batchtopk")
    assert "topk_threshold is 0, with which it would be a dense ReLU; it was saved" in refused(
        folder
    )


def test_old_factors_that_are_not_1(tmp_path):
    def scaled(tensors, _):
        tensors["scaling_factor"] = torch.full((10,), 2.0)

    assert "scaling_factor is not 1: a fine-tuned SAE of before version 6" in refused(
        lens(tmp_path, scaled)
    )


@pytest.mark.parametrize(
    "scaler", [{"scaling_factor": None}, {"scaling_factor": 2.0, "has_whitening": True}]
)
def test_a_scaler_without_a_factor(tmp_path, scaler):
    folder = lens(tmp_path, set_in("normalize_activations", value="expected_average_only_in"))
    (folder / "activation_scaler.json").write_text(json.dumps(scaler))
    assert refused(folder) == (
        f"{folder}/activation_scaler.json: holds no scaling_factor alone; "
        "fold it with SAELens before saving"
    )


def copied_twice(file):
    """A safetensors header with one key twice, of which readers take the last."""
    whole = file.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    header = whole[8:end].rstrip()
    header = header[:-1] + b"," + header[1:]
    file.write_bytes(len(header).to_bytes(8, "little") + header + whole[end:])


def deflated(file):
    """The archive of torch.save, compressed: what it unpacks to, its size does not say."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def put(key, make):
    return lambda tensors, _: tensors.update({key: make(tensors[key])})


HOSTILE = {
    "float64": (put("W_enc", lambda t: t.double() * 1e200), "60 of 60 values that are not finite"),
    "float8": (put("W_enc", lambda t: t.to(torch.float8_e5m2)), "without a scale"),
    "int8": (put("W_enc", lambda t: t.to(torch.int8)), "without a scale"),
    "complex": (put("W_enc", lambda t: t.to(torch.complex64)), "no tensor of real numbers"),
    "sparse": (put("W_enc", lambda t: t.to_sparse()), "no tensor of real numbers, but sparse_coo"),
    "no numbers": (put("W_enc", lambda t: t.to("meta")), "has no numbers, but a shape alone"),
    "a petabyte": (
        put("W_enc", lambda _: torch.zeros(1).as_strided((1 << 24, 1 << 24), (0, 0))),
        "repeats 4 bytes as (16777216, 16777216)",
    ),
    "zeros": (put("W_dec", torch.zeros_like), "W_dec is 0 everywhere: it was never filled"),
    "k": (put("k", lambda _: torch.tensor(3.5)), "k is 3.5: whole numbers above 0 are needed"),
    "groups": (
        put("group_sizes", lambda _: torch.tensor([-2, 12])),
        "group_sizes is -2, 12: whole numbers above 0 are needed",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_tensors_that_are_not_what_they_seem(tmp_path, name):
    """Law: what is no plain array of finite numbers is refused before anything is made of it."""
    change, expected = HOSTILE[name]
    text = refused(theirs(tmp_path, change, "MatryoshkaBatchTopKSAE"))
    assert text.startswith(f"{tmp_path}/ae.pt: ")
    assert expected in text.replace("the decoder", "W_dec")


@pytest.mark.parametrize(
    ("write", "file", "change", "expected"),
    [
        (sparse, "sae.safetensors", copied_twice, "' stands there twice"),
        (theirs, "ae.pt", deflated, "compressed, as torch.save never writes it; save it again"),
        (sparse, "cfg.json", lambda file: file.write_text("[" * 99_999), "is nested too deeply"),
        (sparse, "cfg.json", lambda file: file.write_text('{"k": 3, "k": 4}'), "key 'k' stands"),
        (sparse, "cfg.json", lambda file: file.write_bytes(b'{"k": "\xff"}'), "is not JSON ("),
        (
            lens,
            "cfg.json",
            lambda file: file.write_text(file.read_text().replace('"k": 3', '"k": Infinity')),
            "k is inf, but there are d_sae = 10 features",
        ),
    ],
)
def test_files_that_would_read_as_something_else(tmp_path, write, file, change, expected):
    folder = write(tmp_path)
    change(folder / file)
    text = refused(folder)
    assert text.startswith(f"{folder / file}: ")
    assert expected in text


@pytest.mark.parametrize("threshold", [-1.0, 0.0, float("nan")])
@pytest.mark.parametrize("write", [lens, theirs])
def test_thresholds_of_features_that_were_never_learnt(tmp_path, write, threshold):
    def unset(tensors, _):
        tensors["threshold"][:] = threshold

    kind = "jumprelu" if write is lens else "JumpReluAutoEncoder"
    text = refused(write(tmp_path, unset, kind))
    assert any(f"/{name}: threshold " in text for name in ("sae_weights.safetensors", "ae.pt"))

    def some(tensors, _):
        tensors["threshold"][:4] = -1

    assert "threshold is -1 for 4 of 10 features" in refused(write(tmp_path, some, kind))


@pytest.mark.parametrize("factor", ["NaN", "Infinity", "-2", "1e39"])
def test_a_scaler_by_which_nothing_can_be_multiplied(tmp_path, factor):
    folder = lens(tmp_path, set_in("normalize_activations", value="expected_average_only_in"))
    (folder / "activation_scaler.json").write_text(f'{{"scaling_factor": {factor}}}')
    assert "activation_scaler.json: scaling_factor is " in refused(folder)


def test_a_folder_with_two_saes_does_not_choose(tmp_path):
    lens(tmp_path)
    theirs(tmp_path)
    assert refused(tmp_path) == (
        f"{tmp_path}: holds SAEs of several formats: saelens, dictionary-learning; "
        "name one of them with `format`"
    )
    assert Auto(NoParams()).read(tmp_path / "sae_weights.safetensors").architecture == "topk"
    assert Auto(NoParams()).read(tmp_path / "ae.pt").architecture == "batchtopk"


# The seed's


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda whole: whole.pop("config"),
            "has no key 'config'; it has model_state_dict; is it another",
        ),
        (
            lambda whole: whole.pop("model_state_dict"),
            "has no key 'model_state_dict'; it has config",
        ),
        (lambda whole: whole["config"].update(k=11), "config: k is 11, but latent_dim is 10"),
        (lambda whole: whole["config"].pop("k"), "config: Object missing required field `k`"),
        (lambda whole: whole["model_state_dict"].pop("decoder.bias"), "has no key 'decoder.bias'"),
        (
            lambda whole: whole.update(model_state_dict=[1]),
            "model_state_dict is no mapping of names",
        ),
    ],
)
def test_seed_files_that_lack_something(tmp_path, change, expected):
    config = {"input_dim": 6, "latent_dim": 10, "k": 3, "position": 3, "layer": 14}
    whole = {"model_state_dict": layouts.seed_state(6, 10), "config": config}
    change(whole)
    file = tmp_path / "sae.pt"
    torch.save(whole, file)
    text = refused(file, Seed(NoParams()))
    assert text.startswith(f"{file}: {expected}")


# Where nothing is


def test_a_folder_without_any_sae_says_what_would_be_one(tmp_path):
    text = refused(tmp_path)
    assert text == (
        f"{tmp_path}: holds no SAE of a known format; saelens has sae_weights.safetensors, "
        "sparsify has sae.safetensors, dictionary-learning has ae.pt, seed is one .pt file; "
        "name any other with `format`"
    )
    assert told_by_check(tmp_path) == [text]
    sparse(tmp_path / "layers.3")
    sparse(tmp_path / "layers.5")
    assert "format (but layers.3, layers.5 in it do)" in refused(tmp_path)


def test_a_path_that_does_not_exist(tmp_path):
    file = tmp_path / "nowhere"
    text = f"{file}: there is no such file or folder; paths are relative to the study"
    assert told_by_check(file) == [text]


def test_a_named_format_asks_for_its_own_files(tmp_path):
    folder = lens(tmp_path)
    faults = check_load(SaeLoad(str(folder), {"use": "sparsify", "with": {}}, **SITE), CheckScope())
    (fault,) = faults
    assert fault.path == ("path",)
    assert "there is no sae.safetensors" in fault.message


def test_integers_are_no_weights_but_are_read_as_numbers(tmp_path):
    """A tool that saved zeros as integers is no reason to refuse."""
    config = layouts.sparsify_config(6, num_latents=10, k=3)
    tensors = layouts.sparsify_tensors(6, 10) | {"b_dec": torch.zeros(6, dtype=torch.int64)}
    save = layouts.write_sparsify(tmp_path, tensors, config)
    assert Auto(NoParams()).read(save).tensors["b_dec"].dtype == torch.float32
    save_file({**tensors, "b_dec": torch.zeros(6, dtype=torch.complex64)}, save / "sae.safetensors")
    assert "b_dec is no tensor of real numbers" in refused(save)
