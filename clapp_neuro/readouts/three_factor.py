"""The lecture's readout: a reward-modulated three-factor rule, online.

    Δw_kj = η · (R − R̄) · (s_k − π_k) · x_j        reward × post × pre

An action neuron k is chosen with probability π = softmax(W x + b), s_k = 1 for it and 0 for the
others. R = 1 where it was the right one, else 0; R̄ is what was expected, a running average. No
label and no error reach a synapse, only one broadcast number (REINFORCE, Williams 1992).
"""

from __future__ import annotations

import numpy as np

from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.readouts.features import Features, check_features

RATE = 0.02
PASSES = 10
EXPECTATION = 0.01  # share of the newest reward in R̄


def three_factor_readout(
    train_x: Features, train_y: Features, test_x: Features, test_y: Features, seed: int = 0
) -> float:
    """Ten passes, one image after another; features are standardised by the training set."""
    check_features(train_x, train_y, test_x, test_y)
    classes = np.unique(np.concatenate([train_y, test_y]))
    mean, spread = train_x.mean(0), train_x.std(0)
    spread = np.where(spread > 0, spread, 1) * train_x.shape[1] ** 0.5
    x, labels = (train_x - mean) / spread, np.searchsorted(classes, train_y)
    weights, bias = np.zeros((len(classes), x.shape[1])), np.zeros(len(classes))
    random = keyed_generator(seed, Purpose.READOUT, 1)
    expected = 1 / len(classes)
    rate = RATE * x.shape[1] ** 0.5
    for _ in range(PASSES):
        for image in random.permutation(len(x)):
            drive = weights @ x[image] + bias
            chance = np.exp(drive - drive.max())
            chance /= chance.sum()
            action = min(np.searchsorted(chance.cumsum(), random.random()), len(classes) - 1)
            reward = float(action == labels[image])
            post = -chance
            post[action] += 1
            change = rate * (reward - expected) * post
            weights += np.outer(change, x[image])
            bias += change / x.shape[1] ** 0.5
            expected += EXPECTATION * (reward - expected)
    found = ((test_x - mean) / spread @ weights.T + bias).argmax(1)
    return float((classes[found] == test_y).mean())
