"""The `codi` adapter against a plain loop over single problems, without hooks, batches or cache."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny_models
from studyrun import QuestionsRefused, SiteEdit, StudyError
from studyrun_models import CodiParams
from studyrun_models.blocks import Hooks, SiteError, edited, recorded
from studyrun_models.codi import load
from studyrun_models.weights import WeightsError
from tiny_models import PlainContext

LAYERS, POSITIONS = [0, 2, 3], [0, 1, 3, 6]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.write_codi(tmp_path_factory.mktemp("codi") / "c", layers=4, d=32)


@pytest.fixture(scope="module")
def model(folder):
    return load(CodiParams(str(folder), max_new_tokens=5), PlainContext())


@pytest.fixture(scope="module")
def questions():
    """Some from 14 to 50 tokens."""
    short = tiny_models.questions(6, seed=1, steps=(1,))
    return [*tiny_models.questions(12, seed=2), *short]


class Plain:
    """CODI written down as in the paper: one problem, everything computed anew in every pass."""

    def __init__(self, model):
        self.model, self.llm = model, model.stack.model

    @torch.inference_mode()
    def __call__(self, question, edit=None):
        """hidden_states of the last token per pass, and the answer's ids."""
        model, embed = self.model, self.llm.get_input_embeddings()
        ids = [*model.vocabulary.plain(question), model.eos, model.bot]
        x = embed(torch.tensor([ids]))
        states = []
        for _ in range(model.thoughts + 1):
            out = self.forward(x, len(ids), edit)
            states.append(torch.stack([h[0, -1] for h in out.hidden_states[1:]]))
            x = torch.cat([x, model.project(out.last_hidden_state[:, -1:])], dim=1)
        x = torch.cat([x[:, :-1], embed(torch.tensor([[model.eot]]))], dim=1)
        spoken = []
        for _ in range(model.params.max_new_tokens):
            hidden = self.forward(x, len(ids), edit).last_hidden_state[:, -1:]
            spoken.append(self.llm.lm_head(hidden).argmax(-1).item())
            x = torch.cat([x, embed(torch.tensor([spoken[-1:]]))], dim=1)
        spoken = spoken[: spoken.index(model.eos)] if model.eos in spoken else spoken
        return torch.stack(states), model.vocabulary.decode(spoken)

    def forward(self, x, n, edit):
        def add(_module, _args, output):
            column = n - 1 + edit.position
            if x.shape[1] > column:  # nothing is cached, so it is edited anew in every pass
                output = output.clone()
                output[0, column] += edit.delta[0]
            return output

        handles = []
        if edit is not None:
            handles.append(self.llm.model.layers[edit.layer].register_forward_hook(add))
        out = self.llm.model(inputs_embeds=x, output_hidden_states=True, use_cache=False)
        for handle in handles:
            handle.remove()
        return out


def relative(a, b):
    return ((a - b).norm(dim=-1) / b.norm(dim=-1)).max().item()


def test_activations_are_those_of_a_plain_loop(model, questions):
    found = model.activations(questions, LAYERS, POSITIONS, PlainContext(batch_size=5))
    assert found.shape == (len(questions), len(LAYERS), len(POSITIONS), 32)
    assert (found.dtype, found.device.type) == (torch.float32, "cpu")
    assert not found.is_inference()
    norm = model.stack.model.model.norm
    for row, question in zip(found, questions, strict=True):
        states, _ = Plain(model)(question)
        expected = states[POSITIONS].transpose(0, 1)
        assert relative(row[:2], expected[[0, 2]]) < 1e-5
        with torch.inference_mode():
            assert relative(norm(row[2]), expected[3]) < 1e-5


def test_the_last_site_is_before_the_norm_and_the_thought_is_fed_after_it(model, questions):
    site = model.activations(questions[:1], [3], [0], PlainContext())[0, 0]
    with torch.inference_mode():
        reading = model.read(model.encode(questions[:1]))
        normed = model.stack.model.model.norm(site)
    states, _ = Plain(model)(questions[0])
    assert relative(reading.hidden, states[0, 3][None]) < 1e-5  # hidden_states[-1]
    assert relative(normed, reading.hidden) < 1e-5
    assert relative(site, reading.hidden) > 0.1


def test_answers_are_those_of_a_plain_loop(model, questions):
    answers = model.answers(questions, PlainContext(batch_size=7))
    assert answers == [Plain(model)(question)[1] for question in questions]
    assert len(set(answers)) > 3


@pytest.mark.parametrize("position", [0, 1, 3, 6])
def test_edited_answers_are_those_of_a_plain_loop(model, questions, position):
    delta = 20 * torch.randn(len(questions), 32, generator=torch.Generator().manual_seed(position))
    edit = SiteEdit(layer=1, position=position, delta=delta)
    answers = model.answers(questions, PlainContext(batch_size=7), edit)
    for row, question in enumerate(questions):
        alone = dataclasses.replace(edit, delta=delta[row : row + 1])
        assert answers[row] == Plain(model)(question, alone)[1]
    assert answers != model.answers(questions, PlainContext())


