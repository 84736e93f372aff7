"""Edited prompts of any language model, replayed from their site, against all computed anew.

What holds to the bit holds on CPU; elsewhere, and where batches differ, results are equal to
`FLOOR` (measured: 1e-6 on CPU).
"""

import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from replays import (
    FLOOR,
    alike,
    apart,
    closest,
    edits_of,
    gathered,
    in_memory,
    prompt_off,
    rearranged,
    relative,
    same_bits,
    tokenizer,
    unmoved,
)

import strategies
import tiny_models
from strategies import Nudge
from studyrun import QuestionsRefused
from studyrun_models import HfParams, replay
from studyrun_models.hf import load
from studyrun_models.prompt_passes import PromptPasses
from studyrun_models.verify import replay_fault
from tiny_models import PlainContext

NAMES = sorted(tiny_models.hf_configs())
PLAINLY = ["gpt-neox", "gpt2", "llama", "qwen2"]
"""What the oracle has written down."""
BY_HOOK = {"falcon": "cannot attend to shared keys and values (its attention cannot be chosen)"}
"""Architectures that cannot be replayed, and why: their attention is their own."""
POSITIONS = (0, 2, -2, -3, "last")
TEXT = "Anna has 12 apples and buys 7 more. How many apples has Anna now?"
PROMPTS = [" ".join(TEXT.split()[:n]) for n in (2, 5, 13, 4)]
LAYERS, D_MODEL = 4, 32


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name, device, tmp_path_factory):
    """Of every family, as it is loaded."""
    folder = tiny_models.write_hf(tmp_path_factory.mktemp("hf") / "m", name, bos="<bos>")
    return load(HfParams(str(folder), max_new_tokens=4), PlainContext(device=device))


@pytest.fixture(scope="module")
def llama(device):
    return in_memory(tiny_models.hf_configs()["llama"], 0, device)


def replayed(model, layer, nudges, positions=POSITIONS, *, prompts=PROMPTS, **options):
    """All runs; options are those of the context."""
    device = model.stack.device
    passes = PromptPasses(model, model._prompts(prompts))
    found = replay.Replaying(passes, layer, PlainContext(device=device, **options))
    d_model = model.stack.model.config.hidden_size
    return gathered(found.run, edits_of(nudges, positions, d_model, device))


def rerun(model, layer, nudges, positions=POSITIONS, prompts=PROMPTS):
    """The same by a hook and passes from the beginning."""
    device = model.stack.device
    found = model.replay(prompts, layer, PlainContext(device=device))
    d_model = model.stack.model.config.hidden_size
    return gathered(found.rerun, edits_of(nudges, positions, d_model, device))


def column_of(position, ids):
    """Counted by hand: the tokenizer puts `<bos>` in front, which is no position."""
    return {"last": len(ids) - 1}.get(position) or (position + (1 if position >= 0 else len(ids)))


@pytest.mark.parametrize("kind", PLAINLY)
def test_the_oracle_is_transformers_to_rounding(kind):
    """Residuals, final state and scores, within 1e-5 of those that transformers returns."""
    model = in_memory(tiny_models.hf_configs()[kind], 3, "cpu")
    plain = oracle.plainly(model.stack.model, torch.float32)
    for prompt in PROMPTS:
        ids = model.tokenizer(prompt).input_ids
        with torch.inference_mode():
            tokens = torch.tensor([ids])
            theirs = model.stack.model(input_ids=tokens, output_hidden_states=True, use_cache=False)
        residuals = plain.residuals(plain.embedded(ids))
        states = plain.normed(residuals[-1])
        for own, other in zip(residuals[:-1], theirs.hidden_states[1:-1], strict=True):
            assert relative(own, other[0]) < 1e-5
        assert relative(states, theirs.hidden_states[-1][0]) < 1e-5
        assert relative(plain.logits(states), theirs.logits[0]) < 1e-5
        assert relative(oracle.plainly(model.stack.model).residuals(
            plain.embedded(ids).double())[-1], residuals[-1]) < 1e-5  # fmt: skip


