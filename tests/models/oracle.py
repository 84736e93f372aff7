"""Language models written down plainly: one row, everything computed anew, nothing shared.

A model here is its weights by name and a configuration, as transformers saves them; none of
transformers' code computes anything. The residual stream can be edited at one site. Whatever is
computed has the weights' own precision, so float64 weights make this what others are measured by.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import gelu, layer_norm, silu


@dataclass(frozen=True, eq=False)
class Edit:
    """x + delta after block `layer` in one column of the row."""

    layer: int
    column: int
    delta: torch.Tensor


@dataclass(frozen=True, eq=False)
class Written:
    """Greedy tokens, and how close the best two ever were, over the norm of all scores."""

    ids: list
    closest: float


def attention(q, k, v):
    """Causal softmax attention, q (tokens, heads, dim), k and v (tokens, fewer heads, dim)."""
    n, heads, dim = q.shape
    shared = heads // k.shape[1]
    later = torch.ones(n, n, dtype=torch.bool).triu(1)
    mixed = []
    for head in range(heads):
        scores = q[:, head] @ k[:, head // shared].T / math.sqrt(dim)
        weights = scores.masked_fill(later, float("-inf")).softmax(-1)
        mixed.append(weights @ v[:, head // shared])
    return torch.cat(mixed, -1)


def rotated(x, theta, dims):
    """Rotary positions on the first `dims` of each head, (tokens, heads, dim)."""
    turns = theta ** (-torch.arange(0, dims, 2, dtype=x.dtype) / dims)
    angles = torch.arange(len(x), dtype=x.dtype)[:, None] * turns
    cos, sin = (wave(torch.cat([angles, angles], -1))[:, None] for wave in (torch.cos, torch.sin))
    turned, rest = x[..., :dims], x[..., dims:]
    one, other = turned.chunk(2, -1)
    return torch.cat([turned * cos + torch.cat([-other, one], -1) * sin, rest], -1)


class Model:
    """What the architectures have in common."""

    def __init__(self, weights, config):
        self.weights, self.config = weights, config
        self.n_layers = config.num_hidden_layers

    def linear(self, x, name):
        """x W^T + b, where there is a b."""
        y = x @ self.weights[f"{name}.weight"].T
        return y + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else y

    def residuals(self, x, edit=None):
        """The stream after every block, (tokens, d_model) each, for embeddings x."""
        after = []
        for layer in range(self.n_layers):
            x = self.block(layer, x)
            if edit is not None and edit.layer == layer and edit.column < len(x):
                x = x.clone()
                x[edit.column] += edit.delta.to(x)
            after.append(x)
        return after

    def states(self, x, edit=None):
        """States after the final norm, (tokens, d_model)."""
        return self.normed(self.residuals(x, edit)[-1])

    def greedy(self, x, edit, stop, limit):
        """The most likely tokens after the embeddings x, one by one."""
        ids, closest = [], math.inf
        while len(ids) < limit:
            scores = self.logits(self.states(x, edit)[-1])
            best = scores.topk(2)
            closest = min(closest, ((best.values[0] - best.values[1]) / scores.norm()).item())
            token = best.indices[0].item()
            if token in stop:
                break
            ids.append(token)
            x = torch.cat([x, self.embedded([token], len(x))])
        return Written(ids, closest)


class Llama(Model):
    """RMSNorm, rotary positions, grouped queries, SwiGLU. (Qwen2 has biases at q, k and v.)"""

    def embedded(self, ids, start=0):
        return self.weights["model.embed_tokens.weight"][ids]

    def rms(self, x, name):
        mean = x.square().mean(-1, keepdim=True)
        return self.weights[name] * x / (mean + self.config.rms_norm_eps).sqrt()

    def block(self, layer, x):
        at = f"model.layers.{layer}"
        dim = self.config.hidden_size // self.config.num_attention_heads
        h = self.rms(x, f"{at}.input_layernorm.weight")
        q, k, v = (
            self.linear(h, f"{at}.self_attn.{name}_proj").unflatten(-1, (-1, dim)) for name in "qkv"
        )
        theta = self.config.rope_parameters["rope_theta"]
        mixed = attention(rotated(q, theta, dim), rotated(k, theta, dim), v)
        x = x + self.linear(mixed, f"{at}.self_attn.o_proj")
        h = self.rms(x, f"{at}.post_attention_layernorm.weight")
        gate, up = (self.linear(h, f"{at}.mlp.{name}_proj") for name in ("gate", "up"))
        return x + self.linear(silu(gate) * up, f"{at}.mlp.down_proj")

    def normed(self, x):
        return self.rms(x, "model.norm.weight")

    def logits(self, state):
        return self.linear(state, "lm_head")


class GPT2(Model):
    """Learned positions, LayerNorm, weights the other way round (Conv1D), a tied head."""

    def embedded(self, ids, start=0):
        places = range(start, start + len(ids))
        return (
            self.weights["transformer.wte.weight"][ids]
            + self.weights["transformer.wpe.weight"][list(places)]
        )

    def conv(self, x, name):
        return x @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        pair = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return layer_norm(x, x.shape[-1:], *pair, self.config.layer_norm_epsilon)

    def block(self, layer, x):
        at = f"transformer.h.{layer}"
        qkv = self.conv(self.norm(x, f"{at}.ln_1"), f"{at}.attn.c_attn")
        q, k, v = (part.unflatten(-1, (self.config.n_head, -1)) for part in qkv.chunk(3, -1))
        x = x + self.conv(attention(q, k, v), f"{at}.attn.c_proj")
        h = self.conv(self.norm(x, f"{at}.ln_2"), f"{at}.mlp.c_fc")
        return x + self.conv(gelu(h, approximate="tanh"), f"{at}.mlp.c_proj")

    def normed(self, x):
        return self.norm(x, "transformer.ln_f")

    def logits(self, state):
        return state @ self.weights["transformer.wte.weight"].T


class GPTNeoX(Model):
    """Rotary positions on a part of each head, attention and MLP beside each other, q k v fused."""

    def embedded(self, ids, start=0):
        return self.weights["gpt_neox.embed_in.weight"][ids]

    def norm(self, x, name):
        pair = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return layer_norm(x, x.shape[-1:], *pair, self.config.layer_norm_eps)

    def block(self, layer, x):
        at, heads = f"gpt_neox.layers.{layer}", self.config.num_attention_heads
        h = self.norm(x, f"{at}.input_layernorm")
        qkv = self.linear(h, f"{at}.attention.query_key_value").unflatten(-1, (heads, -1))
        q, k, v = qkv.chunk(3, -1)
        rope = self.config.rope_parameters
        dims = int(q.shape[-1] * rope["partial_rotary_factor"])
        theta = rope["rope_theta"]
        mixed = attention(rotated(q, theta, dims), rotated(k, theta, dims), v)
        attended = self.linear(mixed, f"{at}.attention.dense")
        h = self.norm(x, f"{at}.post_attention_layernorm")
        h = gelu(self.linear(h, f"{at}.mlp.dense_h_to_4h"))
        return x + attended + self.linear(h, f"{at}.mlp.dense_4h_to_h")

    def normed(self, x):
        return self.norm(x, "gpt_neox.final_layer_norm")

    def logits(self, state):
        return self.linear(state, "embed_out" if "embed_out.weight" in self.weights else "lm_head")


OF_TYPE = {"llama": Llama, "qwen2": Llama, "gpt2": GPT2, "gpt_neox": GPTNeoX}


def plainly(model, dtype=torch.float64):
    """The weights and the configuration of a transformers model, to be computed here."""
    weights = {name: tensor.detach().cpu().to(dtype) for name, tensor in model.state_dict().items()}
    return OF_TYPE[model.config.model_type](weights, model.config)


@dataclass(frozen=True, eq=False)
class Thought:
    """What a row comes to that thinks."""

    states: torch.Tensor
    """(thoughts + 1, d_model), after the final norm, from `<bot>` on."""
    logits: torch.Tensor
    """(vocabulary,), after `<eot>` and the answer's prefix."""
    answer: Written
    """What it writes after `<eot>` by itself."""


