"""Low-rank additions to weights (Hu et al. 2021): told from a state dict, merged, and checked.

peft keeps a module X as X.base_layer.weight W, X.lora_A.default.weight A (r, d_in) and
X.lora_B.default.weight B (d_out, r), and computes W x + alpha / r * B (A x).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from transformers.pytorch_utils import Conv1D

from studyrun_models.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from studyrun_models.params import Lora

__all__ = ["Pair", "check_pairs", "merge", "merge_fault", "split"]

KEY = re.compile(r"(.+)\.lora_([AB])\.default\.weight")
BASE = ".base_layer."
TOLERANCE = 1e-4
"""Relative difference, in float32, of a merged module's output and its parts'; a transposed matrix
or another alpha makes one near 1 where the matrices matter at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The two matrices of one module."""

    A: Tensor
    """(r, d_in)."""
    B: Tensor
    """(d_out, r)."""

    @property
    def r(self) -> int:
        """Rank."""
        return self.A.shape[0]


def split(state: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], dict[str, Pair]]:
    """The weights under their usual names, and the matrices by the module that they belong to.

    Raises:
        WeightsError: a module has one matrix of two, or two that cannot be multiplied.
    """
    plain: dict[str, Tensor] = {}
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        match = KEY.fullmatch(name)
        if match is None:
            own = name.replace(BASE, ".")
            if own in plain:
                cure = "which of the two counts is not known: remove one"
                raise WeightsError(f"{source} has {own} with and without `base_layer`; {cure}")
            plain[own] = tensor
        else:
            found.setdefault(match[1], {})[match[2]] = tensor
    alone = [module for module, pair in found.items() if len(pair) == 1]
    if alone:
        what = f"has only one of two matrices for {alone[0]}"
        raise WeightsError(f"{source} {what}; copy the file again")
    pairs = {module: Pair(**pair) for module, pair in found.items()}
    for module, pair in pairs.items():
        if {pair.A.ndim, pair.B.ndim} != {2} or not pair.B.shape[1] == pair.r > 0:
            shapes = f"{tuple(pair.A.shape)} and {tuple(pair.B.shape)}"
            what = f"the matrices of {module}, {shapes}, do not multiply"
            raise WeightsError(f"{source}: {what}; copy the file again")
    return plain, pairs


def check_pairs(pairs: Mapping[str, Pair], lora: Lora, source: str) -> None:
    """Nothing, if the file's matrices are what the study says of them, where it says something.

    Raises:
        WeightsError: they are not.
    """
    ranks = sorted({pair.r for pair in pairs.values()})
    if lora.r is not None and ranks != [lora.r]:
        has = f"rank {', '.join(map(str, ranks))}" if ranks else "no low-rank matrices"
        raise WeightsError(f"model.with.lora.r is {lora.r}, but {source} has {has}")
    targets = sorted({module.rpartition(".")[2] for module in pairs})
    if lora.targets is not None and targets != sorted(set(lora.targets)):
        raise WeightsError(
            f"model.with.lora.targets are {', '.join(sorted(lora.targets))}, but {source} has "
            f"matrices for {', '.join(targets) or 'none'}"
        )


@torch.no_grad()
def merge(model: nn.Module, pairs: Mapping[str, Pair], alpha: float, source: str) -> None:
    """Add alpha / r * B A to the weights that the pairs belong to, in the model's own precision.

    Raises:
        WeightsError: a module is not there, or its weight has another shape.
    """
    modules = dict(model.named_modules())
    for name, pair in pairs.items():
        weight = getattr(modules.get(name), "weight", None)
        if not isinstance(weight, torch.Tensor):
            what = f"{source} has matrices for {name}, which the model has not"
            raise WeightsError(f"{what}; was it trained from this base?")
        shared = [n for n, m in modules.items() if n != name and getattr(m, "weight", 0) is weight]
        if shared:
            what = f"{source} has matrices for {name}, which shares its weight with {shared[0]}"
            raise WeightsError(f"{what}; untie them in the base's config.json, and save both")
        added = (alpha / pair.r) * (pair.B.to(weight) @ pair.A.to(weight))
        added = added.T if isinstance(modules[name], Conv1D) else added
        if added.shape != weight.shape:
            raise WeightsError(
                f"{source}: the matrices of {name} make {tuple(added.shape)}, "
                f"its weight is {tuple(weight.shape)}; was it trained from this base?"
            )
        weight += added


@torch.inference_mode()
def merge_fault(
    model: Any,
    ids: list[int],
    state: Mapping[str, Tensor],
    pairs: Mapping[str, Pair],
    alpha: float,
) -> str:
    """The first merged module whose output is not that of its parts; empty if there is none.

    They are compared on what the modules are given in a pass over `ids`. The parts are the weights
    in `state`, run by the module's own code, and the matrices, which know nothing of its layout.
    """
    seen = _seen(model, ids, pairs)
    for name, pair in pairs.items():
        if name not in seen:
            return name
        module, given, output = seen[name]
        own = {part: state[f"{name}.{part}"].to(given) for part, _ in module.named_parameters()}
        apart = functional_call(module, own, (given,))
        apart = apart + (alpha / pair.r) * (given @ pair.A.to(given).T @ pair.B.to(given).T)
        if not (output - apart).norm() <= TOLERANCE * apart.norm():
            return name
    return ""


def _seen(model: Any, ids: list[int], names: Mapping[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    """(module, input, output) of the named modules in one pass."""
    seen: dict[str, tuple[Any, Any, Any]] = {}
    handles = []
    for name in names:
        module = model.get_submodule(name)

        def note(module: Any, args: Any, output: Any, name: str = name) -> None:
            seen[name] = (module, args[0], output)

        handles.append(module.register_forward_hook(note))
    try:
        model(input_ids=torch.tensor([ids]))
    finally:
        for handle in handles:
            handle.remove()
    return seen
