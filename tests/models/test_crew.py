"""Rows shared among threads: each once, one core each, failures raised when all have ended."""

import threading

import pytest
import torch

from studyrun_models.crew import FEW, crew

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n", [1, FEW, FEW + 1, 50])
def test_every_row_is_given_once_in_consecutive_parts(threads, n):
    parts = []
    with crew(CPU, parts.append) as shared:
        shared(list(range(100, 100 + n)))
    assert sorted(row for part in parts for row in part) == list(range(100, 100 + n))
    assert all(part == list(range(part[0], part[0] + len(part))) for part in parts)
    assert len(parts) == min(threads, -(-n // FEW))


def test_every_thread_computes_on_one_core_without_gradients(threads):
    seen = []

    def work(rows):
        seen.append((torch.get_num_threads(), torch.is_inference_mode_enabled()))

    with crew(CPU, work) as shared:
        shared(list(range(50)))
    assert set(seen) == {(1, True)}
    assert torch.get_num_threads() == threads


def test_a_failure_is_raised_when_all_have_ended(threads):
    ended = []

    def work(rows):
        if 0 in rows:
            raise MemoryError("not enough")
        ended.extend(rows)

    with pytest.raises(MemoryError, match="not enough"), crew(CPU, work) as shared:
        shared(list(range(30)))
    assert len(ended) == (0 if threads == 1 else 20)
    assert torch.get_num_threads() == threads


def test_elsewhere_the_work_is_done_as_it_is(threads):
    places = []
    with crew(torch.device("meta"), lambda rows: places.append(threading.get_ident())) as shared:
        shared(list(range(50)))
    assert places == [threading.get_ident()]
