"""The reference with a kernel of its own at each position, and without biases."""

from __future__ import annotations

import pytest
import torch
from plastic_maps import experiment

from clapp_neuro.config import load_preset, with_settings
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.layers import current
from clapp_neuro.errors import InputError


@pytest.mark.parametrize("sides", [(4, 4), (3, 5), (1, 1)])
@pytest.mark.parametrize("taps", [1, 3, 5])
def test_equal_copies_are_a_shared_kernel(sides, taps):
    generator = torch.Generator().manual_seed(taps)
    x = torch.randn(2, 3, *sides, generator=generator, dtype=torch.float64)
    kernel = torch.randn(4, 3, taps, taps, generator=generator, dtype=torch.float64)
    copies = kernel.expand(sides[0] * sides[1], *kernel.shape)
    bias = torch.randn(4, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(current(x, copies, bias), current(x, kernel, bias))


def test_each_position_has_its_own_kernel():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 3, 4, generator=generator, dtype=torch.float64)
    copies = torch.randn(12, 5, 2, 3, 3, generator=generator, dtype=torch.float64)
    found = current(x, copies, None)
    for row in range(3):
        for column in range(4):
            place = row * 4 + column
            alone = current(x, copies[place], None)
            torch.testing.assert_close(found[:, :, row, column], alone[:, :, row, column])


def test_convolutions_without_bias_have_none():
    chosen = experiment()
    assert not any(name.endswith("bias") for name in initial_weights(chosen))
    biased = with_settings(chosen, encoder={"bias": True})
    assert "layer1.bias" in initial_weights(biased)


def test_a_dense_encoder_has_no_bias_to_leave_out():
    with pytest.raises(InputError, match="bias false is for conv encoders, not dense"):
        with_settings(load_preset("fashion-dense"), encoder={"bias": False})
