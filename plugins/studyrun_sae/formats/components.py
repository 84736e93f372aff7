"""Loading, saving and the formats as components; imports nothing heavy."""

from __future__ import annotations

from studyrun import Component, NoParams
from studyrun_sae.params import DictionaryLearning, SaeLoad, SaeSave

__all__ = ["FOREIGN"]

READ = (
    Component(
        kind="sae-format",
        name="saelens",
        version="1",
        params=NoParams,
        target="studyrun_sae.formats.saelens:SaeLens",
        summary="SAELens 6: cfg.json and sae_weights.safetensors; reads older cfg.json too",
    ),
    Component(
        kind="sae-format",
        name="sparsify",
        version="1",
        params=NoParams,
        target="studyrun_sae.formats.sparsify:Sparsify",
        summary="EleutherAI sparsify: cfg.json and sae.safetensors in a folder named like the hook",
    ),
    Component(
        kind="sae-format",
        name="dictionary-learning",
        version="1",
        params=DictionaryLearning,
        target="studyrun_sae.formats.dictionary_learning:DictionaryLearning",
        summary="ae.pt and config.json of dictionary_learning, computed as its dict_class does",
    ),
    Component(
        kind="sae-format",
        name="seed",
        version="1",
        params=NoParams,
        target="studyrun_sae.formats.seed:Seed",
        summary="one .pt file with model_state_dict and config: abstopk, its site inside",
    ),
)
FOREIGN = (
    Component(
        kind="step",
        name="sae-load",
        version="2",
        params=SaeLoad,
        target="studyrun_sae.load_step:run",
        summary="an SAE from files of SAELens, sparsify, dictionary_learning or the seed",
        takes=("activations?",),
        makes="sae",
        check="studyrun_sae.loading:check_load",
        digest="studyrun_sae.loading:digest",
        tables="studyrun_sae.columns:loading",
        estimate="studyrun_sae.loading:estimate_load",
    ),
    Component(
        kind="step",
        name="sae-save",
        version="2",
        params=SaeSave,
        target="studyrun_sae.save_step:run",
        summary="an SAE as the files of another tool, in the run's folder under files/",
        takes=("sae",),
        makes="sae-files",
        check="studyrun_sae.loading:check_save",
    ),
    *READ,
    Component(
        kind="sae-format",
        name="auto",
        version="/".join(["1", *(each.version for each in READ)]),  # what it reads, they read
        params=NoParams,
        target="studyrun_sae.formats.auto:Auto",
        summary="reads files of the other four, told by their names; writes nothing",
    ),
)
