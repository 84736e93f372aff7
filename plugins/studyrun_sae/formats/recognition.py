"""Which format files are in, told by their names, and what each can hold; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studyrun import SaeWeights, StudyError
from studyrun_extract.foreign import wrong
from studyrun_sae.formats import (
    dictionary_config,
    saelens_config,
    seed_file,
    sparsify_config,
)
from studyrun_sae.formats.header import Header

__all__ = [
    "AUTO",
    "CANNOT",
    "HEADERS",
    "demand_writable",
    "format_objection",
    "header_of",
    "recognised",
]

AUTO = "auto"
HEADERS: dict[str, Callable[[Path], Header]] = {
    "saelens": lambda path: saelens_config.find(path)[1],
    "sparsify": lambda path: sparsify_config.find(path)[1],
    "dictionary-learning": lambda path: dictionary_config.find(path)[1],
    "seed": seed_file.find,
}
"""The formats that are read here, and what says what is known without reading tensors."""
WEIGHTS_OF = {
    "saelens": saelens_config.WEIGHTS,
    "sparsify": sparsify_config.WEIGHTS,
    "dictionary-learning": dictionary_config.WEIGHTS,
}
"""By which file a folder is told."""
CANNOT: dict[str, dict[str, str]] = {
    "saelens": saelens_config.CANNOT,
    "sparsify": sparsify_config.CANNOT,
    "dictionary-learning": dictionary_config.CANNOT,
    "seed": seed_file.CANNOT,
}
"""Which architectures each cannot hold, and why."""
PICKLED = (".pt", ".pth")


def header_of(format: str, path: Path) -> Header | None:
    """What the files say without any tensor being read; None for a format of somebody else.

    Raises:
        StudyError: there are no such files, they are of no format, or of no use, and why.
    """
    if not path.exists():
        raise wrong(path, "there is no such file or folder", "paths are relative to the study")
    name = recognised(path) if format == AUTO else format
    return HEADERS[name](path) if name in HEADERS else None


def format_objection(format: str, architecture: str) -> str:
    """Why a format has no place for SAEs of an architecture; empty where it may have one."""
    reason = CANNOT.get(format, {}).get(architecture)
    if reason is None:
        return ""
    return f"{format} cannot hold an SAE of architecture {architecture!r}: {reason}"


def demand_writable(sae: SaeWeights, format: str) -> None:
    """Nothing, if the format can represent that architecture.

    Raises:
        StudyError: it cannot; the message has the reason.
    """
    objection = format_objection(format, sae.architecture)
    if objection:
        raise StudyError(f"{objection}; write it in another format")


def recognised(path: Path) -> str:
    """The name of the format.

    Raises:
        StudyError: it is none that is known.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.suffix in PICKLED:
        is_theirs = dictionary_config.config_file(path).is_file()
        return "dictionary-learning" if is_theirs else "seed"
    held = [name for name, file in WEIGHTS_OF.items() if (folder / file).is_file()]
    meant = [name for name in held if path.is_file() and WEIGHTS_OF[name] == path.name] or held
    if len(meant) > 1:
        what = f"holds SAEs of several formats: {', '.join(meant)}"
        raise wrong(path, what, "name one of them with `format`")
    if meant:
        return meant[0]
    raise wrong(path, f"holds no SAE of a known format{_nearby(folder)}", _known())


def _known() -> str:
    told = ", ".join(f"{name} has {file}" for name, file in WEIGHTS_OF.items())
    return f"{told}, seed is one .pt file; name any other with `format`"


def _nearby(folder: Path) -> str:
    """Where one may have been meant, if some lie one folder further."""
    inside = [file.parent.name for name in WEIGHTS_OF.values() for file in folder.glob(f"*/{name}")]
    return f" (but {', '.join(sorted(inside)[:3])} in it do)" if inside else ""