@pytest.mark.parametrize("kind", PLAINLY)
@settings(max_examples=10)
@given(data=st.data())
def test_random_models_are_as_if_all_were_computed_anew(kind, device, data):
    """Law: after every block, at first, middle and last tokens, replayed and re-run: the oracle's.

    That is: scores, states at the site and at the end, the answer, and |delta| / |x|.
    """
    config, seed = data.draw(strategies.lm_configs(kind)), data.draw(st.integers(0, 99))
    model = in_memory(config, seed, device)
    plain = oracle.plainly(model.stack.model)
    nudges = data.draw(strategies.nudges(len(PROMPTS), len(POSITIONS), most=4))
    for layer in range(config.num_hidden_layers):
        runs = replayed(model, layer, nudges), rerun(model, layer, nudges)
        for nudge, *both in zip(nudges, *runs, strict=True):
            ids = model.tokenizer(PROMPTS[nudge.question]).input_ids
            delta = nudge.delta(config.hidden_size).double()
            site = oracle.Edit(layer, column_of(POSITIONS[nudge.at], ids), delta)
            x = plain.residuals(plain.embedded(ids))[layer][site.column]
            for run in both:
                assert prompt_off(run, plain, ids, site, model) < FLOOR
                assert run.moved == pytest.approx((delta.norm() / x.norm()).item(), rel=FLOOR)


@settings(max_examples=8, derandomize=True)
@given(
    nudges=strategies.nudges(len(PROMPTS), len(POSITIONS), least=2, most=6),
    layer=st.integers(0, LAYERS - 1),
)
def test_every_family_is_replayed_as_it_is_re_run(model, name, nudges, layer):
    """Law: `run` equals `rerun`, with windows, experts and caps on scores, replayed or not."""
    runs, reruns = replayed(model, layer, nudges), rerun(model, layer, nudges)
    for nudge, one, other in zip(nudges, runs, reruns, strict=True):
        assert apart(one, other) < FLOOR
        assert same_answer(model, one, other, layer, nudge.delta(D_MODEL))


def same_answer(model, one, other, layer, delta):
    """Whether two runs say the same, unless that is a matter of rounding."""
    prompt = PROMPTS[one.question]
    column = column_of(one.position, model.tokenizer(prompt).input_ids)
    return one.answer == other.answer or closest(model, prompt, layer, column, delta) < FLOOR


def test_a_family_is_replayed_or_the_reason_is_noted(model, name):
    """Law: what is run in full says why, once loaded and in every replay."""
    found = model.replay(PROMPTS, 1, PlainContext(device=model.stack.device))
    if name in BY_HOOK:
        because = f"{type(model.stack.model).__name__} {BY_HOOK[name]}"
        assert (model.full_because, found.note) == (because, f"run in full: {because}")
    else:
        assert (model.full_because, found.note) == ("", "")


@settings(max_examples=5)
@given(
    nudges=strategies.nudges(len(PROMPTS), len(POSITIONS), least=0, most=6),
    nothings=strategies.nudges(len(PROMPTS), len(POSITIONS), most=3),
    layer=st.integers(0, LAYERS - 1),
    batch_size=st.integers(1, 5),
)
def test_an_edit_of_nothing_has_the_bits_of_the_clean_run(
    model, device, nudges, nothings, layer, batch_size
):
    """Law: logits, states and answer where delta is 0, whatever else is in the batch."""
    every = [Nudge(each.question, each.at, 0.0, 0) for each in nothings] + nudges
    for nudge, run in zip(every, replayed(model, layer, every, batch_size=batch_size), strict=True):
        assert (run.moved > 0) == (nudge.size > 0)
        assert nudge.size or unmoved(run, device)


