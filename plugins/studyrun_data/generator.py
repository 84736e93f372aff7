"""Balanced arithmetic word problems of one to four steps, each with its worked solution.

All numbers are integers in 1..100 and every division is exact. The same arguments always give the
same problems.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar

from studyrun_data.facts import (
    MAX_NUMBER,
    OPERATORS,
    SIZES,
    Facts,
    WordStep,
    compute,
    list_facts,
)
from studyrun_data.templates import (
    CHAINS,
    CONTAINERS,
    ITEMS,
    NAMES,
    STORIES,
    Form,
    Template,
    render,
    work_out,
)

__all__ = [
    "MAX_NUMBER",
    "OPERATORS",
    "STEPS",
    "Form",
    "WordProblem",
    "WordStep",
    "contrast",
    "draw",
    "generate",
    "is_held_out",
    "stream",
]

STEPS = (1, 2, 3, 4)
CHAIN_SHARE = 0.4
HELD_OUT_ONE_IN = 20
_TRIES = 4_000
_NUMBER_TRIES = 30
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class WordProblem:
    """A question in words with its worked solution."""

    question: str
    """English sentences; every number in them is an operand."""
    steps: tuple[WordStep, ...]
    """The calculation; the last result is the answer."""
    form: Form = field(repr=False, compare=False)
    """How the problem was made."""

    @property
    def solution(self) -> str:
        """The steps as text, for example `20*3=60 | 60+5=65`."""
        return " | ".join(map(str, self.steps))

    @property
    def answer(self) -> int:
        """The result of the last step."""
        return self.steps[-1].result

    @property
    def operands(self) -> tuple[int, ...]:
        """The given numbers in the order of the question."""
        return self.form.operands


def _problem(form: Form) -> WordProblem | None:
    """The problem of a form, or None where its numbers do not work out."""
    steps = work_out(form.template, form.operators, form.operands)
    return None if steps is None else WordProblem(render(form), steps, form)


def _draw_operands(
    rng: random.Random, template: Template, operators: Sequence[str]
) -> tuple[int, ...] | None:
    """Given numbers for which every step is allowed, or None after a dead end."""
    size = rng.choice(SIZES)
    given: list[int] = []
    results: list[int] = []
    for operation, operator in zip(template.operations, operators, strict=True):
        left = None if operation.left is None else results[operation.left]
        right = None if operation.right is None else results[operation.right]
        pair = _draw_pair(rng, list_facts(size), operator, left, right)
        if pair is None:
            return None
        given += [pair[i] for i, known in enumerate((left, right)) if known is None]
        result = compute(pair[0], operator, pair[1], size)
        if result is None:
            return None
        results.append(result)
    return tuple(given)


def _draw_pair(
    rng: random.Random, facts: Facts, operator: str, left: int | None, right: int | None
) -> tuple[int, int] | None:
    """Operands with the unknown ones drawn, or None where there are none."""
    if left is not None and right is not None:
        return left, right
    if left is not None:
        rights = facts.rights.get((operator, left))
        return None if rights is None else (left, rng.choice(rights))
    if right is not None:
        lefts = facts.lefts.get((operator, right))
        return None if lefts is None else (rng.choice(lefts), right)
    return rng.choice(facts.pairs[operator])


def _draw_operators(
    rng: random.Random, template: Template, operators: Sequence[str], wanted: str | None
) -> tuple[str, ...] | None:
    """An allowed operator per operation, with `wanted` somewhere among them."""
    options = [[op for op in operators if op in o.wordings] for o in template.operations]
    if not all(options):
        return None
    chosen = [rng.choice(choice) for choice in options]
    if wanted is not None and wanted not in chosen:
        places = [i for i, choice in enumerate(options) if wanted in choice]
        if not places:
            return None
        chosen[rng.choice(places)] = wanted
    return tuple(chosen)


def _plant(rng: random.Random, operands: tuple[int, ...], values: Sequence[int]) -> tuple[int, ...]:
    """Operands with some of the wanted values put at random places."""
    planted = list(operands)
    places = rng.sample(range(len(planted)), min(len(values), len(planted)))
    for place, value in zip(places, values, strict=False):
        if rng.random() < 0.7:
            planted[place] = value
    return tuple(planted)


def _has_values(steps: Sequence[WordStep], values: Sequence[int]) -> bool:
    """Whether each value is an operand or a result."""
    present = {number for step in steps for number in (step.left, step.right, step.result)}
    return present.issuperset(values)


@lru_cache(maxsize=1024)
def _usable_stories(
    n_steps: int, operators: tuple[str, ...], wanted: str | None
) -> tuple[Template, ...]:
    """The hand-written stories that can be told with these operators, and with `wanted`."""
    return tuple(
        story
        for story in STORIES[n_steps]
        if all(any(op in o.wordings for op in operators) for o in story.operations)
        and (wanted is None or any(wanted in o.wordings for o in story.operations))
    )


def _attempt(
    rng: random.Random,
    n_steps: int,
    operators: Sequence[str],
    values: Sequence[int],
    wanted: str | None = None,
) -> WordProblem | None:
    """A problem of a random story, or None where the draw does not fit the request."""
    stories = _usable_stories(n_steps, tuple(operators), wanted)
    chain = rng.random() < CHAIN_SHARE or not stories
    template = CHAINS[n_steps] if chain else rng.choice(stories)
    chosen = _draw_operators(rng, template, operators, wanted)
    if chosen is None:
        return None
    for _ in range(_NUMBER_TRIES):
        operands = _draw_operands(rng, template, chosen)
        if operands is None:
            continue
        if values:
            operands = _plant(rng, operands, values)
            steps = work_out(template, chosen, operands)
            if steps is None or not _has_values(steps, values):
                continue
        return _problem(_draw_form(rng, template, chosen, operands))
    return None


def _draw_form(
    rng: random.Random, template: Template, operators: tuple[str, ...], operands: tuple[int, ...]
) -> Form:
    """A form with names, things and wordings drawn at random."""
    name, other = rng.sample(NAMES, 2)
    variants = tuple(rng.randrange(12) for _ in operators)
    item, container = rng.choice(ITEMS), rng.choice(CONTAINERS)
    return Form(template, operators, operands, variants, name, other, item, container)


def _check(n_steps: int, operators: Sequence[str], values: Sequence[int]) -> None:
    """Refuse what no problem can satisfy.

    Raises:
        ValueError: saying which argument is impossible.
    """
    if n_steps not in STEPS:
        raise ValueError(f"a problem has 1 to 4 steps, not {n_steps}")
    unknown = [op for op in operators if op not in OPERATORS]
    if unknown or not operators:
        raise ValueError(f"operators must be some of + - * /, not {tuple(operators)}")
    outside = [value for value in values if not 1 <= value <= MAX_NUMBER]
    if outside:
        raise ValueError(f"values must be in 1..{MAX_NUMBER}, not {outside}")
    if len(set(values)) > 2 * n_steps + 1:
        raise ValueError(
            f"a problem of {n_steps} steps has {2 * n_steps + 1} numbers, "
            f"too few for {len(set(values))} values"
        )


def draw(
    rng: random.Random,
    n_steps: int,
    *,
    operators: Sequence[str] = OPERATORS,
    values: Sequence[int] = (),
) -> WordProblem:
    """A random problem with `n_steps` steps.

    Args:
        rng: source of randomness.
        n_steps: 1 to 4.
        operators: only these occur.
        values: each of these occurs as an operand or as a result.

    Raises:
        ValueError: the request is impossible, or so rare that no problem was found.
    """
    _check(n_steps, operators, values)
    for _ in range(_TRIES):
        problem = _attempt(rng, n_steps, operators, values)
        if problem is not None:
            return problem
    raise ValueError(_not_found(n_steps, operators, values))


def _not_found(n_steps: int, operators: Sequence[str], values: Sequence[int]) -> str:
    """Text of the error after too many tries."""
    wish = f" and the values {list(values)}" if values else ""
    return (
        f"no further problem with {n_steps} steps, operators {' '.join(operators)}{wish} "
        f"found in {_TRIES} tries"
    )


def is_held_out(problem: WordProblem) -> bool:
    """Whether the problem's given numbers belong to the 5 % that are never trained on.

    It depends on the tuple of given numbers alone, so a held-out tuple is held out in every story.
    """
    text = ",".join(map(str, problem.operands)).encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_ONE_IN == 0


def stream(
    seed: int,
    *,
    steps: Sequence[int] = STEPS,
    operators: Sequence[str] = OPERATORS,
    values: Sequence[int] = (),
    held_out: bool | None = None,
) -> Iterator[WordProblem]:
    """Endless unique problems; see `generate`."""
    for n_steps in steps:
        _check(n_steps, operators, values)
    if not steps:
        raise ValueError("steps is empty: say which numbers of steps are wanted")
    rng = random.Random(seed)
    counts = {n_steps: dict.fromkeys(operators, 0) for n_steps in steps}
    seen: set[str] = set()
    while True:
        for n_steps in steps:
            problem = _next(rng, n_steps, counts[n_steps], values, seen, held_out)
            seen.add(problem.question)
            for step in problem.steps:
                counts[n_steps][step.operator] += 1
            yield problem


def _next(
    rng: random.Random,
    n_steps: int,
    counts: dict[str, int],
    values: Sequence[int],
    seen: set[str],
    held_out: bool | None,
) -> WordProblem:
    """A new problem that contains the operator used least so far, if there is one."""
    operators = tuple(counts)
    wanted: str | None = min(operators, key=counts.__getitem__)
    for attempt in range(_TRIES):
        if attempt == _TRIES // 2:
            wanted = None
        problem = _attempt(rng, n_steps, operators, values, wanted)
        if problem is None or problem.question in seen:
            continue
        if held_out is None or is_held_out(problem) == held_out:
            return problem
    raise ValueError(_not_found(n_steps, operators, values))


def generate(
    n: int,
    seed: int,
    *,
    steps: Sequence[int] = STEPS,
    operators: Sequence[str] = OPERATORS,
    values: Sequence[int] = (),
    held_out: bool | None = None,
) -> list[WordProblem]:
    """`n` different problems, balanced over the numbers of steps and over the operators.

    A longer list starts with the shorter one of the same seed.

    Args:
        n: how many.
        seed: the same seed gives the same list.
        steps: numbers of steps, used in turn.
        operators: only these occur.
        values: each of these occurs in every problem as an operand or as a result.
        held_out: True for held-out operand tuples only, False for none of them, None for both.

    Raises:
        ValueError: the request is impossible, or there are not `n` such problems.
    """
    if n < 0:
        raise ValueError(f"n must not be negative, not {n}")
    problems = stream(seed, steps=steps, operators=operators, values=values, held_out=held_out)
    return [next(problems) for _ in range(n)]


def contrast(
    problem: WordProblem,
    rng: random.Random,
    *,
    operator: tuple[str, str] | None = None,
    value: tuple[int, int] | None = None,
) -> WordProblem | None:
    """The same story with exactly one operation or exactly one given number changed.

    Args:
        problem: where to start.
        rng: chooses among several places.
        operator: (old, new); one operation with the old operator gets the new one.
        value: (old, new); one given number equal to old becomes new.

    Returns:
        The changed problem with its steps worked out again, or None if there is no valid one.

    Raises:
        ValueError: not exactly one of `operator` and `value` was given.
    """
    if (operator is None) == (value is None):
        raise ValueError("give either an operator or a value to change")
    form = problem.form
    if operator is not None:
        forms = [replace(form, operators=ops) for ops in _swaps(form.operators, *operator)]
        forms = [f for f in forms if _is_worded(f)]
    elif value is not None:
        forms = [replace(form, operands=numbers) for numbers in _swaps(form.operands, *value)]
    changed = [p for p in map(_problem, forms) if p is not None]
    return rng.choice(changed) if changed else None


def _swaps(places: tuple[_T, ...], old: _T, new: _T) -> list[tuple[_T, ...]]:
    """Every way to replace one `old` by `new`."""
    if old == new:
        return []
    return [(*places[:i], new, *places[i + 1 :]) for i, x in enumerate(places) if x == old]


def _is_worded(form: Form) -> bool:
    """Whether the story has words for each of the form's operators."""
    pairs = zip(form.template.operations, form.operators, strict=True)
    return all(operator in operation.wordings for operation, operator in pairs)
