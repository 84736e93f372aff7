import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun_classify.statistics.discovery import accepted, direction, may_matter
from studyrun_classify.statistics.tests import Claims

small = st.floats(0, 1).map(lambda x: x**6)
p_values = st.lists(small, min_size=1, max_size=40).map(np.array)
levels = st.sampled_from([0.01, 0.05, 0.3])


def q_naively(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg by their definition: min over p_j >= p of m p_j / rank_j."""
    m = len(p)
    return np.array([min(1, *(m * b / (p <= b).sum() for b in p if b >= a)) for a in p])


@given(p_values, levels)
def test_accepted_is_benjamini_hochberg(p, alpha):
    q = q_naively(p)
    found, of_found = accepted(p, alpha)
    clear = abs(q - alpha) > 1e-12
    assert set(found) >= set(np.flatnonzero((q <= alpha) & clear))
    assert set(found) <= set(np.flatnonzero((q <= alpha) | ~clear))
    assert of_found == pytest.approx(q[found])


@given(st.data(), p_values, levels)
def test_whatever_is_accepted_may_matter(data, exact, alpha):
    """Law: for any bounds that the exact p-values are not below."""
    share = data.draw(st.lists(st.floats(0, 1), min_size=len(exact), max_size=len(exact)))
    assert may_matter(exact * np.array(share), alpha)[accepted(exact, alpha)[0]].all()


@given(st.integers(0, 500), levels)
def test_a_direction_is_benjamini_hochberg_three_times(seed, alpha):
    """Over all, over those with parts among the found, and on the other half over what is left."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    first, second, parts, again = rng.random((4, n)) ** 6
    no_parts = rng.random(n) < 0.5
    parts[no_parts] = again[no_parts] = np.nan
    found = np.flatnonzero(q_naively(first) <= alpha)
    whole = found[~no_parts[found]]
    kept = whole[q_naively(parts[whole]) <= alpha] if len(whole) else whole
    found = np.sort(np.concatenate([found[no_parts[found]], kept]))
    tried = np.fmax(second, again)[found]
    finds, tries = (Claims(np.log(a), np.log(b)) for a, b in ((first, parts), (second, again)))
    way = direction("second", first, np.arange(n), finds, tries, alpha)
    assert way.pairs.tolist() == found.tolist()
    assert np.exp(way.log_p) == pytest.approx(first[found])
    assert way.q_discovery == pytest.approx(q_naively(first)[found])
    assert way.q_confirmation == pytest.approx(q_naively(tried) if len(tried) else [])


def test_only_some_of_the_pairs():
    p = np.array([1e-12, 1e-9, 0.9, 1e-8])
    claims = Claims(np.log(p), np.full(4, np.nan))
    way = direction("first", p, np.arange(4), claims, claims, 0.01)
    assert way.pairs.tolist() == [0, 1, 3]
    some = way.among(1, 3)
    assert (some.pairs.tolist(), some.log_p.tolist()) == ([1], [np.log(1e-9)])
    assert some.evidence == "first half, found on the second"
