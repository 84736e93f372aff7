"""Small CODI checkpoints as its authors' training code saves them, their weights random.

What is saved is the state dict of a module that holds the language model as `codi`, wrapped by
peft, and the projection as `prj`. Written here from that description, with peft's names spelt out.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

import tiny_models
from studyrun_models.weights import quiet

TARGETS = {
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj"),
    "qwen2": ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj"),
    "gpt2": ("c_attn", "c_proj", "c_fc"),
}
"""What the authors adapt, by architecture."""
PREFIX = "codi.base_model.model."


def write_base(folder: Path, kind: str, *, tied: bool, seed=0, layers=4, **tokens: str) -> Path:
    """A base model: config.json, weights and tokenizer; `bos` and `pad` where it has them."""
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    config = tiny_models.hf_configs()[kind]
    config.eos_token_id, config.pad_token_id, config.bos_token_id = 1, None, None
    config.tie_word_embeddings, config.num_hidden_layers = tied, layers
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    special = {f"{name}_token": text for name, text in tokens.items() if text}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tiny_models.byte_tokenizer(tokens.get("bos", "")),
        eos_token="<eos>",
        **special,
    )
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def wrapped_state(base: Path, *, r=4, prj_dim=24, layer_norm=True, seed=1) -> dict:
    """The state dict of the wrapped model: `r` None for one trained without low-rank matrices."""
    from transformers import AutoModelForCausalLM

    kind = json.loads((base / "config.json").read_text())["model_type"]
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model.resize_token_embeddings(model.config.vocab_size + 3, mean_resizing=False)
        d = model.get_input_embeddings().weight.shape[1]
        state = _named(model, TARGETS[kind], r)
        if prj_dim:
            projection = nn.ModuleDict({"1": nn.Linear(d, prj_dim), "3": nn.Linear(prj_dim, d)})
            if layer_norm:
                projection["ln"] = nn.LayerNorm(d)
            state |= {f"prj.{name}": tensor for name, tensor in projection.state_dict().items()}
    return {name: tensor.detach() for name, tensor in state.items()}


def _named(model, targets, r) -> dict:
    """The language model's tensors, those of the targets beside their matrices."""
    if r is None:
        return {f"codi.{name}": _large(name, t) for name, t in model.state_dict().items()}
    state = {}
    for name, tensor in model.state_dict().items():
        module, _, part = name.rpartition(".")
        if module.rpartition(".")[2] not in targets:
            state[PREFIX + name] = _large(name, tensor)
            continue
        state[f"{PREFIX}{module}.base_layer.{part}"] = _large(name, tensor)
        if part == "weight":
            d_out, d_in = reversed(tensor.shape) if "c_" in module else tensor.shape
            state[f"{PREFIX}{module}.lora_A.default.weight"] = torch.randn(r, d_in) / d_in**0.5
            state[f"{PREFIX}{module}.lora_B.default.weight"] = torch.randn(d_out, r) / 64
    return state


def _large(name, tensor):
    """Large enough that every part of the model matters; a tied head stays its embedding."""
    return tensor * 4 if tensor.ndim == 2 else tensor


def write_official(folder: Path, base: Path, *, file="model.safetensors", **shape) -> Path:
    """The folder with the file; of tensors that are one, safetensors can hold only the first."""
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / file, wrapped_state(base, **shape), base)
    return folder


def save(file: Path, state: dict, base: Path) -> None:
    """The state dict as torch or safetensors write it."""
    if file.suffix == ".bin":
        torch.save(state, file)
        return
    tied = json.loads((base / "config.json").read_text()).get("tie_word_embeddings", False)
    kept = {name: t.contiguous() for name, t in state.items() if not (tied and "lm_head" in name)}
    save_file(kept, file)
