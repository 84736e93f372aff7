"""Worlds in which one feature was planted, or several, or none: what labels must say of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from planted import World

TIMES, PLUS, TWELVE = "uses *", "uses +", "contains 12"


@dataclass
class Planted:
    """A world, and what its features follow; the others follow nothing."""

    world: World
    follows: dict[int, str]
    """Feature -> concept."""


def with_concepts(seed=0, n_problems=2_000, n=20):
    """A world whose concepts hold on 2 % to 90 % of the problems."""
    world = World(n_problems, seed)
    for index, share in enumerate(np.linspace(0.02, 0.9, n)):
        world.concept(f"c{index}", float(share), "value")
    return world


def with_wholes(seed=0, n=20, given_parts=0.5):
    """With concepts that are part of others, each of which holds on so many where its parts do."""
    world = with_concepts(seed, n=n)
    times, plus = world.concept(TIMES, 0.5), world.concept(PLUS, 0.5)
    twelve = world.concept(TWELVE, 0.25, "value")
    some = world.rng.random((3, world.n_problems)) < given_parts
    world.concept("* then +", times & plus & some[0], "pattern", (TIMES, PLUS))
    world.concept("* with 12", times & twelve & some[1], "operation-value", (TIMES, TWELVE))
    world.concept("first is *", times & some[2], "order", (TIMES,))
    return world


def with_steps(seed=0, n=20):
    """With concepts of the number of steps, and one that long problems have more often."""
    world = with_concepts(seed, n=n)
    world.concept_of_length(TIMES, [0.2, 0.4, 0.6, 0.8])
    world.concept("at least 3 steps", world.n_steps >= 3, "steps")
    world.concept("3 steps", world.n_steps == 3, "steps", ("at least 3 steps",))
    return world


def follower(make: Callable[..., World], concept: str, rate=0.9, n_active=100, **of_world):
    """One feature that follows a concept of such a world."""

    def world(seed, n_concepts=20, noise=30):
        made = make(seed, n=n_concepts, **of_world)
        made.noise(noise)
        feature = made.follower(made.columns[concept], rate, n_active)
        return Planted(made, {feature: concept})

    return world


def always_on(seed, n_concepts=20, noise=30, auroc=0.7):
    """One feature that is active everywhere, more strongly with a concept of half the problems."""
    world = with_wholes(seed, n=n_concepts)
    world.noise(noise)
    return Planted(world, {world.always_on(world.columns[TIMES], auroc): TIMES})


def null(seed, n_concepts=60, noise=512):
    """Nothing planted."""
    world = with_concepts(seed, n=n_concepts)
    world.noise(noise)
    return Planted(world, {})


def mixture(seed, n_concepts=60, noise=480, n=32):
    """Many followers of all kinds of concepts, weak and strong, rare and frequent."""
    world = with_wholes(seed, n=n_concepts - 6)
    world.noise(noise)
    names = [concept.name for concept in world.concepts]
    common = [name for name in names if 100 <= world.columns[name].sum() <= 1_500]
    follows = {}
    for concept in world.rng.choice(common, n):
        holds, n_active = world.columns[concept], int(world.rng.integers(30, 300))
        most = min(1, 0.8 * holds.sum() / n_active)  # so many problems there are
        rate = world.rng.uniform(min(most, holds.mean()), most)
        follows[world.follower(holds, rate, n_active)] = concept
    return Planted(world, follows)


PLANTED: dict[str, Callable[..., Planted]] = {
    "operation": follower(with_wholes, TIMES),
    "always on, AUROC 0.7": always_on,
    "pattern, P(whole | parts) = 0.5": follower(with_wholes, "* then +"),
    "pattern, P(whole | parts) = 0.7": follower(with_wholes, "* then +", given_parts=0.7),
    "operation with value": follower(with_wholes, "* with 12"),
    "value": follower(with_wholes, TWELVE),
    "first operation": follower(with_wholes, "first is *"),
    "at least 3 steps": follower(with_steps, "at least 3 steps"),
    "3 steps": follower(with_steps, "3 steps"),
    "operation of long problems": follower(with_steps, TIMES),
}
"""What is planted, one feature a world -> (seed, n_concepts, noise) -> the world."""
