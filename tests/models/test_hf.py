"""The `hf` adapter against a plain loop over single prompts, for every kind of architecture."""

import importlib.util
import json
import re
import shutil
from itertools import accumulate

import pytest
import torch

import tiny_models
from studyrun import CheckScope, QuestionsRefused, SiteEdit, StudyError
from studyrun_models import HfParams
from studyrun_models.blocks import SiteError
from studyrun_models.facts import hf_check
from studyrun_models.hf import load
from studyrun_models.weights import WeightsError
from tiny_models import PlainContext

NAMES = sorted(tiny_models.hf_configs())
LAYERS, POSITIONS = [0, 2, 3], [0, 4, -2, "last", "/[0-9]+/"]
LAST_NUMBER = "/[0-9]+/"
BY_EXPERT = "mixtral"
"""An expert multiplies the rows that chose it: how many there are, and with it the rounding,
depends on the batch."""


@pytest.fixture(scope="module")
def questions():
    return tiny_models.questions(10, seed=2)


@pytest.fixture(scope="module", params=NAMES)
def folder(request, tmp_path_factory):
    return tiny_models.write_hf(tmp_path_factory.mktemp("hf") / "m", request.param, bos="<bos>")


@pytest.fixture(scope="module")
def model(folder):
    return load(HfParams(str(folder), max_new_tokens=5), PlainContext())


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return tiny_models.write_hf(tmp_path_factory.mktemp("hf") / "llama", "llama", bos="<bos>")


def relative(a, b):
    return ((a - b).norm(dim=-1) / b.norm(dim=-1)).max().item()


def columns_of(model, question):
    """Where POSITIONS are, counted on decoded tokens; the BOS token is not counted."""
    ids = model.tokenizer(question).input_ids
    pieces = [model.tokenizer.decode([token]) for token in ids]
    assert pieces[0] == "<bos>"
    *_, last = re.finditer("[0-9]+", question)
    read = list(accumulate(map(len, pieces[1:])))  # characters up to and with each token
    number = next(i for i, n in enumerate(read, start=1) if n >= last.end())
    return ids, [1, 5, len(ids) - 2, len(ids) - 1, number]


@torch.inference_mode()
def plain(model, ids):
    tokens = torch.tensor([ids])
    return model.stack.model(input_ids=tokens, output_hidden_states=True).hidden_states


def test_activations_are_those_of_single_prompts(model, questions):
    found = model.activations(questions, LAYERS, POSITIONS, PlainContext(batch_size=4))
    assert found.shape == (len(questions), 3, len(POSITIONS), 32)
    for row, question in zip(found, questions, strict=True):
        ids, columns = columns_of(model, question)
        states = plain(model, ids)
        assert relative(row[0], states[1][0, columns]) < 1e-5
        assert relative(row[1], states[3][0, columns]) < 1e-5


def test_a_prompt_has_the_same_activations_in_every_batch(model, questions):
    alone = [model.activations([q], LAYERS, POSITIONS, PlainContext())[0] for q in questions]
    mixed = model.activations(questions, LAYERS, POSITIONS, PlainContext())
    exact = torch.backends.mkl.is_available() and not model.facts.name.startswith(BY_EXPERT)
    assert relative(mixed, torch.stack(alone)) <= (0 if exact else 1e-5)


def test_padding_beside_longer_prompts_changes_only_the_rounding(model, questions, monkeypatch):
    own = model.activations(questions, LAYERS, POSITIONS, PlainContext())
    monkeypatch.setattr(model.stack, "alike", lambda ids: None)
    padded = model.activations(questions, LAYERS, POSITIONS, PlainContext())
    assert relative(padded, own) < 1e-5


@torch.inference_mode()
def greedy(model, question, edit=None):
    """Greedy decoding without a cache; an edit is made anew in every pass."""
    ids, (*_, number) = columns_of(model, question)
    block = model.stack.blocks[edit.layer if edit else 0]

    def add(_module, _args, output):
        stream = (output[0] if isinstance(output, tuple) else output).clone()
        stream[0, number] += edit.delta[0]
        return (stream, *output[1:]) if isinstance(output, tuple) else stream

    spoken = []
    for _ in range(model.params.max_new_tokens):
        handle = block.register_forward_hook(add) if edit else None
        logits = model.stack.model(input_ids=torch.tensor([ids + spoken])).logits
        if handle:
            handle.remove()
        spoken.append(logits[0, -1].argmax().item())
        if spoken[-1] == model.tokenizer.eos_token_id:
            break
    return model.tokenizer.decode(spoken, skip_special_tokens=True).strip()


