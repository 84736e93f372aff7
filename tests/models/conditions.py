"""A CODI model's answers with its own thoughts, without them, and with another problem's."""

import re
from copy import deepcopy

import torch

from studyrun_data.generator import generate
from tiny_models import PlainContext

STEPS_TOKENS = 60


def think(model, question, fed=None):
    """All thoughts after what was read, fed their own projections or `fed` (thought by thought)."""
    reading, own = deepcopy(question), []
    for number in range(model.thoughts):
        own.append(model.project(reading.hidden))
        model.think(reading, own[-1] if fed is None else fed[number])
    return reading, own


@torch.inference_mode()
def answers_of(model, problems, *, without_thoughts=True):
    """Answers by condition; padding is masked, so one batch holds all problems.

    `none` and `written`, where the model thinks nothing, may be left out.
    """
    ids = model.encode([problem.question for problem in problems])
    question = model.read(ids)
    reading, own = think(model, question)
    found = {"own": model.speak(reading)}
    reading, _ = think(model, question)
    reading.hide(slice(-model.thoughts, None))
    found["hidden"] = model.speak(reading)
    reading, _ = think(model, question, [fed.roll(1, 0) for fed in own])
    found["another problem's"] = model.speak(reading)
    reading, _ = think(model, question, [torch.zeros_like(fed) for fed in own])
    found["zeroed"] = model.speak(reading)
    if not without_thoughts:
        return found
    found["none"] = model.speak(model.read(ids))
    found["written"] = written(model, ids)
    return found


def written(model, ids):
    """The answer after steps that the model writes as text: the last number of all."""
    reading = model.stack.read([row[:-1] for row in ids])  # without <bot>
    rows = model.stack.greedy(reading, {model.eos}, STEPS_TOKENS)
    texts = [model.vocabulary.decode(row) for row in rows]
    return [(re.findall(r"\d+", text) or [""])[-1] for text in texts]


def linear_r2(model, n):
    """Ridge regression of the second result at (14, 3), on n held-out problems of 3 and 4 steps."""
    train = generate(600, 5, steps=(3, 4), held_out=False)
    test = generate(n, 6, steps=(3, 4), held_out=True)
    x, x_test = (
        model.activations([p.question for p in part], [14], [3], PlainContext())[:, 0, 0].double()
        for part in (train, test)
    )
    y, y_test = (torch.tensor([p.steps[1].result for p in part]).double() for part in (train, test))
    guess = (x_test - x.mean(0)) @ ridge(x - x.mean(0), y - y.mean(), 1e-3) + y.mean()
    return 1 - (y_test - guess).square().sum() / (y_test - y_test.mean()).square().sum()


def ridge(x, y, strength):
    """Weights; `strength` is relative to the mean variance of a dimension."""
    gram = x.T @ x
    return torch.linalg.solve(gram + strength * gram.trace() * torch.eye(len(gram)), x.T @ y)
