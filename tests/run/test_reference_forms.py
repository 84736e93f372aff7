"""The form in which a study names a component in a parameter is no part of any key."""

import pytest
from toys import changed

from strategies import forms


@pytest.mark.parametrize("given", [{}, {"of": 3}], ids=str)
def test_every_form_of_a_reference_gives_the_same_keys(lab, given):
    keys = [
        [step.key for step in lab.plan(changed("steps.sums.with.concept", ref)).steps]
        for ref in forms("even", given)
    ]
    assert len(keys[0]) > 3
    assert all(each == keys[0] for each in keys)


def test_a_step_reuses_what_another_form_made(lab):
    lab.run(changed("steps.sums.with.concept", {"even": {"of": 3}}))
    long = {"use": "even", "with": {"of": 3}}
    assert set(lab.actions(changed("steps.sums.with.concept", long)).values()) == {"reuse"}
