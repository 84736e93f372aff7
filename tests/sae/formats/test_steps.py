"""The steps `sae-load` and `sae-save` in real runs."""

import hashlib
import json
import subprocess
import sys

import layouts
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

import studyrun
from studyrun import CheckScope, StudyError
from studyrun.errors import InvalidStudy, StepFailed
from studyrun.registry import Registry
from studyrun.testing import check_tables, run_study, tiny_study
from studyrun_sae import metrics
from studyrun_sae.loading import check_load, check_save, digest
from studyrun_sae.params import SaeLoad, SaeSave

D = 16
"""The width of the tiny model."""
WITHOUT = """\
study: loaded
steps:
  sae: {use: sae-load, with: {path: sae, layer: 4, position: 1}}
"""


def lens(folder, d_in=D, seed=0, **more):
    tensors = layouts.lens_tensors(d_in, 24, "jumprelu", seed)
    return layouts.write_lens(folder, tensors, layouts.lens_config(d_in, 24, "jumprelu", **more))


def study(folder, loaded, steps=""):
    """The tiny study with a loaded SAE in place of a trained one."""
    text = tiny_study(folder, steps)
    trained = "{use: sae-train, with: {d_sae: 24, k: 4, epochs: 2}}"
    assert trained in text
    return text.replace(trained, loaded)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loaded")
    lens(folder / "sae", metadata={"hook_name": "blocks.1.hook_resid_post", "model_name": "tiny"})
    steps = """
    ablated: {use: ablate, with: {features: {top: 3}, effects: [reconstruction, answer]}}
    steered: {use: amplify, with: {factor: 2.0, features: {top: 2}}}
    portraits: {use: portraits}
    report: {use: report}
    """
    return run_study(study(folder, "{use: sae-load, with: {path: sae}}", steps), folder)


# Loading


def test_a_loaded_sae_is_used_like_a_trained_one(run):
    """Encoding, ablation in closed form, replay in the model, portraits, report."""
    sae, x = run["sae"].load(), run["activations"].at(layer=1, position=2)
    assert (sae.architecture.name, sae.layer, sae.position) == ("jumprelu", 1, 2)
    z = sae.encode(x)
    torch.testing.assert_close(run["features"].dense(), z)
    assert int((z != 0).sum()) > 0
    held_out = (run["activations"].table["split"] == "validation").to_torch()
    for row in run["ablated"].table.rows(named=True):
        moved = z[held_out][:, row["feature"]].abs().mean()
        expected = moved * sae.W_dec[row["feature"]].abs().mean()
        assert row["mean_abs_diff"] == pytest.approx(float(expected), rel=1e-4)
    assert run["steered"].table.height == 2
    assert run["portraits"].table.height == 24
    assert "SAE quality" in run["report"].file("report.md").read_text()


def test_quality_is_measured_where_there_are_activations(run):
    sae, x = run["sae"].load(), run["activations"].at(layer=1, position=2)
    quality = run["sae"].read_table("quality")
    assert quality["split"].to_list() == ["train", "validation"]
    train = x[(run["activations"].table["split"] == "train").to_torch()]
    fvu = metrics.fvu(train, sae.reconstruct(train))
    assert quality["fvu"][0] == pytest.approx(fvu, rel=1e-5)
    check_tables(run)


def test_the_fingerprint_is_of_the_activations(run):
    tensors = run["sae"].tensors()
    x = run["activations"].at(layer=1, position=2)
    assert len(tensors["fingerprint_x"]) == 8
    assert all(any(torch.equal(row, other) for other in x) for row in tensors["fingerprint_x"])


def test_what_the_file_says_is_recorded(run):
    told = {"model": "tiny", "hook": "blocks.1.hook_resid_post", "layer": 1}
    assert run["sae"].meta["origin"] == told
    assert run["sae"].meta["format"] == "saelens", "not `auto`, which recognised it"
    assert run["sae"].meta["model"] == run["activations"].meta["model"]
    events = (run.folder / "events.jsonl").read_text().splitlines()
    notes = [json.loads(line)["message"] for line in events if '"note"' in line]
    assert "the file says model tiny, hook blocks.1.hook_resid_post" in notes


