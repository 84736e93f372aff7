import pytest

from studyrun_classify import published_rule

FOUR_OF_FOUR = {"+": 4, "-": 0, "*": 4, "/": 0}


def test_dropping_ties_makes_a_specialist_of_what_uses_two_operations_alike():
    assert published_rule(FOUR_OF_FOUR, {}, 4, ties="drop").operation == "+"
    assert published_rule(FOUR_OF_FOUR, {}, 4, ties="keep").operation is None


@pytest.mark.parametrize(
    ("counts", "operation"),
    [
        ({"+": 71, "*": 29}, "+"),
        ({"+": 70, "*": 0}, None),  # must be above 70 %
        ({"+": 90, "*": 30}, None),  # others must be below 30 %
        ({"+": 29, "*": 99}, "*"),
    ],
)
def test_an_operation_is_dominant_above_70_percent_with_the_others_below_30(counts, operation):
    assert published_rule(counts, {}, 100, ties="keep").operation == operation


@pytest.mark.parametrize(
    ("counts", "value"),
    [({"12": 51, "20": 19}, "12"), ({"12": 50, "20": 0}, None), ({"12": 99, "20": 20}, None)],
)
def test_a_value_is_dominant_above_50_percent_with_the_others_below_20(counts, value):
    found = published_rule({}, counts, 100, ties="keep")
    assert found.value == value
    assert found.type == ("value-specialized" if value else "general")


def test_both_make_highly_specialised():
    assert published_rule({"+": 9}, {"12": 9}, 10, ties="keep").type == "highly-specialized"


def test_shares_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no problems"):
        published_rule({"+": 0}, {}, 0, ties="keep")
