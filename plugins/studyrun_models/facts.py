"""What is known of a model before it is loaded, and what is wrong with its parameters.

Light: reads config.json and hashes files, imports neither torch nor transformers.
"""

from __future__ import annotations

import hashlib
import importlib.util
from typing import TYPE_CHECKING, Any

from studyrun import Absent, CheckScope, Fault, ModelFacts
from studyrun_models.checkpoint import (
    HUB,
    Checkpoint,
    CheckpointError,
    NotDownloadedError,
    find_checkpoint,
)
from studyrun_models.official import THOUGHTS, Official, find_base, find_official
from studyrun_models.params import CodiParams, HfParams

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CodiSection",
    "codi_check",
    "codi_facts",
    "codi_section",
    "codi_source",
    "device_map_objection",
    "hf_check",
    "hf_facts",
    "thoughts_of",
]

Files = Checkpoint | Official
N_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
D_MODEL = ("hidden_size", "n_embd", "d_model")
"""What config.json calls them, by architecture."""
INNER = ("intermediate_size", "n_inner", "ffn_dim")
"""What config.json calls the width of the MLP."""
CodiSection = dict[str, Any]
"""`codi` in config.json: thoughts, bot, eot, prj_dim, answer_prefix."""
OF_A_BASE = ("base_revision", "lora", "prj_dim", "prj_layer_norm", "remove_eos")
"""Parameters of checkpoints in the layout of CODI's authors; others say it in config.json."""
SECTION_TYPES = {"thoughts": int, "bot": str, "eot": str, "prj_dim": int, "answer_prefix": str}


def codi_facts(params: CodiParams) -> ModelFacts:
    """Layers, width, positions 0..T and digest of a `codi` model."""
    source = codi_source(params)
    return _facts(source, params, tuple(range(thoughts_of(source, params) + 1)))


def hf_facts(params: HfParams) -> ModelFacts:
    """Layers, width and digest of an `hf` model; its positions depend on the prompt."""
    return _facts(find_checkpoint(params.checkpoint, params.revision), params, None)


def codi_check(params: CodiParams, scope: CheckScope) -> Iterator[Fault]:  # noqa: ARG001 - fixed
    """A checkpoint that cannot be used, or parameters that say nothing of this kind of one."""
    if params.base is None:
        for name in OF_A_BASE:
            if getattr(params, name) != getattr(CodiParams(), name):
                yield Fault((name,), f"`{name}` is for a checkpoint with a `base`")
    try:
        source = codi_source(params)
        _sizes(source)
    except CheckpointError as error:
        yield _fault(error)
        yield from _base_too(params, error)
        return
    if isinstance(source, Official):
        size = source.config.get("vocab_size")
        if type(size) is not int or size < 1:
            what = f"config.json in {source.folder} says no vocab_size above 0, but {size!r}"
            yield Fault(("base",), f"{what}; copy or download it again")


def _base_too(params: CodiParams, found: CheckpointError) -> Iterator[Fault]:
    """What is wrong with the base, where the checkpoint was looked at first and refused."""
    if params.base is None or found.field not in ("checkpoint", "revision"):
        return
    try:
        find_base(params.base, params.base_revision)
    except CheckpointError as error:
        yield _fault(error)


def hf_check(params: HfParams, scope: CheckScope) -> Iterator[Fault]:  # noqa: ARG001 - fixed
    """A checkpoint that cannot be used, or a way of spreading it that is not installed."""
    if objection := device_map_objection(params):
        yield Fault(("device_map",), objection)
    if params.revision != HfParams.revision and HUB not in params.checkpoint:
        message = f"a folder has no revisions, a checkpoint {HUB}owner/name has; leave it out"
        yield Fault(("revision",), message)
    try:
        _sizes(find_checkpoint(params.checkpoint, params.revision))
    except CheckpointError as error:
        yield _fault(error)


