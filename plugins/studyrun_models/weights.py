"""Weights: trained ones read strictly, or drawn anew for the untrained-model control."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from studyrun import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor, nn

__all__ = ["WeightsError", "account", "load_strictly", "quiet", "randomise"]

SHOWN = 8


class WeightsError(StudyError):
    """A checkpoint's tensors are not the model's."""


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], tied: Iterable[str] = ()) -> None:
    """Load every tensor of `state` into `module`, leaving none out on either side.

    Args:
        module: what to fill.
        state: tensors by name.
        tied: names that may be missing, because the module shares them with another one.

    Raises:
        WeightsError: a tensor is missing, unexpected or of another shape; lists them.
    """
    own = module.state_dict()
    missing = sorted(own.keys() - state.keys() - set(tied))
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if own[name].shape != state[name].shape
    ]
    account(missing, sorted(state.keys() - own.keys()), shapes)
    module.load_state_dict(dict(state), strict=False)


def account(missing: Iterable[str], unexpected: Iterable[str], shapes: Iterable[str]) -> None:
    """Nothing, if all three are empty.

    Raises:
        WeightsError: otherwise; lists what is wrong.
    """
    lists = {"missing": list(missing), "unexpected": list(unexpected), "wrong shape": list(shapes)}
    wrong = [f"{kind}: {_shown(names)}" for kind, names in lists.items() if names]
    if wrong:
        raise WeightsError(f"the checkpoint's tensors are not the model's; {'; '.join(wrong)}")


@torch.no_grad()
def randomise(module: nn.Module, seed: int) -> None:
    """Draw every parameter anew from a normal distribution of its own mean and deviation.

    (Heap et al. 2025, arXiv 2501.17727, call this a re-randomised transformer.)
    """
    generator = torch.Generator().manual_seed(seed)
    for _, parameter in sorted(module.named_parameters()):
        values = parameter.float()
        deviation = values.std(correction=0)
        noise = torch.randn(values.shape, generator=generator).to(values.device)
        parameter.copy_(values.mean() + deviation * noise)


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and advice, by its own switches."""
    from transformers.utils import logging as theirs

    logging: Any = theirs
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