@pytest.mark.parametrize(("prompt", "tokens"), [("a", 2), ("ab", 3), ("abc", 4), ("a 123", 5)])
def test_nothing_has_the_clean_bits_behind_few_tokens(prompt, tokens):
    """Law: also where so few keys are shared that rows of one product are rounded differently."""
    import transformers

    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 2}
    size = {"hidden_size": 256, "intermediate_size": 128, "vocab_size": 400}
    model = in_memory(transformers.LlamaConfig(**heads, **size), 0, "cpu")
    assert (model.stack.even, len(model.tokenizer(prompt).input_ids)) == (1, tokens)
    for runs in range(1, 18):
        nudges = [Nudge(0, 0, float(n % 2), n) for n in range(runs)]
        found = replayed(model, 0, nudges, ("last",), prompts=[prompt])
        assert all(run.is_clean for nudge, run in zip(nudges, found, strict=True) if not nudge.size)


@settings(max_examples=10)
@given(
    one=strategies.nudges(len(PROMPTS), len(POSITIONS), most=1),
    some=strategies.nudges(len(PROMPTS), len(POSITIONS), least=0),
    others=strategies.nudges(len(PROMPTS), len(POSITIONS), least=0),
    layer=st.integers(0, LAYERS - 1),
)
def test_edits_do_not_interact(llama, one, some, others, layer):
    """Law: a run comes to the same, whatever edits other runs of its or other prompts get."""
    first, second = (replayed(llama, layer, one + each)[0] for each in (some, others))
    assert apart(first, second) < FLOOR
    assert same_answer(llama, first, second, layer, one[0].delta(D_MODEL))


@settings(max_examples=10)
@given(
    nudges=strategies.nudges(len(PROMPTS), len(POSITIONS), least=2, most=10),
    layer=st.integers(0, LAYERS - 1),
    data=st.data(),
)
def test_how_runs_are_put_together_does_not_matter(llama, nudges, layer, data):
    """Law: order of runs and prompts, sizes of batches and groups, threads, memory: the same."""
    usual = replayed(llama, layer, nudges)
    order, asked, found = rearranged(data, replayed, llama, layer, nudges, prompts=PROMPTS)
    for number, run in zip(order, found, strict=True):
        own = usual[number]
        assert asked[run.question] == own.question
        assert apart(run.asked_as(own.question), own) < FLOOR
        assert same_answer(llama, own, run, layer, nudges[number].delta(D_MODEL))


@pytest.mark.parametrize("layer", [0, LAYERS - 1])
@pytest.mark.parametrize("position", POSITIONS)
def test_an_edit_changes_its_site_and_what_reads_it(llama, layer, position):
    """Law: the state at the site, and the last one if a block above reads it or it is the site."""
    run = replayed(llama, layer, [Nudge(2, 0, 1.0, 7)], (position,))[0]
    assert run.places == ((position,) if position == "last" else (position, "last"))
    changed = (run.states - run.clean_states).norm(dim=-1) / run.clean_states.norm(dim=-1)
    assert changed[0] > 10 * FLOOR
    read = layer < LAYERS - 1 or position == "last"
    assert (changed[-1] > 10 * FLOOR) == read
    assert (relative(run.logits, run.clean_logits) > 10 * FLOOR) == read
    assert read or llama.stack.device.type != "cpu" or run.logits.equal(run.clean_logits)


def test_a_second_replay_has_the_bits_of_the_first(model, device):
    """Law: nothing of a run stays in what is shared, whatever was replayed in between."""
    nudges = [Nudge(n % 4, n % 5, 1.0, n) for n in range(10)]
    edits = edits_of(nudges, POSITIONS, D_MODEL, model.stack.device)
    kept = model.replay(PROMPTS, 1, PlainContext(device=model.stack.device))
    first, last = gathered(kept.run, edits), replayed(model, LAYERS - 1, nudges)
    for again in (gathered(kept.run, edits), replayed(model, 1, nudges)):
        assert all(alike(*pair, device) for pair in zip(first, again, strict=True))
    again = replayed(model, LAYERS - 1, nudges)
    assert all(alike(*pair, device) for pair in zip(last, again, strict=True))
    assert not any(same_bits(*pair) for pair in zip(first, last, strict=True))


