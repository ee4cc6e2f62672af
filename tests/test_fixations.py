"""The agent's gaze."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapp_neuro.data import fixations as module
from clapp_neuro.data.fixations import fixation_stream, image_order
from clapp_neuro.errors import InputError

images = st.integers(1, 40)
positions = st.integers(2, 12)
seeds = st.integers(0, 2**63 - 1)


@given(images, positions, st.integers(0, 500), st.integers(0, 300), seeds)
def test_the_stream_is_random_access(count, size, start, length, seed):
    whole = fixation_stream(count, size, start + length, seed)
    tail = fixation_stream(count, size, length, seed, start=start)
    for all_of_it, part in zip(whole, tail, strict=True):
        np.testing.assert_array_equal(all_of_it[start:], part)
        assert all_of_it.dtype == part.dtype


def test_random_access_across_blocks(monkeypatch):
    monkeypatch.setattr(module, "WORDS_PER_BLOCK", 1)
    monkeypatch.setattr(module, "COINS_PER_BLOCK", 64)
    whole = fixation_stream(7, 9, 1000, seed=5)
    for start in (0, 1, 63, 64, 65, 127, 128, 500, 999, 1000):
        tail = fixation_stream(7, 9, 1000 - start, seed=5, start=start)
        for all_of_it, part in zip(whole, tail, strict=True):
            np.testing.assert_array_equal(all_of_it[start:], part)


@given(images, positions, st.integers(1, 500), seeds)
def test_labels_say_what_the_gaze_does(count, size, length, seed):
    image, position, label = fixation_stream(count, size, length, seed)
    assert label[0] == 0
    assert set(label[1:].tolist()) <= {-1, 1}
    assert image.min() >= 0 and image.max() < count
    np.testing.assert_array_equal(position, np.arange(length) % size)
    moved = image[1:] != image[:-1]
    if count > 1:
        np.testing.assert_array_equal(moved, label[1:] == -1)
    else:
        assert not moved.any()


def test_the_coin_is_fair_and_every_image_is_seen_once_a_round():
    image, _, label = fixation_stream(100, 9, 40_000, seed=1)
    assert abs((label == -1).mean() - 0.5) < 0.01
    # the first image has been reached without a saccade
    visits = np.concatenate([image[:1], image[label == -1]])
    rounds = visits[: len(visits) // 100 * 100].reshape(-1, 100)
    assert (np.sort(rounds, axis=1) == np.arange(100)).all()
    assert not (rounds[0] == rounds[1]).all()


def test_seeds_differ():
    one, two = (fixation_stream(50, 9, 200, seed) for seed in (0, 1))
    assert (one.label != two.label).any()
    assert (one.image != two.image).any()


@given(st.integers(3, 6), seeds)
def test_rounds_never_begin_where_the_last_one_ended(count, seed):
    for number in range(1, 10):
        assert image_order(seed, count, number)[0] != image_order(seed, count, number - 1)[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 9, 10, 0), "no images"),
        ((5, 1, 10, 0), "no sequence"),
        ((5, 9, -1, 0), "negative"),
        ((5, 9, 1, 0, -1), "negative"),
    ],
)
def test_impossible_streams(arguments, message):
    with pytest.raises(InputError, match=message):
        fixation_stream(*arguments)


def test_no_fixations():
    assert all(len(part) == 0 for part in fixation_stream(5, 9, 0, 0))
