"""What makes the next thought's input of a state: Linear, GELU, Linear, LayerNorm."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

__all__ = ["projection"]


def projection(d_model: int, prj_dim: int, *, layer_norm: bool = True) -> nn.Sequential:
    """The module, with whatever weights it starts from.

    Its parts are named as the authors' are, where a Dropout comes first (0) and GELU is the third.
    With an inner width of 0 it is none: a state is fed back as it is.
    """
    if not prj_dim:
        return nn.Sequential()
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["1"] = nn.Linear(d_model, prj_dim)
    parts["gelu"] = nn.GELU()
    parts["3"] = nn.Linear(prj_dim, d_model)
    if layer_norm:
        parts["ln"] = nn.LayerNorm(d_model)
    return nn.Sequential(parts)
