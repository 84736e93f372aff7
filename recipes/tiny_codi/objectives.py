"""The losses of the stages: drills, written steps, steps in parallel, answers, thoughts."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from network import Network, Trace, Weights
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from vocabulary import BOT, EOT, PAD

from data import EQUATION_TOKENS, Batch

THOUGHTS = 6
HOLDERS = (1, 3, 5)
"""Positions whose hidden state decodes to the first, second and third result."""
COLON = 4
"""Index of ':' in the decoded answer."""
ANSWER_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 3.0, 1.0)
FILLER_WEIGHT = 0.2
"""Weight of results that a problem does not have."""


@dataclass(slots=True)
class Outcome:
    """A loss and what to write to the log."""

    loss: Tensor
    facts: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Prefix:
    """The question's segment, shared by teacher and student."""

    trace: Trace
    seen: Tensor
    """(batch, tokens) not padding."""
    next: Tensor
    """(batch, 1) position after `<bot>`."""


def _causal(tokens: int) -> Tensor:
    """(tokens, tokens), True on and below the diagonal."""
    return torch.ones(tokens, tokens, dtype=torch.bool).tril()


def read_prefix(network: Network, weights: Weights, batch: Batch) -> Prefix:
    """Run question, `<eos>` and `<bot>`; padding looks only at itself."""
    tokens = batch.prefix.shape[1]
    mask = _causal(tokens) & batch.seen[:, None, :] | torch.eye(tokens, dtype=torch.bool)
    positions = (batch.seen.cumsum(dim=1) - 1).clamp_min(0)
    x = F.embedding(batch.prefix, network.embed)
    trace = network.run(weights, x, positions, mask[:, None])
    return Prefix(trace, batch.seen, positions[:, -1:] + 1)


def _after(keys: Tensor, tokens: int) -> Tensor:
    """Mask of a segment that sees the keys before it (batch, keys) and itself causally."""
    before = keys[:, None, None, :].expand(-1, 1, tokens, -1)
    own = _causal(tokens).expand(len(keys), 1, -1, -1)
    return torch.cat([before, own], dim=3)


def drill_loss(network: Network, weights: Weights, ids: Tensor) -> Outcome:
    """Cross-entropy of the results of plain calculations."""
    size, tokens = ids.shape
    mask = _causal(tokens).expand(size, 1, -1, -1)
    x = F.embedding(ids, network.embed)
    trace = network.run(weights, x, torch.arange(tokens).expand(size, -1), mask)
    logits = network.logits(trace.hidden[:, 3::EQUATION_TOKENS])
    results = ids[:, 4::EQUATION_TOKENS]
    loss = F.cross_entropy(logits.flatten(0, 1), results.flatten())
    exact = (logits.argmax(-1) == results).float().mean()
    return Outcome(loss, {"drill": loss.item(), "drill_exact": exact.item()})


def teacher_loss(
    network: Network, weights: Weights, batch: Batch, prefix: Prefix, keep_states: bool = False
) -> tuple[Outcome, Tensor | None]:
    """Cross-entropy of written steps and answer; also all hidden states at ':' if wanted."""
    ids = batch.teacher[:, :-1]
    size, tokens = ids.shape
    past = [(k[:, :, :-1], v[:, :, :-1]) for k, v in prefix.trace.cache]
    positions = prefix.next - 1 + torch.arange(tokens)
    x = F.embedding(ids, network.embed)
    mask = _after(prefix.seen[:, :-1], tokens)
    trace = network.run(weights, x, positions, mask, past, keep_states)
    hidden = torch.cat([prefix.trace.hidden[:, -2:-1], trace.hidden], dim=1)
    logits = network.logits(hidden)
    loss = F.cross_entropy(logits.flatten(0, 1), batch.teacher.flatten(), ignore_index=PAD)
    rows = torch.arange(size)
    answer = logits[rows, batch.colon + 1].argmax(-1)
    facts = {"teacher": loss.item(), "teacher_exact": _share(answer == batch.answers)}
    states = torch.stack([s[rows, batch.colon] for s in trace.states]) if keep_states else None
    return Outcome(loss, facts), states


def _share(hits: Tensor) -> float:
    """Mean of booleans."""
    return hits.float().mean().item()


def _answer_loss(logits: Tensor, batch: Batch) -> Outcome:
    """Weighted cross-entropy of `The answer is : N <eos>`."""
    labels = batch.decode[:, 1:]
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    loss = (each.view(labels.shape) * torch.tensor(ANSWER_WEIGHTS)).mean()
    exact = _share(logits[:, COLON].argmax(-1) == batch.answers)
    return Outcome(loss, {"student": loss.item(), "student_exact": exact})


