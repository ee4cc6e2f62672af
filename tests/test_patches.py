"""Images → patches → inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapp_neuro.config import DataConfig, load_preset
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.patches import (
    centre_crop,
    cut_patches,
    encode,
    fixated_inputs,
    image_inputs,
    intensities,
)
from clapp_neuro.errors import InputError

ON_OFF = DataConfig(coding="on-off", mean=0.4, std=0.25)


def test_positions_run_down_the_columns():
    image = np.arange(28 * 28).reshape(1, 28, 28)
    patches = cut_patches(image, 14, 7)
    assert patches.shape == (1, 9, 196)
    corners = [(p % 3 * 7, p // 3 * 7) for p in range(9)]
    assert corners[:4] == [(0, 0), (7, 0), (14, 0), (0, 7)]
    for position, (row, column) in enumerate(corners):
        expected = image[0, row : row + 14, column : column + 14].ravel()
        np.testing.assert_array_equal(patches[0, position], expected)


def test_patches_of_other_shapes():
    with pytest.raises(InputError, match=r"\(B, H, W\)"):
        cut_patches(np.zeros((2, 3, 28, 28)), 14, 7)
    with pytest.raises(InputError, match="does not fit"):
        cut_patches(np.zeros((2, 10, 28)), 14, 7)
    assert cut_patches(np.zeros((2, 28, 35)), 14, 7).shape == (2, 12, 196)


def test_centre_crop():
    image = np.arange(36).reshape(1, 6, 6)
    np.testing.assert_array_equal(centre_crop(image, 2), [[[14, 15], [20, 21]]])
    with pytest.raises(InputError, match="smaller than the crop"):
        centre_crop(image, 7)


def test_intensity_is_brightness():
    pixels = np.array([[0, 51, 255]], np.uint8)
    inputs, clipped = encode(pixels, DataConfig())
    np.testing.assert_allclose(inputs, [[0, 0.2, 1]], rtol=1e-6)
    assert inputs.dtype == np.float32
    assert clipped == 0


@given(st.lists(st.integers(0, 255), min_size=1, max_size=50))
def test_on_off_pairs_carry_the_sign(values):
    pixels = np.array(values, np.uint8)
    inputs, clipped = encode(pixels, ON_OFF)
    on, off = np.split(inputs, 2)
    assert inputs.min() >= 0 and inputs.max() <= 1
    assert (on * off == 0).all()
    normalised = (pixels / 255 - 0.4) / 0.25
    np.testing.assert_allclose(3 * (on - off), np.clip(normalised, -3, 3), atol=1e-5)
    assert clipped == 0


def test_on_off_counts_what_it_clips():
    inputs, clipped = encode(
        np.array([1.0, 0.5, 0.0]), DataConfig(coding="on-off", std=0.2, mean=0.5)
    )
    assert clipped == 0
    inputs, clipped = encode(
        np.array([1.0, 0.5, 0.0]), DataConfig(coding="on-off", std=0.1, mean=0.5)
    )
    assert clipped == 2
    np.testing.assert_array_equal(inputs, [1, 0, 0, 0, 0, 1])


def test_pixels_out_of_range_are_refused():
    for pixels in (np.array([255.0]), np.array([-0.1]), np.array([np.nan])):
        with pytest.raises(InputError, match=r"0\.\.1"):
            encode(pixels, DataConfig())
    with pytest.raises(InputError, match="int64"):
        encode(np.array([1]), DataConfig())


@given(st.lists(st.integers(0, 255), min_size=1))
def test_intensities_return_the_pixels(values):
    pixels = np.array(values, np.uint8)
    np.testing.assert_array_equal(intensities(encode(pixels, DataConfig())[0]), pixels)


@pytest.mark.parametrize("preset", ["fashion-dense", "stl10-dense"])
def test_fixated_inputs_are_those_of_the_images(preset):
    config = load_preset(preset).data
    side = 28 if config.crop is None else 96
    images = np.random.default_rng(0).integers(0, 256, (5, side, side)).astype(np.uint8)
    stream = fixation_stream(5, config.positions, 200, seed=2)
    everything = image_inputs(images, config)
    assert everything.shape == (5, config.positions, config.inputs)
    seen = fixated_inputs(images, stream, config)
    np.testing.assert_array_equal(seen, everything[stream.image, stream.position])
