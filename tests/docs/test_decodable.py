"""The page "Decodable is not used": its study, with fewer problems, tells the two models apart."""

from pathlib import Path

import pytest

import studyrun

STUDY = Path(__file__).parents[2] / "studies/decodable.yaml"
FEWER = {
    "data.with.problems": 1000,
    "steps.activations.with.positions": [3],
    "steps.probes.with.targets": ["second-result"],
    "steps.patched.with.problems": 250,
    "steps.sae.with.d_sae": 64,  # labels have no part in what is asked here, nor have portraits
    "steps.sae.with.epochs": 2,
    "steps.report.with.wants": [],
}
THERE = ("the-number-is-there",)
USED = ("the-thought-is-used", "the-thought-matters-at-all")


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decodable")
    run = studyrun.run(STUDY, set=FEWER, out=folder, progress=False)
    return {name.removeprefix("checkpoint=builtin_"): cell for name, cell in run.cells.items()}


@pytest.mark.slow
def test_what_can_be_decoded_is_alike_and_what_is_used_is_not(cells):
    verdicts = {
        name: {each: cell.verdicts[each].verdict for each in (*THERE, *USED)}
        for name, cell in cells.items()
    }
    assert verdicts == {
        "tiny-codi": dict.fromkeys((*THERE, *USED), "supported"),
        "tiny-codi-idle": dict.fromkeys(THERE, "supported") | dict.fromkeys(USED, "refuted"),
    }


@pytest.mark.slow
def test_patching_moves_answers_towards_the_donor_in_one_of_them_only(cells):
    """The planted check: against the random direction, and against the idle twin's interval."""
    used, idle = (cells[name]["patched"].table.row(0, named=True) for name in cells)
    assert used["answer_towards_ci_low"] > used["answer_towards_random"]
    assert used["answer_towards_q"] < 0.001
    assert idle["answer_towards_ci_high"] < used["answer_towards_ci_low"]
    assert idle["moved"] >= used["moved"] / 2