def _result_loss(network: Network, hidden: Tensor, batch: Batch) -> Outcome:
    """Cross-entropy of the results read from the holders (batch, 3, d) with the head."""
    logits, labels = network.logits(hidden), batch.results
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    weight = _result_weights(batch)
    loss = (each.view(labels.shape) * weight).sum() / weight.sum()
    hits, real = logits.argmax(-1) == labels, labels != EOT
    facts = {"result": loss.item()}
    for i in range(labels.shape[1]):
        facts[f"result{i}_exact"] = _share(hits[:, i][real[:, i]])
    return Outcome(loss, facts)


def _result_weights(batch: Batch) -> Tensor:
    """1 for a result that exists, less for the filler."""
    return torch.where(batch.results == EOT, FILLER_WEIGHT, 1.0)


def _distance(x: Tensor, target: Tensor) -> Tensor:
    """Squared distance relative to the target's squared norm, per row."""
    target = target.detach()
    distance: Tensor = (x - target).square().sum(-1) / target.square().sum(-1)
    return distance


def _decode_keys(prefix: Prefix, hide: Tensor) -> Tensor:
    """Which prefix tokens the answer may look at; none where `hide` is True."""
    return prefix.seen & ~hide[:, None]


def parallel_loss(
    network: Network, weights: Weights, batch: Batch, prefix: Prefix, hide: Tensor
) -> Outcome:
    """The thoughts replaced by their intended content, all positions in one pass.

    Thoughts 2, 4 and 6 are the embeddings of the results and the others that of `<bot>`; the
    projection learns to produce them. Where `hide` is True the answer cannot see the question.
    """
    bot = torch.full_like(batch.results, BOT)
    slots = torch.stack([bot, batch.results], dim=2).flatten(1)
    ids = torch.cat([slots, batch.decode[:, :-1]], dim=1)
    tokens = ids.shape[1]
    mask = _after(prefix.seen, tokens)
    decode_keys = _decode_keys(prefix, hide)[:, None, None]
    width = prefix.seen.shape[1]
    mask[:, :, THOUGHTS:, :width] = decode_keys
    x = F.embedding(ids, network.embed)
    positions = prefix.next + torch.arange(tokens)
    trace = network.run(weights, x, positions, mask, prefix.trace.cache)
    thoughts = torch.cat([prefix.trace.hidden[:, -1:], trace.hidden[:, :THOUGHTS]], dim=1)
    answer = _answer_loss(network.logits(trace.hidden[:, THOUGHTS:]), batch)
    result = _result_loss(network, thoughts[:, HOLDERS], batch)
    fed = _distance(network.project(thoughts[:, :-1]), x[:, :THOUGHTS])
    weight = torch.stack([torch.full_like(w := _result_weights(batch), 0.3), w], 2).flatten(1)
    feed = (fed * weight).sum() / weight.sum()
    facts = answer.facts | result.facts | {"feed": feed.item()}
    return Outcome(answer.loss + result.loss + feed, facts)


def direct_loss(network: Network, weights: Weights, batch: Batch, prefix: Prefix) -> Outcome:
    """The answer from the question alone, at the positions that it has after six thoughts."""
    ids = batch.decode[:, :-1]
    positions = prefix.next + THOUGHTS + torch.arange(ids.shape[1])
    x = F.embedding(ids, network.embed)
    mask = _after(prefix.seen, ids.shape[1])
    trace = network.run(weights, x, positions, mask, prefix.trace.cache)
    return _answer_loss(network.logits(trace.hidden), batch)


@dataclass(slots=True)
class Thinking:
    """The recurrent part of a pass."""

    hidden: Tensor
    """(batch, 7, d) post-norm states at `<bot>` and the thoughts."""
    fed: Tensor
    """(batch, 6, d) projected states, before any gold replaces them."""
    cache: list[tuple[Tensor, Tensor]]
    next: Tensor
    """(batch, 1) position after the last thought."""


