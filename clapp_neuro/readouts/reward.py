"""A readout that learns online from one bit of reward: the chip's rule, in float.

    s_c = Σ_i W_ci z_i        c named: the largest of s_c + noise, uniform in ±NOISE
    R = 1 where c is the class, else 0
    ΔW_ci = RATE · (R − s_c) z_i, for the named c alone

reward × post × pre of the lecture, with the expected reward R̄ that the named neuron itself predicts
from what it sees, in place of a running average. So s_c is a regression of the reward, and no label
and no error of other classes reaches a synapse. Whoever is asked for the class of a whole image
adds up the scores of its fixations, without noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

RATE = 0.003
NOISE = 0.5  # half its range; a reward is 1


@dataclass
class RewardReadout:
    """Weights (classes, features), 0 at first; `learn` takes one fixation after the other."""

    features: int
    classes: int
    random: np.random.Generator
    rate: float = RATE
    noise: float = NOISE
    weights: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.weights = np.zeros((self.classes, self.features))

    def learn(self, z: np.ndarray, label: int) -> bool:
        """Names a class of the activity z (features,), and learns; whether it was the label."""
        scores = self.weights @ z
        named = int(np.argmax(scores + self.random.uniform(-self.noise, self.noise, self.classes)))
        rewarded = named == label
        self.weights[named] += self.rate * (rewarded - scores[named]) * z
        return rewarded

    def answer(self, z: np.ndarray) -> np.ndarray:
        """The classes of images, int (images,), from activity (images, features), mean or sum."""
        return np.argmax(z @ self.weights.T, axis=1)
