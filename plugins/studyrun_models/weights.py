"""Weights: trained ones read strictly, or drawn anew for the untrained-model control."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from studyrun import StudyError
from studyrun_models.untrusted import archive_objection, entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor, nn

__all__ = [
    "WeightsError",
    "account",
    "demand_finite",
    "load_strictly",
    "quiet",
    "randomise",
    "read_tensors",
    "tied_to",
    "unfilled",
]

SHOWN = 10


class WeightsError(StudyError):
    """A checkpoint's tensors are not the model's."""


def read_tensors(folder: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """All tensors of some files, on CPU; what is no weights' file, such as an index, is passed by.

    Raises:
        WeightsError: a file is damaged, or is a pickle that holds more than tensors.
    """
    state: dict[str, Tensor] = {}
    for name in names:
        found: dict[str, Tensor] = {}
        if name.endswith(".safetensors"):
            found = _read_safetensors(folder / name)
        elif name.endswith(".bin"):
            found = _read_pickle(folder / name)
        twice = sorted(state.keys() & found.keys())
        if twice:
            what = f"{folder / name} has {twice[0]}, which another of its files has too"
            raise WeightsError(f"{what}; copy or download them again")
        state |= found
    return state


def unfilled(folder: Path, attention: str, dtype: torch.dtype, **changed: Any) -> Any:
    """The causal model of a folder's config.json, with no weights to speak of.

    Args:
        folder: where config.json is.
        attention: the kernel.
        dtype: of its parameters.
        changed: values to be used in place of the configuration's.

    Raises:
        WeightsError: the configuration describes no model, or one that comes with code of its own.
    """
    import transformers
    from transformers.initialization import no_init_weights

    factory: Any = transformers.AutoModelForCausalLM
    ours: Any = {"trust_remote_code": False}
    try:
        config: Any = transformers.AutoConfig.from_pretrained(folder, **ours, **changed)
        with no_init_weights():  # all of them are loaded; drawing a billion numbers takes a while
            model = factory.from_config(config, attn_implementation=attention, dtype=dtype, **ours)
        model.tie_weights()
    except MemoryError:
        raise
    except Exception as error:  # of a configuration that is wrong it raises whatever comes first
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        what = f"{folder / 'config.json'} describes no model that is known here ({reason})"
        is_kernel = "attention implementation" in str(error)
        cure = "`attention: eager` may do" if is_kernel else "copy or download it again"
        raise WeightsError(f"{what}; {cure}") from error
    return model


def tied_to(model: Any) -> dict[str, str]:
    """Names of parameters that are another one, and which; none where the configuration unties."""
    return dict(model._tied_weights_keys or {}) if model.config.tie_word_embeddings else {}


def load_strictly(
    module: nn.Module,
    state: Mapping[str, Tensor],
    tied: Iterable[str] = (),
    *,
    of: str = "the checkpoint",
    cure: str = "",
) -> None:
    """Load every tensor of `state` into `module`, leaving none out on either side.

    Args:
        module: what to fill.
        state: tensors by name.
        tied: names that may be missing, because the module shares them with another one.
        of: whose tensors they are, for the message.
        cure: what to do if they do not fit, for the message.

    Raises:
        WeightsError: a tensor is missing, unexpected, of another shape or not finite; lists them.
    """
    own = module.state_dict()
    missing = sorted(own.keys() - state.keys() - set(tied))
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if own[name].shape != state[name].shape
    ]
    account(missing, sorted(state.keys() - own.keys()), shapes, of=of, cure=cure)
    demand_finite(state, of)
    module.load_state_dict(dict(state), strict=False)


def demand_finite(state: Mapping[str, Tensor], of: str) -> None:
    """Nothing, if all numbers are finite.

    Raises:
        WeightsError: some are not; lists the tensors.
    """
    undefined = [name for name in sorted(state) if not bool(torch.isfinite(state[name]).all())]
    if undefined:
        what = f"{of} has numbers that are not finite, in {_shown(undefined)}"
        raise WeightsError(f"{what}; train it again, or take an earlier checkpoint")


def account(
    missing: Iterable[str],
    unexpected: Iterable[str],
    shapes: Iterable[str],
    *,
    of: str = "the checkpoint",
    cure: str = "",
) -> None:
    """Nothing, if all three are empty.

    Args:
        missing: tensors of the model that are not there.
        unexpected: tensors that the model has not.
        shapes: tensors that have another shape, with both.
        of: whose tensors they are, for the message.
        cure: what to do, for the message.

    Raises:
        WeightsError: otherwise; lists what is wrong.
    """
    lists = {"missing": list(missing), "unexpected": list(unexpected), "wrong shape": list(shapes)}
    wrong = [f"{kind}: {_shown(names)}" for kind, names in lists.items() if names]
    if wrong:
        wrong += [cure] if cure else []
        raise WeightsError(f"{of}'s tensors are not the model's; {'; '.join(wrong)}")


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


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        entries(file)  # of two equal keys, load_file would take the last
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{file} is damaged ({error}); copy or download it again") from error


def _read_pickle(file: Path) -> dict[str, Tensor]:
    """What `torch.save` wrote of a state dict, without running code that might be in it."""
    objection = archive_objection(file)
    if objection:
        raise WeightsError(f"{file} {objection}; save it again with torch.save")
    mapped = zipfile.is_zipfile(file)  # files of very old versions are no archives
    try:
        with warnings.catch_warnings(action="ignore"):  # about pickles that it then refuses
            found = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{file} is not read: it is a pickle that is damaged or holds more than tensors, which "
            "could run code; save its state dict as model.safetensors"
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{file} is damaged ({reason}); copy or download it again") from error
    is_named = isinstance(found, dict) and all(isinstance(name, str) for name in found)
    if not is_named or not all(isinstance(t, torch.Tensor) for t in found.values()):
        what = f"{file} is no state dict: it holds other things than named tensors"
        raise WeightsError(f"{what}; save `model.state_dict()`")
    return dict(found)
