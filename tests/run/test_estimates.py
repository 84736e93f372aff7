"""What steps will about take: asked of what will run, never a reason for a plan to fail."""

import json

import pytest
from toys import PLUGIN

from studyrun import CheckScope, Estimate, ModelFacts
from studyrun.cli.outcome import plan_text
from studyrun.estimates import FLOPS_OF_A_CORE, outlook, threads_of
from studyrun.registry import Registry
from studyrun.running.preparation import prepare
from studyrun.study import Runtime

TELLING = str(PLUGIN.with_name("telling_plugin.py"))
STUDY = """\
study: told
data: {{use: told-data, with: {{rows: 7}}}}
steps:
  numbers: {{use: {step}}}
  openly: {{use: told-openly}}
runtime: {{device: {device}, threads: 4}}
"""


def planned(folder, step="told", device="cpu", more=""):
    file = folder / "told.yaml"
    file.write_text(STUDY.format(step=step, device=device) + more)
    return prepare(file, out=folder / "outputs", plugins=[TELLING]).plan


def lines(plan):
    """The text of a plan from the table on."""
    return plan_text(plan).split("\n")[5:]


def test_the_plan_says_what_a_step_will_take_and_what_that_rests_on(tmp_path):
    assert lines(planned(tmp_path)) == [
        "estimates (times at 25 GFLOP/s in 4 threads each)",
        "  numbers  about 10 s, 1.2 GB: 3 rows of 7",
    ]


def test_the_plan_as_json_holds_the_numbers(tmp_path):
    plan = json.loads(json.dumps(planned(tmp_path).plain()))
    found = {step["step"]: step["estimate"] for step in plan["steps"]}
    assert found == {
        "data": None,
        "numbers": {"flops": 1e12, "bytes": 1_200_000_000, "note": "3 rows of 7", "seconds": 10.0},
        "openly": None,
    }


def test_on_an_accelerator_nothing_is_said_of_time(tmp_path, monkeypatch):
    said = [
        "estimates (no times, which depend on the accelerator)",
        "  numbers  about 1.2 GB: 3 rows of 7",
    ]
    assert lines(planned(tmp_path, device="cuda")) == said
    monkeypatch.setattr("studyrun.estimates.may_have_gpu", lambda: True)
    assert lines(planned(tmp_path, device="auto")) == said
    monkeypatch.setattr("studyrun.estimates.may_have_gpu", lambda: False)
    assert "about 10 s" in lines(planned(tmp_path, device="auto"))[1]


def test_only_what_will_run_is_estimated(tmp_path):
    from studyrun import run

    planned(tmp_path)
    run(tmp_path / "told.yaml", out=tmp_path / "outputs", plugins=[TELLING], progress=False)
    plan = planned(tmp_path)
    assert [step.outlook for step in plan.steps] == [None] * 3
    assert lines(plan) == []


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("told-raising", "estimate: ZeroDivisionError: division by zero"),
        ("told-text", "estimate: returned str, not an Estimate"),
        ("told-endless", "estimate: flops is inf, not a number from 0 on"),
        ("told-unreadable", "step 'told-unreadable': [Errno 2] no such file: 'weights'"),
    ],
)
def test_an_estimate_that_fails_is_a_warning_that_names_the_plugin(tmp_path, step, said):
    plan = planned(tmp_path, step)
    assert {each.action for each in plan.steps} == {"run"}
    (warning,) = plan.warnings
    assert said in warning
    assert step == "told-unreadable" or warning.startswith(f"plugin '{TELLING} (local)': step")
    assert lines(plan)[-1].startswith("warning: ")


def test_a_matrix_is_estimated_cell_by_cell(tmp_path):
    more = "matrix: {steps.numbers.with.rows: [1, 2]}\n"
    assert lines(planned(tmp_path, more=more))[-2:] == [
        "  rows=1/numbers  about 10 s, 1.2 GB: 1 rows of 7",
        "  rows=2/numbers  about 10 s, 1.2 GB: 2 rows of 7",
    ]


