"""Matching of student and teacher neurons, and the roles of the neurons left over."""

import re

import numpy as np
import pytest

from mlpflow.neurons import match_sigmoid_neurons

TEACHER = np.random.default_rng(3).normal(size=(4, 3))


def student(extra, order=(2, 0, 3, 1), signs=(1, 1, 1, 1)):
    rows = [sign * TEACHER[i] for i, sign in zip(order, signs, strict=True)]
    return np.array([*rows, extra])


def test_finds_the_permutation_whatever_the_noise():
    noisy = student([9.0, 9.0, 9.0]) + 1e-6 * np.random.default_rng(0).normal(size=(5, 3))
    matches, extras = match_sigmoid_neurons(TEACHER, noisy)
    assert [match.student for match in matches] == [1, 3, 0, 2]
    assert all(match.distance < 1e-5 and not match.flipped for match in matches)
    assert [extra.student for extra in extras] == [4]
    assert extras[0].role == "not a neuron of the teacher"


def test_sign_flip_with_the_constant_that_makes_up_for_it():
    matches, extras = match_sigmoid_neurons(
        TEACHER, student([0, 0, 2 * TEACHER[2, 2]], signs=(-1, 1, 1, 1))
    )
    assert [match.flipped for match in matches] == [False, False, True, False]
    assert extras[0].role.startswith(f"the constant {TEACHER[2, 2]:.4g}")


def test_merged_neurons():
    weights = student(0.3 * TEACHER[0] / [0.3, 0.3, 1])
    weights[1, 2] *= 0.7
    matches, extras = match_sigmoid_neurons(TEACHER, weights)
    assert matches[0].student == 1
    expected = f"merged with student neuron 2: .* add up to {TEACHER[0, 2]:.4g}"
    assert re.match(expected, extras[0].role)


def test_silent_and_opposite_neurons():
    _, extras = match_sigmoid_neurons(TEACHER, student([5.0, 5.0, 0.0]))
    assert extras[0].role.startswith("silent")
    _, extras = match_sigmoid_neurons(TEACHER, student([*-TEACHER[0, :2], 0.7]))
    assert extras[0].role.startswith("opposite of student neuron 2")


@pytest.mark.parametrize("shape", [(3, 3), (5, 2), (9, 3)])
def test_shapes_that_cannot_be_matched(shape):
    with pytest.raises(ValueError, match="expected"):
        match_sigmoid_neurons(TEACHER, np.zeros(shape))
