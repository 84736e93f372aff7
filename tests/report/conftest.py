"""One staged study and its report for all tests of the room."""

import pytest
from staged import staged
from written import report


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    return staged(tmp_path_factory.mktemp("store"), d_sae=64, n_problems=400)


@pytest.fixture(scope="session")
def files(inputs):
    return report(inputs)
