"""Hooks on blocks: both shapes of output, exactly one firing, nothing left behind."""

from contextlib import contextmanager
from threading import Barrier, Thread

import pytest
import torch
from torch import nn

from studyrun_models.blocks import (
    Hooks,
    SiteError,
    edited,
    find_blocks,
    recorded,
    stream_of,
    with_stream,
)


class Block(nn.Module):
    """Adds one; returns a tensor, or a tuple as blocks did before transformers 5."""

    def __init__(self, as_tuple):
        super().__init__()
        self.as_tuple, self.runs = as_tuple, 0

    def forward(self, stream):
        self.runs += 1
        return (stream + 1, "weights") if self.as_tuple else stream + 1


def run(blocks, stream):
    for block in blocks:
        stream = stream_of(block(stream))
    return stream


@pytest.fixture(params=[False, True], ids=["tensor", "tuple"])
def blocks(request):
    return [Block(request.param) for _ in range(4)]


@pytest.fixture
def stream():
    return torch.arange(2 * 3 * 5).float().reshape(2, 3, 5)


@contextmanager
def reading(blocks, layers, columns, **options):
    with Hooks(blocks, layers) as hooks, recorded(hooks, columns, **options) as seen:
        yield seen


@contextmanager
def editing(blocks, layer, columns, delta):
    with Hooks(blocks, [layer]) as hooks, edited(hooks, columns, delta):
        yield


def hooks_of(blocks):
    return [len(block._forward_hooks) for block in blocks]


def test_the_stream_is_the_whole_batch_in_either_shape(stream):
    assert stream_of(stream) is stream
    assert stream_of((stream, None)) is stream  # output[0] of a tensor would be row 0 alone


@pytest.mark.parametrize("output", [None, torch.zeros(2, 5), (), (None,)])
def test_what_is_no_stream_is_refused(output):
    with pytest.raises(SiteError, match="not a residual stream"):
        stream_of(output)


def test_a_replaced_stream_keeps_the_rest_of_the_output(stream):
    assert with_stream(stream, stream + 1).equal(stream + 1)
    new, *rest = with_stream((stream, "weights", 3), stream + 1)
    assert new.equal(stream + 1)
    assert rest == ["weights", 3]


def test_recorded_reads_after_each_layer_at_each_rows_columns(blocks, stream):
    columns = torch.tensor([[0, 2], [1, -1]])
    with reading(blocks, [0, 2], columns) as seen:
        run(blocks, stream)
    rows = torch.arange(2)[:, None]
    assert seen[0].equal(stream[rows, columns] + 1)
    assert seen[2].equal(stream[rows, columns] + 3)
    assert hooks_of(blocks) == [0, 0, 0, 0]


def test_recorded_stops_after_the_deepest_layer(blocks, stream):
    reached = False
    with reading(blocks, [2, 0], torch.zeros(2, 1, dtype=torch.long), stop=True) as seen:
        run(blocks, stream)
        reached = True
    assert not reached
    assert seen.streams.shape[1] == 2
    assert seen[2].shape == seen[0].shape
    assert [block.runs for block in blocks] == [1, 1, 1, 0]
    assert hooks_of(blocks) == [0, 0, 0, 0]


def test_a_block_that_did_not_run_is_an_error(blocks, stream):
    with (
        pytest.raises(SiteError, match="block 3 ran 0 times"),
        reading(blocks, [0, 3], torch.zeros(2, 1, dtype=torch.long)),
    ):
        run(blocks[:3], stream)


def test_a_block_that_ran_twice_is_an_error(blocks, stream):
    with (
        pytest.raises(SiteError, match="block 0 ran 2 times"),
        reading(blocks, [0], torch.zeros(2, 1, dtype=torch.long)),
    ):
        run([blocks[0], blocks[0]], stream)


