"""Every registered intervention keeps the laws that bind it; every law can be broken."""

import pytest

from studyrun.registry import Registry
from studyrun.testing import check_law, laws_of

ALL = [
    case for intervention in Registry.load().names("intervention") for case in laws_of(intervention)
]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_law(case):
    check_law(case)
