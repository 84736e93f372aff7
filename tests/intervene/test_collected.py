"""What effects say of runs, kept run by run however these are handed over, and the noise floor."""

from threading import Thread
from types import SimpleNamespace

import polars as pl
import pytest
import torch
from edit_cases import CaseContext
from hypothesis import given
from hypothesis import strategies as st
from made_runs import bound_effect, built_in  # found through the line above
from scipy.stats import entropy

from studyrun import Measure, Reading, Runs, SiteEdits, StudyError
from studyrun_intervene.columns import NOISE
from studyrun_intervene.runs.collected import Questions, collect, noise, reads_of

VOCABULARY, D_MODEL, THOUGHTS = 6, 4, 3


class Stub:
    """A replay of an invented model; its re-run is off by `rounding` in all that is read.

    `order` and `sizes` say in which order runs are handed over, and how many at a time.
    """

    note = ""

    def __init__(self, questions, *, rounding=0.0, order=None, sizes=(1,), twice=False):
        self.clean = torch.randn(
            questions, VOCABULARY, generator=torch.Generator().manual_seed(questions)
        )
        self.rounding, self.order, self.sizes, self.twice = rounding, order, sizes, twice
        self.reads = []

    def run(self, edits, reads, receive):
        for runs in self.batches(edits, reads, 0.0):
            receive(runs)

    def rerun(self, edits, reads, receive):
        for runs in self.batches(edits, reads, self.rounding):
            receive(runs)

    def batches(self, edits, reads, off):
        """The runs at each position, some at a time."""
        self.reads.append(frozenset(reads))
        order = torch.arange(len(edits)) if self.order is None else self.order
        for at, position in enumerate(edits.positions):
            some = order[edits.at[order] == at]
            number = 0
            while len(some):
                size = self.sizes[number % len(self.sizes)]
                yield self.runs(edits, some[:size], position, reads, off)
                if self.twice:
                    yield self.runs(edits, some[:size], position, reads, off)
                some, number = some[size:], number + 1

    def runs(self, edits, index, position, reads, off):
        questions = edits.questions[index]
        moved = edits.delta(index).sum(1, keepdim=True)
        clean = self.clean[questions] * (1 + off)
        logits = clean * (1 + moved)
        places = tuple(range(position, THOUGHTS + 1))
        states = logits[:, None, :D_MODEL].repeat(1, len(places), 1)
        before = clean[:, None, :D_MODEL].repeat(1, len(places), 1)

        def texts(scores):
            return [str(number) for number in scores.argmax(1).tolist()]

        read = {
            "logits": (logits, clean),
            "answers": (texts(logits), texts(clean)),
            "states": (states, before),
        }
        given = {name: both if name in reads else (None, None) for name, both in read.items()}
        return Runs(
            index=index,
            questions=questions,
            position=position,
            moved=moved[:, 0].double(),
            places=places,
            **{name: both[0] for name, both in given.items()},
            **{f"clean_{name}": both[1] for name, both in given.items()},
        )

    def targets(self, answers):
        return torch.tensor([-1 if answer is None else int(answer) for answer in answers])

    def scores(self, states):
        return states

    def token(self, number):
        return f"t{number}"


def questions_of(n, expected=None):
    table = pl.DataFrame(
        {"problem": range(n), "question": [f"q{i}" for i in range(n)], "answer": [2.0] * n},
        {"problem": pl.UInt32, "question": pl.String, "answer": pl.Float64},
    )
    return Questions(table, "last-number", [expected] * n)