def device_map_objection(params: HfParams) -> str:
    """Why a model cannot be spread over devices; empty if it can, or is not to be."""
    if params.device_map is None or importlib.util.find_spec("accelerate") is not None:
        return ""
    return (
        f"`{params.device_map}` needs the package accelerate, which is not installed: "
        "`pip install accelerate`, or leave `device_map` out"
    )


def codi_source(params: CodiParams) -> Checkpoint | Official:
    """The files of a `codi` model; with a `base` they are laid out as CODI's authors do it.

    Raises:
        CheckpointError: they are not there, or not complete.
    """
    if params.base is not None:
        return find_official(params)
    checkpoint = find_checkpoint(params.checkpoint, params.revision)
    codi_section(checkpoint)
    return checkpoint


def thoughts_of(source: Checkpoint | Official, params: CodiParams) -> int:
    """How many thoughts are computed."""
    if params.thoughts is not None:
        return params.thoughts
    if isinstance(source, Official):
        return THOUGHTS
    thoughts: int = codi_section(source)["thoughts"]
    return thoughts


def codi_section(checkpoint: Checkpoint) -> CodiSection:
    """The `codi` section of config.json.

    Raises:
        CheckpointError: it is missing or incomplete.
    """
    section = checkpoint.config.get("codi")
    if not isinstance(section, dict):
        raise CheckpointError(
            f"config.json in {checkpoint.folder} has no `codi` section; a checkpoint in the layout "
            "of CODI's authors needs `base`, the model that it was trained from"
        )
    for name, kind in SECTION_TYPES.items():
        if not isinstance(section.get(name), kind):
            raise CheckpointError(
                f"`codi.{name}` in config.json of {checkpoint.folder} must be "
                f"{'a whole number' if kind is int else 'text'}, not {section.get(name)!r}"
            )
    return section


def _facts(
    checkpoint: Files, params: CodiParams | HfParams, positions: tuple[int, ...] | None
) -> ModelFacts:
    """The facts; the name says only what the bytes say, so that it may stand in an artifact."""
    n_layers, d_model = _sizes(checkpoint)
    name = f"{checkpoint.config.get('model_type', 'model')} {n_layers}x{d_model}"
    digest = checkpoint.digest
    if params.weights == "random":
        name += ", random weights"
        digest = hashlib.sha256(f"random {params.weights_seed} {digest}".encode()).hexdigest()
    block = _block_parameters(checkpoint, d_model)
    return ModelFacts(name, digest, n_layers, d_model, positions, block)


def _block_parameters(checkpoint: Files, d_model: int) -> int | None:
    """Weights of a block: attention with as many heads for keys as there are, and the MLP.

    None where the configuration does not say how wide the MLP is.
    """
    config = checkpoint.config
    inner = next((config[name] for name in INNER if isinstance(config.get(name), int)), None)
    if inner is None:
        return None
    heads = int(config.get("num_attention_heads") or config.get("n_head") or 1)
    kv = int(config.get("num_key_value_heads") or heads)
    gated = config.get("hidden_act") in ("silu", "gelu_pytorch_tanh", "swiglu")
    return 2 * d_model**2 * (heads + kv) // heads + (3 if gated else 2) * d_model * int(inner)


def _sizes(checkpoint: Files) -> tuple[int, int]:
    """(n_layers, d_model)."""
    return _number(checkpoint, N_LAYERS), _number(checkpoint, D_MODEL)


def _number(checkpoint: Files, names: tuple[str, ...]) -> int:
    config = checkpoint.config
    for part in (config, config.get("text_config")):
        for name in names:
            value = part.get(name) if isinstance(part, dict) else None
            if isinstance(value, int) and value > 0:
                return value
    raise CheckpointError(
        f"config.json in {checkpoint.folder} says none of {', '.join(names)}; "
        "it must be a causal language model's, as `save_pretrained` writes it",
        "base" if isinstance(checkpoint, Official) else "checkpoint",
    )


def _fault(error: CheckpointError) -> Fault:
    if isinstance(error, NotDownloadedError):
        return Absent((error.field,), error.message)
    return Fault((error.field,), error.message, error.allowed)
