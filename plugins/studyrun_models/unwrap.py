"""A CODI model from its authors' file: every tensor accounted for, the low-rank matrices merged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from studyrun_models.facts import thoughts_of
from studyrun_models.lora import Pair, check_pairs, merge, merge_fault, split
from studyrun_models.official import ADDED, ANSWER, Official
from studyrun_models.projection import projection
from studyrun_models.untrusted import FLOATS, tensor_objection
from studyrun_models.verify import some_ids
from studyrun_models.vocabulary import Frame, Vocabulary, tokenizer_of
from studyrun_models.weights import (
    WeightsError,
    demand_finite,
    load_strictly,
    read_tensors,
    tied_to,
    unfilled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from studyrun import Context
    from studyrun_models.params import CodiParams

__all__ = ["Wrapped", "load_official", "unwrapped"]

PREFIXES = ("codi.base_model.model.", "codi.")
"""Where the wrapped language model is: inside peft's model, or, trained without, as it is."""
PRJ = "prj."
TRAINING = ("decoder.", "pj_in.", "pj_out.")
"""Begins the names of parts that only training uses (SIM-CoT's decoder of thoughts)."""
BUFFERS = re.compile(r".*\.attn\.(masked_)?bias|.*\.rotary_emb\.inv_freq")
"""Constants that older versions of transformers saved; models compute them."""
PRJ_FIRST = "prj.1.weight"
HEADS = ("lm_head.weight", "embed_out.weight")
"""Of tensors that are one, safetensors keeps the first by name, which is the head."""
EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")


@dataclass(frozen=True, slots=True, eq=False)
class Wrapped:
    """What a file holds, under the names of the model inside."""

    prefix: str
    """What the file has before the language model's names."""
    llm: dict[str, Tensor]
    """The language model's own weights, and whatever has no place in it."""
    pairs: dict[str, Pair]
    """The low-rank matrices, by module."""
    prj: dict[str, Tensor]
    """The projection's weights, `prj.` before their names."""
    left_out: tuple[str, ...]
    """Parts that only training uses."""


def load_official(
    source: Official, params: CodiParams, context: Context
) -> tuple[Any, Vocabulary, Frame]:
    """The causal model with its projection `prj`, float32, and how it is spoken to.

    Raises:
        WeightsError: the file is no such checkpoint, does not fit the base, or is not what the
            study says of it.
    """
    file = str(source.file_folder / source.weights[-1])
    wrapped = unwrapped(read_tensors(source.file_folder, source.weights), file)
    if wrapped.left_out:
        context.note(f"{', '.join(wrapped.left_out)} in {file} are for training alone: left out")
    check_pairs(wrapped.pairs, params.lora, file)
    rows = _rows(wrapped, source, file)
    model = unfilled(source.folder, params.attention, torch.float32, vocab_size=rows)
    model.prj = _projection(wrapped.prj, model.get_input_embeddings().weight.shape[1], params, file)
    _fill(model, wrapped, source, file)
    merge(model, wrapped.pairs, params.lora.alpha, file)
    ids = some_ids(source.config["vocab_size"])[0]
    fault = merge_fault(model.eval(), ids, wrapped.llm, wrapped.pairs, params.lora.alpha)
    if fault:
        what = f"{file}: merged, {fault} does not give what its parts give"
        raise WeightsError(f"{what}; merge it with peft and save it without matrices")
    return model, *_speech(source, params, rows)


def unwrapped(state: Mapping[str, Tensor], file: str) -> Wrapped:
    """The parts of a file.

    Raises:
        WeightsError: it has no wrapped language model.
    """
    prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in state)), "")
    if not prefix:
        some = ", ".join(sorted(state)[:3])
        raise WeightsError(
            f"{file} has no tensor whose name begins with {PREFIXES[-1]} (it has {some}, ...): it "
            "is no checkpoint of CODI's authors; leave out `base` if its folder is complete"
        )
    inner = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
    outer = {name: t for name, t in state.items() if not name.startswith(prefix)}
    llm, pairs = split(inner, file)
    unused = tuple(part for part in TRAINING if any(name.startswith(part) for name in outer))
    prj = {name: t for name, t in outer.items() if name.startswith(PRJ)}
    others = {n: t for n, t in outer.items() if n not in prj and not n.startswith(TRAINING)}
    own = {name: t for name, t in llm.items() if not BUFFERS.fullmatch(name)}
    _demand_numbers(own | {f"{m}.lora_{n}": getattr(p, n) for m, p in pairs.items() for n in "AB"}
                    | prj, file)  # fmt: skip
    twice = sorted(own.keys() & others.keys())
    if twice:
        what = f"has {twice[0]} with and without {prefix} before it"
        raise WeightsError(f"{file} {what}; which of the two counts is not known: remove one")
    return Wrapped(prefix, own | others, pairs, prj, tuple(f"{part}*" for part in unused))


