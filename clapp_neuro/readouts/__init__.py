"""Readouts: how well frozen features tell the classes apart, one file a way to learn it.

Each is a function (train_x, train_y, test_x, test_y, seed) → accuracy in 0..1 on the test set, with
x: (N, features), whatever computed them (float activity, or counts read from a chip), and y: (N,)
class numbers. It raises InputError for arrays that do not fit or fewer than two classes.
"""

from __future__ import annotations

from collections.abc import Callable

from clapp_neuro.errors import unknown
from clapp_neuro.readouts.adam import adam_readout
from clapp_neuro.readouts.features import Features
from clapp_neuro.readouts.logistic import logistic_readout
from clapp_neuro.readouts.three_factor import three_factor_readout

Readout = Callable[[Features, Features, Features, Features, int], float]

READOUTS: dict[str, Readout] = {
    "logistic": logistic_readout,
    "adam": adam_readout,
    "three-factor": three_factor_readout,
}


def find_readout(name: str) -> Readout:
    """The readout of that name; InputError, with the nearest one, where there is none."""
    if name not in READOUTS:
        raise unknown("readout", name, READOUTS)
    return READOUTS[name]
