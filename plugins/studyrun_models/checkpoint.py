"""Finding a checkpoint's files without reading its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studyrun import StudyError
from studyrun_models.digest import digest_of
from studyrun_models.untrusted import json_of

__all__ = [
    "BUILTINS",
    "CONFIG",
    "Checkpoint",
    "CheckpointError",
    "NotDownloadedError",
    "config_of",
    "find_checkpoint",
    "folder_of",
    "readable_files",
    "safe_weights",
]

BUILTINS = {
    "builtin:tiny-codi": Path(__file__).parent / "tiny_codi",
    "builtin:tiny-codi-idle": Path(__file__).parent / "tiny_codi_idle",
}
"""The checkpoints that ship with the package."""
HUB = "hub:"
"""Begins the name of a checkpoint in the local Hugging Face cache."""
CONFIG = "config.json"
ADAPTER = "adapter_config.json"
"""What peft writes in its place."""
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
AGAIN = "copy or download it again"
"""The cure of a file that is not whole."""
OTHER_FILES = (
    "added_tokens.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)


class CheckpointError(StudyError):
    """A checkpoint cannot be used; `field` is the parameter that names it."""

    exit_code = 2

    def __init__(
        self, message: str, field: str = "checkpoint", allowed: tuple[str, ...] = ()
    ) -> None:
        self.message, self.field, self.allowed = message, field, allowed
        super().__init__(f"model.with.{field}: {message}")


class NotDownloadedError(CheckpointError):
    """A checkpoint on the hub is not in the local cache: nothing is wrong with its name."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of a model."""

    folder: Path
    config: dict[str, Any]
    """config.json."""
    weights: tuple[str, ...]
    """Names of the safetensors files."""

    @property
    def digest(self) -> str:
        """sha256 over weights, configuration and tokenizer; where they lie does not count."""
        return digest_of(self.folder, [*readable_files(self.folder), *self.weights])


def find_checkpoint(name: str, revision: str = "main") -> Checkpoint:
    """The checkpoint of that name: `builtin:...`, `hub:owner/name` or a folder.

    Raises:
        CheckpointError: it is not there, or is not one that can be read safely.
    """
    folder = folder_of(name, revision)
    return Checkpoint(folder, config_of(folder), _weights(folder))


def readable_files(folder: Path) -> list[str]:
    """Names of a folder's configuration and tokenizer."""
    return [CONFIG, *(name for name in OTHER_FILES if (folder / name).is_file())]


def folder_of(name: str, revision: str = "main") -> Path:
    """The folder of that name: `builtin:...`, `hub:owner/name` or a path.

    Raises:
        CheckpointError: it is not there.
    """
    if name.startswith("builtin:"):
        if name not in BUILTINS:
            raise CheckpointError(f"there is no {name!r}", allowed=tuple(BUILTINS))
        return BUILTINS[name]
    _, is_hub, repository = name.rpartition(HUB)
    if is_hub:
        return _snapshot(repository, revision)
    if not Path(name).is_dir():
        raise CheckpointError(
            f"no such folder: {name} (the embedded model is {next(iter(BUILTINS))!r}; "
            f"a model in the Hugging Face cache is written {HUB}owner/name)"
        )
    return Path(name)


def _snapshot(repository: str, revision: str) -> Path:
    """The folder of a revision in the local Hugging Face cache.

    Raises:
        NotDownloadedError: it is not there.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    home = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    if not home.is_dir():
        raise NotDownloadedError(
            f"{repository} is not in the local cache; "
            f"`hf download {repository} --revision {revision}` puts it there"
        )
    ref = home / "refs" / revision
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision
    snapshot = home / "snapshots" / commit
    if not snapshot.is_dir():
        raise NotDownloadedError(
            f"revision {revision!r} of {repository} is not in the local cache; "
            f"`hf download {repository} --revision {revision}` puts it there",
            "revision",
        )
    return snapshot


def config_of(folder: Path) -> dict[str, Any]:
    """A folder's config.json.

    Raises:
        CheckpointError: it is missing or no JSON object.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise CheckpointError(f"{folder} has no {CONFIG}{_instead(folder)}")
    try:
        config = json_of(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{file} is not JSON ({error}); {AGAIN}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{file} is not a JSON object; {AGAIN}")
    return config


def _instead(folder: Path) -> str:
    """What to do about a folder that is known not to hold a whole model."""
    if (folder / ADAPTER).is_file():
        return "; it is a LoRA adapter: merge it into its base (merge_and_unload) and save that"
    return "; name the folder that save_pretrained wrote"


def safe_weights(folder: Path) -> tuple[str, ...]:
    """Names of a folder's safetensors files; empty if there are none.

    Raises:
        CheckpointError: one of several is missing.
    """
    if (folder / WEIGHTS).is_file():
        return (WEIGHTS,)
    if (folder / WEIGHTS_INDEX).is_file():
        return (WEIGHTS_INDEX, *_shards(folder))
    return ()


def _weights(folder: Path) -> tuple[str, ...]:
    safe = safe_weights(folder)
    if safe:
        return safe
    pickled = sorted(file.name for file in folder.glob("*.bin"))
    if pickled:
        raise CheckpointError(
            f"{folder} has its weights in {pickled[0]} only, a pickle, which can run code when it "
            "is read; save them as safetensors"
        )
    raise CheckpointError(f"{folder} has no {WEIGHTS}")


def _shards(folder: Path) -> list[str]:
    try:
        index = json_of((folder / WEIGHTS_INDEX).read_text(encoding="utf-8"))
        shards = sorted(set(index["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{folder / WEIGHTS_INDEX} does not list the weights"
        raise CheckpointError(f"{what}; {AGAIN}") from error
    missing = [name for name in shards if not (folder / name).is_file()]
    if missing:
        what = f"{folder} lacks {missing[0]}, which {WEIGHTS_INDEX} lists"
        raise CheckpointError(f"{what}; {AGAIN}")
    return shards