def test_answers_are_those_of_single_prompts(model, questions):
    answers = model.answers(questions, PlainContext(batch_size=4))
    assert answers == [greedy(model, question) for question in questions]


def test_edited_answers_are_those_of_single_prompts(model, questions):
    delta = 30 * torch.randn(len(questions), 32, generator=torch.Generator().manual_seed(1))
    answers = model.answers(questions, PlainContext(batch_size=4), SiteEdit(1, LAST_NUMBER, delta))
    for row, question in enumerate(questions):
        alone = SiteEdit(1, LAST_NUMBER, delta[row : row + 1])
        assert answers[row] == greedy(model, question, alone)


def test_no_hook_is_left_behind(model, questions):
    before = [len(block._forward_hooks) for block in model.stack.blocks]
    model.activations(questions, LAYERS, POSITIONS, PlainContext())
    model.answers(questions, PlainContext(), SiteEdit(1, 0, torch.zeros(len(questions), 32)))
    assert [len(block._forward_hooks) for block in model.stack.blocks] == before


def test_edits_matter(llama, questions):
    model = load(HfParams(str(llama), max_new_tokens=5), PlainContext())
    edit = SiteEdit(1, LAST_NUMBER, 1e4 * torch.ones(len(questions), 32))
    plain = model.answers(questions, PlainContext())
    assert model.answers(questions, PlainContext(), edit) != plain


def test_special_tokens_are_counted_only_on_request(llama, questions):
    without, counted = (
        load(HfParams(str(llama), count_special=flag), PlainContext()) for flag in (False, True)
    )
    first = without.activations(questions, [2], [0, 3], PlainContext())
    second = counted.activations(questions, [2], [0, 1, 4], PlainContext())
    assert relative(first, second[:, :, 1:]) < 1e-5
    bos = second[:, 0, 0]
    assert relative(bos, bos[:1].expand_as(bos)) < 1e-5  # it is the same in every prompt


def test_the_prompt_is_what_the_study_writes(llama, questions):
    plain, asked = (
        load(HfParams(str(llama), prompt=prompt), PlainContext())
        for prompt in ("{question}", "Q: {question} A:")
    )
    by_hand = [f"Q: {question} A:" for question in questions]
    one = asked.activations(questions, [3], ["last", "/^Q/"], PlainContext())
    other = plain.activations(by_hand, [3], ["last", "/^Q/"], PlainContext())
    assert one.equal(other)


def test_braces_in_a_question_are_left_alone(llama):
    model = load(HfParams(str(llama)), PlainContext())
    assert model.activations(["{0} and {x}"], [0], ["last"], PlainContext()).shape == (1, 1, 1, 32)


def test_tokens_after_the_last_position_are_not_computed(llama, questions):
    model = load(HfParams(str(llama)), PlainContext())
    widths = []
    handle = model.stack.blocks[0].register_forward_hook(
        lambda _m, _a, output: widths.append(output.shape[1])
    )
    model.activations(questions, [0], [2], PlainContext())
    handle.remove()
    assert set(widths) == {4}


def test_prompts_that_cannot_be_taken_are_all_listed(llama):
    model = load(HfParams(str(llama)), PlainContext())
    model._longest = 40
    asked = ["Anna has 3.", "Anna has three.", "Anna " * 60, "a 1"]
    with pytest.raises(QuestionsRefused) as raised:
        model.activations(asked, [1], [LAST_NUMBER, 3], PlainContext())
    reasons = raised.value.reasons
    assert sorted(reasons) == [1, 2, 3]
    assert reasons[1] == "/[0-9]+/ matches nothing in the prompt"
    assert reasons[2].endswith("tokens; the model takes 40")
    assert reasons[3].startswith("position 3 does not exist in a prompt of")