def test_an_sae_that_explains_nothing_of_the_activations_is_told(run):
    """Its weights are random here, as those of another model would be."""
    events = (run.folder / "events.jsonl").read_text()
    assert "it leaves more unexplained of split 'train' than their mean does (fvu " in events
    page = (run.folder / "report.md").read_text()
    assert "an SAE of architecture jumprelu, read from files of saelens" in page
    assert page.count("sae does not fit these activations: its explained variance is -") == 2
    assert page.index("does not fit") < page.index("## Limits") < page.rindex("does not fit")


def test_an_sae_can_be_loaded_without_activations(tmp_path):
    lens(tmp_path / "sae")
    run = run_study(WITHOUT, tmp_path)
    sae, tensors = run["sae"].load(), run["sae"].tensors()
    assert (sae.layer, sae.position) == (4, 1)
    assert tensors["fingerprint_x"].shape == (8, D)
    assert bool((tensors["fingerprint_z"] != 0).any()), "some rows are beyond its thresholds"
    assert run["sae"].read_table("quality").is_empty()
    check_tables(run)


def test_a_second_run_reuses_and_other_bytes_are_another_sae(tmp_path):
    folder = lens(tmp_path / "sae")
    params = SaeLoad(str(folder), layer=4, position=1)
    first, key = digest(params), run_study(WITHOUT, tmp_path)["sae"].key
    elsewhere = folder.rename(tmp_path / "moved")
    assert digest(SaeLoad(str(elsewhere))) == first, "where it lies does not count"
    elsewhere.rename(folder)
    assert run_study(WITHOUT, tmp_path)["sae"].key == key
    lens(folder, seed=1)
    assert digest(params) != first
    assert run_study(WITHOUT, tmp_path)["sae"].key != key


def test_files_beside_the_saes_do_not_count(tmp_path):
    folder = lens(tmp_path / "sae")
    before = digest(SaeLoad(str(folder)))
    (folder / "sparsity.safetensors").write_bytes(b"whatever")
    assert digest(SaeLoad(str(folder))) == before
    (folder / "fingerprint.safetensors").write_bytes(b"what it must compute")
    assert digest(SaeLoad(str(folder))) != before
    (folder / "fingerprint.safetensors").unlink()
    (folder / "cfg.json").write_text((folder / "cfg.json").read_text() + "\n")
    assert digest(SaeLoad(str(folder))) != before


def test_the_study_counts_and_the_difference_is_told(tmp_path):
    lens(tmp_path / "sae", metadata={"hook_name": "blocks.9.hook_resid_post"})
    loaded = "{use: sae-load, with: {path: sae, layer: 1}}"
    run = run_study(study(tmp_path, loaded), tmp_path)
    assert run["sae"].meta["layer"] == 1
    assert "the file says layer 9, the study 1" in (run.folder / "events.jsonl").read_text()
    assert run["sae"].meta["origin"]["layer"] == 9


def test_an_sae_of_another_stream_is_told_and_keeps_the_name_of_its_model(tmp_path):
    told = {"hook_name": "blocks.1.hook_mlp_out", "model_name": "theirs"}
    lens(tmp_path / "sae", metadata=told)
    loaded = "{use: sae-load, with: {path: sae, layer: 1}}"
    run = run_study(study(tmp_path, loaded, "\n  again: {use: sae-save}"), tmp_path)
    config = json.loads((run.folder / "files/again/cfg.json").read_text())
    assert config["metadata"]["model_name"] == "theirs"
    events = (run.folder / "events.jsonl").read_text()
    assert "blocks.1.hook_mlp_out is no residual stream after a block; the SAE is taken" in events


# What `check` says


def scope(**extract):
    bound = Registry.load().bind("step", {"use": "extract", "with": extract})
    return CheckScope(steps={"activations": bound}, inputs={"activations": "activations"})