def edits_of(runs, questions, positions=(1, 3)):
    """Run i is on question i % questions, at either position; its difference is about i."""
    numbers = torch.arange(runs)
    return SiteEdits(
        numbers % questions,
        positions,
        (numbers // questions) % len(positions),
        lambda some: some[:, None].double() / 10 + torch.zeros(D_MODEL),
    )


EFFECTS = built_in("next-token", "answer", "thoughts", "logit-lens")


def same(one, other):
    """Whether two collections hold the same numbers and texts."""
    assert one.values.keys() == other.values.keys()
    assert one.texts == other.texts
    for quantity, values in one.values.items():
        torch.testing.assert_close(values, other.values[quantity], equal_nan=True)


@given(
    st.integers(1, 12),
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_every_run_is_written_once_whatever_the_chunks(runs, sizes, twice, seed):
    """Law: in any order, any sizes, and handed over again, the numbers of one run at a time."""
    edits, questions = edits_of(runs, 3), questions_of(3)
    order = torch.randperm(runs, generator=torch.Generator().manual_seed(seed))
    usual = collect(edits, Stub(3), questions, EFFECTS)
    other = Stub(3, order=order, sizes=sizes, twice=twice)
    same(collect(edits, other, questions, EFFECTS), usual)
    assert usual.size == runs
    for quantity in (("kl", ""), ("answer_changed", ""), ("moved", "")):
        assert usual.values[quantity].isfinite().all()
    assert all(len(texts) == runs for each in usual.texts.values() for texts in each.values())
    assert "" not in usual.texts["answer"]["after"]


def test_what_is_given_by_place_is_kept_by_place():
    """Runs at 1 have the places 1, 2, 3; those at 3 only 3, and nothing is known of the others."""
    edits = edits_of(6, 3)
    found = collect(edits, Stub(3), questions_of(3), built_in("thoughts"))
    places = {place for name, place in found.values if name == "thought_shift"}
    assert places == {"1", "2", "3"}
    known = {place: found.values["thought_shift", place].isfinite().tolist() for place in places}
    assert known["3"] == [True] * 6
    assert known["1"] == known["2"] == [True] * 3 + [False] * 3
    assert found.values["moved", ""].tolist() == pytest.approx([0.4 * i for i in range(6)])


def test_effects_are_told_of_the_questions_of_their_runs():
    seen = {}

    def ask(runs, asked, params):
        for row, index in enumerate(runs.index.tolist()):
            seen[index] = (asked.answers[row], asked.expected[row], asked.targets[row].item())
        return Reading({"a": torch.zeros(len(runs.index))})

    questions = questions_of(2, expected=7.0)
    collect(edits_of(4, 2), Stub(2, sizes=(3,)), questions, [bound_effect(ask, "a")])
    assert seen == dict.fromkeys(range(4), (2.0, 7.0, 2))


def test_only_what_effects_need_is_read():
    replay = Stub(2)
    collect(edits_of(2, 2), replay, questions_of(2), built_in("next-token", "thoughts"))
    assert replay.reads == [{"logits", "states"}]
    assert reads_of([]) == frozenset()


def test_threads_may_hand_over_at_once():
    class Many(Stub):
        def run(self, edits, reads, receive):
            batches = list(self.batches(edits, reads, 0.0))
            threads = [Thread(target=receive, args=(runs,)) for runs in batches]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    edits, questions = edits_of(40, 4), questions_of(4)
    usual = collect(edits, Stub(4), questions, EFFECTS)
    same(collect(edits, Many(4, sizes=(3,)), questions, EFFECTS), usual)


# Effects that break their contract


def returning(values, texts=None):
    """An effect that returns that, with n for the number of runs."""
    return lambda runs, asked, params: Reading(values(len(runs.index)), texts or {})


PLACED = Measure("b", "", by_place=True)


@pytest.mark.parametrize(
    ("function", "measures", "message"),
    [
        (returning(lambda n: {"b": torch.zeros(n)}), ["a"], r"announces .*a.* and returned .*b"),
        (returning(lambda n: {}), ["a"], r"announces \['a'\] and returned \[\]"),
        (lambda runs, asked, params: 3, ["a"], r"announces \['a'\] and returned int"),
        (returning(lambda n: {"a": torch.zeros(n, 1)}), ["a"], r"'a' is \(2, 1\), .* \(2,\)"),
        (returning(lambda n: {"a": torch.zeros(n + 1)}), ["a"], r"'a' is \(3,\), .* \(2,\)"),
        (returning(lambda n: {"a": [0.0] * n}), ["a"], r"'a' is list, .* tensor \(2,\)"),
        (returning(lambda n: {"b": torch.zeros(n)}), [PLACED], r"'b' is \(2,\), .* \(2, 3\)"),
        (returning(lambda n: {"b": torch.zeros(n, 2)}), [PLACED], r"'b' is \(2, 2\), .* \(2, 3\)"),
        (
            returning(lambda n: {"a": torch.zeros(n)}, {"said": ["x"]}),
            ["a"],
            "returned 1 texts 'said' for 2 runs",
        ),
    ],
)  # fmt: skip
def test_an_effect_that_returns_something_else_is_named(function, measures, message):
    effect = bound_effect(function, *measures, name="strange")
    with pytest.raises(StudyError, match=f"effect 'strange'.*{message}"):
        collect(edits_of(2, 2), Stub(2, sizes=(9,)), questions_of(2), [effect])


def test_no_two_effects_measure_the_same():
    taken = bound_effect(returning(lambda n: {}), "kl", name="other")
    with pytest.raises(StudyError, match="effect 'other' measures 'kl', which is already there"):
        collect(edits_of(2, 2), Stub(2), questions_of(2), [*built_in("next-token"), taken])
    moved = bound_effect(returning(lambda n: {}), "moved", name="other")
    with pytest.raises(StudyError, match="measures 'moved', which is already there"):
        collect(edits_of(2, 2), Stub(2), questions_of(2), [moved])


# The noise floor


def floors(replay, n=5, position=1):
    model = SimpleNamespace(facts=SimpleNamespace(d_model=D_MODEL))
    found = noise(replay, questions_of(n), EFFECTS, position, CaseContext(model=model))
    assert found.schema == NOISE.schema()
    return {(name, place): row for name, place, *row in found.iter_rows()}


def test_the_floor_is_0_where_a_replay_has_the_bits_of_a_re_run():
    """Law: of every change, at every place; outcomes and facts have none."""
    found = floors(Stub(5))
    changes = {m.name for each in EFFECTS for m in each.component.measures if m.of == "change"}
    assert {name for name, _ in found} == changes
    assert {place for name, place in found if name == "thought_shift"} == {"1", "2", "3"}
    for n, largest, mean in found.values():
        assert (n, largest, mean) == (5, 0, 0)


def test_the_floor_is_what_a_re_run_is_off_by():
    found = floors(Stub(5, rounding=1e-3))
    assert found["thought_shift", "1"] == [5, *[pytest.approx(1e-3, rel=0.01)] * 2]
    stub = Stub(5)
    again, clean = stub.clean.double() * 1.001, stub.clean.double()
    kl = entropy(clean.softmax(1), again.softmax(1), axis=1)
    n, largest, mean = found["kl", ""]
    assert n == 5
    assert largest > 0
    assert largest == pytest.approx(kl.max(), rel=0.02)
    assert mean == pytest.approx(kl.mean(), rel=0.02)
    assert found["answer_changed", ""] == [5, 0, 0]  # the best token is the same one


def test_the_floor_is_measured_on_64_problems_at_most():
    assert floors(Stub(70), n=70)["kl", ""][0] == 64


def test_what_is_nowhere_defined_has_no_floor():
    class Unknown(Stub):
        def targets(self, answers):
            return torch.full((len(answers),), -1)

    assert floors(Unknown(5))["rank_change", ""] == [0, None, None]
