"""Edited runs that are made up: what an effect is given, with every part visible."""

import torch

from studyrun import Asked, Bound, Component, Measure, NoParams, Runs
from studyrun.registry import Registry


def runs_of(n, *, places=(3, 4), position=3, index=None, **read):
    """`n` runs, each on a question of its own, with what was read of them."""
    nothing = ("logits", "clean_logits", "answers", "clean_answers", "states", "clean_states")
    numbers = torch.arange(n)
    return Runs(
        index=numbers if index is None else index,
        questions=numbers,
        position=position,
        moved=torch.full((n,), 0.5, dtype=torch.float64),
        places=places,
        **(dict.fromkeys(nothing) | read),
    )


def read_at_random(n, *, vocabulary=7, width=4, places=(3, 4), seed=0):
    """Runs of which everything was read; what is clean is another draw."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(n, *shape, generator=generator)

    return runs_of(
        n,
        places=places,
        logits=drawn(vocabulary),
        clean_logits=drawn(vocabulary),
        answers=[str(i) for i in range(n)],
        clean_answers=[str(2 * i) for i in range(n)],
        states=drawn(len(places), width),
        clean_states=drawn(len(places), width),
    )


def asked_of(n, *, answers=None, expected=None, targets=None, scores=None):
    """What is known of their questions; states are their own next-token scores."""
    return Asked(
        answers=[None] * n if answers is None else answers,
        expected=[None] * n if expected is None else expected,
        targets=torch.full((n,), -1) if targets is None else torch.tensor(targets),
        answer_rule="last-number",
        scores=scores or (lambda states: states),
        token=lambda number: f"t{number}",
    )


def bound_effect(function, *measures, reads=("logits",), name="made-up"):
    """An effect of a function and of what it announces, by name or as `Measure`."""
    told = [each if isinstance(each, Measure) else Measure(each, "") for each in measures]
    component = Component(
        "effect", name, "1", NoParams, "made:up", reads=reads, measures=tuple(told)
    )
    return Bound(component, NoParams(), lambda: function)


def built_in(*names):
    """Registered effects, with the parameters that they have if nothing is said."""
    registry = Registry.load()
    return [registry.bind("effect", name) for name in names]
