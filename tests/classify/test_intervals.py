import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun_classify.statistics.intervals import wilson


def test_wilson_is_the_score_interval_worked_out_by_hand():
    found = wilson(np.array([1.0]), np.array([10.0]))  # (1 + 1.9207 -+ ...) / (10 + 3.8415)
    assert found.low[0] == pytest.approx(0.017876, abs=1e-6)
    assert found.high[0] == pytest.approx(0.404150, abs=1e-6)


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_holds_the_share_and_stays_within_0_and_1(n, more):
    total = n + more
    found = wilson(np.array([float(n)]), np.array([float(total)]))
    assert 0 <= found.low[0] <= n / total <= found.high[0] <= 1


@given(st.integers(0, 50), st.integers(0, 50))
def test_wilson_is_symmetric(n, rest):
    if not n + rest:
        return
    total = np.array([float(n + rest)])
    one, other = wilson(np.array([float(n)]), total), wilson(np.array([float(rest)]), total)
    assert one.low[0] == pytest.approx(1 - other.high[0], abs=1e-12)


def test_wilson_of_nothing_is_undefined():
    found = wilson(np.array([0.0]), np.array([0.0]))
    assert np.isnan(found.low[0])
    assert np.isnan(found.high[0])