def test_an_edit_adds_its_rows_delta_at_its_rows_column_and_nowhere_else(blocks, stream):
    delta = torch.tensor([[10.0] * 5, [20.0] * 5])
    before = stream.clone()
    with editing(blocks, 1, torch.tensor([2, 0]), delta):
        result = run(blocks, stream)
    expected = stream + 4
    expected[0, 2] += 10
    expected[1, 0] += 20
    assert result.equal(expected)
    assert stream.equal(before)
    assert hooks_of(blocks) == [0, 0, 0, 0]


def test_an_edit_that_never_fires_is_an_error(blocks, stream):
    with (
        pytest.raises(SiteError, match="block 3 ran 0 times"),
        editing(blocks, 3, torch.tensor([0, 0]), torch.zeros(2, 5)),
    ):
        run(blocks[:3], stream)


def test_an_edit_of_another_batch_is_an_error(blocks, stream):
    with (
        pytest.raises(SiteError, match="3 edits for a pass of 2 rows"),
        editing(blocks, 1, torch.tensor([0, 0, 0]), torch.zeros(3, 5)),
    ):
        run(blocks, stream)


def test_hooks_are_removed_when_the_pass_fails_and_other_peoples_stay(blocks, stream):
    calls = []
    blocks[1].register_forward_hook(lambda *_: calls.append("theirs"))
    with (
        pytest.raises(TypeError),
        reading(blocks, [1], torch.zeros(2, 1, dtype=torch.long)),
        editing(blocks, 1, torch.tensor([0, 0]), torch.zeros(2, 5)),
    ):
        run(blocks, "no tensor")
    assert hooks_of(blocks) == [0, 1, 0, 0]
    run(blocks, stream)
    assert calls == ["theirs"]


def test_hooks_are_idle_outside_a_pass(blocks, stream):
    with Hooks(blocks, [0, 1]) as hooks:
        assert run(blocks, stream).equal(stream + 4)
        with recorded(hooks, torch.zeros(2, 1, dtype=torch.long)) as seen:
            run(blocks, stream)
        run(blocks, stream + 100)
    assert seen[1].equal(stream[:, :1] + 2)


def test_a_block_that_is_not_there_is_an_error(blocks):
    for layer in (4, -1):
        with pytest.raises(SiteError, match=f"there is no block {layer}; the model has 0..3"):
            Hooks(blocks, [0, layer])


def test_passes_in_several_threads_do_not_meet(stream):
    """Every thread is inside the block while the others are: each reads and edits its own."""
    barrier, found = Barrier(3), {}

    class Meeting(Block):
        def forward(self, stream):
            barrier.wait(timeout=10)
            return super().forward(stream)

    blocks = [Meeting(as_tuple=False)]
    last, delta = torch.tensor([2, 2]), torch.ones(2, 5)

    def record(name, own):
        with recorded(reads, last[:, None]) as seen:
            run(blocks, own)
        found[name] = seen[0]

    def edit(own):
        with edited(edits, last, delta):
            found["edited"] = run(blocks, own)

    with Hooks(blocks, [0]) as reads, Hooks(blocks, [0]) as edits:
        threads = [Thread(target=record, args=(i, stream + 100 * i)) for i in (1, 2)]
        threads.append(Thread(target=edit, args=(stream,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found[1].equal(stream[:, 2:] + 101)
    assert found[2].equal(stream[:, 2:] + 201)
    expected = stream + 1
    expected[:, 2] += 1
    assert found["edited"].equal(expected)


def test_blocks_are_the_outermost_list_of_that_length():
    experts = nn.ModuleList([nn.ModuleList([nn.Identity(), nn.Identity()]) for _ in range(2)])
    model = nn.ModuleDict({"layers": experts, "other": nn.ModuleList([nn.Identity()])})
    assert find_blocks(model, 2) == list(experts)


def test_blocks_that_cannot_be_told_are_an_error():
    lists = {name: nn.ModuleList([nn.Identity()] * 2) for name in ("encoder", "decoder")}
    with pytest.raises(SiteError, match=r"which are its blocks \(encoder, decoder\)"):
        find_blocks(nn.ModuleDict(lists), 2)
    with pytest.raises(SiteError, match=r"which are its blocks \(none\)"):
        find_blocks(nn.ModuleDict(lists), 3)