@pytest.mark.parametrize(
    ("seconds", "size", "note", "words"),
    [
        (0.2, 0, "few", "about 1 s: few"),
        (41.7, 0, "", "about 42 s"),
        (119.9, 999_999, "", "about 120 s, 1 MB"),
        (300, 34_500_000, "", "about 5 min, 34 MB"),
        (5400, 999_000_000, "", "about 90 min, 1,000 MB"),
        (86400, 1e12, "", "about 24 h, 1,000 GB"),
        (0, 2e9, "", "about 2 GB"),
        (0, 0, "nobody knows", "nobody knows"),
    ],
)
def test_it_is_told_in_two_digits(seconds, size, note, words):
    estimate = Estimate(seconds * FLOPS_OF_A_CORE * 2, size, note)
    assert str(outlook(estimate, Runtime(device="cpu", threads=2))) == words


def test_threads_are_the_studys_or_those_that_torch_would_take(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads_of(Runtime(threads=5)) == 5
    assert threads_of(Runtime()) == 3
    for odd in ("", "0", "many", "2,1"):
        monkeypatch.setenv("OMP_NUM_THREADS", odd)
        assert threads_of(Runtime()) >= 1


# The built-in ones

REGISTRY = Registry.load()
FACTS = ModelFacts("m", "0" * 64, n_layers=16, d_model=128, positions=(0, 1, 2, 3))
DATA = {"use": "word-problems", "with": {"problems": 1000, "validation": 0.2, "steps": [1, 3]}}


def estimated(use, facts=FACTS, data=DATA, **given):
    steps = {"data": REGISTRY.bind("data", data)} if data else {}
    bound = REGISTRY.bind("step", {"use": use, "with": given})
    return REGISTRY.estimate(bound, CheckScope(facts, steps, {"problems": "data"}))


def test_extraction_passes_every_token_and_thought_through_every_block():
    found = estimated("extract", layers=[3], positions=[1, 3])
    tokens, weights = 11 + 7 * 2 + 3, 12 * 128**2
    assert found.flops == 1000 * tokens * 16 * 2 * weights
    assert found.bytes > 2 * 4 * 1000 * 2 * 128
    assert found.note == "1,000 problems of about 25 tokens and 3 thoughts, 16 blocks"


def test_without_thoughts_it_stops_after_the_deepest_layer():
    plain = ModelFacts("m", "0" * 64, 16, 128, block_parameters=1000)
    found = estimated("extract", plain, layers=[3, 1], positions=["last"])
    assert found.flops == 1000 * 25 * 4 * 2 * 1000
    assert found.note == "1,000 problems of about 25 tokens, 4 blocks"


def test_training_passes_the_train_split_through_the_encoder():
    found = estimated("sae-train", d_sae=512, k=32, epochs=10, batch_size=100)
    products = 10 * 6 * 800 * 128 * (512 + 32)
    assert products < found.flops < 1.5 * products
    assert found.bytes > 4 * 2 * 128 * 512
    assert found.note == "10 epochs of 800 rows, 128 x 512 features"


@pytest.mark.parametrize("use", ["extract", "sae-train"])
def test_where_the_problems_or_the_model_are_not_known_nothing_is_said(use, tmp_path):
    given = {"layers": [1], "positions": [0]} if use == "extract" else {}
    file = {"use": "jsonl", "with": {"path": str(tmp_path / "problems.jsonl")}}
    assert estimated(use, data=None, **given) is None
    assert estimated(use, data=file, **given) is None
    assert estimated(use, facts=None, **given) is None


def test_a_variant_is_estimated_with_its_own_parameters(tmp_path):
    """`sae@seed-1` reads the same activations, and is told of the data all the same."""
    file = tmp_path / "s.yaml"
    file.write_text(
        "study: s\n"
        "model: {use: codi}\n"
        "data: {use: word-problems, with: {problems: 500, validation: 0.2}}\n"
        "steps:\n"
        "  activations: {use: extract, with: {layers: [14], positions: [3]}}\n"
        "  sae: {use: sae-train, with: {d_sae: 64, k: 4, epochs: 2}}\n"
        "  features: {use: sae-encode}\n"
        "  labels: {use: classify, with: {sae_seeds: 1, untrained: true}}\n"
    )
    steps = {step.name: step.outlook for step in prepare(file, out=tmp_path / "o").plan.steps}
    same = [steps[name].estimate for name in ("sae", "sae@seed-1", "sae@untrained")]
    assert same == [same[0]] * 3
    assert steps["activations@untrained"].estimate == steps["activations"].estimate
    assert steps["labels"] is None
