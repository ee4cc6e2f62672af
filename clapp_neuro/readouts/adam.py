"""The paper's readout (Appendix B): one linear layer, cross-entropy, Adam at its default rate.

It sees the features as they are, not standardised, and stops after so many epochs: features that
are small or alike read out worse than `logistic` would. That is part of what the paper reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    return adam_readouts(([train_x] for _ in range(EPOCHS)), train_y, [test_x], test_y, seed)[0]


def adam_readouts(
    epochs: Iterable[Sequence[Features]],
    train_y: Features,
    test: Sequence[Features],
    test_y: Features,
    seed: int = 0,
) -> list[float]:
    """One readout a layer, from what the layers answer to the training images in each epoch.

    epochs: for each epoch the features (N, n) of every layer; they differ where the images are cut
    and mirrored afresh. test: features of the layers. Returns accuracies in 0..1.
    """
    readouts: list[_Readout] = []
    for epoch, train in enumerate(epochs):
        for layer, (train_x, test_x) in enumerate(zip(train, test, strict=True)):
            if epoch == 0:
                check_features(train_x, train_y, test_x, test_y)
                readouts.append(_Readout(train_x.shape[1], train_y, test_y, seed))
            readouts[layer].learn(train_x)
    return [readout.accuracy(x) for readout, x in zip(readouts, test, strict=True)]


class _Readout:
    """A linear layer, its optimizer and its order of the images."""

    def __init__(self, features: int, train_y: Features, test_y: Features, seed: int) -> None:
        self.classes = np.unique(np.concatenate([train_y, test_y]))
        self.y = torch.from_numpy(np.searchsorted(self.classes, train_y))
        self.test_y = test_y
        self.layer = torch.nn.Linear(features, len(self.classes))
        self.random = keyed_generator(seed, Purpose.READOUT, 0)
        with torch.no_grad():
            for tensor in self.layer.parameters():
                start = self.random.uniform(-1, 1, tuple(tensor.shape)) / features**0.5
                tensor.copy_(torch.from_numpy(start))
        self.optimizer = torch.optim.Adam(self.layer.parameters(), lr=RATE, fused=True)

    def learn(self, features: Features) -> None:
        """One epoch."""
        x = torch.from_numpy(np.asarray(features, np.float32))
        order = torch.from_numpy(self.random.permutation(len(x)))
        for chosen in order.split(BATCH):
            self.optimizer.zero_grad()
            F.cross_entropy(self.layer(x[chosen]), self.y[chosen]).backward()
            self.optimizer.step()

    def accuracy(self, features: Features) -> float:
        """Share of the test images that are named rightly."""
        with torch.no_grad():
            x = torch.from_numpy(np.asarray(features, np.float32))
            found = self.layer(x).argmax(1).numpy()
        return float((self.classes[found] == self.test_y).mean())
