"""docs/how-to/bring-your-own-sae.md, done from its first line to its last."""

import pytest
import torch
import yaml
from pages import Page

import studyrun
from installing import clean_imports  # noqa: F401  # a fixture
from studyrun.registry import Registry
from studyrun_sae.formats.dictionary_learning import WRITTEN
from studyrun_sae.formats.recognition import CANNOT

PAGE = Page("bring-your-own-sae.md")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which everything on the page was done."""
    return PAGE.done_in(tmp_path_factory.mktemp("own"))


def test_everything_on_the_page_is_done_here():
    assert set(PAGE.files) == {"mine.yaml", "again.yaml", "json_format.py", "as_json.yaml"}
    assert {len(PAGE.blocks(language)) for language in ("python", "yaml")} == {0, 1}


def test_the_sae_comes_back_to_the_bit_with_its_site(done):
    first, second = (studyrun.open_run(done / f"outputs/{n}/latest") for n in ("mine", "again"))
    sae, again = first["sae"].load(), second["sae"].load()
    assert (again.layer, again.position) == (sae.layer, sae.position) == (14, 3)
    for name, tensor in sae.weights.items():
        assert torch.equal(tensor, again.weights[name])
    assert (done / "outputs/mine/latest/files/sparse/layers.14/cfg.json").is_file()
    assert second["sae"].read_table("quality").equals(first["sae"].read_table("quality"))


def test_the_format_of_the_page_wrote_its_file(done):
    run = studyrun.open_run(done / "outputs/as_json/latest")
    assert {*run["lens"].manifest.files} == {"sae.json", "sae.json.fingerprint.safetensors"}


def test_the_first_block_names_what_there_is():
    (shown,) = PAGE.blocks("yaml")
    loaded = yaml.safe_load(shown)["steps"]["sae"]
    assert Registry.load().bind("step", loaded).params.position == "last"


def test_the_table_says_what_each_format_holds():
    lines = PAGE.text.split("| architecture |")[1].split("\n\n")[0].splitlines()
    names = [name.strip() for name in lines[0].strip("| ").split("|")]
    for line in lines[2:]:
        architecture, *cells = (cell.strip().strip("`") for cell in line.strip("| ").split("|"))
        for format, cell in zip(names, cells, strict=True):
            assert cell.startswith("no") == (architecture in CANNOT[format]), (architecture, format)
        if architecture in WRITTEN:
            assert cells[2] == WRITTEN[architecture][0]
