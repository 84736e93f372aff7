"""Checkpoints of CODI's authors: what their files must be, and what is said of others."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from official_loop import Evaluation
from safetensors.torch import load_file, save_file

import tiny_models
import tiny_official
from studyrun import CheckScope, QuestionsRefused
from studyrun_models import CodiParams
from studyrun_models.codi import load
from studyrun_models.facts import codi_check, codi_facts, codi_source
from studyrun_models.lora import merge, merge_fault
from studyrun_models.params import Lora
from studyrun_models.unwrap import load_official, unwrapped
from studyrun_models.vocabulary import Vocabulary, tokenizer_of
from studyrun_models.weights import WeightsError, unfilled
from tiny_models import PlainContext
from tiny_official import PREFIX

Q_PROJ = f"{PREFIX}model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_official.write_base(
        tmp_path_factory.mktemp("base") / "llama", "llama", tied=True, bos="<bos>"
    )


@pytest.fixture(scope="module")
def original(base, tmp_path_factory):
    return tiny_official.write_official(
        tmp_path_factory.mktemp("codi") / "c", base, file="pytorch_model.bin"
    )


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "copy")


@pytest.fixture
def state(base):
    return tiny_official.wrapped_state(base)


def loaded(folder, base, context=None, **params):
    params = CodiParams(str(folder), base=str(base), **params)
    return load(params, context or PlainContext())


def refusal(folder, base, **params):
    with pytest.raises(WeightsError) as raised:
        loaded(folder, base, **params)
    message = str(raised.value)
    assert "\n" not in message
    return message


def faults(folder, base=None, **params):
    params = CodiParams(str(folder), base=None if base is None else str(base), **params)
    return [(fault.path, fault.message) for fault in codi_check(params, CheckScope())]


def rewrite(folder, base, state):
    tiny_official.save(folder / "pytorch_model.bin", state, base)


# Told without loading


def test_facts_are_the_bases_and_six_thoughts(original, base):
    facts = codi_facts(CodiParams(str(original), base=str(base)))
    assert (facts.n_layers, facts.d_model, facts.positions) == (4, 32, tuple(range(7)))
    assert facts.name == "llama 4x32"
    assert faults(original, base) == []


def test_facts_import_nothing_heavy(original, base):
    code = (
        "import sys\n"
        "from studyrun_models import CodiParams\n"
        "from studyrun_models.facts import codi_facts\n"
        f"codi_facts(CodiParams({str(original)!r}, base={str(base)!r}))\n"
        "print(*{'torch', 'transformers', 'tokenizers', 'numpy', 'polars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_what_is_read_of_the_base_counts_in_the_digest(original, base, tmp_path, name):
    other = shutil.copytree(base, tmp_path / "base")
    digests = [codi_facts(CodiParams(str(original), base=str(b))).digest for b in (base, other)]
    assert digests[0] == digests[1]
    (other / name).write_bytes((other / name).read_bytes() + b" ")
    assert codi_facts(CodiParams(str(original), base=str(other))).digest != digests[0]


def test_the_file_counts_in_the_digest(original, folder, base):
    before = codi_facts(CodiParams(str(original), base=str(base))).digest
    with (folder / "pytorch_model.bin").open("ab") as file:
        file.write(b" ")
    assert codi_facts(CodiParams(str(folder), base=str(base))).digest != before


def test_the_bases_weights_need_not_be_there(original, base, tmp_path):
    other = shutil.copytree(base, tmp_path / "base")
    (other / "model.safetensors").unlink()
    question = tiny_models.questions(1)
    one, two = (
        loaded(original, b).activations(question, [3], [6], PlainContext()) for b in (base, other)
    )
    assert one.equal(two)


def test_a_file_that_is_not_there_is_a_fault(folder, base):
    (folder / "pytorch_model.bin").unlink()
    (folder / "training_args.bin").write_bytes(b"")
    expected = (
        f"{folder} has neither model.safetensors nor pytorch_model.bin; "
        "name the folder that training saved one of them in"
    )
    assert faults(folder, base) == [(("checkpoint",), expected)]


def test_a_base_that_is_not_there_is_a_fault_of_the_base(original, base, tmp_path):
    ((path, message),) = faults(original, tmp_path / "nowhere")
    assert path == ("base",)
    assert message.startswith(f"no such folder: {tmp_path / 'nowhere'}")
    other = shutil.copytree(base, tmp_path / "base")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"hidden_size": None}))
    ((path, message),) = faults(original, other)
    assert path == ("base",)
    assert "says none of hidden_size" in message


def test_parameters_of_such_checkpoints_need_a_base():
    found = faults("builtin:tiny-codi", lora=Lora(r=4), remove_eos=False, prj_dim=256)
    assert [path for path, _ in found] == [("lora",), ("prj_dim",), ("remove_eos",)]
    assert found[0][1] == "`lora` is for a checkpoint with a `base`"


def test_checkpoint_and_base_are_found_in_the_local_cache(original, base, tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name, place in (("codi", original), ("base", base)):
        home = tmp_path / "hub" / f"models--owner--{name}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text("0123abcd")
        shutil.copytree(place, home / "snapshots" / "0123abcd")
    expected = codi_facts(CodiParams(str(original), base=str(base)))
    assert codi_facts(CodiParams("hub:owner/codi", base="hub:owner/base")) == expected
    assert faults("hub:owner/codi", "hub:owner/base", base_revision="v2") == [
        (
            ("base_revision",),
            "revision 'v2' of owner/base is not in the local cache; "
            "`hf download owner/base --revision v2` puts it there",
        )
    ]


# Bad files


class Code:
    """Unpickled, it writes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.write_text, (self.file, "it ran")