def test_an_empty_prompt_is_refused(tmp_path):
    folder = tiny_models.write_hf(tmp_path / "m", "gpt2")
    model = load(HfParams(str(folder)), PlainContext())
    with pytest.raises(QuestionsRefused, match="question 0: its prompt is empty"):
        model.answers([""], PlainContext())


def test_a_token_beyond_the_embeddings_is_refused(llama, questions):
    model = load(HfParams(str(llama)), PlainContext())
    model._vocabulary = 300
    with pytest.raises(QuestionsRefused, match="is beyond the model's 300 embeddings"):
        model.answers(questions, PlainContext())


@pytest.fixture
def copy(llama, tmp_path):
    return shutil.copytree(llama, tmp_path / "copy")


def rewrite(folder, change):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("model.norm.weight"), "missing: model.norm.weight"),
        (lambda s: s.update(extra=torch.ones(1)), "unexpected: extra"),
    ],
)
def test_a_tensor_too_few_or_too_many_is_named(copy, change, message):
    rewrite(copy, change)
    with pytest.raises(WeightsError, match=message):
        load(HfParams(str(copy)), PlainContext())


def test_a_tensor_of_another_shape_is_named(copy):
    rewrite(copy, lambda s: s.update({"model.norm.weight": torch.ones(7)}))
    message = r"wrong shape: model.norm.weight \(7,\) instead of \(32,\)"
    with pytest.raises(WeightsError, match=message):
        load(HfParams(str(copy)), PlainContext())


@pytest.mark.parametrize("kind", ["unheard-of", "llama"])
def test_code_beside_a_model_is_never_run(copy, kind):
    ran = copy / "ran"
    (copy / "code.py").write_text(f"open({str(ran)!r}, 'w')\nclass Own: pass\n")
    own = {"AutoConfig": "code.Own", "AutoModelForCausalLM": "code.Own"}
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": kind, "auto_map": own}))
    if kind == "llama":
        load(HfParams(str(copy)), PlainContext())
    else:
        with pytest.raises(SiteError, match="is code in that folder, which is never run here"):
            load(HfParams(str(copy)), PlainContext())
    assert not ran.exists()


def test_an_unknown_architecture_says_so(copy):
    config = json.loads((copy / "config.json").read_text()) | {"model_type": "unheard-of"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(SiteError, match="transformers cannot load"):
        load(HfParams(str(copy)), PlainContext())


def test_a_checkpoint_without_tokenizer_says_so(copy):
    for file in copy.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(WeightsError, match="has no tokenizer"):
        load(HfParams(str(copy)), PlainContext())


def test_loading_is_silent_and_keeps_transformers_switches(llama, capfd):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load(HfParams(str(llama)), PlainContext())
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize("name", sorted(tiny_models.eager_configs()))
def test_some_architectures_have_eager_attention_only(name, tmp_path, questions):
    folder = tiny_models.write_hf(tmp_path / "m", name, bos="<bos>")
    with pytest.raises(SiteError, match="`attention: eager` may do"):
        load(HfParams(str(folder)), PlainContext())
    model = load(HfParams(str(folder), attention="eager"), PlainContext())
    found = model.activations(questions, [2], ["last"], PlainContext(batch_size=4))
    for row, question in zip(found, questions, strict=True):
        states = plain(model, model.tokenizer(question).input_ids)
        assert relative(row[0], states[3][0, -1:]) < 1e-5


def test_a_model_is_spread_where_accelerate_is_installed(llama, questions):
    """Law: on one device a spread model is the same model; without the package an error says so."""
    params = HfParams(str(llama), device_map="auto")
    faults = list(hf_check(params, CheckScope()))
    if importlib.util.find_spec("accelerate") is None:
        message = "`auto` needs the package accelerate, which is not installed: "
        assert [fault.path for fault in faults] == [("device_map",)]
        with pytest.raises(StudyError, match=f"^model.with.device_map: {message}"):
            load(params, PlainContext())
        return
    assert faults == []
    one, other = (
        load(each, PlainContext()).activations(questions, LAYERS, POSITIONS, PlainContext())
        for each in (HfParams(str(llama)), params)
    )
    assert one.equal(other)
