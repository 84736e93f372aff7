"""Seeds of an SAE, and a study compared with an untrained model and other seeds, for real."""

from itertools import pairwise
from pathlib import Path

import pytest

from studyrun.errors import InvalidStudy
from studyrun.testing import run_study, tiny_study

PLUGIN = str(Path(__file__).with_name("comparing_plugin.py"))
STUDY = """\
study: embedded
model: {use: codi, with: {checkpoint: builtin:tiny-codi}}
data: {use: word-problems, with: {problems: 40, validation: 0.5}}
steps:
  activations: {use: extract, with: {layers: [5], positions: [2]}}
  sae: {use: sae-train, with: {d_sae: 24, k: 4, epochs: 1}}
  features: {use: sae-encode}
  compared: {use: comparing}
"""
LOADER = """\
from studyrun import Component, NoParams, hookimpl

@hookimpl
def studyrun_components():
    types = {"takes": ("activations",), "makes": "sae"}
    return [Component("step", "from-file", "1", NoParams, "nowhere:run", **types)]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    return run_study(STUDY, folder, modules=[PLUGIN])


def hashes(artifact):
    return {name: file.sha256 for name, file in artifact.manifest.files.items()}


def test_what_ran(run):
    assert list(run) == [
        "data", "activations", "sae", "features",
        "activations@untrained", "sae@untrained", "features@untrained",
        "sae@seed-1", "features@seed-1", "sae@seed-2", "features@seed-2",
        "compared",
    ]  # fmt: skip


def test_the_untrained_variant_really_has_other_weights(run):
    """Trap C6: a control that silently ran on the trained model would say nothing."""
    own, random = run["activations"], run["activations@untrained"]
    assert own.meta["model"] != random.meta["model"]
    assert "random weights" in str(random.meta["model"])
    table = {row["variant"]: row for row in run["compared"].table.rows(named=True)}
    scale = float(own.at(layer=5, position=2).abs().mean())
    assert table["untrained"]["activations"] > 0.1 * scale


def test_seeds_differ_in_their_decoders_and_share_the_activations(run):
    table = {row["variant"]: row for row in run["compared"].table.rows(named=True)}
    decoders = [run[name].load().W_dec for name in ("sae", "sae@seed-1", "sae@seed-2")]
    assert all(not a.allclose(b) for a, b in pairwise(decoders))
    assert [table[f"seed-{n}"]["activations"] for n in (1, 2)] == [0, 0]
    steps = run.record["cells"][""]["steps"]
    assert steps["sae@seed-1"]["recipe"]["inputs"] == steps["sae"]["recipe"]["inputs"]
    given = steps["compared"]["recipe"]["variants"]
    assert given["seed-1"]["activations"] == run["activations"].key
    assert given["untrained"]["activations"] == run["activations@untrained"].key


@pytest.mark.parametrize("use", ["sae-train", "sae-train-abstopk"])
def test_a_seed_counts_alike_whether_the_study_or_the_step_has_it(use, tmp_path):
    """Law: `seed: 5` of the step trains the same bytes as `seed: 5` of the study."""
    text = tiny_study(tmp_path).replace("validation: 0.5", "validation: 0.0")
    text = text.replace("sae-train", use)
    runs = [
        run_study(given, tmp_path)["sae"]
        for given in (
            text,
            text + "seed: 5\n",
            text.replace("epochs: 2", "epochs: 2, seed: 5"),
            text.replace("epochs: 2", "epochs: 2, seed: 0"),
        )
    ]
    default, study, step, zero = map(hashes, runs)
    assert study == step != default == zero


def test_a_seed_changes_nothing_but_the_sae(tmp_path):
    text = tiny_study(tmp_path)
    keys = [
        {name: run[name].key for name in run}
        for run in (
            run_study(text, tmp_path),
            run_study(text.replace("epochs: 2", "epochs: 2, seed: 1"), tmp_path),
        )
    ]
    assert [name for name in keys[0] if keys[0][name] != keys[1][name]] == ["sae", "features"]


def test_an_sae_without_a_seed_is_said_before_anything_runs(tmp_path):
    text = tiny_study(tmp_path, "compared: {use: comparing, with: {untrained: false}}")
    text = text.replace("sae-train", "from-file")
    plugin = tmp_path / "loader.py"
    plugin.write_text(LOADER)
    text = text.replace(", with: {d_sae: 24, k: 4, epochs: 2}", "")
    with pytest.raises(InvalidStudy) as caught:
        run_study(text, tmp_path, modules=[PLUGIN, str(plugin)])
    messages = [str(each).splitlines()[0] for each in caught.value.diagnostics]
    assert [message.partition("$")[2] for message in messages] == [
        f".steps.compared.use: asks for the variant 'seed-{n}': step 'sae' (from-file) has no "
        "parameter 'seed'; go without that variant, or use a step that has it"
        for n in (1, 2)
    ]
    assert not (tmp_path / "outputs").exists()
