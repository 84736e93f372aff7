"""Threads of one core each."""

import pytest
import torch

from studyrun.running.batches import in_batches
from studyrun_models.crew import crew

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_thread_computes_on_one_core_without_gradients(threads):
    seen = []

    def work(rows):
        seen.append((torch.get_num_threads(), torch.is_inference_mode_enabled()))

    with crew(CPU, work) as (own, several):
        in_batches(own, [range(50)], 5, id, id, several)
    assert several == threads
    assert set(seen) == {(1, True)}
    assert torch.get_num_threads() == threads


def test_a_failure_is_raised_when_all_have_ended(threads):
    ended = []

    def work(rows):
        if 0 in rows:
            raise ValueError("no")
        ended.extend(rows)

    with pytest.raises(ValueError, match="no"), crew(CPU, work) as (own, several):
        in_batches(own, [range(30)], 10, id, id, several)
    assert len(ended) == (0 if threads == 1 else 20)
    assert torch.get_num_threads() == threads


def test_elsewhere_there_is_one(threads):
    with crew(torch.device("meta"), print) as (_, several):
        assert several == 1
        assert torch.get_num_threads() == threads
