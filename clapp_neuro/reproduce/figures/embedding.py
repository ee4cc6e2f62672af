"""How a layer's features lie by class, in two dimensions (paper, Fig. 3b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures import look

PERPLEXITY = 30.0
FEWEST = 4
"""Images below which a perplexity of (n − 1)/3 is less than the one neighbour that it counts."""

NEIGHBOURS = 10
PANELS_ABREAST = 3

Array = npt.NDArray[Any]


def embed(features: Array, seed: int) -> npt.NDArray[np.float64]:
    """t-SNE of features (n, N) to points (n, 2), begun at their first principal components.

    The perplexity is 30, or (n − 1)/3 where there are few images. The same seed gives the same
    points on up to two OpenMP threads; with more, scikit-learn adds in no fixed order. Raises
    InputError for features that are no (n, N) with n ≥ 4 and N ≥ 2, not finite, or all the same.
    """
    from sklearn.manifold import TSNE

    _check_features(features)
    count, neurons = features.shape
    if count < FEWEST or neurons < 2:
        raise InputError(
            f"an embedding needs at least {FEWEST} images and 2 neurons, not {count} and {neurons}"
        )
    if (features == features[0]).all():
        raise InputError("the features of all images are the same: there is nothing to embed")
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    tsne = TSNE(n_components=2, init="pca", perplexity=perplexity, random_state=seed)
    return np.asarray(tsne.fit_transform(features), dtype=np.float64)


def separation(points: Array, labels: Array) -> float:
    """How far the classes lie apart: the fraction in 0..1 whose class their neighbours guess.

    points (n, N), embedded or features; labels (n,). Each point is left out in turn and guessed
    by the majority of its ten nearest, the lowest class where several are equal. Chance is the
    share of the largest class. Raises InputError for shapes that do not fit, fewer than eleven
    points or two classes, or NaN.
    """
    from sklearn.neighbors import NearestNeighbors

    _check_features(points)
    classes, own = _check_labels(points, labels)
    if len(points) <= NEIGHBOURS:
        raise InputError(
            f"{NEIGHBOURS} neighbours need at least {NEIGHBOURS + 1} points, not {len(points)}"
        )
    # without a query, no point is its own neighbour
    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points).kneighbors()[1]
    votes = (own[nearest][..., None] == np.arange(len(classes))).sum(1)
    return float((votes.argmax(1) == own).mean())


def draw_embedding(points: Mapping[str, Array], labels: Array, classes: Sequence[str]) -> Figure:
    """One panel for each entry of `points` (name of a layer → (n, 2)), coloured by class.

    labels (n,) index `classes`. Beside each name stands its `separation`. Raises InputError for
    what `separation` does not take, or labels that are no classes.
    """
    if not points:
        raise InputError("a picture of embeddings needs at least one layer")
    columns = min(PANELS_ABREAST, len(points))
    rows = -(-len(points) // columns)
    figure = Figure(figsize=(2.8 * columns + 1.6, 3.0 * rows), layout="constrained")
    for number, (name, layer) in enumerate(points.items(), 1):
        if layer.ndim != 2 or layer.shape[1] != 2:
            raise InputError(f"{name}: embedded points {layer.shape} must be (n, 2)")
        apart = separation(layer, labels)
        if labels.min() < 0 or labels.max() >= len(classes):
            raise InputError(f"labels must go from 0 to {len(classes) - 1}, one for each class")
        axes = figure.add_subplot(rows, columns, number)
        for label in np.unique(labels):
            own = layer[labels == label]
            # named once: the figure has one legend for all panels
            named = classes[label] if number == 1 else None
            x, y = own[:, 0], own[:, 1]
            axes.scatter(x, y, s=9, linewidths=0, alpha=0.8, label=named, **look(int(label)))
        axes.set_title(f"{name}\n{NEIGHBOURS}-NN accuracy {apart:.0%}", fontsize="medium")
        axes.set_xticks([])  # distances in t-SNE have no unit
        axes.set_yticks([])
    figure.legend(loc="outside right upper", frameon=False, markerscale=2)
    return figure


def _check_features(features: Array) -> None:
    if features.ndim != 2 or features.size == 0:
        raise InputError(f"features {features.shape} must be (images, neurons), of at least one")
    if not np.isfinite(features).all():
        raise InputError("features hold NaN or infinite values")


def _check_labels(points: Array, labels: Array) -> tuple[Array, Array]:
    """The classes that occur, and which of them each point has."""
    if labels.shape != (len(points),):
        raise InputError(f"{len(points)} points need as many labels, not {labels.shape}")
    classes, own = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError("classes lie apart only where there are at least two of them")
    return classes, own
