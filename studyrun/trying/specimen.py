"""A tiny but real study: problems, a CODI checkpoint with random weights, and the YAML.

What it finds means nothing; that every step runs on it, and how, is what tests want to know.
"""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Generator, Tensor

__all__ = ["tiny_study", "write_problems", "write_tiny_codi"]

SPECIALS = ("<pad>", "<eos>", "<bot>", "<eot>", "<unk>")
PREFIX = "The answer is :"
TEMPLATES = {
    "+": "Ann has {a} pens and finds {b} more.",
    "-": "Ann has {a} pens and loses {b}.",
    "*": "Ann has {a} boxes of {b} pens.",
    "/": "Ann shares {a} pens among {b} friends.",
}
QUESTION = "How many pens are there now?"
LARGEST = 400
STUDY = """\
study: tiny
model: {use: codi, with: {checkpoint: model}}
data: {use: jsonl, with: {path: problems.jsonl, validation: 0.5}}
steps:
  activations: {use: extract, with: {layers: [1], positions: [2]}}
  sae: {use: sae-train, with: {d_sae: 24, k: 4, epochs: 2}}
  features: {use: sae-encode}
"""


def tiny_study(folder: Path, steps: str = "", *, problems: int = 96, seed: int = 0) -> str:
    """A study as YAML that extracts, trains an SAE and encodes, within seconds.

    Args:
        folder: where the study will lie; its model and its problems are written there.
        steps: more steps, one per line, such as `clamped: {use: clamp}`.
        problems: how many; half of them for validation.
        seed: of the problems and of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_tiny_codi(folder / "model", seed=seed)
    write_problems(folder / "problems.jsonl", problems, seed=seed)
    return STUDY + "".join(f"  {line.strip()}\n" for line in steps.splitlines() if line.strip())


def write_problems(file: Path, count: int, *, seed: int = 0) -> None:
    """JSON Lines of one-step problems, the four operations in turn."""
    chance = random.Random(seed)
    operators = list(TEMPLATES)
    lines = [_problem(operators[index % 4], chance) for index in range(count)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def write_tiny_codi(
    folder: Path, *, layers: int = 3, d_model: int = 16, thoughts: int = 3, seed: int = 0
) -> Path:
    """A checkpoint in the layout of `builtin:tiny-codi`, its weights random, and its folder.

    Its tokenizer knows the words of `write_problems` and the numbers 0 to 400.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder / "tokenizer.json")
    config = _config(vocabulary, layers, d_model, thoughts)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    generator = torch.Generator().manual_seed(seed)
    save_file(_weights(config, generator), folder / "model.safetensors")
    return folder


def _problem(operator: str, chance: random.Random) -> dict[str, str]:
    small, large = sorted((chance.randint(2, 20), chance.randint(2, 20)))
    a, b, result = {
        "+": (large, small, large + small),
        "-": (large, small, large - small),
        "*": (large, small, large * small),
        "/": (large * small, small, large),
    }[operator]
    question = f"{TEMPLATES[operator].format(a=a, b=b)} {QUESTION}"
    return {"question": question, "solution": f"{a}{operator}{b}={result}", "answer": str(result)}


def _write_tokenizer(file: Path) -> int:
    """One token a word; returns how many there are."""
    from tokenizers import Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import WordLevel

    text = " ".join((*TEMPLATES.values(), QUESTION, PREFIX)).lower()
    words = sorted(set(re.findall(r"[a-z]+|[.?:]", re.sub(r"\{\w+\}", "", text))))
    vocabulary = [*SPECIALS, *map(str, range(LARGEST + 1)), *words]
    numbers = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.save(str(file))
    return len(vocabulary)


def _config(vocabulary: int, layers: int, d_model: int, thoughts: int) -> dict[str, Any]:
    codi = {"thoughts": thoughts, "bot": "<bot>", "eot": "<eot>"}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": d_model,
        "intermediate_size": 2 * d_model,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": 1,
        "tie_word_embeddings": False,
        "codi": {**codi, "prj_dim": 2 * d_model, "answer_prefix": PREFIX},
    }


def _weights(config: dict[str, Any], generator: Generator) -> dict[str, Tensor]:
    """Hugging Face's names for a Llama, and `prj.*` for what feeds a thought back, in bfloat16."""
    import torch

    d, wide, words = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (words, d),
        "model.norm.weight": (d,),
        "lm_head.weight": (words, d),
        "prj.1.weight": (2 * d, d),
        "prj.1.bias": (2 * d,),
        "prj.3.weight": (d, 2 * d),
        "prj.3.bias": (d,),
        "prj.ln.weight": (d,),
        "prj.ln.bias": (d,),
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (d, d) for name in "qkvo"}
        shapes |= {f"{at}.mlp.{name}_proj.weight": (wide, d) for name in ("gate", "up")}
        shapes[f"{at}.mlp.down_proj.weight"] = (d, wide)
        shapes |= {f"{at}.{name}_layernorm.weight": (d,) for name in ("input", "post_attention")}
    return {
        name: (
            torch.ones(shape)
            if len(shape) == 1 and name.endswith("weight")
            else torch.randn(shape, generator=generator) * shape[-1] ** -0.5
        ).bfloat16()
        for name, shape in shapes.items()
    }
