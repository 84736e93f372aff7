"""The one reader of solutions: what it reads, what it lists, and that nothing gets lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import arithmetic
from studyrun_data.expression import ExpressionError, format_number
from studyrun_data.problem import Calculation, Malformed
from studyrun_data.solution import read_solution, read_step, render


def step(expression, operands, operators, result) -> Calculation:
    return Calculation(expression, tuple(map(float, operands)), tuple(operators), float(result))


def reasons(text: str) -> list[str]:
    return [malformed.reason for malformed in read_solution(text).malformed]


@given(arithmetic(), st.floats(allow_nan=False, allow_infinity=False))
def test_reading_undoes_rendering(built, result):
    """Law: read_step(render(step)) == step."""
    stated = read_step(f"{built.text}={format_number(result)}")
    assert stated.result == result
    assert read_step(render(stated)) == stated


@given(st.lists(arithmetic(), min_size=1, max_size=5), st.sampled_from(["plain", "annotated"]))
def test_both_notations_say_the_same(built, notation):
    """Law: every step comes back in order, whatever stands around it."""
    steps = [f"{b.text} = {format_number(float(b.value))}" for b in built]
    wrapped = "so <<{}>>. 3 of them\n"
    text = " | ".join(steps) if notation == "plain" else "".join(wrapped.format(s) for s in steps)
    read = read_solution(text + "\n#### 7")
    assert [s.operators for s in read.steps] == [b.operators for b in built]
    assert [s.result for s in read.steps] == [float(b.value) for b in built]


@given(st.lists(st.text("0123456789+-*/=.()x%$, a<>", max_size=12), max_size=6))
def test_nothing_is_passed_over(pieces):
    """Law: every piece that is not blank is read, or listed with its text, or both."""
    text = "|".join(pieces)
    read = read_solution(text, "plain")
    written = [piece.strip() for piece in pieces if piece.strip()]
    if not written:
        assert [m.place for m in read.malformed] == ["solution"]
        return
    unread = [m for m in read.malformed if not m.reason.endswith("kept as it is")]
    assert len(read.steps) + len(unread) == len(written)
    assert all(written[int(m.place.removeprefix("step ")) - 1] == m.text for m in read.malformed)


def test_the_two_notations_worked_out_by_hand():
    first, second = step("20*3", [20, 3], "*", 60), step("60+5", [60, 5], "+", 65)
    assert read_solution("20*3=60 | 60+5=65").steps == (first, second)
    assert read_solution("20*3=60\r\n60+5=65\n").steps == (first, second)
    annotated = "He has 20*3 = $<<20*3=60>>60.\nWith 5 more <<60+5=65>>65.\n#### 65"
    assert read_solution(annotated).steps == (first, second)
    assert read_solution(annotated).malformed == ()


def test_trap_c2_signs_and_digits():
    """Trap C2: `-` in a negative number is no subtraction; 50 is not in 500."""
    (read,) = read_solution("-20+500=480").steps
    assert read == step("-20+500", [-20, 500], "+", 480)


def test_a_step_without_operation_is_a_step():
    assert read_solution("<<12=12>>").steps == (step("12", [12], "", 12),)


@pytest.mark.parametrize(
    "text",
    ["10/3=3.33", "10/3=3.3", "10/3=3", "20/3=7", "20/3=6.67", "20/3=6.66", "1/3=33%", "2/3=67%",
     "0.1+0.2=0.3", "3/4*2/3=1/2", "1/3+1/3=2/3", "7/2=4", "7/2=3", "20*.5=10.00", "2*3=$6.",
     "10/4\N{ALMOST EQUAL TO}2.5", "-7/2=-3.5", "1000*1000=1,000,000"],
)  # fmt: skip
def test_a_rounded_or_cut_off_result_agrees(text):
    assert read_solution(text).malformed == ()


@pytest.mark.parametrize(
    ("text", "value", "stated"),
    [
        ("2+2=5", "4", "5"),
        ("0.33+0.34=0.66", "0.67", "0.66"),
        ("20/3=6.65", "6.66666666667", "6.65"),
        ("20/3=6.68", "6.66666666667", "6.68"),
        ("20/3=6", "6.66666666667", "6"),
        ("50%*80=4000", "40", "4000"),
        ("1/3=1/4", "0.333333333333", "0.25"),
        ("10-20=10", "-10", "10"),
        ("12=13", "12", "13"),
    ],
)
def test_a_wrong_result_is_kept_and_listed(text, value, stated):
    read, expression = read_solution(text), text.partition("=")[0]
    assert [step.expression for step in read.steps] == [expression]
    assert read.steps[0].result == float(stated)
    reason = f"{expression} is {value}, not {stated}; kept as it is"
    assert read.malformed == (Malformed("step 1", text, reason),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2*3", "no '='"),
        ("2*3=6=6", "2 signs '=', not one"),
        ("2*3=", "nothing stands right of '='"),
        ("=6", "nothing stands left of '='"),
        ("2*3=6-", "a number is missing at the end"),
        ("2*3=3+3", "right of '=' stands a calculation, not a number"),
        ("x=12", "a number is missing before 'x'"),
        ("20*3=60 apples", "unexpected 'a'"),
        ("5/0=0", "it divides by zero"),
    ],
)
def test_what_is_no_step_is_listed_with_the_reason(text, reason):
    read = read_solution(f"1+1=2|{text}|2+2=4")
    assert [step.expression for step in read.steps] == ["1+1", "2+2"]
    assert read.malformed == (Malformed("step 2", text, reason),)
    with pytest.raises(ExpressionError):
        read_step(text)


def test_annotations_that_do_not_close_or_open_are_listed():
    read = read_solution("a <<3+4=7 b\n<<1+1=2>> c 5+5=10>> d")
    assert read.steps == (step("1+1", [1, 1], "+", 2),)
    assert [m.text for m in read.malformed] == ["<<3+4=7 b", "c 5+5=10>>"]
    assert all(m.reason == "'<<' and '>>' do not match" for m in read.malformed)


def test_an_empty_annotation_is_listed():
    assert reasons("<<>>") == ["no '='"]


def test_a_solution_without_any_step_is_listed():
    assert reasons("Let x be 3.") == ["no '='"]
    assert reasons("\n#### 3") == ["it has no calculation"]
    (only,) = read_solution("Let x be 3.\n#### 3", "annotated").malformed
    assert only == Malformed("solution", "Let x be 3.\n#### 3", "it has no <<calculation>>")


def test_the_answer_is_no_step():
    assert read_solution("1+1=2\n#### 2").malformed == ()
