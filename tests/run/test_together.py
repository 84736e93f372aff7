"""Steps that are computed at once: what comes of it is what each would come to alone."""

import json
import sys
from contextlib import ExitStack, contextmanager
from itertools import combinations
from pathlib import Path

import pytest
from stack_plugin import alone, at_once, result_of
from toys import DOCUMENT, PLUGIN, Lab, cell, changed, contents, damage, forget

from studyrun import Result
from studyrun.cli.outcome import explanation_text, plan_text
from studyrun.errors import PluginError, StepFailed, StoreBusy
from studyrun.plugging.vetting import faults_of
from studyrun.registry import Registry
from studyrun.running.history import read_record, resolve
from studyrun.running.progress import Progress, line_of
from studyrun.runs import Run, explain

STACKS = Path(__file__).with_name("stack_plugin.py")
STUDY = {
    **DOCUMENT,
    "hypotheses": {},
    "steps": {
        "draws": {"use": "toy-draw"},
        "stacks": {"use": "toy-stack"},
        "after": {"use": "toy-after"},
    },
}
POWERS = (1, 2, 3)


def power(k, study=STUDY):
    """The cell with that power."""
    return cell(f"k={k}", changed("steps.stacks.with.k", k, study))


CELLS = tuple(map(power, POWERS))


def lab_in(folder):
    return Lab(folder, Registry.load([str(PLUGIN), str(STACKS)]))


@pytest.fixture
def lab(tmp_path):
    return lab_in(tmp_path / "outputs")


