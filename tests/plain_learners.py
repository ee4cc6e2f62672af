"""Buffers and learners of kernels that learn in turn, as `compiler.turns` describes them.

Nothing here knows which position has its turn: buffers keep what they hear and pass it on later.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from plain_synapses import Listed

from compiler.program import Program, Synapses


class Learners:
    """`values` are the post values (N,) that the map tells in turn from its last slot on."""

    def __init__(self, program: Program, s: Synapses) -> None:
        out, channels, side, _ = s.weights.shape
        self.source = program.population(s.source).map
        self.target = program.population(s.target).map
        half = side // 2
        self.stride = self.target[2] + half
        offsets = range(-half, half + 1)
        longest = half * self.stride + half
        self.waits = [longest - dy * self.stride - dx for dy in offsets for dx in offsets]
        self.kept = deque([np.zeros(channels, int)] * (2 * longest + 1), maxlen=2 * longest + 1)
        self.slots, self.shape = s.slots, s.weights.shape
        self.values = np.zeros(0, int)
        self.told = np.zeros(out, int)
        self.next_told, self.next_heard = np.zeros(out, int), np.zeros(channels, int)
        self.weights = np.zeros(s.weights.size, int)
        self.tags = np.zeros(s.weights.size, int)
        assert s.tags is not None
        self.keep(s.tags.astype(int), program.weight_max)
        o, c, dy, dx = np.indices(s.weights.shape).reshape(4, -1)
        row = (dy * side + dx) * channels + c
        self.synapses = Listed(
            pre=c * side**2 + dy * side + dx, post=o, at=np.arange(s.weights.size), row=row,
            column=o, columns=out,
        )  # fmt: skip

    @property
    def sums(self) -> np.ndarray:
        """64 w + t of each synapse, shaped as the kernels."""
        return (64 * self.weights + self.tags).reshape(self.shape)

    def keep(self, sums: np.ndarray, weight_max: int) -> None:
        """Puts such sums into weights and tags."""
        flat = np.clip(sums.ravel(), -64 * weight_max, 64 * weight_max)
        self.weights = (flat + 32) >> 6
        self.tags = flat - 64 * self.weights

    def learn(self, s: Synapses, program: Program, step: int) -> int:
        """One epoch of the learning engine; how many rows had something to learn.

        dw = x0 * sgn(t), dt = 2^e * x0 * x1 * y - 2^6 * x0 * sgn(t): both from the old t.
        """
        assert s.rule is not None
        found = self.synapses
        x1, y = (self.passed_on() >> 1)[found.pre], self.told[found.post]
        sign = np.sign(self.tags) * (x1 != 0)
        total = (self.tags << 7) + (((x1 * y) >> 3) << (s.rule.exponent + 7)) - (sign << 13)
        up = found.bits(program.seed, s.index, step) < (total & 127)
        self.tags = np.where(x1 != 0, (total >> 7) + up, self.tags)
        self.weights = self.weights + sign
        assert np.abs(self.tags).max() <= 190, "or nine bits might not hold it"
        learning = (x1 != 0) & self.told.any()
        return len({*found.row[learning].tolist()})

    def receive(self) -> None:
        """What was sent a time step ago; who is not told anything is told 0."""
        self.told, self.next_told = self.next_told, np.zeros_like(self.told)
        self.kept.appendleft(self.next_heard)
        self.next_heard = np.zeros_like(self.next_heard)

    def passed_on(self) -> np.ndarray:
        """What all buffers send now, by channel, row and column of the window."""
        return np.stack([self.kept[wait] for wait in self.waits], axis=1).ravel()

    def tell(self, tau: int) -> None:
        """The post values of the map's neurons whose turn it is at its own tau."""
        for slot in self.slots:
            self.next_told = self.next_told + self._turn(tau - slot, self.values, self.target)

    def hear(self, since: int, payload: np.ndarray) -> None:
        """The message of the neurons below whose turn it is, so many steps after the first."""
        heard = self._turn(since, payload, self.source)
        assert not (self.next_heard.any() and heard.any()), "two messages in one step"
        self.next_heard = self.next_heard + heard

    def _turn(self, since: int, values: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        channels, height, width = shape
        row, column = divmod(since, self.stride)
        if not (0 <= row < height and column < width):
            return np.zeros(channels, int)
        return values.reshape(shape)[:, row, column]
