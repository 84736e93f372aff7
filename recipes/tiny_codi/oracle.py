"""CODI inference in plain transformers, written for reading and for checking other code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

PACKAGE = Path(__file__).parents[2] / "plugins" / "studyrun_models" / "tiny_codi"
MAX_ANSWER_TOKENS = 8
MAX_WRITTEN_TOKENS = 48


@dataclass(eq=False, slots=True)
class Oracle:
    """The language model, its projection and its tokenizer."""

    model: LlamaForCausalLM
    project: nn.Module
    tokenizer: Tokenizer
    thoughts: int

    def token(self, name: str) -> int:
        """The id of a special token."""
        token: int | None = self.tokenizer.token_to_id(name)
        if token is None:
            raise KeyError(name)
        return token

    def embed(self, ids: Tensor) -> Tensor:
        """Input embeddings."""
        embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded


@dataclass(eq=False, slots=True)
class Reading:
    """A batch that has been read up to some token."""

    cache: DynamicCache
    mask: Tensor
    """(batch, keys) 1 where later tokens may look."""
    position: Tensor
    """(batch, 1) position of the next token."""
    hidden: Tensor
    """(batch, d) post-norm state of the last token."""
    logits: Tensor
    """(batch, vocab) scores for the next token."""
    states: tuple[Tensor, ...]
    """(batch, d) residual stream of the last token: embedding, then after every block."""


def build_projection(state: dict[str, Tensor]) -> nn.Sequential:
    """The projection from tensors under CODI's names."""
    wide, d = state["prj.1.weight"].shape
    prj = nn.Sequential(nn.Dropout(0.0), nn.Linear(d, wide), nn.GELU(), nn.Linear(wide, d))
    prj.add_module("ln", nn.LayerNorm(d))
    prj.load_state_dict({k.removeprefix("prj."): v for k, v in state.items() if "prj." in k[:4]})
    return prj


def load(package: Path = PACKAGE, dtype: torch.dtype = torch.float32) -> Oracle:
    """The model of a package folder in `dtype`."""
    settings = json.loads((package / "config.json").read_text())
    thoughts = settings.pop("codi")["thoughts"]
    state = load_file(package / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    return assemble(LlamaConfig(**settings), state, tokenizer, thoughts, dtype)


def assemble(
    config: LlamaConfig,
    state: dict[str, Tensor],
    tokenizer: Tokenizer,
    thoughts: int,
    dtype: torch.dtype = torch.float32,
) -> Oracle:
    """A model from its parts."""
    model = LlamaForCausalLM(config)
    language = {k: v for k, v in state.items() if not k.startswith("prj.")}
    model.load_state_dict(language, strict=True)
    project = build_projection(state)
    nn.Module.eval(nn.Module.to(model, dtype))
    return Oracle(model, project.to(dtype).eval(), tokenizer, thoughts)


def feed(oracle: Oracle, x: Tensor, past: Reading) -> Reading:
    """Read one more segment of embeddings (batch, tokens, d)."""
    size, tokens = x.shape[:2]
    mask = torch.cat([past.mask, past.mask.new_ones(size, tokens)], dim=1)
    return _run(oracle, x, mask, past.position + torch.arange(tokens), past.cache)


def _run(
    oracle: Oracle, x: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache
) -> Reading:
    """One call of the language model."""
    out = oracle.model.model(
        inputs_embeds=x,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        output_hidden_states=True,
    )
    hidden = out.last_hidden_state[:, -1]
    states = tuple(state[:, -1] for state in out.hidden_states)
    logits = oracle.model.lm_head(hidden)
    return Reading(cache, mask, positions[:, -1:] + 1, hidden, logits, states)


def read(oracle: Oracle, questions: Sequence[str], end: Sequence[str]) -> Reading:
    """Questions, padded on the left, each followed by the special tokens of `end`."""
    tail = [oracle.token(name) for name in end]
    rows = [[*oracle.tokenizer.encode(q).ids, *tail] for q in questions]
    width = max(map(len, rows))
    pad = oracle.token("<pad>")
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = (ids != pad).long()
    positions = (mask.cumsum(dim=1) - 1).clamp_min(0)
    return _run(oracle, oracle.embed(ids), mask, positions, DynamicCache())


def think(
    oracle: Oracle, reading: Reading, given: Tensor | None = None
) -> tuple[Reading, Tensor, list[tuple[Tensor, ...]]]:
    """The thoughts after `<bot>`, either the model's own or `given` (batch, thoughts, d).

    Returns:
        The reading after the last thought, the embeddings that were fed, and the residual streams
        at position 0 (`<bot>`) and at every thought.
    """
    fed, states = [], [reading.states]
    for i in range(oracle.thoughts):
        x = oracle.project(reading.hidden) if given is None else given[:, i]
        fed.append(x)
        reading = feed(oracle, x[:, None], reading)
        states.append(reading.states)
    return reading, torch.stack(fed, dim=1), states


def write(oracle: Oracle, reading: Reading, limit: int) -> list[str]:
    """Greedy continuation of every row, up to `<eos>`."""
    eos = oracle.token("<eos>")
    written: list[Tensor] = []
    done = torch.zeros(len(reading.mask), dtype=torch.bool)
    for _ in range(limit):
        token = reading.logits.argmax(-1)
        written.append(torch.where(done, eos, token))
        done |= token == eos
        if done.all():
            break
        reading = feed(oracle, oracle.embed(token[:, None]), reading)
    return [oracle.tokenizer.decode(row) for row in torch.stack(written, dim=1).tolist()]


def answer(oracle: Oracle, reading: Reading) -> list[str]:
    """`<eot>`, then what the model writes."""
    eot = torch.full((len(reading.mask), 1), oracle.token("<eot>"))
    return write(oracle, feed(oracle, oracle.embed(eot), reading), MAX_ANSWER_TOKENS)


def parse_answer(text: str) -> int | None:
    """The number after the last `the answer is :`, or None."""
    found = re.findall(r"the answer is : (\d+)", text.lower())
    return int(found[-1]) if found else None