class Thinker:
    """CODI (Shen et al. 2025): a thought is fed the projection of the state before it."""

    def __init__(self, llm, codi):
        self.llm, self.codi = llm, codi

    def projected(self, state):
        llm = self.llm
        h = llm.linear(gelu(llm.linear(state, "prj.1")), "prj.3")
        return layer_norm(
            h, h.shape[-1:], *(llm.weights[f"prj.ln.{k}"] for k in ("weight", "bias"))
        )

    def __call__(self, ids, edit=None):
        """A question's ids with `<eos>` and `<bot>`; an edit's column counts from `<bot>` on."""
        llm, codi = self.llm, self.codi
        if edit is not None:
            edit = Edit(edit.layer, len(ids) - 1 + edit.column, edit.delta)
        x, states = llm.embedded(ids), []
        for _ in range(codi.thoughts):
            states.append(llm.states(x, edit)[-1])
            x = torch.cat([x, self.projected(states[-1])[None]])
        states.append(llm.states(x, edit)[-1])
        ended = torch.cat([x, llm.embedded([codi.eot])])
        begun = torch.cat([ended, llm.embedded(codi.answer_prefix)])
        logits = llm.logits(llm.states(begun, edit)[-1])
        answer = llm.greedy(ended, edit, {codi.eos}, codi.params.max_new_tokens)
        return Thought(torch.stack(states), logits, answer)
