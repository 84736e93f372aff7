"""A CODI model in this project's own layout: one folder with everything, the matrices merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from studyrun_models.facts import codi_section, thoughts_of
from studyrun_models.projection import projection
from studyrun_models.vocabulary import Frame, Vocabulary
from studyrun_models.weights import load_strictly, read_tensors, tied_to, unfilled

if TYPE_CHECKING:
    from studyrun_models.checkpoint import Checkpoint
    from studyrun_models.params import CodiParams

__all__ = ["load_embedded"]


def load_embedded(checkpoint: Checkpoint, params: CodiParams) -> tuple[Any, Vocabulary, Frame]:
    """The causal model with its projection `prj`, as precise as the file, and its words."""
    section = codi_section(checkpoint)
    vocabulary = Vocabulary.of_file(checkpoint.folder / "tokenizer.json")
    eos, bot, eot = map(vocabulary.id, ("<eos>", section["bot"], section["eot"]))
    thoughts = thoughts_of(checkpoint, params)
    frame = Frame(thoughts, (eos, bot), (eot,), section["answer_prefix"], eos, pad=0)
    state = read_tensors(checkpoint.folder, checkpoint.weights)
    kinds = {tensor.dtype for tensor in state.values()} or {torch.float32}
    dtype = max(kinds, key=lambda kind: kind.itemsize)
    model = unfilled(checkpoint.folder, params.attention, dtype)
    width = model.get_input_embeddings().weight.shape[1]
    model.prj = projection(width, section["prj_dim"])
    load_strictly(model, state, tied_to(model))
    return model, vocabulary, frame