def test_code_in_a_pickle_does_not_run(folder, base, state, tmp_path):
    ran = tmp_path / "ran"
    torch.save(state | {"x": Code(ran)}, folder / "pytorch_model.bin")
    message = refusal(folder, base)
    assert message.startswith(f"{folder / 'pytorch_model.bin'} is not read: it is a pickle that")
    assert message.endswith("save its state dict as model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Code(ran)))
    assert "is not read" in refusal(folder, base)
    assert not ran.exists()
    pickle.loads(pickle.dumps(Code(ran)))  # so it would have
    assert ran.read_text() == "it ran"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_a_truncated_file_is_named(base, tmp_path, name):
    folder = tiny_official.write_official(tmp_path / "c", base, file=name)
    file = folder / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    message = refusal(folder, base)
    assert message.startswith(f"{file} is ")
    assert "damaged" in message


def test_a_file_of_other_things_is_named(folder, base):
    torch.save({"epoch": 3}, folder / "pytorch_model.bin")
    said = "it holds other things than named tensors; save `model.state_dict()`"
    assert refusal(folder, base).endswith(said)


def test_a_plain_models_file_is_no_such_checkpoint(base, tmp_path):
    message = refusal(base, base)
    assert message.startswith(f"{base / 'model.safetensors'} has no tensor whose name begins with")
    assert message.endswith("leave out `base` if its folder is complete")


def test_tensors_too_few_and_too_many_are_listed(folder, base, state):
    del state[f"{PREFIX}model.norm.weight"]
    del state[f"{PREFIX}model.layers.0.mlp.up_proj.base_layer.weight"]
    state |= {f"halt_head.{i:02}": torch.ones(1) for i in range(13)}
    rewrite(folder, base, state)
    message = refusal(folder, base)
    assert f"{folder / 'pytorch_model.bin'}'s tensors are not the model's; " in message
    assert "missing: model.layers.0.mlp.up_proj.weight, model.norm.weight; " in message
    assert "unexpected: halt_head.00, halt_head.01, " in message
    assert "halt_head.09 and 3 more; " in message
    assert message.endswith(f"was it trained from {base}?")


def test_another_base_is_told_by_its_shapes(original, tmp_path):
    other = tiny_official.write_base(tmp_path / "gpt2", "gpt2", tied=True)
    message = refusal(original, other)
    assert "missing: transformer.h.0.attn.c_attn.bias, " in message
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"vocab_size": 401}))
    assert refusal(original, other) == (
        f"{original / 'pytorch_model.bin'} has embeddings of 403 tokens; with the base's 401 and "
        f"<pad>, <bot>, <eot> it should have 404: was it trained from {other}?"
    )


