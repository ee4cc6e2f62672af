"""Logistic regression on standardised features: the best that a linear readout can do."""

from __future__ import annotations

from collections.abc import Callable

from clapp_neuro.readouts.features import Features, check_features

ITERATIONS = 1000
TOLERANCE = 1e-3
PENALTY = 1e-3
"""L2 penalty of the readout, relative to the mean log-loss of a sample."""


def logistic_readout(
    train_x: Features, train_y: Features, test_x: Features, test_y: Features, seed: int = 0
) -> float:
    """Fitted until it converges; deterministic, so that `seed` changes nothing."""
    check_features(train_x, train_y, test_x, test_y)
    return float((logistic_predictions(train_x, train_y, test_x) == test_y).mean())


def logistic_predictions(train_x: Features, train_y: Features, test_x: Features) -> Features:
    """The class (N,) that the fitted readout names for each row of `test_x`."""
    return fit_logistic(train_x, train_y)(test_x)


def fit_logistic(train_x: Features, train_y: Features) -> Callable[[Features], Features]:
    """A readout to keep: features (N, F) in, the class (N,) that it names for each row out.

    Raises InputError for features that do not fit, or labels of fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    check_features(train_x, train_y, train_x, train_y)
    classifier = LogisticRegression(
        C=1 / (PENALTY * len(train_x)), max_iter=ITERATIONS, tol=TOLERANCE, random_state=0
    )
    predict: Callable[[Features], Features] = (
        make_pipeline(StandardScaler(), classifier).fit(train_x, train_y).predict
    )
    return predict
