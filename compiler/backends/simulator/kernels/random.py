"""Counter-based random numbers, the compiled twin of `compiler.rounding`."""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled


@compiled(inline="always")
def mix(h):
    """Twin of `compiler.rounding.mix`; numba widens uint32 products, so each is cut back."""
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@compiled
def key(seed, stream, time_step):
    """Twin of `compiler.rounding.key`."""
    k = mix(np.uint32(seed))
    k = mix(np.uint32(k ^ np.uint32(np.uint32(stream) * np.uint32(0x9E3779B9))))
    return mix(np.uint32(k ^ np.uint32(time_step)))


@compiled(inline="always")
def word(k, index):
    """Random word `index` of the key."""
    return mix(np.uint32(k + np.uint32(np.uint32(index) * np.uint32(0x9E3779B9))))


@compiled
def words(drawn, k, channels):
    """Fills uint32 `drawn` with the first words of the key, several at a time.

    `drawn` lies by position, channel; the words are numbered as a program numbers neurons.
    """
    positions = drawn.shape[0] // channels
    for p in range(positions):
        for j in range(channels):
            drawn[p * channels + j] = word(k, np.uint32(j * positions + p))


@compiled
def draw_once(noise, k):
    """Fills `noise` with the first seven bits of the key, the same ones for all."""
    bits = np.uint32(word(k, np.uint32(0)) & np.uint32(0x7F))
    for q in range(noise.shape[0]):
        noise[q] = np.uint32(bits * np.uint32(0x01010101))


@compiled
def draw(noise, first, k):
    """Fills uint32 `noise` with the words from `first` on, cut to seven bits a byte."""
    for q in range(noise.shape[0]):
        noise[q] = np.uint32(word(k, np.uint32(first + np.uint32(q))) & np.uint32(0x7F7F7F7F))
