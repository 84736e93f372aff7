import numpy as np
import pytest
from planted import World

from studyrun_classify.statistics.cells import always_on, cells_of, counted_cells
from studyrun_classify.statistics.incidence import halves, incidence_of


def world_of_parts() -> World:
    world = World(500)
    times, plus = world.concept("uses *", 0.5), world.concept("uses +", 0.6)
    some = world.rng.random(500) < 0.5
    world.concept("* then +", times & plus & some, "pattern", ("uses *", "uses +"))
    world.concept("long", world.n_steps >= 3, "steps", ("uses *",))
    world.noise(4)
    return world


@pytest.mark.parametrize("side", ["first", "second", "all"])
@pytest.mark.parametrize("strata", [[], ["n_steps"]])
def test_tables_are_those_of_a_loop_over_problems(side, strata):
    world = world_of_parts()
    incidence = incidence_of(world.evidence(), strata)
    counted = counted_cells(incidence.strength, cells_of(incidence, seed=0))
    alike, within = counted.of(side)
    first, second = halves(500, 0)
    inside = np.isin(np.arange(500), {"first": first, "second": second}.get(side, np.arange(500)))
    both_parts = world.columns["uses *"] & world.columns["uses +"]
    order = list(dict.fromkeys(world.n_steps)) if strata else [None]
    for row, feature in enumerate(incidence.features):
        active = inside & np.isin(np.arange(500), world.pairs[feature][0])
        for stratum, number in enumerate(order):
            here = inside & ((world.n_steps == number) | (number is None))
            holds = world.columns["* then +"]
            at = (stratum, row, 2)
            assert alike.total[at] == here.sum()
            assert alike.having[at] == (here & holds).sum()
            assert alike.active[at] == (here & active).sum()
            assert alike.both[at] == (here & active & holds).sum()
            at, here = (stratum, row, 0), here & both_parts  # the first of two concepts with parts
            assert within.total[at] == here.sum()
            assert within.having[at] == (here & holds).sum()
            assert within.active[at] == (here & active).sum()
            assert within.both[at] == (here & active & holds).sum()


def test_the_halves_add_up_to_all():
    incidence = incidence_of(world_of_parts().evidence(), ["n_steps"])
    counted = counted_cells(incidence.strength, cells_of(incidence, seed=0))
    for part in (0, 1):
        one, other, every = (counted.of(side)[part] for side in ("first", "second", "all"))
        for name in ("active", "both", "having", "total"):
            assert np.array_equal(getattr(one, name) + getattr(other, name), getattr(every, name))


def test_a_concept_of_the_stratum_itself_is_counted_in_one_stratum():
    world = world_of_parts()
    incidence = incidence_of(world.evidence(), ["n_steps"])
    cells = cells_of(incidence, seed=0)
    assert cells.fixed.tolist() == [False, False, False, True]
    alike, within = counted_cells(incidence.strength, cells).of("all")
    long, times = world.columns["long"], world.columns["uses *"]
    assert alike.total[:, 0, 3].tolist() == [500, 0, 0, 0]
    assert alike.having[:, 0, 3].tolist() == [long.sum(), 0, 0, 0]
    assert within.total[:, 0, 1].tolist() == [times.sum(), 0, 0, 0]
    assert within.having[:, 0, 1].tolist() == [(times & long).sum(), 0, 0, 0]


def test_always_on_is_judged_where_a_feature_is_active():
    world = World(1000)
    everywhere = world.feature(np.arange(980))
    long = world.feature(np.flatnonzero(world.n_steps >= 3))
    half = world.feature(np.flatnonzero(world.rng.random(1000) < 0.5))
    dead = world.feature(np.array([], dtype=int))
    incidence = incidence_of(world.evidence(), ["n_steps"])
    found = dict(zip(incidence.features.tolist(), always_on(incidence, 0.9), strict=True))
    assert found == {everywhere: True, long: True, half: False, dead: False}
    assert not always_on(incidence_of(world.evidence()), 0.9)[1]
