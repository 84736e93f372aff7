"""Laws of which problem may lend another its activations."""

import random
from collections import Counter
from itertools import chain, combinations

import polars as pl
import pytest
from concept_room import table
from hypothesis import given
from hypothesis import strategies as st

from strategies import problems
from studyrun_data import generator
from studyrun_data.donors import TRAITS, donors, first_operand, operations
from studyrun_data.solution import read_solution
from studyrun_data.table import table_of

SOLUTIONS = ["1+2=3", "1*2=2", "2+2=4", "1+2=3|3*1=3", "2*2=4|4+1=5", "1+2*2=5", ""]
rows = st.lists(
    st.tuples(st.sampled_from(SOLUTIONS), st.sampled_from([3.0, 4.0, 5.0, None])), max_size=9
)
traits = st.permutations(list(TRAITS)).flatmap(
    lambda order: st.tuples(st.integers(0, 2), st.integers(0, 3)).map(
        lambda sizes: (order[: sizes[0]], order[sizes[0] : sum(sizes)])
    )
)


def paired(rows) -> pl.DataFrame:
    solutions, known = [row[0] for row in rows], [row[1] for row in rows]
    return table(*solutions, answers=known).with_columns(
        pair=pl.int_range(pl.len(), dtype=pl.UInt32) // 2
    )


def traits_of(row) -> dict:
    """An oracle in plain Python."""
    steps = row["steps"]
    return {
        "operations": tuple(o for s in steps for o in s["operators"]) if steps else None,
        "n_steps": row["n_steps"],
        "first-operand": steps[0]["operands"][0] if steps else None,
        "answer": row["answer"],
        "pair": row["pair"],
    }


def eligible(problems: pl.DataFrame, same, differ) -> list[set[int]]:
    """For each row those that fit, by comparing all with all."""
    every = [traits_of(row) for row in problems.rows(named=True)]

    def fits(a, b) -> bool:
        known = all(x[trait] is not None for x in (a, b) for trait in (*same, *differ))
        alike = all(a[trait] == b[trait] for trait in same)
        return known and alike and all(a[trait] != b[trait] for trait in differ)

    return [
        {j for j, other in enumerate(every) if i != j and fits(row, other)}
        for i, row in enumerate(every)
    ]


def are_fitting(found: list[int | None], fitting: list[set[int]]) -> bool:
    """Whether each row has one of those that fit, or None if there is none."""
    pairs = zip(found, fitting, strict=True)
    return all(donor in fit if fit else donor is None for donor, fit in pairs)


class Counting(random.Random):
    """Draws the same number each time, as far as there are so many."""

    def __init__(self, number: int) -> None:
        super().__init__(0)
        self.number = number

    def randrange(self, n: int) -> int:
        return min(self.number, n - 1)


@given(rows, traits, st.integers(0, 2**32))
def test_a_donor_agrees_and_differs_and_is_another_row(rows, traits, seed):
    """Law: drawn from exactly those rows that fit; None if and only if there is none."""
    problems, (same, differ) = paired(rows), traits
    fitting = eligible(problems, same, differ)
    found = donors(problems, same, differ, random.Random(seed))
    assert are_fitting(found, fitting)


@given(rows, traits)
def test_every_row_that_fits_is_one_of_the_equally_likely_draws(rows, traits):
    """Law: the numbers below n that a generator may draw lead to the n rows that fit, once each."""
    problems, (same, differ) = paired(rows), traits
    fitting = eligible(problems, same, differ)
    drawn = [donors(problems, same, differ, Counting(n)) for n in range(len(fitting))]
    for row, fit in enumerate(fitting):
        assert [drawn[n][row] for n in range(len(fit))] == sorted(fit)


@given(rows, traits, st.integers(0, 2**32))
def test_donors_depend_on_the_seed_alone(rows, traits, seed):
    problems, (same, differ) = paired(rows), traits
    first, second = (donors(problems, same, differ, random.Random(seed)) for _ in range(2))
    assert first == second


def test_all_seeds_together_draw_every_row_that_fits():
    problems = table("1+2=3", "2+5=7", "3+4=7", "4+1=5", "5*2=10")
    seen = [
        donors(problems, ["operations"], ["first-operand"], random.Random(n)) for n in range(60)
    ]
    assert {found[0] for found in seen} == {1, 2, 3}
    assert {found[4] for found in seen} == {None}
    counts = Counter(found[0] for found in seen)
    assert min(counts.values()) > 10


def test_the_other_of_a_pair():
    problems = paired([("1+2=3", 3.0)] * 6)
    assert donors(problems, ["pair"], [], random.Random(0)) == [1, 0, 3, 2, 5, 4]


@given(problems())
def test_the_traits_of_a_table_are_those_of_its_solutions(made):
    """Law: the columns agree with `first_operand` and `operations`."""
    found = table_of(made).select(TRAITS[name] for name in ("first-operand", "operations"))
    expected = [
        (first_operand(p.steps), "".join(operations(p.steps)) if p.steps else None) for p in made
    ]
    assert found.rows() == expected


def test_what_cannot_be_is_refused():
    problems = table("1+2=3", "2+2=4")
    with pytest.raises(ValueError, match="no two problems have the same answer and differ in it"):
        donors(problems, ["answer"], ["answer"], random.Random(0))
    with pytest.raises(ValueError, match="have no column 'pair': they were not made in pairs"):
        donors(problems, ["pair"], [], random.Random(0))


def test_the_only_one_that_differs_is_found_among_thousands():
    solutions = ["2+2=4"] * 4000 + ["3+1=4"]
    problems = table(*solutions, answers=[4.0] * 4000 + [5.0])
    found = donors(problems, ["operations"], ["first-operand", "answer"], random.Random(0))
    assert set(found[:-1]) == {4000}
    assert found[-1] in range(4000)


def test_generated_problems_nearly_all_have_a_donor():
    made = generator.generate(400, 1)
    problems = table(*(p.solution for p in made), answers=[float(p.answer) for p in made])
    found = donors(problems, ["operations", "n_steps"], ["first-operand"], random.Random(0))
    assert sum(donor is not None for donor in found) > 200
    steps = [read_solution(p.solution).steps for p in made]
    pairs = [(a, b) for a, b in enumerate(found) if b is not None]
    assert all(operations(steps[a]) == operations(steps[b]) for a, b in pairs)
    assert all(first_operand(steps[a]) != first_operand(steps[b]) for a, b in pairs)


def test_every_combination_of_traits_is_taken():
    problems = paired([("1+2=3", 3.0), ("2+2=4", 4.0), ("1*2=2", 2.0), ("2*2=4", 4.0)])
    names = list(TRAITS)
    subsets = chain.from_iterable(combinations(names, n) for n in range(len(names) + 1))
    for differ in subsets:
        same = [name for name in names if name not in differ]
        found = donors(problems, same, differ, random.Random(0))
        assert are_fitting(found, eligible(problems, same, differ))
