"""The controls that objects serve: each kind says which, and each control has its title."""

from specs.controls import CONTROLS, POD, PURPOSES, WITH_PODS
from tools.review.object_kinds import KINDS
from tools.review.rendered_objects import PROVIDER


def test_every_kind_that_the_program_creates_has_a_purpose() -> None:
    assert PURPOSES.keys() == KINDS.keys() - {PROVIDER}
    assert PURPOSES.keys() >= WITH_PODS


def test_every_control_that_is_served_has_its_title_and_none_is_left_over() -> None:
    served = {control for purpose in (POD, *PURPOSES.values()) for control in purpose.controls}
    assert served == CONTROLS.keys()


def test_controls_are_listed_as_nist_orders_them() -> None:
    families = [control.partition("-") for control in CONTROLS]
    order = [(family, int(number)) for family, _, number in families]
    assert order == sorted(order)


def test_what_a_purpose_says_is_a_sentence() -> None:
    for purpose in (POD, *PURPOSES.values()):
        assert purpose.text[0].isupper()
        assert purpose.text.endswith(".")