@pytest.fixture
def many(monkeypatch):
    """Replaces what happens at once; gives the powers of the jobs of every call."""

    def replace(function=at_once):
        given = []

        def noting(jobs):
            given.append([job.params.k for job in jobs])
            return function(jobs)

        monkeypatch.setattr(sys.modules["stack_plugin"], "at_once", noting)
        return given

    return replace


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What is stored if every cell has a run of its own, so that there are never two steps."""
    lab = lab_in(tmp_path_factory.mktemp("alone"))
    assert [lab.run(each).status for each in CELLS] == ["done"] * 3
    return contents(lab.store.folder)


def steps_of(outcome, name="stacks"):
    cells = read_record(outcome.folder)["cells"]
    return {cell: entry["steps"][name] for cell, entry in cells.items()}


def statuses(outcome):
    return [entry["status"] for entry in steps_of(outcome).values()]


def events(outcome, *kinds):
    lines = (outcome.folder / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] in kinds]


def stored(lab):
    """The powers whose results are stored."""
    keys = {k: lab.keys(power(k))["stacks"] for k in POWERS}
    return [k for k, key in keys.items() if lab.store.state(key) == "stored"]


# What it gives


@pytest.mark.parametrize("before", [x for n in range(4) for x in combinations(POWERS, n)], ids=str)
def test_what_is_made_at_once_is_what_is_made_alone(lab, calls, expected, many, before):
    """Law: whatever was stored before, every artifact is the one of a run without others."""
    for k in before:
        lab.run(power(k))
    given, rest = many(), [k for k in POWERS if k not in before]
    planned = [s for s in lab.plan(*CELLS).steps if s.name == "stacks" and s.action == "run"]
    outcome = lab.run(*CELLS)
    assert outcome.status == "done"
    assert contents(lab.store.folder) == expected
    assert given == ([rest] if len(rest) > 1 else [])
    assert {step.others for step in planned} == ({len(rest) - 1} if rest else set())
    assert sorted(calls()) == sorted(
        ["toy-data", "toy-draw"]
        + [f"alone-{k}" for k in (before if given else POWERS)]
        + [f"many-{k}" for k in rest if given]
    )


def test_cells_variants_and_seeds_go_together_but_not_other_ways_of_running(lab, calls, many):
    given = many()
    wanted = {"sixth": {"steps": {"stacks": {"k": 6}}}}
    study = changed("steps.after.with.wanted", wanted, STUDY)
    slow = cell("slow", changed("runtime.batch_size", 7, changed("steps.stacks.with.k", 9, STUDY)))
    seeded = cell("seed=1", changed("seed", 1, STUDY))
    outcome = lab.run(power(1, study), power(2), slow, seeded)
    assert outcome.status == "done"
    assert given == [[1, 6, 2]]
    assert (outcome.folder / "k=1/variants/stacks@sixth.parquet").exists()
    lab.run(power(4), cell("seed=2", changed("seed", 2, STUDY)))
    assert given == [[1, 6, 2]]  # the draws of one of them were not there yet
    lab.run(cell("seed=2", changed("seed", 2, changed("steps.stacks.with.k", 5, STUDY))), power(7))
    assert given[1:] == [[5, 7]]


def test_what_a_job_keeps_and_says_is_its_own(lab, many, expected, monkeypatch):
    """Law: notes, scratch and finished pieces of a job are those of its step."""
    found = {}

    def leaving_out(jobs):
        for job in jobs:
            job.context.note(f"power {job.params.k}")
            (job.context.scratch() / "s").write_text("")
            (job.context.partial() / "half").write_text(str(job.params.k))
        yield from (
            (n, result_of(j.params, j.inputs, j.context)) for n, j in [*enumerate(jobs)][1:]
        )

    def going_on(params, inputs, context):
        found[params.k] = (context.partial() / "half").read_text()
        return alone(params, inputs, context)

    many(leaving_out)
    monkeypatch.setattr(sys.modules["stack_plugin"], "alone", going_on)
    outcome = lab.run(*CELLS)
    assert found == {1: "1"}
    notes = events(outcome, "note")
    assert [(n["cell"], n["step"], n["message"]) for n in notes] == [
        (f"k={k}", "stacks", f"power {k}") for k in POWERS
    ]
    assert contents(lab.store.folder) == expected
    assert list((lab.store.folder / "tmp").iterdir()) == []


def test_one_bar_is_shown_at_a_time(lab, many):
    opened = []

    class Bars(Progress):
        @contextmanager
        def bar(self, *, total, label, unit):
            opened.append(label)
            yield lambda _done: None

    def tracking(jobs):
        bars = [j.context.track("ab", total=2, label=f"p{j.params.k}", unit="x") for j in jobs]
        for _ in zip(*bars, strict=True):
            pass
        list(jobs[2].context.track("ab", total=2, label="later", unit="x"))
        return at_once(jobs)

    many(tracking)
    assert lab.run(*CELLS, progress=Bars(quiet=True)).status == "done"
    assert opened == ["p1", "later"]


# What is told


def test_the_record_shares_the_time_and_says_so(lab, many):
    many()
    outcome = lab.run(*CELLS)
    entries = steps_of(outcome)
    assert {entry["together"] for entry in entries.values()} == {3}
    finished = [each for each in events(outcome, "step-finished") if each["step"] == "stacks"]
    assert [each["cell"] for each in finished] == ["k=3", "k=2", "k=1"]
    assert {each["together"] for each in finished} == {3}
    total = sum(entry["seconds"] for entry in entries.values())
    assert total == pytest.approx(finished[-1]["seconds"], abs=0.1)
    assert len({entry["seconds"] for entry in entries.values()}) == 1
    assert all("cpu_bytes" in entry["peak_memory"] for entry in entries.values())
    run = Run(outcome.folder, read_record(outcome.folder), lab.registry)
    (first, *_) = explain(run, "stacks")
    assert first.together == 3
    share = explanation_text(first)
    assert (first.seconds == 0) or "its share of the time that 3 steps took together" in share
    assert "together" not in steps_of(outcome, "draws")["k=1"]


def test_plans_and_lines_say_with_how_many_others(lab):
    lab.run(power(2))
    planned = lab.plan(*CELLS)
    assert [s["with_others"] for s in planned.plain()["steps"] if s["step"] == "stacks"] == [
        1,
        0,
        1,
    ]
    assert plan_text(planned).count("; with 1 other\n") == 2
    event = {"event": "step-finished", "step": "sae", "seconds": 2.0, "together": 12}
    assert line_of(event) == "sae: done in 2.0 s, with 11 others"
    started = {"event": "step-started", "component": "toy 1", "reasons": ["new"], "together": 2}
    assert line_of(started) == "toy 1 (new), with 1 other"


# When something is wrong


@pytest.mark.parametrize("keep_going", [True, False])
def test_one_that_fails_is_told_in_its_own_name_and_the_others_are_stored(
    lab, many, monkeypatch, keep_going
):
    many(lambda jobs: (pair for pair in at_once(jobs) if jobs[pair[0]].params.k != 1))
    monkeypatch.setenv("TOY_FAIL", "alone-1")
    outcome = lab.run(*CELLS, keep_going=keep_going)
    (error,) = outcome.errors
    assert isinstance(error, StepFailed)
    assert str(error).startswith("step 'k=1/stacks' failed: ValueError: alone-1 was told to fail")
    assert statuses(outcome) == ["failed", "done", "done"]
    assert stored(lab) == [2, 3]
    assert (outcome.folder / "k=3/tables/stacks.parquet").exists()
    after = [entry["status"] for entry in steps_of(outcome, "after").values()]
    assert after == (["blocked", "done", "done"] if keep_going else ["planned"] * 3)


def test_many_that_gives_nothing_is_the_loop(lab, calls, many, expected):
    given = many(lambda jobs: [])
    outcome = lab.run(*CELLS)
    assert given == [[1, 2, 3]]  # and nobody is asked twice
    assert [call for call in calls() if "-" in call][2:] == ["alone-1", "alone-2", "alone-3"]
    assert contents(lab.store.folder) == expected
    assert all("together" not in entry for entry in steps_of(outcome).values())


def test_where_many_fails_the_rest_is_made_one_by_one(lab, calls, many, expected):
    def failing(jobs):
        yield next(at_once(jobs))
        raise MemoryError("no room for 3")

    many(failing)
    outcome = lab.run(*CELLS)
    assert outcome.status == "done"
    assert contents(lab.store.folder) == expected
    assert calls()[2:] == ["many-3", "alone-1", "alone-2"]
    (warning,) = read_record(outcome.folder)["warnings"]
    said, _, file = warning.partition(" (traceback: ")
    assert said == (
        "3 steps of toy-stack 1 at once failed, and what is left of them is made one by one: "
        "MemoryError: no room for 3"
    )
    assert "no room for 3" in Path(file.rstrip(")")).read_text()


MISUSES = {
    "twice": ([(2, "result"), (2, "result")], "many gave job 2 again"),
    "unknown": ([(2, "result"), (3, "result")], "many gave job 3 of 3"),
    "negative": ([(-1, "result")], "many gave job -1 of 3"),
    "no result": ([(2, "result"), (0, {"table": 1})], "many, job 0: returned dict, not a Result"),
    "no pair": ([(2, "result"), Result()], "many gave Result, not a pair of a number and a Result"),
    "not iterable": (5, "many returned int, not pairs of a number and a Result"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_what_breaks_the_contract_is_the_plugin_s_fault(lab, many, name):
    """Law: whatever was given before is stored, and nothing else."""
    given, message = MISUSES[name]

    def breaking(jobs):
        results = dict(at_once(jobs))
        made = [
            (pair[0], results[2]) if isinstance(pair, tuple) and pair[1] == "result" else pair
            for pair in given
        ]
        return iter(made)

    many(breaking if isinstance(given, list) else lambda jobs: given)
    outcome = lab.run(*CELLS)
    (error,) = outcome.errors
    assert isinstance(error, PluginError)
    assert outcome.exit_code == 3
    first, step, traceback = str(error).splitlines()
    assert first.endswith(f"step 'toy-stack': {message}")
    assert step == "  step: k=1/stacks"
    assert traceback.startswith("  traceback: ")
    good = isinstance(given, list) and given[0][0] == 2
    assert stored(lab) == ([3] if good else [])
    assert statuses(outcome) == ["failed", "planned", "done" if good else "planned"]


def test_many_that_takes_something_else_is_the_plugin_s_fault(lab, monkeypatch):
    monkeypatch.setattr(sys.modules["stack_plugin"], "many", lambda params, inputs: None)
    (error,) = lab.run(*CELLS).errors
    assert isinstance(error, PluginError)
    assert "many must take (jobs): missing a required argument: 'inputs'" in str(error)


def test_only_a_step_computes_many_at_once(lab):
    from dataclasses import replace

    component = lab.registry.find("step", "toy-stack")
    assert faults_of(component) == []
    assert faults_of(replace(component, kind="concept", many="no function")) == [
        "many 'no function' is not 'package.module:name'",
        "many, which a concept cannot ask for; only a step can",
    ]


def test_what_was_given_before_an_interruption_is_reused(lab, many, expected):
    def interrupted(jobs):
        yield next(at_once(jobs))
        raise KeyboardInterrupt

    many(interrupted)
    with pytest.raises(KeyboardInterrupt):
        lab.run(*CELLS)
    outcome = resolve(lab.out / "toy" / "latest")
    found = read_record(outcome)
    assert found["status"] == "interrupted"
    assert [entry["steps"]["stacks"]["status"] for entry in found["cells"].values()] == [
        "interrupted", "interrupted", "done",
    ]  # fmt: skip
    assert (outcome / "k=3/tables/stacks.parquet").exists()
    given = many()
    again = lab.run(*CELLS)
    assert given == [[1, 2]]
    assert statuses(again) == ["done", "done", "reused"]
    assert contents(lab.store.folder) == expected


@pytest.mark.parametrize("released", [True, False])
@pytest.mark.parametrize("k", POWERS)
def test_what_another_process_makes_is_left_out_and_waited_for(lab, many, expected, k, released):
    with ExitStack() as other:
        other.enter_context(lab.store.lock(lab.keys(power(k))["stacks"]))

        def meanwhile(jobs):
            if released:
                other.close()
            return at_once(jobs)

        given = many(meanwhile)
        outcome = lab.run(*CELLS, keep_going=True, wait=0.0)
    rest = [each for each in POWERS if each != k]
    if k == 1:  # it is waited for before anything is made
        assert [type(error) for error in outcome.errors] == [StoreBusy]
        released = False
    assert given == [rest]
    assert [type(error) for error in outcome.errors] == ([] if released else [StoreBusy])
    assert stored(lab) == (list(POWERS) if released else rest)
    assert not released or contents(lab.store.folder) == expected


def test_damage_in_what_is_given_is_repaired_and_all_is_tried_again(lab, calls, many, expected):
    key = lab.keys(power(1))["draws"]

    def damaging(jobs):
        if len(given) == 1:
            yield next(at_once(jobs))
            damage(lab, key)
            forget(jobs[0].inputs["draws"])
            jobs[0].inputs["draws"].read_table("table")
        yield from at_once(jobs)

    given = many(damaging)
    outcome = lab.run(*CELLS)
    assert outcome.status == "done"
    assert given == [[1, 2, 3], [1, 2]]
    assert [event["key"] for event in events(outcome, "damaged")] == [key]
    assert calls().count("toy-draw") == 2
    assert contents(lab.store.folder) == expected


def test_what_cannot_be_shown_is_told_in_its_own_turn(lab, many):
    """Law: who is to blame, and what goes on, is the same as if each step were made alone."""
    clash = changed("steps.draws_sites", {"use": "toy-stack", "with": {"k": 3}}, STUDY)
    cells = [power(1), cell("clash", clash), power(2)]
    given, told = many(), []
    for each in (lab, lab_in(lab.out / "again")):
        outcome = each.run(*cells, keep_going=True)
        became = [
            {name: entry["status"] for name, entry in facts["steps"].items()}
            for facts in read_record(outcome.folder)["cells"].values()
        ]
        told.append(([str(error) for error in outcome.errors], became))
        many(lambda jobs: [])
    assert given == [[1, 3, 2]]
    assert told[0] == told[1]
    assert "made by the steps 'draws' and 'draws_sites'" in told[0][0][0]


def test_a_budget_is_in_no_key(lab):
    """Law: runtime.many_bytes changes nothing but what is computed at once."""
    wanted = changed("runtime.many_bytes", 5, STUDY)
    assert lab.keys(wanted) == lab.keys(STUDY)
