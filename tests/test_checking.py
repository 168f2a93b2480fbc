"""Shapes are checked while tests run, in functions that are made anew at each call, too."""

import pytest
import torch
from jaxtyping import Float, TypeCheckError, jaxtyped
from torch import Tensor

import tests
from fit3dmm.colour import luminance
from tests.checking import checked


def maker(kind):
    @jaxtyped(typechecker=checked)
    def inner(x: kind, n: int = 1) -> Float[Tensor, "rows"]:
        return x.flatten() * n

    return inner


def test_the_package_is_checked():
    assert tests.checked is checked
    with pytest.raises(TypeCheckError):
        luminance("no colour")


@pytest.mark.parametrize("time", [1, 2])
def test_functions_that_are_made_again_are_checked_again(time):
    inner = maker(Float[Tensor, "rows"])
    assert len(inner(torch.zeros(3), n=2)) == 3
    with pytest.raises(TypeCheckError, match="x"):
        inner(torch.zeros(3, 1))
    with pytest.raises(TypeCheckError, match="n"):
        inner(torch.zeros(3), n="2")


def test_what_is_given_back_is_checked():
    inner = maker(Float[Tensor, "columns rows"])
    assert len(inner(torch.zeros(1, 3))) == 3
    with pytest.raises(TypeCheckError, match="return"):
        inner(torch.zeros(2, 3))


def test_another_annotation_is_another_check():
    maker(Float[Tensor, "rows"])(torch.zeros(3))
    with pytest.raises(TypeCheckError, match="x"):
        maker(Float[Tensor, "rows 1"])(torch.zeros(3))
