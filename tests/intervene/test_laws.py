"""Every registered intervention keeps the laws that bind it, and every law can be broken."""

import pytest
import torch
from broken_interventions import MUTANTS  # found through the line above

from studyrun import NoParams
from studyrun.errors import UsageError
from studyrun.registry import Registry
from studyrun.testing import LAWS, LawBroken, check_law, laws_of

PLUGIN = "broken_interventions"
ALL = [case for name in Registry.load().names("intervention") for case in laws_of(name)]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_every_registered_intervention_keeps_its_laws(case):
    check_law(case)


def case_of(intervention, law):
    cases = laws_of(intervention, modules=[PLUGIN])
    return next(case for case in reversed(cases) if case.law.name == law)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_is_broken_by_its_mutant(law):
    with pytest.raises(LawBroken) as caught:
        check_law(case_of(f"breaks-{law}", law))
    assert (caught.value.law, caught.value.component) == (law, f"breaks-{law}")
    assert f"breaks-{law} breaks the law {law}: " in str(caught.value)


def test_every_law_has_a_mutant():
    assert set(MUTANTS) == set(LAWS)


def test_the_smallest_example_is_small():
    with pytest.raises(LawBroken) as caught:
        check_law(case_of("breaks-idempotent", "idempotent"))
    assert str(caught.value) == (
        "breaks-idempotent breaks the law idempotent: I(I(z, S), S) = I(z, S)\n"
        "  smallest example found:\n"
        "    z = tensor([[1.]])\n"
        "    S = [0]\n"
        "    params = NoParams()\n"
        "    found = tensor([[0.2500]])\n"
        "    expected = tensor([[0.5000]])"
    )


def test_the_same_example_is_found_every_time():
    messages = set()
    for _ in range(2):
        with pytest.raises(LawBroken) as caught:
            check_law(case_of("breaks-union", "union"))
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_what_an_intervention_raises_is_shown_with_its_example():
    with pytest.raises(LawBroken, match="raised = IndexError") as caught:
        check_law(case_of("fails-on-nothing", "idempotent"))
    assert caught.value.example["S"] == []
    assert isinstance(caught.value.__cause__, IndexError)


def test_the_parameters_of_an_example_stay_within_their_bounds():
    from hypothesis import given, settings

    from studyrun.trying.samples import params_of
    from studyrun_intervene.params import Controls

    @settings(max_examples=50)
    @given(params_of(Controls))
    def holds(params):
        assert 0 < params.confidence < 1
        assert min(params.matched, params.directions, params.resamples) >= 1

    holds()


def test_examples_can_be_given():
    from studyrun_intervene.params import Amplify

    cases = laws_of("amplify", params=[Amplify(factor=3.0)])
    check_law(next(case for case in cases if case.law.name == "others-untouched"))


def test_what_takes_a_reference_is_given_one():
    """Some activations, the same in all calls; so adding them twice is not adding them once."""
    with pytest.raises(LawBroken, match="breaks the law idempotent") as caught:
        check_law(case_of("adds-reference", "idempotent"))
    found, expected = caught.value.example["found"], caught.value.example["expected"]
    assert not torch.equal(found, expected)
    for law in ("rows-independent", "features-are-a-set", "others-untouched", "devices"):
        check_law(case_of("adds-reference", law))


def test_mean_and_resample_ablation_by_hand():
    """Features 0 and 2 become those of the reference: one row for all, or one for each."""
    from studyrun_intervene.edits.interventions import substitute

    z, some = torch.tensor([[1.0, 2, 3], [4, 5, 6]]), torch.tensor([0, 2])
    mean = substitute(z, some, NoParams(), torch.tensor([[0.5, 9, 0]]))
    assert mean.tolist() == [[0.5, 2, 0], [0.5, 5, 0]]
    other = substitute(z, some, NoParams(), z.flip(0))
    assert other.tolist() == [[4, 2, 6], [1, 5, 3]]
    assert z.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_pair_is_not_a_set():
    names = [case.law.name for case in laws_of("swap")]
    assert "features-are-a-set" not in names
    assert {"involution", "symmetric", "others-untouched"} <= set(names)


def test_an_unknown_intervention_is_named():
    with pytest.raises(UsageError, match="no intervention 'ablat'; did you mean 'ablate'"):
        laws_of("ablat")


def test_case_names_say_what_is_tested():
    names = [str(case) for case in laws_of("amplify")]
    assert "amplify-equals-factor-ablate" in names
    assert len(set(names)) == len(names)


def test_laws_hold_on_the_activations_of_a_real_sae():
    """amplify 0 = ablate, ablate twice = once, swap twice = nothing, on dense random z."""
    from studyrun_intervene.edits.interventions import ablate, amplify, swap
    from studyrun_intervene.params import Amplify

    z = torch.randn(50, 64, generator=torch.Generator().manual_seed(0))
    some, pair = torch.tensor([3, 60, 3]), torch.tensor([5, 9])
    assert torch.equal(amplify(z, some, Amplify(factor=0.0)), ablate(z, some, NoParams()))
    assert torch.equal(
        ablate(ablate(z, some, NoParams()), some, NoParams()), ablate(z, some, NoParams())
    )
    assert torch.equal(swap(swap(z, pair, NoParams()), pair, NoParams()), z)
