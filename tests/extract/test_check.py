"""What `extract` refuses before anything is computed, each at the very item."""

import pytest

from studyrun import CheckScope, Fault, ModelFacts
from studyrun_extract import ExtractParams
from studyrun_extract.check import check

CODI = CheckScope(ModelFacts("codi", "0", 16, 128, tuple(range(7))))
LM = CheckScope(ModelFacts("lm", "0", 4, 32, None))


def faults(layers, positions, scope):
    return list(check(ExtractParams(layers, positions), scope))


@pytest.mark.parametrize(
    ("layers", "positions", "scope"),
    [
        ([0, 14, 15], [0, 3, 6], CODI),
        ([3], [0, -1, "last", "/[0-9]+/"], LM),
        ([99], [99], CheckScope()),
    ],
)
def test_what_the_model_has_is_no_fault(layers, positions, scope):
    assert faults(layers, positions, scope) == []


def test_every_layer_and_position_that_the_model_lacks_is_a_fault_of_its_own():
    assert faults([14, 16], [3, 7, -1, "last"], CODI) == [
        Fault(
            ("layers", 1),
            "the model has no layer 16",
            tuple(str(i) for i in range(16)),
        ),
        *(
            Fault(
                ("positions", i),
                f"the model has no position {position!r}",
                tuple("0123456"),
            )
            for i, position in [(1, 7), (2, -1), (3, "last")]
        ),
    ]


def test_a_rule_that_cannot_be_read_is_a_fault():
    (fault,) = faults([1], ["last", "lst"], LM)
    assert fault.path == ("positions", 1)
    assert fault.message == "'lst' is not a position: write a number, `last` or `/expression/`"


def test_what_stands_twice_is_a_fault_at_the_second():
    assert faults([2, 1, 2], [3, 3], CODI) == [
        Fault(("layers", 2), "2 stands here twice"),
        Fault(("positions", 1), "3 stands here twice"),
    ]