def test_the_model_is_left_as_it_was(model):
    """Law: attention, forward and hooks; others' hooks fire on; so do they after a failure."""
    context = PlainContext(device=model.stack.device)
    before, seen = model.answers(PROMPTS, context), []
    blocks, config = model.stack.blocks, model.stack.model.config
    handle = blocks[1].register_forward_hook(lambda *_: seen.append(1))

    def standing():
        hooks = [(list(b._forward_hooks), list(b._forward_pre_hooks)) for b in blocks]
        return config._attn_implementation, hooks, [b.__dict__.get("forward") for b in blocks]

    def stop(_runs):
        raise KeyError

    left, found = standing(), model.replay(PROMPTS, 2, context)
    assert left[::2] == ("sdpa", [None] * LAYERS)
    edits = edits_of([Nudge(q, 1, 1.0, q) for q in range(4)], POSITIONS, D_MODEL, context.device)
    for way in (found.run, found.rerun):
        seen.clear()
        with pytest.raises(KeyError):
            way(edits, ("logits",), stop)
        assert seen
        way(edits, ("logits",), lambda _runs: None)
        assert standing() == left
    handle.remove()
    assert model.answers(PROMPTS, context) == before


def test_scores_that_are_capped_are_replayed(device):
    """Law: a cap on attention's scores, and windows, are the model's own (Gemma 2)."""
    import transformers

    size = {"num_hidden_layers": 4, "hidden_size": 32, "intermediate_size": 64, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 4}
    config = transformers.Gemma2Config(
        vocab_size=400, **size, **heads, attn_logit_softcapping=0.5, bos_token_id=None
    )
    model = in_memory(config, 0, device)
    passes = PromptPasses(model, model._prompts(PROMPTS))
    assert replay_fault(passes, (0, "last"), PlainContext(device=device)) == ""
    nudges = [Nudge(n % 4, n % 5, 1.0, n) for n in range(20)]
    runs, reruns = replayed(model, 1, nudges), rerun(model, 1, nudges)
    assert all(apart(*pair) < FLOOR for pair in zip(runs, reruns, strict=True))
    config.attn_logit_softcapping = None
    free = in_memory(config, 0, device)
    assert not any(
        apart(*pair) < FLOOR for pair in zip(runs, replayed(free, 1, nudges), strict=True)
    )


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("{question}", ["", " 1", "", ""]),  # this tokenizer joins a blank and a 1, but not a 7
        ("Q: {question}\n", ["7", "1", "", "-"]),
        ("Q: {question} A: ", ["7", "", "", "-"]),  # a 1 would join the blank that is there
    ],
)
def test_targets_are_the_first_tokens_of_right_answers(device, prompt, expected):
    """Law: the token that the answer adds to the prompt; -1 where that is not a part of it."""
    model = in_memory(tiny_models.hf_configs()["gpt2"], 0, device, prompt=prompt)
    found = model.replay(PROMPTS, 1, PlainContext(device=model.stack.device))
    targets = found.targets([7, 120.0, None, -2.5])
    assert targets.dtype == torch.int64
    assert ["" if each < 0 else found.token(each) for each in targets.tolist()] == expected
    for question, target, answer in zip(PROMPTS, targets.tolist(), expected, strict=True):
        text = prompt.replace("{question}", question)
        ids, more = (tokenizer()(each).input_ids for each in (text, text + answer))
        assert not answer or more == [*ids, target]


def test_a_position_that_is_not_there_is_refused(llama):
    found = llama.replay(PROMPTS, 1, PlainContext(device=llama.stack.device))
    edits = edits_of([Nudge(0, 0, 1.0, 1)], (30,), D_MODEL, llama.stack.device)
    with pytest.raises(QuestionsRefused, match="position 30 does not exist in a prompt of"):
        found.run(edits, ("logits",), lambda _runs: None)