def messages(params, scope):
    return [fault.message for fault in check_load(params, scope)]


def test_a_site_that_nobody_says_is_a_fault(tmp_path):
    folder = lens(tmp_path, metadata={"hook_name": "blocks.4.hook_mlp_out"})
    assert messages(SaeLoad(str(folder)), CheckScope()) == [
        "the file names no layer, but 'blocks.4.hook_mlp_out', which is no residual stream after "
        "a block; say which it is (layer: 14)",
        "the file names no position; say which it is (position: 3)",
    ]
    one = scope(layers=[4], positions=[3])
    assert messages(SaeLoad(str(folder)), one) == []
    several = scope(layers=[4, 5], positions=[3])
    (fault,) = messages(SaeLoad(str(folder)), several)
    assert fault.startswith("the file names no layer, but")
    assert messages(SaeLoad(str(folder), layer=6), several) == [
        "layer 6 is not among those that were read: 4, 5"
    ]


def test_a_seed_file_may_say_its_site_itself(tmp_path):
    file = layouts.seed_file(tmp_path / "sae.pt", layouts.seed_state(6, 10))
    assert messages(SaeLoad(str(file)), CheckScope()) == []
    several = scope(layers=[4, 5], positions=[3])
    assert messages(SaeLoad(str(file), layer=6), several) == [
        "layer 6 is not among those that were read: 4, 5"
    ]


def test_a_width_that_is_not_the_models_is_a_fault_of_the_study(tmp_path):
    lens(tmp_path / "sae", d_in=20)
    with pytest.raises(InvalidStudy, match="the SAE is 20 wide, the model's residual stream 16"):
        run_study(study(tmp_path, "{use: sae-load, with: {path: sae}}"), tmp_path)


def test_bad_files_are_diagnostics_with_the_place_in_the_study(tmp_path, capsys):
    from studyrun.cli import main

    folder = lens(tmp_path / "sae")
    (folder / "cfg.json").write_text("{")
    (tmp_path / "study.yaml").write_text(WITHOUT)
    assert main(["check", str(tmp_path / "study.yaml")]) == 2
    first = capsys.readouterr().out.splitlines()[0]
    assert "study.yaml:3:37 $.steps.sae.with.path: " in first
    assert "cfg.json: is not JSON" in first


