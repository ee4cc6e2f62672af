"""Preferred patches: those that make a neuron most active, and what there is none of."""

import numpy as np
import pytest
import torch
from figure_network import ENCODERS, IMAGES, find, network

from clapp_neuro.data.patches import image_inputs
from clapp_neuro.encoders.activity import activities
from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures import patches
from clapp_neuro.reproduce.figures.patches import draw_preferred, preferred_patches


@pytest.mark.parametrize("encoder", ENCODERS)
def test_preferred_patches_are_the_strongest_of_each_image(encoder, monkeypatch):
    made = network(encoder)
    monkeypatch.setattr(patches, "IMAGES_AT_ONCE", 7)  # no divisor of the images
    found = find(made)
    config = made.experiment.data
    inputs = torch.from_numpy(image_inputs(made.images, config)).flatten(0, 1)
    every = activities(made.weights, inputs, made.experiment)
    assert [layer.layer for layer in found] == list(range(1, len(every) + 1))
    for layer, z in zip(found, every, strict=True):
        grid = z.unflatten(0, (IMAGES, config.positions)).double().numpy()
        silent = (grid == 0).all((0, 1))
        assert layer.silent == silent.sum()
        by_variance = sorted(range(grid.shape[2]), key=lambda n: -grid[..., n].var())
        chosen = [neuron for neuron in by_variance if not silent[neuron]][:3]
        assert layer.neurons.tolist() == chosen
        for row, neuron in enumerate(chosen):
            strongest = sorted(
                (-grid[image, :, neuron].max(), image, grid[image, :, neuron].argmax())
                for image in range(IMAGES)
            )[:4]
            assert layer.image[row].tolist() == [image for _, image, _ in strongest]
            assert layer.position[row].tolist() == [position for *_, position in strongest]
            np.testing.assert_allclose(layer.activity[row], [-z for z, *_ in strongest], rtol=1e-5)


def test_silent_neurons_are_left_out_and_counted():
    made = network("dense-spiking")
    weights = {name: weight.clone() for name, weight in made.weights.items()}
    before = find(made, neurons=40)
    assert before[0].silent < 10
    weights["layer1.forward"][10:] = 0
    weights["layer2.forward"][:] = 0
    first, second = preferred_patches(weights, made.experiment, made.images, 40, 2)
    assert len(first.neurons) + first.silent == 40
    assert set(first.neurons) == set(before[0].neurons) & set(range(10))
    assert second.silent == 30 and second.image.shape == (0, 2)
    draw_preferred(made.images, [first, second], made.experiment.data)
    draw_preferred(made.images, [second], made.experiment.data)


def test_equal_patches_are_taken_from_the_first_images(monkeypatch):
    made = network("dense-spiking")
    monkeypatch.setattr(patches, "IMAGES_AT_ONCE", 2)
    for layer in find(made, images=made.images[:1].repeat(5, 0)):
        assert len(layer.neurons)
        assert (layer.image == np.arange(4)).all()
        assert (layer.position == layer.position[:, :1]).all()


def test_the_box_is_around_the_patch():
    made = network("conv")
    found = find(made)
    config = made.experiment.data
    figure = draw_preferred(made.images, found, config)
    inputs = image_inputs(made.images, config)
    for axes, layer in zip(figure.axes, found, strict=True):
        assert len(axes.patches) == layer.image.size
        shown = axes.images[0].get_array()
        for box, image, place in zip(
            axes.patches, layer.image.flat, layer.position.flat, strict=True
        ):
            left, top = (int(edge + 0.5) for edge in box.get_xy())
            pixels = shown[top : top + 8, left : left + 8]
            np.testing.assert_allclose(pixels.ravel() / 255, inputs[image, place], atol=1e-6)
        assert [text.get_text() for text in axes.get_yticklabels()] == [
            str(neuron) for neuron in layer.neurons
        ]


def test_preferred_patches_that_cannot_be_found():
    made = network("conv")
    with pytest.raises(InputError, match="there are 0 images"):
        find(made, images=made.images[:0])
    with pytest.raises(InputError, match="there are 3 images"):
        find(made, images=made.images[:3])
    with pytest.raises(InputError, match="at least 1 neuron and 1 patch, not 0 and 4"):
        find(made, neurons=0)
    with pytest.raises(InputError, match="at least 1 neuron and 1 patch, not 3 and 0"):
        find(made, count=0)
    weights = {**made.weights, "layer2.bias": made.weights["layer2.bias"] * np.nan}
    with pytest.raises(InputError, match="activity of layer 2 holds NaN"):
        preferred_patches(weights, made.experiment, made.images, 3, 4)
    with pytest.raises(InputError, match="at least one layer"):
        draw_preferred(made.images, [], made.experiment.data)
    with pytest.raises(InputError, match="not found in these 1 images"):
        draw_preferred(made.images[:1], find(made), made.experiment.data)
