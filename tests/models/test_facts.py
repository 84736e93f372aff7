"""What is said of a model before it is loaded, and of one that cannot be."""

import dataclasses
import json
import shutil
import subprocess
import sys

import pytest

import tiny_models
from studyrun import Absent, CheckScope, Fault
from studyrun_models import CodiParams, HfParams
from studyrun_models.checkpoint import CheckpointError
from studyrun_models.facts import codi_check, codi_facts, hf_check, hf_facts


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return tiny_models.write_codi(tmp_path_factory.mktemp("codi") / "c", layers=2, d=16)


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "copy")


def change(folder, **values):
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps(config))


def faults(folder):
    found = list(codi_check(CodiParams(str(folder)), CheckScope()))
    assert all(isinstance(fault, Fault) for fault in found)
    return [(fault.path, fault.message) for fault in found]


def test_the_embedded_model_is_as_issue_and_card_say():
    facts = codi_facts(CodiParams())
    assert (facts.n_layers, facts.d_model, facts.positions) == (16, 128, tuple(range(7)))
    assert facts.name == "llama 16x128"
    assert list(codi_check(CodiParams(), CheckScope())) == []


def test_facts_depend_on_bytes_and_not_on_the_folder(original, folder):
    assert codi_facts(CodiParams(str(folder))) == codi_facts(CodiParams(str(original)))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_every_file_counts_in_the_digest(original, folder, name):
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    digests = {codi_facts(CodiParams(str(place))).digest for place in (original, folder)}
    assert len(digests) == 2


def test_the_untrained_control_has_a_digest_of_its_own_per_draw(original):
    params = CodiParams(str(original))
    drawn = dataclasses.replace(params, weights="random")
    again = dataclasses.replace(drawn, weights_seed=1)
    assert len({codi_facts(p).digest for p in (params, drawn, again)}) == 3
    assert codi_facts(drawn).name == "llama 2x16, random weights"


def test_facts_import_nothing_heavy(original):
    code = (
        "import sys\n"
        "from studyrun_models import CodiParams, HfParams\n"
        "from studyrun_models.facts import codi_facts, hf_facts\n"
        f"codi_facts(CodiParams({str(original)!r})); hf_facts(HfParams({str(original)!r}))\n"
        "print(*{'torch', 'transformers', 'tokenizers', 'numpy', 'polars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_missing_folder_is_a_fault_with_a_way_out(tmp_path):
    missing = tmp_path / "nowhere"
    ((path, message),) = faults(missing)
    assert path == ("checkpoint",)
    assert message == (
        f"no such folder: {missing} (the embedded model is 'builtin:tiny-codi'; "
        "a model in the Hugging Face cache is written hub:owner/name)"
    )
    with pytest.raises(CheckpointError, match="no such folder") as raised:
        codi_facts(CodiParams(str(missing)))
    assert raised.value.exit_code == 2


def test_an_unknown_builtin_lists_those_that_exist():
    (fault,) = codi_check(CodiParams("builtin:tiny-cody"), CheckScope())
    known = ("builtin:tiny-codi", "builtin:tiny-codi-idle")
    assert fault == Fault(("checkpoint",), "there is no 'builtin:tiny-cody'", known)


def test_a_folder_without_weights_is_a_fault(folder):
    (folder / "model.safetensors").unlink()
    assert faults(folder) == [(("checkpoint",), f"{folder} has no model.safetensors")]


def test_pickled_weights_are_a_fault(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    ((_, message),) = faults(folder)
    assert message.startswith(f"{folder} has its weights in pytorch_model.bin only, a pickle")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("{", "is not JSON ("),
        ("[" * 99_999, "is not JSON (it is nested too deeply)"),
        ('{"a": 1, "a": 2}', "is not JSON (key 'a' stands there twice)"),
        ("[]", "is not a JSON object"),
    ],
)
def test_a_broken_configuration_is_a_fault(folder, text, end):
    (folder / "config.json").write_text(text)
    ((_, message),) = faults(folder)
    assert message.startswith(f"{folder / 'config.json'} {end}")


def test_a_configuration_without_sizes_is_a_fault(folder):
    change(folder, num_hidden_layers=None)
    ((_, message),) = faults(folder)
    assert message == (
        f"config.json in {folder} says none of num_hidden_layers, n_layer, num_layers, n_layers; "
        "it must be a causal language model's, as `save_pretrained` writes it"
    )


def test_a_folder_without_a_codi_section_needs_a_base(folder):
    change(folder, codi=None)
    ((_, message),) = faults(folder)
    assert message.endswith("needs `base`, the model that it was trained from")


def test_an_incomplete_codi_section_is_a_fault(folder):
    change(folder, codi={"thoughts": "six"})
    ((_, message),) = faults(folder)
    assert message == (
        f"`codi.thoughts` in config.json of {folder} must be a whole number, not 'six'"
    )


def test_shards_are_found_and_missing_ones_named(folder):
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    ((_, message),) = faults(folder)
    expected = f"{folder} lacks b.safetensors, which model.safetensors.index.json lists"
    assert message == f"{expected}; copy or download it again"
    (folder / "b.safetensors").write_bytes(b"")
    assert faults(folder) == []


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """A Hugging Face cache that holds owner/name at `main`."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    home = tmp_path / "hub" / "models--owner--name"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("0123abcd")
    shutil.copytree(folder, home / "snapshots" / "0123abcd")
    return folder


@pytest.mark.parametrize("name", ["hub:owner/name", "/folder/of/the/study/hub:owner/name"])
def test_a_hub_model_is_found_in_the_local_cache(hub, name):
    expected = hf_facts(HfParams(str(hub)))
    assert hf_facts(HfParams(name)) == expected
    assert hf_facts(HfParams(name, revision="0123abcd")) == expected


def test_a_hub_model_that_is_not_there_says_how_to_get_it(hub):
    (fault,) = hf_check(HfParams("hub:owner/other"), CheckScope())
    assert isinstance(fault, Absent)
    assert fault.path == ("checkpoint",)
    assert fault.message == (
        "owner/other is not in the local cache; "
        "`hf download owner/other --revision main` puts it there"
    )
    (fault,) = hf_check(HfParams("hub:owner/name", revision="v2"), CheckScope())
    assert fault.path == ("revision",)


def test_a_revision_of_a_folder_and_an_adapter_are_faults(folder):
    (fault,) = hf_check(HfParams(str(folder), revision="v2"), CheckScope())
    assert fault.path == ("revision",)
    expected = "a folder has no revisions, a checkpoint hub:owner/name has; leave it out"
    assert fault.message == expected
    (folder / "config.json").rename(folder / "adapter_config.json")
    (fault,) = hf_check(HfParams(str(folder)), CheckScope())
    assert fault.message == (
        f"{folder} has no config.json; it is a LoRA adapter: merge it into its base "
        "(merge_and_unload) and save that"
    )
