"""Laws of the word problems."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import studyrun_data.generator
from studyrun_data.facts import compute
from studyrun_data.generator import (
    MAX_NUMBER,
    OPERATORS,
    WordProblem,
    contrast,
    draw,
    generate,
    is_held_out,
)
from studyrun_data.templates import CHAINS, STORIES

PACKAGE = Path(studyrun_data.generator.__file__).parents[1] / "studyrun_models" / "tiny_codi"
PYTHON = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}

seeds = st.integers(0, 2**32)
problems = st.builds(lambda seed, n: draw(random.Random(seed), n), seeds, st.integers(1, 4))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def slots_used(problem: WordProblem) -> int:
    operations = problem.form.template.operations
    return sum((o.left is None) + (o.right is None) for o in operations)


@given(problems)
def test_every_step_is_right(problem):
    """Law: left operator right == result, with all numbers in 1..100 and exact division."""
    for step in problem.steps:
        assert PYTHON[step.operator](step.left, step.right) == step.result
        assert all(1 <= n <= MAX_NUMBER for n in (step.left, step.right, step.result))


@given(problems)
def test_the_last_result_is_the_answer(problem):
    """Law: answer == result of the last step == last number of the solution."""
    assert problem.answer == problem.steps[-1].result == numbers(problem.solution)[-1]


@given(problems)
def test_the_question_says_its_operands_in_order_and_no_other_number(problem):
    """Law: the numbers in the question are the operands."""
    assert numbers(problem.question) == problem.operands
    assert len(problem.operands) == slots_used(problem) == len(problem.steps) + 1


@given(problems)
def test_every_number_of_a_step_is_given_or_was_calculated_before(problem):
    """Law: a step uses operands of the question and earlier results, each exactly once."""
    available = Counter(problem.operands)
    for step in problem.steps:
        available.subtract((step.left, step.right))
        assert min(available.values()) >= 0
        available[step.result] += 1
    assert +available == Counter([problem.answer])


@given(problems)
def test_no_slot_is_left_unfilled(problem):
    """Law: the question is finished English without a placeholder."""
    assert not set("{}") & set(problem.question)
    assert "  " not in problem.question
    assert problem.question.endswith("?")


def test_the_solution_reads_as_documented():
    problem = next(p for p in generate(99, 1) if len(p.steps) == 2)
    a, b = problem.steps
    expected = (
        f"{a.left}{a.operator}{a.right}={a.result} | {b.left}{b.operator}{b.right}={b.result}"
    )
    assert problem.solution == expected


def test_there_are_at_least_24_stories_of_every_length_with_trees_among_them():
    stories = [story for by_steps in STORIES.values() for story in by_steps]
    assert len(stories) >= 24
    assert len({s.name for s in (*stories, *CHAINS.values())}) == len(stories) + len(CHAINS)
    assert all(len(s.operations) == n for n, by_steps in STORIES.items() for s in by_steps)
    trees = [s for s in stories if any(o.left is not None and o.right is not None
                                       for o in s.operations)]  # fmt: skip
    assert len(trees) >= 4


@pytest.mark.parametrize("story", [s for group in STORIES.values() for s in group], ids=str)
def test_every_story_can_be_told_with_each_of_its_words(story):
    wanted = {
        (place, operator) for place, o in enumerate(story.operations) for operator in o.wordings
    }
    rng = random.Random(0)
    for _ in range(20_000):
        problem = draw(rng, len(story.operations))
        if problem.form.template is story:
            wanted -= set(enumerate(problem.form.operators))
        if not wanted:
            return
    assert wanted == set()


@given(seed=seeds, held_out=st.sampled_from([None, True, False]))
@settings(max_examples=10)
def test_the_same_arguments_give_the_same_list(seed, held_out):
    """Law: generate is a function, and a longer list starts with the shorter one."""
    longer = generate(24, seed, held_out=held_out)
    assert longer == generate(24, seed, held_out=held_out)
    assert longer[:8] == generate(8, seed, held_out=held_out)


def test_another_seed_gives_another_list():
    assert generate(20, 1) != generate(20, 2)


def test_steps_and_operators_are_balanced_and_questions_unique():
    made = generate(4000, 5)
    assert Counter(len(p.steps) for p in made) == dict.fromkeys((1, 2, 3, 4), 1000)
    assert len({p.question for p in made}) == len(made)
    used = Counter(step.operator for p in made for step in p.steps)
    assert max(used.values()) <= 1.15 * min(used.values())
    chains = sum(p.form.template.name.startswith("chain") for p in made)
    assert chains / len(made) == pytest.approx(0.4, abs=0.05)


@given(seed=seeds)
@settings(max_examples=10)
def test_held_out_operands_never_occur_in_training(seed):
    """Law: the operand tuples of the two halves are disjoint."""
    train = {p.operands for p in generate(200, seed, held_out=False)}
    assert not any(is_held_out(p) for p in generate(200, seed, held_out=False))
    assert all(is_held_out(p) for p in generate(40, seed + 1, held_out=True))
    assert train.isdisjoint(p.operands for p in generate(40, seed + 1, held_out=True))


@given(problems, seeds)
def test_being_held_out_depends_on_the_operands_alone(problem, seed):
    """Law: equal operands, equal side, in whatever story."""
    rng = random.Random(seed)
    other = draw(rng, len(problem.steps))
    if other.operands == problem.operands:
        assert is_held_out(other) == is_held_out(problem)
    for operator in OPERATORS:
        changed = contrast(problem, rng, operator=(problem.steps[0].operator, operator))
        assert changed is None or is_held_out(changed) == is_held_out(problem)


def test_five_percent_are_held_out():
    made = generate(8000, 11)
    assert sum(map(is_held_out, made)) / len(made) == pytest.approx(0.05, abs=0.01)


@given(
    seed=seeds,
    n_steps=st.integers(1, 4),
    operators=st.sets(st.sampled_from(OPERATORS), min_size=1).map(sorted).map(tuple),
)
def test_only_the_wanted_operators_occur(seed, n_steps, operators):
    """Law: the operators of a problem are among those asked for."""
    problem = draw(random.Random(seed), n_steps, operators=operators)
    assert {step.operator for step in problem.steps} <= set(operators)


@given(seed=seeds, value=st.integers(2, 60), n_steps=st.integers(1, 4))
@settings(max_examples=30)
def test_every_wanted_value_occurs(seed, value, n_steps):
    """Law: each value is an operand or a result."""
    problem = draw(random.Random(seed), n_steps, values=(value,))
    assert value in {n for s in problem.steps for n in (s.left, s.right, s.result)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_steps": 5}, "a problem has 1 to 4 steps, not 5"),
        ({"operators": ("+", "^")}, "operators must be some of + - * /, not ('+', '^')"),
        ({"operators": ()}, "operators must be some of + - * /, not ()"),
        ({"values": (101,)}, "values must be in 1..100, not [101]"),
        (
            {"n_steps": 1, "values": (2, 3, 4, 5)},
            "a problem of 1 steps has 3 numbers, too few for 4 values",
        ),
        (
            {"n_steps": 1, "operators": ("*",), "values": (97,)},
            "no further problem with 1 steps, operators * and the values [97] found in 4000 tries",
        ),
    ],
)
def test_an_impossible_wish_is_refused_with_its_reason(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        draw(random.Random(0), **{"n_steps": 2} | arguments)


def test_more_problems_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr(studyrun_data.generator, "NAMES", ("Anna", "Ben"))
    monkeypatch.setattr(studyrun_data.generator, "ITEMS", ("apples",))
    monkeypatch.setattr(studyrun_data.generator, "_TRIES", 50)
    wish = {"steps": (1,), "operators": ("/",), "values": (82, 41)}
    with pytest.raises(ValueError, match="no further problem with 1 steps"):
        generate(10_000, 0, **wish)


def test_wishes_that_say_nothing_are_refused():
    with pytest.raises(ValueError, match="n must not be negative, not -1"):
        generate(-1, 0)
    with pytest.raises(ValueError, match="steps is empty"):
        generate(1, 0, steps=())


@given(problem=problems, new=st.sampled_from(OPERATORS), data=st.data())
def test_an_operator_contrast_differs_in_one_operation(problem, new, data):
    """Law: same story, fillers and operands; one operator changed; steps right again."""
    old = data.draw(st.sampled_from([step.operator for step in problem.steps]))
    changed = contrast(problem, random.Random(0), operator=(old, new))
    if changed is None:
        return
    before, after = problem.form, changed.form
    pairs = [(a, b) for a, b in zip(before.operators, after.operators, strict=True) if a != b]
    assert pairs == [(old, new)]
    assert changed.operands == problem.operands
    assert after.template is before.template
    assert (after.name, after.item, after.variants) == (before.name, before.item, before.variants)
    test_every_step_is_right.hypothesis.inner_test(changed)


@given(problem=problems, new=st.integers(1, MAX_NUMBER), data=st.data())
def test_a_value_contrast_differs_in_one_given_number(problem, new, data):
    """Law: the questions differ in exactly one number; steps right again."""
    old = data.draw(st.sampled_from(problem.operands))
    changed = contrast(problem, random.Random(0), value=(old, new))
    if changed is None:
        return
    words = zip(problem.question.split(), changed.question.split(), strict=True)
    assert [(numbers(a), numbers(b)) for a, b in words if a != b] == [((old,), (new,))]
    assert changed.form.operators == problem.form.operators
    test_every_step_is_right.hypothesis.inner_test(changed)


def test_contrasts_are_found_for_many_problems():
    made = [p for p in generate(400, 3) if "+" in {s.operator for s in p.steps}]
    found = [contrast(p, random.Random(0), operator=("+", "-")) for p in made]
    assert sum(c is not None for c in found) > len(made) / 4


def test_a_contrast_that_cannot_be_is_none():
    problem = next(p for p in generate(50, 4, operators=("+",)) if 97 not in p.operands)
    rng = random.Random(0)
    assert contrast(problem, rng, operator=("*", "/")) is None
    assert contrast(problem, rng, operator=("+", "+")) is None
    assert contrast(problem, rng, value=(97, 3)) is None
    with pytest.raises(ValueError, match="either an operator or a value"):
        contrast(problem, rng)


@pytest.mark.parametrize(
    ("left", "operator", "right", "result"),
    [
        (60, "+", 40, 100),
        (60, "+", 41, None),
        (5, "-", 5, None),
        (5, "-", 4, 1),
        (20, "*", 3, 60),
        (20, "*", 1, None),
        (1, "*", 20, None),
        (12, "/", 4, 3),
        (12, "/", 5, None),
        (12, "/", 12, None),
        (12, "/", 1, None),
    ],
)
def test_calculations_that_are_ours(left, operator, right, result):
    assert compute(left, operator, right) == result


@pytest.mark.skipif(not (PACKAGE / "tokenizer.json").exists(), reason="tiny-codi is not built yet")
def test_the_tokenizer_of_tiny_codi_knows_every_word():
    """Law: no unknown token, and every number is one token."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(PACKAGE / "tokenizer.json"))
    prefix = json.loads((PACKAGE / "config.json").read_text())["codi"]["answer_prefix"]
    for problem in generate(3000, 12):
        for text in (problem.question, problem.solution, f"{prefix} {problem.answer}"):
            tokens = tokenizer.encode(text).tokens
            assert "<unk>" not in tokens
            assert tuple(int(t) for t in tokens if t.isdigit()) == numbers(text)