def test_check_and_plan_read_no_tensor_and_import_no_torch(tmp_path):
    lens(tmp_path / "sae")
    text = WITHOUT + "  saved: {use: sae-save, with: {format: saelens}}\n"
    (tmp_path / "study.yaml").write_text(text)
    code = (
        "import sys; from studyrun.cli import main; "
        "codes = [main([c, 'study.yaml']) for c in ('check', 'plan')]; "
        "print(codes, sorted({'torch', 'safetensors', 'numpy', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[0, 0] []"
    assert "in saelens" in done.stdout


@pytest.mark.parametrize(
    ("format", "architecture", "expected"),
    [
        ("saelens", "abstopk", None),
        ("seed", "abstopk", None),
        ("seed", "topk", "seed cannot hold an SAE of architecture 'topk': its files are read as"),
        ("sparsify", "abstopk", "sparsify cannot hold an SAE of architecture 'abstopk': sparsify"),
        ("saelens", "jumprelu", None),
        ("saelens", "batchtopk", None),
        ("seed", "jumprelu", "seed cannot hold an SAE of architecture 'jumprelu': its files"),
        ("sparsify", {"jumprelu": {}}, "sparsify cannot hold an SAE of architecture 'jumprelu': "),
        ("auto", "topk", "auto only reads; say in which format to write"),
    ],
)
def test_what_a_format_cannot_hold_is_known_before_anything_is_trained(
    format, architecture, expected
):
    sae = Registry.load().bind("step", {"use": "sae-train", "with": {"architecture": architecture}})
    around = CheckScope(steps={"sae": sae}, inputs={"sae": "sae"})
    faults = list(check_save(SaeSave({"use": format, "with": {}}), around))
    if expected is None:
        assert faults == []
        return
    (fault,) = faults
    assert fault.message.startswith(expected)
    assert "saelens" in fault.allowed


# Saving


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    steps = """
    lens: {use: sae-save, needs: [sae]}
    sparse: {use: sae-save, needs: [sae], with: {format: sparsify}}
    theirs: {use: sae-save, needs: [sae], with: {format: dictionary-learning}}
    signed: {use: sae-train-abstopk, needs: [activations], with: {d_sae: 16, k: 3}}
    seed: {use: sae-save, needs: [signed], with: {format: seed}}
    """
    return run_study(tiny_study(folder, steps), folder)


PLACES = {"lens": "lens", "sparse": "sparse/layers.1", "theirs": "theirs", "seed": "seed/sae.pt"}


def test_files_are_shown_in_the_runs_folder(saved):
    shown = {file.relative_to(saved.folder / "files").as_posix()
             for file in (saved.folder / "files").rglob("*") if file.is_file()}  # fmt: skip
    assert shown == {
        "lens/cfg.json", "lens/sae_weights.safetensors", "lens/fingerprint.safetensors",
        "sparse/layers.1/cfg.json", "sparse/layers.1/sae.safetensors",
        "sparse/layers.1/fingerprint.safetensors",
        "theirs/config.json", "theirs/ae.pt", "theirs/fingerprint.safetensors",
        "seed/sae.pt", "seed/sae.pt.fingerprint.safetensors",
    }  # fmt: skip
    for step in PLACES:
        for name, file in saved[step].manifest.files.items():
            content = (saved.folder / "files" / step / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file.sha256


def loading(step, folder):
    use = f"{{use: sae-load, with: {{path: {PLACES[step]}}}}}"
    return run_study(f"study: again\nsteps:\n  sae: {use}\n", folder)


def copied(saved, folder):
    import shutil

    shutil.copytree(saved.folder / "files", folder, dirs_exist_ok=True)
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    return folder


@pytest.mark.parametrize("step", PLACES)
def test_what_was_saved_is_loaded_with_its_site_and_to_the_bit(saved, step, tmp_path):
    """Nothing needs to be folded here, so nothing may change."""
    found = loading(step, copied(saved, tmp_path))["sae"].load()
    sae = saved["signed" if step == "seed" else "sae"].load()
    assert (found.layer, found.position) == (1, 2)
    assert found.architecture == sae.architecture
    for name, tensor in sae.weights.items():
        assert torch.equal(tensor, found.weights[name])


def test_a_square_sae_that_was_turned_after_it_was_saved_is_refused(saved, tmp_path):
    """Trap F10: shapes and keys are right; the fingerprint beside the files is not met."""
    folder = copied(saved, tmp_path)
    steps = """
    square: {use: sae-train, needs: [activations], with: {d_sae: 16, k: 3, epochs: 1}}
    out: {use: sae-save, needs: [square]}
    """
    run = run_study(tiny_study(tmp_path, steps), tmp_path)
    place = folder / "lens"
    for name in ("cfg.json", "sae_weights.safetensors", "fingerprint.safetensors"):
        (place / name).write_bytes(run["out"].file(name).read_bytes())
    assert loading("lens", folder)["sae"].load().d_sae == 16
    tensors = load_file(place / "sae_weights.safetensors")
    noise = torch.eye(16) + 0.001  # so that no norm of 1 gives it away
    save_file(tensors | {"W_dec": (tensors["W_dec"] * 1.5 @ noise).T.contiguous()},
              place / "sae_weights.safetensors")  # fmt: skip
    with pytest.raises(StepFailed, match=r"x_hat of the fingerprint deviates by|is transposed"):
        loading("lens", folder)


@pytest.mark.parametrize("change", ["k", "bias"])
def test_a_saved_sae_that_was_changed_is_refused(saved, tmp_path, change):
    folder = copied(saved, tmp_path)
    config, weights = (folder / "lens" / n for n in ("cfg.json", "sae_weights.safetensors"))
    if change == "k":
        config.write_text(config.read_text().replace('"k": 4', '"k": 3'))
    else:
        tensors = load_file(weights)
        save_file(tensors | {"b_enc": tensors["b_enc"] + 0.1}, weights)
    with pytest.raises(StepFailed, match=r"of the fingerprint deviates by .* remove their finger"):
        loading("lens", folder)
    (folder / "lens/fingerprint.safetensors").unlink()
    assert loading("lens", folder)["sae"].load()


def test_an_sae_that_the_format_cannot_hold_ends_the_step_with_the_reason(tmp_path):
    lens(tmp_path / "sae")
    text = WITHOUT + "  out: {use: sae-save, with: {format: sparsify}}\n"
    with pytest.raises(StepFailed, match="sparsify cannot hold an SAE of architecture 'jumprelu'"):
        run_study(text, tmp_path)


# A third party's format

PLUGIN = '''
"""One JSON file that holds everything."""

import json
from studyrun import Component, NoParams, SaeWeights, StudyError, hookimpl

PARTS = ("W_enc", "b_enc", "W_dec", "b_dec")

class Json:
    def __init__(self, params):
        pass

    def read(self, path):
        import torch

        found = json.loads(path.read_text())
        tensors = {name: torch.tensor(found[name]) for name in PARTS}
        return SaeWeights("standard", tensors, {"pre_bias": False}, found["layer"], 2)

    def write(self, sae):
        if sae.architecture != "standard":
            raise StudyError(f"json-sae holds no {sae.architecture}")
        tensors = {name: sae.tensors[name].tolist() for name in PARTS}
        return {"sae.json": json.dumps({**tensors, "layer": sae.layer}).encode()}

@hookimpl
def studyrun_components():
    return [Component(kind="sae-format", name="json-sae", version="1", params=NoParams,
                      target="third_format:Json", summary="one JSON file")]
'''


def test_a_third_party_can_ship_a_format(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "third_format.py").write_text(PLUGIN)
    t = layouts.drawn(0, W_enc=(D, 24), b_enc=(24,), W_dec=(24, D), b_dec=(D,))
    text = {name: tensor.tolist() for name, tensor in t.items()}
    (tmp_path / "mine.json").write_text(json.dumps({**text, "layer": 1}))
    loaded = "{use: sae-load, with: {path: mine.json, format: json-sae}}"
    steps = "out: {use: sae-save, with: {format: json-sae}}"
    run = run_study(study(tmp_path, loaded, steps), tmp_path, modules=["third_format.py"])
    sae, x = run["sae"].load(), run["activations"].at(layer=1, position=2)
    z = torch.relu(x @ t["W_enc"] + t["b_enc"])
    torch.testing.assert_close(sae.encode(x), z)
    assert {*run["out"].manifest.files} == {"sae.json", "sae.json.fingerprint.safetensors"}
    again = json.loads(run["out"].file("sae.json").read_text())
    assert again["layer"] == 1
    assert isinstance(run["features"].table, pl.DataFrame)


def test_a_format_that_gives_no_sae_is_told_with_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad = PLUGIN.replace("torch.tensor(found[name])", "torch.tensor(found[name]) / 0")
    bad = bad.replace("third_format", "bad_format")
    (tmp_path / "bad_format.py").write_text(bad)
    t = layouts.drawn(0, W_enc=(D, 24), b_enc=(24,), W_dec=(24, D), b_dec=(D,))
    (tmp_path / "mine.json").write_text(
        json.dumps({**{name: tensor.tolist() for name, tensor in t.items()}, "layer": 1})
    )
    loaded = "{use: sae-load, with: {path: mine.json, format: json-sae}}"
    with pytest.raises(StepFailed, match=r"mine\.json: W_enc holds values that are not finite"):
        run_study(study(tmp_path, loaded), tmp_path, modules=["bad_format.py"])


def test_the_contract_can_be_imported_from_studyrun():
    assert {"SaeFormat", "SaeWeights", "SaeFormatRef"} <= set(studyrun.__all__)
    assert issubclass(StudyError, Exception)