def test_an_edit_of_zero_changes_nothing(model, questions):
    edit = SiteEdit(2, 4, torch.zeros(len(questions), 32))
    plain = model.answers(questions, PlainContext())
    assert model.answers(questions, PlainContext(), edit) == plain


@pytest.mark.parametrize("edited_pass", [0, 2, 6])
def test_an_edit_changes_its_site_by_delta_and_later_passes_but_no_earlier_one(
    model, questions, edited_pass
):
    ids = [model.encode(questions[:1])[0]] * 16
    delta = torch.randn(16, 32)
    plain, changed = (streams(model, ids, edited_pass, d) for d in (torch.zeros(16, 32), delta))
    for number in range(7):
        same = plain[number].equal(changed[number])
        assert same == (number < edited_pass)
    moved = changed[edited_pass] - plain[edited_pass]
    assert moved[0].equal(torch.zeros(16, 32))  # the layer below
    assert torch.allclose(moved[1], delta, atol=1e-5)


@torch.inference_mode()
def streams(model, ids, edited_pass, delta):
    """Streams after layers 0 and 1 in every pass, with an edit after layer 1 in one of them."""
    found, last = [], torch.full((len(ids),), -1)
    for number in range(7):
        add = delta if number == edited_pass else torch.zeros_like(delta)
        with (
            Hooks(model.stack.blocks, [1]) as editing,
            Hooks(model.stack.blocks, [0, 1]) as reading_both,
            edited(editing, last, add),
            recorded(reading_both, last[:, None]) as seen,
        ):
            if number == 0:
                reading = model.read(ids)
            else:
                model.think(reading, model.project(reading.hidden))
        found.append(torch.stack([seen[0][:, 0], seen[1][:, 0]]))
    return found


def test_an_edit_that_cannot_fire_is_an_error(model, questions):
    with pytest.raises(StudyError, match=r"position 7 is none of 0\.\.6"):
        model.answers(questions, PlainContext(), SiteEdit(1, 7, torch.zeros(18, 32)))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (SiteEdit(4, 1, torch.zeros(18, 32)), r"there is no block 4; the model has 0\.\.3"),
        (SiteEdit(-1, 1, torch.zeros(18, 32)), "there is no block -1"),
        (SiteEdit(1, 1, torch.zeros(19, 32)), "19 edits for 18 questions"),
    ],
)
def test_an_edit_of_another_shape_or_place_is_an_error(model, questions, edit, message):
    with pytest.raises(SiteError, match=message):
        model.answers(questions, PlainContext(), edit)


def test_a_layer_that_is_not_there_is_an_error(model, questions):
    with pytest.raises(SiteError, match="there is no block 4"):
        model.activations(questions, [4], [1], PlainContext())


def test_nothing_is_left_behind_on_the_blocks(model, questions):
    before = [len(block._forward_hooks) for block in model.stack.blocks]
    model.activations(questions, LAYERS, POSITIONS, PlainContext())
    model.answers(questions, PlainContext(), SiteEdit(1, 2, torch.zeros(18, 32)))
    assert [len(block._forward_hooks) for block in model.stack.blocks] == before


def test_later_blocks_are_not_computed_in_the_last_pass(model, questions):
    runs = [0, 0, 0, 0]
    handles = [
        block.register_forward_hook(lambda *_, i=i: runs.__setitem__(i, runs[i] + 1))
        for i, block in enumerate(model.stack.blocks)
    ]
    model.activations(questions[:1], [0, 1], [0, 2], PlainContext())
    for handle in handles:
        handle.remove()
    assert runs == [3, 3, 2, 2]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch_size", [1, 5, 18])
def test_a_problem_has_the_same_activations_in_every_batch(model, questions, batch_size, threads):
    """Law: on CPU, bits included, whatever runs beside it and in how many threads."""
    alone = [model.activations([q], LAYERS, POSITIONS, PlainContext())[0] for q in questions]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    mixed = model.activations(questions, LAYERS, POSITIONS, PlainContext(batch_size))
    torch.set_num_threads(before)
    difference = relative(mixed, torch.stack(alone))
    assert difference <= (0 if torch.backends.mkl.is_available() else 1e-6)


def test_padding_beside_longer_problems_changes_only_the_rounding(model, questions):
    """What a GPU does: unequal lengths in one batch, padded on the left and masked."""
    own = model.activations(questions, LAYERS, POSITIONS, PlainContext())
    ids = model.encode(questions)
    assert len({len(row) for row in ids}) > 8
    with torch.inference_mode(), Hooks(model.stack.blocks, LAYERS) as hooks:
        padded = model._streams(ids, hooks, POSITIONS)
    assert relative(padded, own) < 1e-5


def test_official_padding_depends_on_the_batch_and_masked_does_not(folder, model, questions):
    params = CodiParams(str(folder), padding="official", max_new_tokens=5)
    official = load(params, PlainContext())
    short, long = min(questions, key=len), max(questions, key=len)
    alone = official.activations([short], [2], [3], PlainContext())
    assert relative(alone, model.activations([short], [2], [3], PlainContext())) < 1e-5
    beside = official.activations([short, long], [2], [3], PlainContext())
    assert relative(beside[:1], alone) > 1e-3
    assert relative(beside[1:], model.activations([long], [2], [3], PlainContext())) < 1e-5
    assert len(official.answers(questions, PlainContext())) == len(questions)


