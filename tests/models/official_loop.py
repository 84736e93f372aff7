"""The evaluation of CODI's authors, from its description: what the `codi` adapter is measured by.

The matrices are not merged: a hook adds alpha / r * B (A x) to what their module gives. A batch of
questions is padded on the left and read with its attention mask; the state after the final norm at
`<bot>` goes through the projection and is fed back, six times, with no attention mask; then `<eot>`
is embedded and tokens are taken greedily, with none either. Positions are transformers' own to
number. A batch of one question has no padding, and is what masked results are compared with.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn.functional import gelu, layer_norm
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from tiny_official import PREFIX


@dataclass(frozen=True, eq=False)
class Told:
    """What a batch comes to."""

    residuals: torch.Tensor
    """(rows, layers, thoughts + 1, d_model), after each block, from `<bot>` on."""
    answers: list
    logits: torch.Tensor
    """(rows, vocabulary), after `<eot>`."""


class Evaluation:
    """A checkpoint of the authors, run as they do."""

    def __init__(self, folder: Path, base: Path, *, alpha=32.0, remove_eos=True, thoughts=6):
        self.remove_eos, self.thoughts = remove_eos, thoughts
        safe = folder / "model.safetensors"
        state = load_file(safe) if safe.is_file() else torch.load(folder / "pytorch_model.bin")
        self.prj = {name[4:]: tensor for name, tensor in state.items() if name.startswith("prj.")}
        before = PREFIX if any(name.startswith(PREFIX) for name in state) else "codi."
        llm = {n[len(before) :]: t for n, t in state.items() if n.startswith(before)}
        size = AutoConfig.from_pretrained(base).vocab_size
        self.model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
        self.model.resize_token_embeddings(size + 3, mean_resizing=False)
        own = {n.replace(".base_layer", ""): t for n, t in llm.items() if ".lora_" not in n}
        faults = self.model.load_state_dict(own, strict=False)
        assert not faults.unexpected_keys
        assert set(faults.missing_keys) <= {"lm_head.weight"}
        self.model.tie_weights()
        for name, A in llm.items():
            if name.endswith(".lora_A.default.weight"):
                self._add(name[: -len(".lora_A.default.weight")], A, llm, alpha)
        self.pad, self.bot, self.eot = range(size, size + 3)
        self.tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.add_special_tokens({"pad_token": "[PAD]"})
            self.tokenizer.pad_token_id = self.pad
        self.blocks = getattr(self.model.base_model, "layers", None) or self.model.base_model.h

    def _add(self, module, A, llm, alpha):
        B = llm[f"{module}.lora_B.default.weight"]

        def add(_module, args, output):
            return output + alpha / len(A) * (args[0] @ A.T @ B.T)

        self.model.get_submodule(module).register_forward_hook(add)

    def projected(self, state):
        prj = self.prj
        if not prj:
            return state
        x = gelu(state @ prj["1.weight"].T + prj["1.bias"]) @ prj["3.weight"].T + prj["3.bias"]
        norm = [prj[f"ln.{part}"] for part in ("weight", "bias")] if "ln.weight" in prj else None
        return x if norm is None else layer_norm(x, x.shape[-1:], *norm)

    def ids(self, questions):
        """(ids, mask) of a batch up to `<bot>`."""
        texts = [question.strip().replace("  ", " ") for question in questions]
        batch = self.tokenizer(texts, return_tensors="pt", padding="longest")
        end = [self.bot] if self.remove_eos else [self.tokenizer.eos_token_id, self.bot]
        end = torch.tensor([end] * len(questions))
        return (
            torch.cat([batch["input_ids"], end], 1),
            torch.cat([batch["attention_mask"], torch.ones_like(end)], 1),
        )

    def run(self, **given):
        """One pass; residuals of the last token after every block, (rows, layers, d_model)."""
        seen = []
        handles = [
            block.register_forward_hook(
                lambda _m, _a, out: seen.append((out[0] if isinstance(out, tuple) else out)[:, -1])
            )
            for block in self.blocks
        ]
        out = self.model(use_cache=True, output_hidden_states=True, **given)
        for handle in handles:
            handle.remove()
        return out, torch.stack(seen, 1)

    @torch.inference_mode()
    def __call__(self, questions, new_tokens=5) -> Told:
        ids, mask = self.ids(questions)
        out, first = self.run(input_ids=ids, attention_mask=mask)
        residuals = [first]
        fed = self.projected(out.hidden_states[-1][:, -1:])
        for _ in range(self.thoughts):
            out, each = self.run(inputs_embeds=fed, past_key_values=out.past_key_values)
            residuals.append(each)
            fed = self.projected(out.hidden_states[-1][:, -1:])
        eos = self.tokenizer.eos_token_id
        begin = [self.eot] if self.remove_eos else [self.eot, eos]
        fed = self.model.get_input_embeddings()(torch.tensor([begin] * len(questions)))
        spoken, logits = [], None
        for _ in range(new_tokens):
            out, _ = self.run(inputs_embeds=fed, past_key_values=out.past_key_values)
            logits = out.logits[:, -1] if logits is None else logits
            spoken.append(out.logits[:, -1, : self.model.config.vocab_size - 1].argmax(-1))
            fed = self.model.get_input_embeddings()(spoken[-1][:, None])
        rows = torch.stack(spoken, 1).tolist()
        rows = [row[: row.index(eos)] if eos in row else row for row in rows]
        texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return Told(torch.stack(residuals, 2), [text.strip() for text in texts], logits)