def think(
    network: Network,
    weights: Weights,
    prefix: Prefix,
    gold: dict[int, tuple[Tensor, Tensor]] | None = None,
) -> Thinking:
    """Six thoughts in a row, each the projection of the state before it.

    Args:
        network: the model.
        weights: its blocks' weights.
        prefix: the question.
        gold: thought index 0..5 -> (which rows, embeddings) fed instead of the projection.
    """
    cache, hidden, fed = prefix.trace.cache, [prefix.trace.hidden[:, -1:]], []
    seen = prefix.seen
    for i in range(THOUGHTS):
        x = network.project(hidden[-1])
        fed.append(x)
        if gold is not None and i in gold:
            rows, embeddings = gold[i]
            x = torch.where(rows[:, None, None], embeddings[:, None], x)
        trace = network.run(weights, x, prefix.next + i, _after(seen, 1), cache)
        seen = F.pad(seen, (0, 1), value=True)
        cache = trace.cache
        hidden.append(trace.hidden)
    return Thinking(torch.cat(hidden, dim=1), torch.cat(fed, dim=1), cache, prefix.next + THOUGHTS)


def decode(
    network: Network,
    weights: Weights,
    batch: Batch,
    thinking: Thinking,
    keys: Tensor,
    keep_states: bool = False,
) -> Trace:
    """The answer's segment after the thoughts, looking at `keys` (batch, prefix + 6)."""
    ids = batch.decode[:, :-1]
    positions = thinking.next + torch.arange(ids.shape[1])
    x = F.embedding(ids, network.embed)
    mask = _after(keys, ids.shape[1])
    return network.run(weights, x, positions, mask, thinking.cache, keep_states)


def codi_loss(
    network: Network,
    weights: Weights,
    batch: Batch,
    prefix: Prefix,
    hide: Tensor,
    gold_rows: Tensor | None,
) -> Outcome:
    """CODI with results read from thoughts 1, 3, 5 and, with `gold_rows`, fed to 2, 4, 6.

    student + distillation at ':' + teacher + results + relative distance of the fed embeddings;
    without `gold_rows` (batch, 3) what the thoughts are fed is left to the other terms.
    """
    teacher, teacher_states = teacher_loss(network, weights, batch, prefix, keep_states=True)
    embeddings = F.embedding(batch.results, network.embed)
    gold = None
    if gold_rows is not None and gold_rows.any():
        gold = {p: (gold_rows[:, j], embeddings[:, j]) for j, p in enumerate(HOLDERS)}
    thinking = think(network, weights, prefix, gold)
    keys = F.pad(_decode_keys(prefix, hide), (0, THOUGHTS), value=True)
    trace = decode(network, weights, batch, thinking, keys, keep_states=True)
    answer = _answer_loss(network.logits(trace.hidden), batch)
    student_states = torch.stack([s[:, COLON] for s in trace.states])
    distil = _distillation(student_states, teacher_states)
    result = _result_loss(network, thinking.hidden[:, HOLDERS], batch)
    weight = _result_weights(batch)
    feed = (_distance(thinking.fed[:, HOLDERS], embeddings) * weight).sum() / weight.sum()
    facts = teacher.facts | answer.facts | result.facts
    facts |= {"distil": distil.item(), "feed": feed.item()}
    loss = answer.loss + distil + teacher.loss + result.loss
    return Outcome(loss if gold_rows is None else loss + feed, facts)


def _distillation(student: Tensor, teacher: Tensor | None) -> Tensor:
    """Smooth L1 between states (layers, batch, d), over the teacher's deviation per layer."""
    if teacher is None:
        raise ValueError("the teacher's states were not kept")
    teacher = teacher.detach()
    each = F.smooth_l1_loss(student, teacher, reduction="none").mean(dim=(1, 2))
    return (each / teacher.std(dim=(1, 2))).mean()


@torch.no_grad()
def measure(network: Network, weights: Weights, batch: Batch) -> dict[str, float]:
    """Answer accuracy with thoughts, with them hidden, and with another problem's."""
    prefix = read_prefix(network, weights, batch)
    own = think(network, weights, prefix)
    rolled = own.fed.roll(1, dims=0)
    everyone = torch.ones(len(rolled), dtype=torch.bool)
    gold = {i: (everyone, rolled[:, i]) for i in range(THOUGHTS)}
    other = think(network, weights, prefix, gold)
    visible = F.pad(prefix.seen, (0, THOUGHTS), value=True)
    hidden = F.pad(prefix.seen, (0, THOUGHTS), value=False)
    cases = {"six": (own, visible), "hidden": (own, hidden), "other": (other, visible)}
    scores = {}
    for name, (thinking, keys) in cases.items():
        trace = decode(network, weights, batch, thinking, keys)
        guess = network.logits(trace.hidden[:, COLON]).argmax(-1)
        hits = guess == batch.answers
        scores[name] = _share(hits)
        if name == "six":
            n_steps = (batch.results != EOT).sum(dim=1) + 1
            scores |= {f"six_{n}": _share(hits[n_steps == n]) for n in (1, 2, 3, 4)}
    return scores