def test_a_batch_can_be_read_on_from_twice(model, questions):
    """Reading one batch again leaves no trace of the first time: no cache is shared."""
    ids = model.encode(questions)
    with torch.inference_mode(), Hooks(model.stack.blocks, LAYERS) as hooks:
        first = model._streams(ids, hooks, POSITIONS)
        assert model._streams(ids, hooks, POSITIONS).equal(first)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_dtype_is_the_studys(folder, questions, dtype):
    found = load(CodiParams(str(folder)), PlainContext(dtype=dtype))
    assert {p.dtype for p in found.stack.model.parameters()} == {dtype}
    assert found.activations(questions, [1], [1], PlainContext()).dtype == torch.float32


def test_eager_attention_gives_the_same_but_for_the_rounding(folder, model, questions):
    eager = load(CodiParams(str(folder), attention="eager"), PlainContext())
    assert eager.stack.model.config._attn_implementation == "eager"
    found = eager.activations(questions, LAYERS, POSITIONS, PlainContext())
    own = model.activations(questions, LAYERS, POSITIONS, PlainContext())
    assert 0 < relative(found, own) < 1e-4


def test_the_untrained_control_is_the_same_model_with_other_weights(folder, model, questions):
    params = CodiParams(str(folder), weights="random")
    drawn = [load(params, PlainContext(seed=seed)) for seed in (0, 1)]
    first, again = (m.activations(questions, [3], [3], PlainContext()) for m in drawn)
    assert first.equal(again)
    assert relative(first, model.activations(questions, [3], [3], PlainContext())) > 0.3
    assert drawn[0].facts.digest != model.facts.digest


def test_loading_leaves_the_global_random_state_alone(folder):
    before = torch.random.get_rng_state()
    load(CodiParams(str(folder)), PlainContext())
    assert torch.random.get_rng_state().equal(before)


def test_questions_that_cannot_be_read_are_all_listed(model):
    asked = ["Anna has 3 apples.", "Anna has 3 zebras and 101 xylophones.", "", "Anna <bot> 3"]
    asked.append("Anna has 3 apples. " * 30)
    with pytest.raises(QuestionsRefused) as raised:
        model.activations(asked, [1], [1], PlainContext())
    assert raised.value.reasons == {
        1: "not in the model's vocabulary: 'zebras', '101', 'xylophones'",
        2: "it is empty",
        3: "not in the model's vocabulary: '<bot>'",
        4: "it has 150 tokens; the model takes at most 114",
    }
    assert str(raised.value) == (
        "question 1: not in the model's vocabulary: 'zebras', '101', 'xylophones' (and 3 more)"
    )


def test_no_questions_give_no_rows(model):
    assert model.activations([], [1, 2], [1], PlainContext()).shape == (0, 2, 1, 32)
    assert model.answers([], PlainContext()) == []


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_missing_and_an_unexpected_tensor_are_both_named(copy):
    state = load_file(copy / "model.safetensors")
    state["prj.5.weight"] = state.pop("prj.3.weight")
    save_file(state, copy / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing: prj\.3\.weight; unexpected: prj\.5\.weight"):
        load(CodiParams(str(copy)), PlainContext())


def test_a_shared_head_need_not_be_in_the_file(copy, questions):
    config = json.loads((copy / "config.json").read_text()) | {"tie_word_embeddings": True}
    (copy / "config.json").write_text(json.dumps(config))
    state = load_file(copy / "model.safetensors")
    del state["lm_head.weight"]
    save_file(state, copy / "model.safetensors")
    model = load(CodiParams(str(copy)), PlainContext()).stack.model
    assert model.lm_head.weight.equal(model.get_input_embeddings().weight)
    assert model.lm_head.weight.equal(state["model.embed_tokens.weight"].float())


def test_a_token_that_the_tokenizer_lacks_is_named(copy):
    config = json.loads((copy / "config.json").read_text())
    config["codi"]["bot"] = "<start>"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"tokenizer\.json has no token '<start>'"):
        load(CodiParams(str(copy)), PlainContext())


def test_a_model_whose_streams_are_not_what_they_seem_is_refused(folder, monkeypatch):
    """A block that is called, but whose output is not what the next one is given."""
    from transformers.models.llama.modeling_llama import LlamaModel

    forward = LlamaModel.forward

    def shifted(self, *args, **kwargs):
        out = forward(self, *args, **kwargs)
        if out.hidden_states is not None:
            out.hidden_states = tuple(h + 1 for h in out.hidden_states)
        return out

    monkeypatch.setattr(LlamaModel, "forward", shifted)
    with pytest.raises(SiteError, match=r"after blocks \[0, 1, 2\] are not hidden_states"):
        load(CodiParams(str(folder)), PlainContext())
