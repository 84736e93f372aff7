"""Keys and values with room are transformers' own, whatever is done to them."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from studyrun_models.kv_cache import RoomyLayer, roomy_cache

OPERATIONS = {
    "crop": lambda layer, n: layer.crop(-min(n, layer.get_seq_length() - 1)),
    "select": lambda layer, n: layer.batch_select_indices(torch.tensor([n % len(layer.keys), 0])),
    "reorder": lambda layer, _n: layer.reorder_cache(torch.arange(len(layer.keys)).flip(0)),
    "repeat": lambda layer, n: layer.batch_repeat_interleave(1 + n % 2),
    "reset": lambda layer, _n: layer.reset(),
}


def updated(layer, tokens, draw):
    rows = len(layer.keys) if layer.get_seq_length() else 3
    g = torch.Generator().manual_seed(draw)
    keys, values = (torch.randn(rows, 2, tokens, 4, generator=g) for _ in range(2))
    return torch.stack(layer.update(keys, values))


@given(
    st.lists(st.tuples(st.sampled_from(["update", *OPERATIONS]), st.integers(1, 12)), max_size=8)
)
def test_a_layer_with_room_holds_what_the_usual_one_holds(operations):
    """Law: the same keys and values after any operations."""
    layers = DynamicLayer(), RoomyLayer()
    for draw, (name, n) in enumerate([*operations, ("update", 1)]):
        if name == "update":
            assert torch.equal(*(updated(layer, n, draw) for layer in layers))
        elif layers[0].get_seq_length():
            for layer in layers:
                OPERATIONS[name](layer, n)
        assert len({layer.get_seq_length() for layer in layers}) == 1


def test_layers_of_another_kind_stay_as_they_are():
    config = LlamaConfig(num_hidden_layers=2)
    assert [type(each) for each in roomy_cache(config).layers] == [RoomyLayer, RoomyLayer]
    config = LlamaConfig(num_hidden_layers=2, sliding_window=4)
    config.layer_types = ["sliding_attention", "full_attention"]
    kinds = [type(each) for each in roomy_cache(config).layers]
    assert kinds == [DynamicSlidingWindowLayer, RoomyLayer]
