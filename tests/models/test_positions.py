"""Positions by rule, on prompts whose tokens can be counted by hand."""

import pytest

from studyrun_models.positions import Tokens, column_of, fault_of

#        0      1    2  3    4
TEXT = "Anna has 20 apples."
SPANS = [(0, 0), (0, 4), (4, 8), (8, 11), (11, 18), (18, 19)]
TOKENS = Tokens(TEXT, [9, 1, 2, 3, 4, 5], SPANS, counted=[1, 2, 3, 4, 5])
WITH_BOS = Tokens(TEXT, TOKENS.ids, SPANS, counted=[0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("position", "column"),
    [
        (0, 1),
        (2, 3),
        (-1, 5),
        (-5, 1),
        ("last", 5),
        ("/Anna/", 1),
        ("/[0-9]+/", 3),
        ("/has 20/", 3),
        ("/Anna.*apple/", 4),
        ("/20 a/", 4),
        ("/s\\./", 5),
        ("/s/", 4),
        ("/s(?= 20)/", 2),
        ("/x*|has/", 2),
    ],
)
def test_a_position_is_counted_without_the_bos_token(position, column):
    assert column_of(position, TOKENS) == column


def test_the_bos_token_can_be_counted():
    assert column_of(0, WITH_BOS) == 0
    assert column_of(-6, WITH_BOS) == 0
    assert column_of("/Anna/", WITH_BOS) == 1


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (5, "position 5 does not exist in a prompt of 5 tokens"),
        (-6, "position -6 does not exist in a prompt of 5 tokens"),
        ("/pears/", "/pears/ matches nothing in the prompt"),
        ("/x*/", "/x*/ matches nothing in the prompt"),
    ],
)
def test_a_position_that_the_prompt_lacks_is_an_error(position, reason):
    with pytest.raises(LookupError) as raised:
        column_of(position, TOKENS)
    assert raised.value.args == (reason,)


def test_a_match_between_tokens_is_an_error():
    tokens = Tokens("a  b", [1, 2], [(0, 1), (3, 4)], [0, 1])
    with pytest.raises(LookupError, match="which is in no token"):
        column_of("/ +/", tokens)


@pytest.mark.parametrize("position", [0, -3, "last", "/a+/", "/a/b/"])
def test_a_rule_that_can_be_read_has_no_fault(position):
    assert fault_of(position) is None


@pytest.mark.parametrize("position", ["first", "/", "//", "/a", ""])
def test_a_word_that_is_no_rule_is_a_fault(position):
    message = f"{position!r} is not a position: write a number, `last` or `/expression/`"
    assert fault_of(position) == message


def test_a_broken_expression_is_a_fault():
    assert str(fault_of("/(/")).startswith("'/(/' is not a regular expression: missing )")
