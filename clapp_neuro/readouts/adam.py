"""The paper's readout (Appendix B): one linear layer, cross-entropy, Adam at its default rate.

It sees the features as they are, not standardised, and stops after so many epochs: features that
are small or alike read out worse than `logistic` would. That is part of what the paper reports.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.readouts.features import Features, check_features

RATE = 1e-3
BATCH = 32
EPOCHS = 50


def adam_readout(
    train_x: Features, train_y: Features, test_x: Features, test_y: Features, seed: int = 0
) -> float:
    """Fifty epochs of minibatches of 32, weights ±1/sqrt(features) from the seed."""
    check_features(train_x, train_y, test_x, test_y)
    classes = np.unique(np.concatenate([train_y, test_y]))
    x = torch.from_numpy(np.asarray(train_x, np.float32))
    y = torch.from_numpy(np.searchsorted(classes, train_y))
    layer = torch.nn.Linear(x.shape[1], len(classes))
    random = keyed_generator(seed, Purpose.READOUT, 0)
    with torch.no_grad():
        for tensor in layer.parameters():
            start = random.uniform(-1, 1, tuple(tensor.shape)) / x.shape[1] ** 0.5
            tensor.copy_(torch.from_numpy(start))
    optimizer = torch.optim.Adam(layer.parameters(), lr=RATE, fused=True)
    for _ in range(EPOCHS):
        order = torch.from_numpy(random.permutation(len(x)))
        for chosen in order.split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(layer(x[chosen]), y[chosen]).backward()
            optimizer.step()
    with torch.no_grad():
        found = layer(torch.from_numpy(np.asarray(test_x, np.float32))).argmax(1).numpy()
    return float((classes[found] == test_y).mean())