def test_one_tensor_that_is_saved_as_two_is_refused(folder, base, state):
    state[f"{PREFIX}lm_head.weight"] = state[f"{PREFIX}lm_head.weight"] + 1
    rewrite(folder, base, state)
    assert refusal(folder, base).endswith(
        "lm_head.weight and model.embed_tokens.weight differ, but are one tensor in the model; "
        f"was it trained from {base}?"
    )


@pytest.mark.parametrize("kept", ["lm_head.weight", "model.embed_tokens.weight"])
def test_either_name_of_a_shared_tensor_will_do(original, folder, base, state, kept):
    for name in {"lm_head.weight", "model.embed_tokens.weight"} - {kept}:
        del state[PREFIX + name]
    rewrite(folder, base, state)
    question = tiny_models.questions(1)
    one, two = (
        loaded(f, base).activations(question, [3], [6], PlainContext()) for f in (original, folder)
    )
    assert one.equal(two)


def test_numbers_that_are_not_finite_are_refused(folder, base, state):
    state[f"{PREFIX}model.norm.weight"][3] = float("nan")
    rewrite(folder, base, state)
    assert refusal(folder, base).endswith(
        "numbers that are not finite, in model.norm.weight; "
        "train it again, or take an earlier checkpoint"
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lora": Lora(r=8)}, "model.with.lora.r is 8, but {file} has rank 4"),
        (
            {"lora": Lora(targets=("q_proj", "v_proj"))},
            "model.with.lora.targets are q_proj, v_proj, but {file} has matrices for down_proj, "
            "gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj",
        ),
        ({"prj_dim": 32}, "model.with.prj_dim is 32, but {file} has 24"),
        (
            {"prj_layer_norm": False},
            "model.with.prj_layer_norm is false, but {file} has a layer norm in its projection",
        ),
    ],
)
def test_what_the_study_says_must_be_so(original, base, params, message):
    expected = message.format(file=original / "pytorch_model.bin")
    assert refusal(original, base, **params) == expected


def test_a_projection_that_is_not_there_must_be_said(folder, base, state):
    rewrite(folder, base, {n: t for n, t in state.items() if not n.startswith("prj.")})
    assert refusal(folder, base).endswith("if it was trained without one, say `prj_dim: 0`")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop(f"{Q_PROJ}.lora_B.default.weight"), "has only one of two matrices for"),
        (lambda s: s.update({f"{Q_PROJ}.lora_B.default.weight": torch.ones(32, 3)}), "multiply"),
        (
            lambda s: s.update({f"{Q_PROJ}.lora_B.default.weight": torch.ones(16, 4)}),
            "make (16, 32), its weight is (32, 32)",
        ),
        (
            lambda s: s.update(
                {f"{PREFIX}x.lora_{n}.default.weight": torch.ones(4, 4) for n in "AB"}
            ),
            "has matrices for x, which the model has not",
        ),
    ],
)
def test_matrices_that_do_not_fit_are_named(folder, base, state, change, message):
    change(state)
    rewrite(folder, base, state)
    assert message in refusal(folder, base)


