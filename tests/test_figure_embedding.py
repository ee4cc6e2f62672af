"""Embeddings of features: clusters stay apart, and how far is told."""

import numpy as np
import pytest
from figure_network import clusters
from threadpoolctl import threadpool_limits  # comes with scikit-learn

from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures.embedding import draw_embedding, embed, separation


def test_the_embedding_keeps_clusters_apart_and_comes_from_its_seed():
    features, labels = clusters()
    with threadpool_limits(1):
        points = embed(features, 0)
        assert (embed(features, 0) == points).all()
    assert points.shape == (90, 2)
    assert separation(points, labels) == separation(features, labels) == 1
    shuffled = np.random.default_rng(1).permutation(labels)
    assert separation(points, shuffled) < 0.6


def test_separation_leaves_each_point_out():
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(40, 3)), random.integers(0, 3, 40)
    right = 0
    for number, point in enumerate(points):
        distance = np.linalg.norm(points - point, axis=1)
        distance[number] = np.inf
        votes = np.bincount(labels[np.argsort(distance)[:10]], minlength=3)
        right += votes.argmax() == labels[number]
    assert separation(points, labels) == right / 40
    assert separation(points, labels + 5) == right / 40, "labels are names"


def test_few_images_have_a_smaller_perplexity():
    assert np.isfinite(embed(clusters(count=4)[0], 0)).all()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((0, 3)), "at least one"),
        (np.zeros(9), "must be"),
        (np.full((9, 3), np.nan), "NaN"),
        (np.eye(3), "at least 4 images and 2 neurons, not 3 and 3"),
        (np.arange(9.0)[:, None], "not 9 and 1"),
        (np.ones((9, 3)), "are the same"),
    ],
)
def test_features_that_cannot_be_embedded(features, message):
    with pytest.raises(InputError, match=message):
        embed(features, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y * 0), "at least two"),
        (lambda x, y: (x, y[:-1]), "as many labels"),
        (lambda x, y: (x[:10], y[:10]), "at least 11 points, not 10"),
        (lambda x, y: (x * np.inf, y), "NaN or infinite"),
    ],
)
def test_points_that_have_no_separation(change, message):
    points, labels = change(*clusters(width=2))
    with pytest.raises(InputError, match=message):
        separation(points + 0, labels)
    with pytest.raises(InputError, match=message):
        draw_embedding({"layer 1": points}, labels, ("a", "b", "c"))


def test_a_drawn_embedding_says_how_far_the_classes_lie_apart():
    points, labels = clusters(width=3)
    points = points[:, :2]
    names = ("bag", "coat", "dress")
    drawn = {f"layer {layer}": points for layer in (1, 2, 3, 4)}
    figure = draw_embedding(drawn, labels, names)
    assert len(figure.axes) == 4
    assert figure.axes[3].get_title() == "layer 4\n10-NN accuracy 100%"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(names)
    with pytest.raises(InputError, match="from 0 to 1"):
        draw_embedding(drawn, labels, names[:2])
    with pytest.raises(InputError, match=r"layer 1: .*must be \(n, 2\)"):
        draw_embedding({"layer 1": clusters()[0]}, labels, names)
    with pytest.raises(InputError, match="at least one layer"):
        draw_embedding({}, labels, names)
