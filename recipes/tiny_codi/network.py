"""The training network: a small Llama with a projection that feeds hidden states back.

The matrices of all blocks are stacked, so that Muon works on them in one go. `export_state` gives
the same network under the names of transformers' LlamaForCausalLM.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name
from vocabulary import FIRST_NUMBER

from studyrun_data.generator import MAX_NUMBER

ROPE_THETA = 10_000.0
NORM_EPS = 1e-6
EMBEDDING_RMS = 0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network."""

    vocab: int
    d: int = 128
    layers: int = 16
    heads: int = 4
    inner: int = 352
    positions: int = 128

    @property
    def prj(self) -> int:
        """Width of the projection's hidden layer."""
        return 2 * self.d


@dataclass(slots=True)
class Trace:
    """What one segment of tokens left behind."""

    hidden: Tensor
    """(batch, tokens, d) after the final norm."""
    cache: list[tuple[Tensor, Tensor]]
    """Keys and values per block, those of the past included."""
    states: list[Tensor] = field(default_factory=list)
    """Embeddings, then the residual stream after every block; the last is `hidden`."""


def number_features(d: int, generator: torch.Generator) -> Tensor:
    """Rows for the numbers 0..MAX_NUMBER with RMS near 1: Fourier features, projected at random."""
    n = torch.arange(MAX_NUMBER + 1).float()[:, None]
    periods = torch.tensor([2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 20, 25, 50, 100, 200]).float()
    angle = 2 * math.pi * n / periods
    columns = [angle.cos(), angle.sin(), n / 50 - 1, (n + 1).log() / 2.3 - 1]
    features = torch.cat(columns, dim=1)
    features = features / features.norm(dim=1, keepdim=True)
    projection = torch.randn(features.shape[1], d, generator=generator)
    rows: Tensor = 0.8 * features @ projection
    return rows + 0.6 * torch.randn(len(n), d, generator=generator)