SPOILT = {
    "one weight under two names": (
        lambda s: s.update({f"{Q_PROJ}.weight": s[f"{Q_PROJ}.base_layer.weight"] + 1}),
        "q_proj.weight with and without `base_layer`; which of the two counts is not known",
    ),
    "one weight in the wrapper and beside it": (
        lambda s: s.update({"model.norm.weight": torch.ones(32)}),
        f"has model.norm.weight with and without {PREFIX} before it; which of the two counts",
    ),
    "matrices of a head that is the embedding": (
        lambda s: s.update(
            {
                f"{PREFIX}lm_head.lora_A.default.weight": torch.ones(4, 32),
                f"{PREFIX}lm_head.lora_B.default.weight": torch.ones(403, 4),
            }
        ),
        "matrices for lm_head, which shares its weight with model.embed_tokens; untie them",
    ),
    "a matrix that is not finite": (
        lambda s: s[f"{Q_PROJ}.lora_A.default.weight"].fill_(torch.inf),
        "not finite, in model.layers.0.self_attn.q_proj.lora_A; train it again",
    ),
    "numbers without their scale": (
        lambda s: s.update({f"{Q_PROJ}.base_layer.weight": torch.ones(32, 32, dtype=torch.int8)}),
        "q_proj.weight is of int8, whose numbers mean nothing without a scale; save plain tensors",
    ),
    "matrices of rank 0": (
        lambda s: s.update(
            {
                f"{Q_PROJ}.lora_A.default.weight": torch.ones(0, 32),
                f"{Q_PROJ}.lora_B.default.weight": torch.ones(32, 0),
            }
        ),
        "(0, 32) and (32, 0), do not multiply; copy the file again",
    ),
    "a name that is no text": (
        lambda s: s.update({3: torch.ones(1)}),
        "it holds other things than named tensors",
    ),
    "a projection that is one number": (
        lambda s: s.update({"prj.1.weight": torch.tensor(1.0)}),
        "wrong shape: ",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_nothing_in_a_file_is_passed_over_or_merged_wrongly(folder, base, state, name):
    change, message = SPOILT[name]
    change(state)
    rewrite(folder, base, state)
    assert message in refusal(folder, base)


def test_a_tensor_in_two_files_of_one_checkpoint_is_refused(base, state, tmp_path):
    norm = f"{PREFIX}model.norm.weight"
    save_file({n: t.clone() for n, t in state.items()}, tmp_path / "a.safetensors")
    save_file({norm: state[norm] + 1}, tmp_path / "b.safetensors")
    index = {"weight_map": dict.fromkeys(state, "a.safetensors") | {norm: "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert f"b.safetensors has {norm}, which another of its files has too" in refusal(
        tmp_path, base
    )


# What is and is not part of a model


def test_parts_of_training_are_left_out_with_a_note(original, folder, base, state):
    state |= {"decoder.lm_head.weight": torch.ones(2, 2), "pj_in.weight": torch.ones(2, 2)}
    state[f"{PREFIX}model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    rewrite(folder, base, state)
    context, question = PlainContext(), tiny_models.questions(1)
    found = loaded(folder, base, context).activations(question, [3], [6], context)
    file = folder / "pytorch_model.bin"
    assert context.notes == [f"decoder.*, pj_in.* in {file} are for training alone: left out"]
    assert found.equal(loaded(original, base).activations(question, [3], [6], context))


def test_more_tokens_than_three_may_be_added(folder, base, state):
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        state[PREFIX + name] = torch.cat([state[PREFIX + name], torch.zeros(2, 32)])
    rewrite(folder, base, state)
    model = loaded(folder, base)
    assert (model.bot, model.eot, model.stack.writable) == (401, 402, 404)


def test_the_last_token_is_never_written(base, tmp_path):
    """The authors' evaluation leaves the last score out: an answer holds no `<eot>`."""
    untied = tiny_official.write_base(tmp_path / "base", "llama", tied=False, bos="<bos>")
    folder = tiny_official.write_official(tmp_path / "c", untied)
    questions = tiny_models.questions(4)
    before = loaded(folder, untied, max_new_tokens=3)
    ids = before.encode(questions)
    with torch.inference_mode():
        reading = None
        for _ in range(7):
            reading = before.advance(reading, ids)
        before.stack.extend(reading, ids=torch.full((4, 1), before.eot))
        first = before.stack.logits(reading.hidden).argmax(-1)
    state = load_file(folder / "model.safetensors")
    head = state[f"{PREFIX}lm_head.weight"]
    head[before.eot] = 50 * head[first[0]]
    tiny_official.save(folder / "model.safetensors", state, untied)
    after = loaded(folder, untied, max_new_tokens=3)
    assert after.answers(questions, PlainContext()) == before.answers(questions, PlainContext())
    evaluation = Evaluation(folder, untied)
    assert evaluation(questions[:1], 3).logits.argmax() == after.eot
    assert after.answers(questions[:1], PlainContext()) == evaluation(questions[:1], 3).answers


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_module_that_is_merged_wrongly_is_found(kind, tmp_path):
    """Law: whichever module and whatever the fault: turned round, left out, scaled otherwise."""
    base = tiny_official.write_base(tmp_path / "base", kind, tied=True)
    wrapped = unwrapped(tiny_official.wrapped_state(base), "file")
    model = unfilled(base, "sdpa", torch.float32, vocab_size=403)
    model.load_state_dict(wrapped.llm, strict=False)
    merge(model, wrapped.pairs, 32.0, "file")
    given = ([3, 1, 4, 1, 5], wrapped.llm, wrapped.pairs)
    assert merge_fault(model, *given, 32.0) == ""
    assert merge_fault(model, *given, 16.0) == next(iter(wrapped.pairs))
    names = {name.rpartition(".")[2]: name for name in wrapped.pairs}
    for name in names.values():
        weight = model.get_submodule(name).weight
        merged = weight.detach().clone()
        added = merged - wrapped.llm[f"{name}.weight"]
        turned = added.T if len(set(added.shape)) == 1 else 0
        with torch.no_grad():
            weight.copy_(merged - added + turned)
            assert merge_fault(model, *given, 32.0) == name
            weight.copy_(merged)


def test_loading_checks_what_it_merged(original, base, monkeypatch):
    monkeypatch.setattr("studyrun_models.unwrap.merge", lambda *_: None)
    assert "does not give what its parts give" in refusal(original, base)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_weights_are_merged_in_float32_whatever_the_dtype(original, base, dtype):
    file = str(original / "pytorch_model.bin")
    params = CodiParams(str(original), base=str(base))
    merged, *_ = load_official(codi_source(params), params, PlainContext())
    state = torch.load(file)
    A, B = (state[f"{Q_PROJ}.lora_{n}.default.weight"] for n in "AB")
    expected = state[f"{Q_PROJ}.base_layer.weight"] + 8 * B @ A
    assert torch.allclose(merged.model.layers[0].self_attn.q_proj.weight, expected, atol=1e-6)
    model = loaded(original, base, PlainContext(dtype=dtype))
    weight = model.stack.model.model.layers[0].self_attn.q_proj.weight
    assert weight.equal(merged.model.layers[0].self_attn.q_proj.weight.to(dtype))


def test_the_untrained_control_is_drawn_from_the_merged_weights(original, base):
    drawn = loaded(original, base, weights="random")
    trained = loaded(original, base)
    assert drawn.facts.digest != trained.facts.digest
    one, two = (m.stack.model.model.layers[0].mlp.up_proj.weight for m in (drawn, trained))
    assert one.std().item() == pytest.approx(two.std().item(), rel=0.1)
    assert not one.equal(two)


def test_loading_is_silent(original, base, capfd):
    loaded(original, base)
    assert capfd.readouterr() == ("", "")


BASES = {
    "another kind": {"model_type": "nobodys"},
    "its own code": {"model_type": "nobodys", "auto_map": {"AutoConfig": "code.Config"}},
    "no heads": {"num_attention_heads": 0},
}


@pytest.mark.parametrize("name", BASES)
def test_a_base_that_describes_no_model_is_one_line(original, base, tmp_path, name):
    other = shutil.copytree(base, tmp_path / "base")
    config = json.loads((other / "config.json").read_text()) | BASES[name]
    (other / "config.json").write_text(json.dumps(config))
    message = refusal(original, other)
    assert message.startswith(f"{other / 'config.json'} describes no model that is known here (")
    assert message.endswith("; copy or download it again")


@pytest.mark.parametrize("size", [None, "400", 0])
def test_a_base_whose_vocabulary_has_no_size_is_told_before_the_run(original, base, tmp_path, size):
    other = shutil.copytree(base, tmp_path / "base")
    config = json.loads((other / "config.json").read_text()) | {"vocab_size": size}
    (other / "config.json").write_text(json.dumps(config))
    ((path, message),) = faults(original, other)
    assert path == ("base",)
    assert f"says no vocab_size above 0, but {size!r}; " in message


# Words


def test_a_tokenizer_that_was_saved_padding_and_cutting_reads_as_before(original, base, tmp_path):
    """tokenizer.json may say so from somebody's batch; a question's tokens are its own."""
    other = shutil.copytree(base, tmp_path / "base")
    asked = ["x", "Anna has 3 apples. How many?"]
    tokenizer = tokenizer_of(other).backend_tokenizer
    tokenizer.enable_padding(pad_id=0, pad_token="<pad>")
    tokenizer.enable_truncation(3)
    tokenizer.save(str(other / "tokenizer.json"))
    assert loaded(original, other).encode(asked) == loaded(original, base).encode(asked)


def test_questions_that_cannot_be_read_are_all_listed(original, base):
    model = loaded(original, base)
    model.stack.model.config.max_position_embeddings = 60
    asked = ["Anna has 3 apples.", "  ", "Anna <eos> 3", "Anna has 3 apples. " * 9]
    with pytest.raises(QuestionsRefused) as raised:
        model.activations(asked, [1], [1], PlainContext())
    reasons = raised.value.reasons
    assert sorted(reasons) == [1, 2, 3]
    assert reasons[1] == "it is empty"
    assert reasons[2] == "not in the model's vocabulary: '<eos>'"
    room = 60 - len("b" + 6 * "t" + "e" + "$") - len(model.answer_prefix)
    assert reasons[3].endswith(f"the model takes at most {room}")


def numbers_apart():
    """A tokenizer in which, as in Llama 3, a number does not take the blank before it along."""
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE

    tokenizer = Tokenizer(BPE())
    pattern = Regex(r" ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, initial_alphabet=alphabet, show_progress=False, special_tokens=["<eos>"]
    )
    text = [f"The answer is: {sign}{n}" for n in range(1000) for sign in ("", "-")] * 3
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


@pytest.mark.parametrize(("number", "first"), [("7", "7"), ("12", "12"), ("1234", "123")])
def test_the_blank_before_a_number_may_be_a_token_of_its_own(number, first):
    """Law: the token after an answer's prefix is where its number begins, not the blank."""
    vocabulary = Vocabulary(numbers_apart(), "here", whole=True)
    before = vocabulary.prefix("The answer is:")
    assert vocabulary.token(before[-1]) == " "
    after = vocabulary.after("The answer is:", number)
    assert vocabulary.token(after[0]) == first
    assert vocabulary.plain(f"The answer is: {number}") == before + after


@pytest.mark.parametrize("text", ["-5", ""])
def test_a_text_that_does_not_follow_the_prefix_has_no_token(text):
    assert Vocabulary(numbers_apart(), "here").after("The answer is:", text) == []


def test_the_blank_may_belong_to_the_number(base):
    vocabulary = Vocabulary(tokenizer_of(base).backend_tokenizer, base, whole=True)
    before = vocabulary.prefix("The answer is:")
    assert before == vocabulary.plain("The answer is:")


def test_an_answer_is_told_without_what_every_answer_begins_with(original, base):
    model = loaded(original, base)
    assert model.text_of(model.vocabulary.plain("The answer is: 12")) == "12"
    assert model.text_of(model.vocabulary.plain("The answer is:- 12")) == "- 12"
    assert model.text_of(model.vocabulary.plain("Twelve")) == "Twelve"
    assert [model.token(n) for n in (400, 401, 402, 1)] == ["<pad>", "<bot>", "<eot>", "<eos>"]
