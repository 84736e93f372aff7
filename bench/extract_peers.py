"""How libraries read the residual stream, for `bench/extract.py`."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import tiny_models
from studyrun import Position
from studyrun_models.stack import longest_first

__all__ = ["BATCH", "PEERS", "Case", "Way", "padded", "tokenizer"]

BATCH = 64
"""Rows together, whatever the way."""


@dataclass(frozen=True, eq=False)
class Case:
    """A model, what it is asked, and the token ids of that."""

    adapter: Any
    model: Any
    questions: list[str]
    ids: list[list[int]]
    layers: list[int]
    positions: list[Position]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def room(self) -> Tensor:
        """Where to put what is read, (problems, layers, positions, d_model)."""
        sites = (len(self.layers), len(self.positions))
        return torch.empty(len(self.ids), *sites, self.model.config.hidden_size)

    def batches(self) -> Iterator[list[int]]:
        """Rows of about one length, longest first."""
        order = longest_first(self.ids)
        return (order[i : i + BATCH] for i in range(0, len(order), BATCH))


Way = Callable[[Case], Tensor]


def padded(case: Case, rows: list[int]) -> dict[str, Tensor]:
    """Token ids, mask and position ids of some rows, padded on the left."""
    ids = [case.ids[row] for row in rows]
    width = max(map(len, ids))
    tokens = torch.tensor([[0] * (width - len(each)) + each for each in ids], device=case.device)
    lengths = torch.tensor([len(each) for each in ids], device=case.device)
    mask = torch.arange(width, device=case.device) >= width - lengths[:, None]
    places = mask.cumsum(1).sub(1).clamp_min(0)
    return {"input_ids": tokens, "attention_mask": mask.long(), "position_ids": places}


def nnsight(case: Case) -> Way:
    """A trace for each batch, stopped after the deepest layer."""
    import nnsight as library

    model = library.TransformersModel(copy.deepcopy(case.model), tokenizer=tokenizer())

    @torch.inference_mode()
    def run(case: Case) -> Tensor:
        out, layers = case.room(), case.layers
        for rows in case.batches():
            with model.trace(**padded(case, rows)) as tracer:
                found = library.save([])
                for layer in layers:
                    found.append(model.model.layers[layer].output[:, -1])
                tracer.stop()
            out[rows, :, 0] = torch.stack(list(found), dim=1).float().cpu()
        return out

    return run


def transformer_lens(case: Case) -> Way:
    """`run_with_cache` for each batch, stopped after the deepest layer."""
    from transformer_lens.model_bridge import TransformerBridge

    model = TransformerBridge.boot_transformers(
        "the case's", hf_model=copy.deepcopy(case.model), tokenizer=tokenizer(),
        device=case.device, dtype=case.model.dtype,
    )  # fmt: skip
    names = [f"blocks.{layer}.hook_out" for layer in case.layers]

    @torch.inference_mode()
    def run(case: Case) -> Tensor:
        out = case.room()
        for rows in case.batches():
            given = padded(case, rows)
            _, cache = model.run_with_cache(
                given["input_ids"], attention_mask=given["attention_mask"], names_filter=names,
                stop_at_layer=max(case.layers) + 1,
            )  # fmt: skip
            out[rows, :, 0] = torch.stack([cache[n][:, -1] for n in names], dim=1).float().cpu()
        return out

    return run


def tokenizer() -> Any:
    """Some tokenizer of the real kind."""
    own = tiny_models.byte_tokenizer()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=own, eos_token="<eos>", pad_token="<pad>"
    )


PEERS: dict[str, tuple[str, Callable[[Case], Way]]] = {
    "nnsight": ("nnsight", nnsight),
    "TransformerLens": ("transformer-lens", transformer_lens),
}
