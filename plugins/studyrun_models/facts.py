"""What is known of a model before it is loaded, and what is wrong with its parameters.

Light: reads config.json and hashes files, imports neither torch nor transformers.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from studyrun import CheckScope, Fault, ModelFacts
from studyrun_models.checkpoint import Checkpoint, CheckpointError, find_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun_models.params import CodiParams, HfParams

__all__ = ["CodiSection", "codi_check", "codi_facts", "codi_section", "hf_check", "hf_facts"]

N_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
D_MODEL = ("hidden_size", "n_embd", "d_model")
"""What config.json calls them, by architecture."""
INNER = ("intermediate_size", "n_inner", "ffn_dim")
"""What config.json calls the width of the MLP."""
CodiSection = dict[str, Any]
"""`codi` in config.json: thoughts, bot, eot, prj_dim, answer_prefix."""
SECTION_TYPES = {"thoughts": int, "bot": str, "eot": str, "prj_dim": int, "answer_prefix": str}


def codi_facts(params: CodiParams) -> ModelFacts:
    """Layers, width, positions 0..T and digest of a `codi` model."""
    checkpoint = find_checkpoint(params.checkpoint)
    thoughts = codi_section(checkpoint)["thoughts"]
    return _facts(checkpoint, params, tuple(range(thoughts + 1)))


def hf_facts(params: HfParams) -> ModelFacts:
    """Layers, width and digest of an `hf` model; its positions depend on the prompt."""
    return _facts(find_checkpoint(params.checkpoint, params.revision), params, None)


def codi_check(params: CodiParams, scope: CheckScope) -> Iterator[Fault]:  # noqa: ARG001 - fixed
    """A checkpoint that cannot be used."""
    try:
        checkpoint = find_checkpoint(params.checkpoint)
        codi_section(checkpoint)
        _sizes(checkpoint)
    except CheckpointError as error:
        yield _fault(error)


def hf_check(params: HfParams, scope: CheckScope) -> Iterator[Fault]:  # noqa: ARG001 - fixed
    """A checkpoint that cannot be used."""
    try:
        _sizes(find_checkpoint(params.checkpoint, params.revision))
    except CheckpointError as error:
        yield _fault(error)


def codi_section(checkpoint: Checkpoint) -> CodiSection:
    """The `codi` section of config.json.

    Raises:
        CheckpointError: it is missing or incomplete.
    """
    section = checkpoint.config.get("codi")
    if not isinstance(section, dict):
        raise CheckpointError(
            f"config.json in {checkpoint.folder} has no `codi` section "
            "(checkpoints in the LoRA layout of CODI's authors are not read)"
        )
    for name, kind in SECTION_TYPES.items():
        if not isinstance(section.get(name), kind):
            raise CheckpointError(
                f"`codi.{name}` in config.json of {checkpoint.folder} must be "
                f"{'a whole number' if kind is int else 'text'}, not {section.get(name)!r}"
            )
    return section


def _facts(
    checkpoint: Checkpoint, params: CodiParams | HfParams, positions: tuple[int, ...] | None
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


def _block_parameters(checkpoint: Checkpoint, d_model: int) -> int | None:
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


def _sizes(checkpoint: Checkpoint) -> tuple[int, int]:
    """(n_layers, d_model)."""
    return _number(checkpoint, N_LAYERS), _number(checkpoint, D_MODEL)


def _number(checkpoint: Checkpoint, names: tuple[str, ...]) -> int:
    config = checkpoint.config
    for part in (config, config.get("text_config")):
        for name in names:
            value = part.get(name) if isinstance(part, dict) else None
            if isinstance(value, int) and value > 0:
                return value
    raise CheckpointError(f"config.json in {checkpoint.folder} says none of {', '.join(names)}")


def _fault(error: CheckpointError) -> Fault:
    return Fault((error.field,), error.message, error.allowed)