def _demand_numbers(state: Mapping[str, Tensor], file: str) -> None:
    """Nothing, if all tensors are plain and finite.

    Raises:
        WeightsError: one is not.
    """
    for name, tensor in state.items():
        objection = tensor_objection(tensor)
        if objection:
            cure = f"save plain tensors of {', '.join(FLOATS)}"
            raise WeightsError(f"{file}: {name} {objection}; {cure}")
    demand_finite(state, file)


def _rows(wrapped: Wrapped, source: Official, file: str) -> int:
    """How many tokens the file has embeddings for: the base's, and at least those added."""
    named = {name: len(t) for name, t in wrapped.llm.items() if t.ndim == 2}
    sizes = {n for name, n in named.items() if name.endswith(EMBEDDINGS)}
    sizes = sizes or {n for name, n in named.items() if name.endswith(HEADS)}
    base, added = source.config["vocab_size"], len(ADDED)
    if len(sizes) != 1 or min(sizes) < base + added:
        has = f"embeddings of {min(sizes)} tokens" if sizes else "no embeddings"
        raise WeightsError(
            f"{file} has {has}; with the base's {base} and {', '.join(ADDED)} it should have "
            f"{base + added}: was it trained from {source.folder}?"
        )
    return min(sizes)


def _projection(prj: Mapping[str, Tensor], width: int, params: CodiParams, file: str) -> Any:
    """An unfilled projection as the file has it.

    Raises:
        WeightsError: it has none and the study does not say so, or has another than it says.
    """
    first, norm = prj.get(PRJ_FIRST), f"{PRJ}ln.weight" in prj
    if first is None and params.prj_dim != 0:
        raise WeightsError(
            f"{file} has no {PRJ_FIRST}; if it was trained without one, say `prj_dim: 0`"
        )
    dim = 0 if first is None else next(iter(first.shape), 1)
    if params.prj_dim not in (None, dim):
        raise WeightsError(f"model.with.prj_dim is {params.prj_dim}, but {file} has {dim}")
    if params.prj_layer_norm not in (None, norm):
        raise WeightsError(
            f"model.with.prj_layer_norm is {str(params.prj_layer_norm).lower()}, but {file} has "
            f"{'a' if norm else 'no'} layer norm in its projection"
        )
    return projection(width, dim, layer_norm=norm)


def _fill(model: Any, wrapped: Wrapped, source: Official, file: str) -> None:
    """Load the weights that the matrices are added to, and the projection's."""
    tied = tied_to(model)
    state = wrapped.llm | wrapped.prj
    for name, of in tied.items():
        one, other = state.pop(name, None), state.get(of)
        if one is not None and other is not None and not torch.equal(one, other):
            what = f"{file}: {name} and {of} differ, but are one tensor in the model"
            raise WeightsError(f"{what}; was it trained from {source.folder}?")
        if one is not None:
            state[of] = one
    load_strictly(
        model,
        state,
        tied,
        of=file,
        cure=f"names are without {wrapped.prefix}; was it trained from {source.folder}?",
    )


def _speech(source: Official, params: CodiParams, rows: int) -> tuple[Vocabulary, Frame]:
    """The base's tokenizer with the added tokens, and what stands around a question."""
    size = source.config["vocab_size"]
    _, bot, eot = numbers = range(size, size + len(ADDED))
    tokenizer = tokenizer_of(source.folder)
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    if eos is None:
        raise WeightsError(f"the tokenizer of {source.folder} has no token that ends a text")
    added = dict(zip(numbers, ADDED, strict=True))
    vocabulary = Vocabulary(tokenizer.backend_tokenizer, source.folder, added=added, whole=True)
    between = () if params.remove_eos else (eos,)
    frame = Frame(
        thoughts=thoughts_of(source, params),
        opening=(*between, bot),
        closing=(eot, *between),
        answer=ANSWER,
        eos=eos,
        pad=size if pad is None else pad,
        writable=rows - 1,
    )
    return vocabulary, frame
