"""Small models of the real formats with random weights, and plain surroundings to run them in."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE, WordLevel
from torch import nn

from studyrun.context import CACHE_BYTES
from studyrun.running.batches import in_batches, runs_of
from studyrun_data import templates
from studyrun_data.generator import generate

SPECIALS = ("<pad>", "<eos>", "<bot>", "<eot>", "<unk>")
PREFIX = "The answer is :"


class PlainContext:
    """A Context: no progress, a model loaded before, `sizes` of batches that were halved."""

    def __init__(
        self,
        batch_size=64,
        dtype=torch.float32,
        seed=0,
        model=None,
        device="cpu",
        cache_bytes=CACHE_BYTES,
    ):
        self.batch_size, self.dtype, self.seed, self._model = batch_size, dtype, seed, model
        self.device = torch.device(device)
        self.notes, self.sizes = [], []
        self.cache_bytes = self.many_bytes = cache_bytes
        self.folder = None

    def generator(self, purpose, seed=None):
        seed = self.seed if seed is None else seed
        number = int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:6])
        return torch.Generator().manual_seed(number)

    def model(self):
        return self._model

    def in_batches(self, work, order, *, label, unit="problems", alike=None, threads=1):
        in_batches(work, runs_of(order, alike), self.batch_size, id, self.sizes.append, threads)

    def track(self, items, *, total, label, unit):
        return items

    def whole(self, *, total, done, label, unit):
        return nullcontext()

    def note(self, message):
        self.notes.append(message)

    def within(self, folder):
        """The same, with a folder for finished pieces."""
        self.folder = folder
        return self

    def partial(self):
        assert self.folder is not None, "give the context a folder"
        return self.folder


def questions(n, seed=0, **options):
    """Questions of word problems, from short to long."""
    return [problem.question for problem in generate(n, seed, **options)]


def word_tokenizer():
    """A word-level tokenizer that knows the generator's words and the numbers 0..100."""
    text = re.sub(r"\{\w+\}|0x\w+", " ", repr((vars(templates), PREFIX))).lower()
    words = sorted(set(re.findall(r"[a-z]+", text)))
    every = [*SPECIALS, *map(str, range(101)), *"+-*/=|.,?:", *words]
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(every)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def byte_tokenizer(bos=""):
    """A byte-level BPE, as GPT-2's, learnt from questions; puts `bos` in front if there is one."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<pad>", "<eos>", *([bos] if bos else [])]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(questions(200, seed=9), trainer)
    if bos:
        pair = [(bos, tokenizer.token_to_id(bos))]
        tokenizer.post_processor = processors.TemplateProcessing(f"{bos} $A", None, pair)
    return tokenizer


def write_codi(folder: Path, *, layers=16, d=128, seed=0, **section: object) -> Path:
    """A checkpoint laid out like tiny-codi's, its weights random."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = word_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    codi = {"thoughts": 6, "bot": "<bot>", "eot": "<eot>", "prj_dim": 2 * d}
    codi |= {"answer_prefix": PREFIX} | section
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=d,
        intermediate_size=352 * d // 128,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=128,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        tie_word_embeddings=False,
        codi=codi,
    )
    (folder / "config.json").write_text(json.dumps(config.to_diff_dict()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        projection = {
            "prj.1": nn.Linear(d, 2 * d),
            "prj.3": nn.Linear(2 * d, d),
            "prj.ln": nn.LayerNorm(d),
        }
    for parameter in model.parameters():
        if parameter.ndim == 2:  # large enough that every part of the model matters
            parameter.data *= 4
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    for name, module in projection.items():
        state |= {f"{name}.{k}": v.detach() for k, v in module.state_dict().items()}
    halved = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in state.items()}
    save_file(halved, folder / "model.safetensors")
    return folder


def hf_configs() -> Mapping[str, object]:
    """One tiny configuration per way of telling positions, of attending and of returning."""
    import transformers as t

    size = {"vocab_size": 400, "num_hidden_layers": 4, "hidden_size": 32}
    size |= {"num_attention_heads": 4, "intermediate_size": 64}
    gpt = {"vocab_size": 400, "n_embd": 32, "n_layer": 4, "n_head": 4}
    window = {"sliding_window": 8}
    return {
        "llama": t.LlamaConfig(**size, num_key_value_heads=2),
        "gpt2": t.GPT2Config(**gpt, n_positions=256),
        "gpt-neox": t.GPTNeoXConfig(**size),
        "qwen2": t.Qwen2Config(**size, num_key_value_heads=2),
        "qwen3": t.Qwen3Config(**size, num_key_value_heads=2, head_dim=8),
        "opt": t.OPTConfig(
            vocab_size=400,
            num_hidden_layers=4,
            hidden_size=32,
            num_attention_heads=4,
            ffn_dim=64,
            word_embed_proj_dim=16,
            do_layer_norm_before=False,
            max_position_embeddings=256,
        ),
        "gemma": t.GemmaConfig(**size, num_key_value_heads=1, head_dim=8),
        "gemma3": t.Gemma3TextConfig(**size, num_key_value_heads=1, head_dim=8, **window),
        "mistral": t.MistralConfig(**size, num_key_value_heads=2, **window),
        "phi": t.PhiConfig(**size),
        "phi3": t.Phi3Config(**size, num_key_value_heads=2),
        "falcon": t.FalconConfig(
            vocab_size=400,
            num_hidden_layers=4,
            hidden_size=32,
            num_attention_heads=4,
            alibi=True,
        ),
        "mixtral": t.MixtralConfig(**size, num_key_value_heads=2, num_local_experts=4),
    }


def eager_configs() -> Mapping[str, object]:
    """Configurations of which transformers has no other attention than `eager`."""
    import transformers as t

    size = {"vocab_size": 400, "num_hidden_layers": 4, "hidden_size": 32, "head_dim": 8}
    size |= {"num_attention_heads": 4, "intermediate_size": 64, "num_key_value_heads": 1}
    return {"gemma2": t.Gemma2Config(**size, sliding_window=8)}


def write_hf(folder: Path, name: str, *, bos="", seed=0) -> Path:
    """A checkpoint as `save_pretrained` writes it, its weights random."""
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    config = {**hf_configs(), **eager_configs()}[name]
    config.eos_token_id, config.pad_token_id, config.bos_token_id = 1, 0, None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data *= 6
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(bos),
        eos_token="<eos>",
        pad_token="<pad>",
        **({"bos_token": bos} if bos else {}),
    )
    from studyrun_models.weights import quiet

    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