def rope_tables(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and sine per position, (positions, head dimension), in the layout of Llama."""
    dim = shape.d // shape.heads
    frequency = ROPE_THETA ** (-torch.arange(0, dim, 2).float() / dim)
    angle = torch.arange(shape.positions).float()[:, None] * frequency
    angle = torch.cat([angle, angle], dim=1)
    return angle.cos(), angle.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of (batch, heads, tokens, dimension)."""
    a, b = x.chunk(2, dim=-1)
    turned: Tensor = x * cos + torch.cat([-b, a], dim=-1) * sin
    return turned


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Softmax attention; the quicker of two ways on a CPU, where bfloat16 kernels are slow."""
    if q.shape[2] == 1:
        single = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), bias.float())
        return single.to(q.dtype)
    scores: Tensor = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias
    return torch.matmul(scores.float().softmax(-1).to(q.dtype), v)


class Network(nn.Module):
    """Llama blocks with stacked weights, an untied head and CODI's projection."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        d, layers, inner = shape.d, shape.layers, shape.inner
        g = torch.Generator().manual_seed(seed)

        def normal(*size: int, std: float) -> nn.Parameter:
            return nn.Parameter(std * torch.randn(*size, generator=g))

        residual = 1 / math.sqrt(2 * layers)
        self.qkv = normal(layers, 3, d, d, std=d**-0.5)
        self.out = normal(layers, d, d, std=d**-0.5 * residual)
        self.gate_up = normal(layers, 2, inner, d, std=d**-0.5)
        self.down = normal(layers, d, inner, std=inner**-0.5 * residual)
        self.norms = nn.Parameter(torch.ones(layers, 2, d))
        self.final_norm = nn.Parameter(torch.ones(d))
        self.embed = normal(shape.vocab, d, std=EMBEDDING_RMS)
        self.head = normal(shape.vocab, d, std=EMBEDDING_RMS * d**-0.5)
        self.prj_in = nn.Linear(d, shape.prj)
        self.prj_out = nn.Linear(shape.prj, d)
        self.prj_norm = nn.LayerNorm(d)
        self._start_numbers(g)
        cos, sin = rope_tables(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    @torch.no_grad()
    def _start_numbers(self, g: torch.Generator) -> None:
        """Number rows of embedding and head, and the projection's scale."""
        rows = number_features(self.shape.d, g) * EMBEDDING_RMS
        span = slice(FIRST_NUMBER, FIRST_NUMBER + len(rows))
        self.embed[span] = rows
        self.head[span] = rows * self.shape.d**-0.5
        self.prj_norm.weight.fill_(EMBEDDING_RMS)
        for layer in (self.prj_in, self.prj_out):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=g))
            layer.weight.mul_(layer.in_features**-0.5)
            layer.bias.zero_()

    def project(self, hidden: Tensor) -> Tensor:
        """The next thought's input embedding from a post-norm hidden state."""
        projected: Tensor = self.prj_norm(self.prj_out(F.gelu(self.prj_in(hidden))))
        return projected

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token scores in float32."""
        return F.linear(hidden, self.head).float()

    def matrices(self) -> list[nn.Parameter]:
        """The parameters for Muon."""
        return [self.qkv, self.out, self.gate_up, self.down]

    def weights(self, dtype: torch.dtype) -> Weights:
        """All blocks' weights in `dtype`, split by block; shared by the segments of a step."""
        return Weights(
            self.qkv.flatten(1, 2).to(dtype).unbind(0),
            self.out.to(dtype).unbind(0),
            self.gate_up.flatten(1, 2).to(dtype).unbind(0),
            self.down.to(dtype).unbind(0),
            [n.unbind(0) for n in self.norms.unbind(0)],
            dtype,
        )

    def run(
        self,
        weights: Weights,
        x: Tensor,
        positions: Tensor,
        mask: Tensor,
        past: list[tuple[Tensor, Tensor]] | None = None,
        keep_states: bool = False,
    ) -> Trace:
        """One segment through all blocks.

        Args:
            weights: from `weights`.
            x: (batch, tokens, d) input embeddings.
            positions: (batch, tokens).
            mask: (batch, 1, tokens, keys); True where a token may look.
            past: keys and values of earlier segments.
            keep_states: whether to keep the residual stream after every block.
        """
        cos = self.cos[positions][:, None].to(weights.dtype)
        sin = self.sin[positions][:, None].to(weights.dtype)
        bias = torch.zeros(mask.shape, dtype=weights.dtype).masked_fill_(~mask, float("-inf"))
        trace = Trace(x, [], [x] if keep_states else [])
        for i in range(len(weights.out)):
            x, kv = self._block(weights, i, x, (cos, sin), bias, past[i] if past else None)
            trace.cache.append(kv)
            if keep_states:
                trace.states.append(x)
        trace.hidden = F.rms_norm(x, (self.shape.d,), self.final_norm, NORM_EPS)
        if keep_states:
            trace.states[-1] = trace.hidden
        return trace

    def _block(
        self,
        weights: Weights,
        i: int,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        bias: Tensor,
        past: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Attention and SwiGLU of block `i`; returns the stream and its keys and values."""
        size, tokens, d = x.shape
        heads, norms = self.shape.heads, weights.norms[i]
        h = F.rms_norm(x, (d,), norms[0], NORM_EPS).to(weights.dtype)
        qkv = F.linear(h, weights.qkv[i]).view(size, tokens, 3 * heads, d // heads).transpose(1, 2)
        qk = _rotate(qkv[:, : 2 * heads], *rope)
        q, k, v = qk[:, :heads], qk[:, heads:], qkv[:, 2 * heads :]
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        a = _attend(q, k, v, bias)
        x = x + F.linear(a.transpose(1, 2).reshape(size, tokens, d), weights.out[i])
        h = F.rms_norm(x, (d,), norms[1], NORM_EPS).to(weights.dtype)
        gate, up = F.linear(h, weights.gate_up[i]).chunk(2, dim=-1)
        x = x + F.linear(F.silu(gate) * up, weights.down[i])
        return x, (k, v)


@dataclass(frozen=True, slots=True)
class Weights:
    """The blocks' weights of one training step."""

    qkv: tuple[Tensor, ...]
    out: tuple[Tensor, ...]
    gate_up: tuple[Tensor, ...]
    down: tuple[Tensor, ...]
    norms: list[tuple[Tensor, ...]]
    dtype: torch.dtype


@torch.no_grad()
def grow(network: Network) -> Network:
    """Twice as many blocks, and exactly the same function.

    A new block follows every block; it is a copy whose two output matrices are zero.
    """
    grown = Network(replace(network.shape, layers=2 * network.shape.layers))
    stacked = {"qkv", "out", "gate_up", "down", "norms"}
    state = {
        name: value.repeat_interleave(2, dim=0) if name in stacked else value.clone()
        for name, value in network.state_dict().items()
    }
    state["out"][1::2] = 0
    state["down"][1::2] = 0
    grown.load_state_dict(state)
    return grown


def export_state(network: Network) -> dict[str, Tensor]:
    """The weights under the names of LlamaForCausalLM and of CODI's projection."""
    state = {
        "model.embed_tokens.weight": network.embed,
        "model.norm.weight": network.final_norm,
        "lm_head.weight": network.head,
        "prj.1.weight": network.prj_in.weight,
        "prj.1.bias": network.prj_in.bias,
        "prj.3.weight": network.prj_out.weight,
        "prj.3.bias": network.prj_out.bias,
        "prj.ln.weight": network.prj_norm.weight,
        "prj.ln.bias": network.prj_norm.bias,
    }
    for i in range(network.shape.layers):
        block = f"model.layers.{i}."
        for j, name in enumerate("qkv"):
            state[f"{block}self_attn.{name}_proj.weight"] = network.qkv[i, j]
        state[block + "self_attn.o_proj.weight"] = network.out[i]
        state[block + "mlp.gate_proj.weight"] = network.gate_up[i, 0]
        state[block + "mlp.up_proj.weight"] = network.gate_up[i, 1]
        state[block + "mlp.down_proj.weight"] = network.down[i]
        state[block + "input_layernorm.weight"] = network.norms[i, 0]
        state[block + "post_attention_layernorm.weight"] = network.norms[i, 1]
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
