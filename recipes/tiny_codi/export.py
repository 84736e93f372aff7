"""Write a checkpoint of the training program as a model package, and check that it is the same."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import oracle as codi
import torch
from network import NORM_EPS, ROPE_THETA, Network, Shape, export_state
from objectives import THOUGHTS, decode, read_prefix, think
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig
from vocabulary import ANSWER_PREFIX, EOS, PAD, build_vocabulary, write_tokenizer

from data import encode_batch
from studyrun_data.generator import generate

TOLERANCE = 1e-4


def load_network(checkpoint: Path) -> Network:
    """The network of a checkpoint."""
    saved = torch.load(checkpoint, weights_only=True)
    network = Network(Shape(**saved["shape"]))
    network.load_state_dict(saved["network"])
    return network


def build_config(shape: Shape) -> dict[str, Any]:
    """The contents of `config.json`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "vocab_size": shape.vocab,
        "hidden_size": shape.d,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.d // shape.heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": NORM_EPS,
        "rope_theta": ROPE_THETA,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA},
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": None,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "codi": {
            "thoughts": THOUGHTS,
            "bot": "<bot>",
            "eot": "<eot>",
            "prj_dim": shape.prj,
            "answer_prefix": ANSWER_PREFIX,
        },
    }


def write_package(network: Network, package: Path) -> None:
    """Configuration, tokenizer and bfloat16 weights."""
    package.mkdir(parents=True, exist_ok=True)
    config = json.dumps(build_config(network.shape), indent=2)
    (package / "config.json").write_text(config + "\n")
    write_tokenizer(build_vocabulary(), package / "tokenizer.json")
    state = {name: tensor.bfloat16() for name, tensor in export_state(network).items()}
    weights = package / "model.safetensors"
    save_file(state, weights, metadata={"format": "pt"})
    weights.chmod(0o644)


@torch.no_grad()
def largest_difference(network: Network, package: Path) -> float:
    """Largest difference in the scores of the first answer token, float32 against transformers."""
    problems = generate(32, 5, held_out=True)
    batch = encode_batch(problems, build_vocabulary(), [True] * len(problems))
    weights = network.weights(torch.float32)
    prefix = read_prefix(network, weights, batch)
    thinking = think(network, weights, prefix)
    keys = torch.nn.functional.pad(prefix.seen, (0, THOUGHTS), value=True)
    ours = decode(network, weights, batch, thinking, keys)
    settings = build_config(network.shape)
    settings.pop("codi")
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    oracle = codi.assemble(LlamaConfig(**settings), export_state(network), tokenizer, THOUGHTS)
    reading = codi.read(oracle, [p.question for p in problems], ("<eos>", "<bot>"))
    reading, _, _ = codi.think(oracle, reading)
    eot = torch.full((len(problems), 1), oracle.token("<eot>"))
    theirs = codi.feed(oracle, oracle.embed(eot), reading)
    return float((network.logits(ours.hidden[:, 0]) - theirs.logits).abs().max())


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("package", type=Path, nargs="?", default=codi.PACKAGE)
    args = parser.parse_args()
    network = load_network(args.checkpoint)
    write_package(network, args.package)
    difference = largest_difference(network, args.package)
    print(f"{args.package}: largest difference of the scores {difference:.1e}")
    if difference > TOLERANCE:
        raise SystemExit(f"more than {TOLERANCE}: the export is not the trained network")


if __name__ == "__main__":
    main()
