"""Intervals and percentiles against worked numbers."""

import pytest
import torch

from studyrun_intervene.statistics.intervals import central, percentile_of, resampled_rows, wilson


def test_resampling_draws_every_row_with_replacement():
    counts = resampled_rows(7, 500, torch.Generator().manual_seed(0))
    torch.testing.assert_close(counts.sum(1), torch.ones(500, dtype=torch.float64))
    assert torch.equal((counts * 7).round(), (7 * counts))
    assert float((counts == 0).double().mean()) == pytest.approx((6 / 7) ** 7, abs=0.02)
    torch.testing.assert_close(counts.mean(0), torch.full((7,), 1 / 7).double(), atol=0.02, rtol=0)


def test_nothing_cannot_be_resampled():
    with pytest.raises(ValueError, match="no rows"):
        resampled_rows(0, 10, torch.Generator())


def test_central_interpolates():
    samples = torch.arange(11.0).double()[:, None].repeat(1, 2)
    interval = central(samples, 0.8)
    assert interval.low.tolist() == pytest.approx([1, 1])
    assert interval.high.tolist() == pytest.approx([9, 9])


def test_equal_samples_count_half():
    samples = torch.tensor([[1.0], [2.0], [2.0], [5.0]])
    assert percentile_of(torch.tensor([2.0]), samples).tolist() == [0.5]
    assert percentile_of(torch.tensor([9.0]), samples).tolist() == [1]


def test_wilson_by_hand():
    """Wilson 1927 for 8 of 10 at 95 %: (p + z2/2n -+ z sqrt(p q / n + z2/4n2)) / (1 + z2/n)."""
    z2, p, n = 1.959963984540054**2, 0.8, 10
    middle, half = p + z2 / (2 * n), (z2 * (p * (1 - p) / n + z2 / (4 * n * n))) ** 0.5
    expected = [(middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)]
    assert wilson(8, 10, 0.95) == pytest.approx(expected)
    assert wilson(0, 5, 0.95)[0] == 0
    with pytest.raises(ValueError, match="no trials"):
        wilson(0, 0, 0.95)
