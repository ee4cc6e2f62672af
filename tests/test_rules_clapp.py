"""CLAPP by hand: every number of Eq. 3 and 6 to 8 written out."""

import pytest
import torch

from clapp_neuro.errors import InputError
from clapp_neuro.rules import clapp
from clapp_neuro.rules.prediction import Dendrites, modulate, plasticity
from clapp_neuro.rules.registry import METHODS, find_rule

Z, C = torch.tensor([[[0.5, 0.25]]]), torch.tensor([[1.0, 0.5]])
WEIGHTS = Dendrites(
    prediction=torch.tensor([[0.2, 0.4], [0.0, 0.8]]),
    retrodiction=torch.tensor([[0.1, 0.0], [0.6, 0.4]]),
)


@pytest.mark.parametrize(("y", "gamma"), [(1.0, 0.1), (-1.0, -0.1)])
def test_one_comparison(y, gamma):
    broadcast = modulate(Z, C, WEIGHTS, clapp.hinge(torch.tensor(y), 0.1, 1.0))
    torch.testing.assert_close(broadcast.prediction, torch.tensor([[0.4, 0.4]]))
    torch.testing.assert_close(broadcast.score, torch.tensor([[0.3]]))
    torch.testing.assert_close(broadcast.loss, torch.tensor([[1 - y * 0.3]]))
    torch.testing.assert_close(broadcast.target, torch.tensor([[gamma]]))
    updates = plasticity(Z, C, WEIGHTS, broadcast)
    torch.testing.assert_close(updates.target, gamma * torch.tensor([[[0.4, 0.4]]]))
    torch.testing.assert_close(updates.source, gamma * torch.tensor([[0.05, 0.4]]))
    hebb = gamma * torch.tensor([[0.5, 0.25], [0.25, 0.125]])
    torch.testing.assert_close(updates.prediction, hebb)
    torch.testing.assert_close(updates.retrodiction, hebb.T)


def test_a_closed_gate_changes_nothing():
    ones, weights = torch.ones(1, 1, 2), Dendrites(torch.eye(2), torch.eye(2))
    closed = modulate(ones, ones[0], weights, clapp.hinge(torch.ones(1), 0.1, 1.0))
    assert closed.score.item() == 2
    assert not closed.open
    updates = plasticity(ones, ones[0], weights, closed)
    assert not updates.target.any() and not updates.prediction.any()
    assert modulate(ones, ones[0], weights, clapp.hinge(torch.ones(1), 0.1, 3.0)).open


def test_the_shared_gate_differs_only_where_the_two_scores_disagree():
    """Eq. 17 assumes one gate. It and Eq. 14 agree on every row where both gates do."""
    random = torch.Generator().manual_seed(0)
    z, c = torch.rand(40, 1, 6, generator=random), torch.rand(40, 6, generator=random)
    weights = Dendrites(*(torch.rand(6, 6, generator=random) * 0.25 for _ in range(2)))
    y = torch.ones(40, 1)
    y[20:] = -1
    modulator = clapp.hinge(y, 0.1, 1.0)
    shared = modulate(z, c, weights, modulator)
    split = modulate(z, c, weights, modulator, gate="split")
    agree = ((split.target != 0) == (split.source != 0)).flatten()
    assert agree.any() and not agree.all(), "the test needs rows of both kinds"
    assert shared.source is shared.target
    assert torch.equal(shared.target, split.target)
    one, two = (plasticity(z, c, weights, m) for m in (shared, split))
    assert torch.equal(one.target, two.target) and torch.equal(one.prediction, two.prediction)
    torch.testing.assert_close(one.source[agree], two.source[agree])
    assert (one.source[~agree] != two.source[~agree]).any(1).all()


def test_registry():
    assert find_rule("clapp") is clapp.RULE
    assert not find_rule("random").learns
    with pytest.raises(InputError, match="did you mean 'clapp'"):
        find_rule("klapp")
    for name, method in METHODS.items():
        rule = find_rule(name)
        assert rule.learns == (name != "random")
        ways = [way for way in (rule.signal, rule.relax, rule.moment) if way is not None]
        assert len(ways) == rule.learns, "a rule that learns has one way to"
        assert method.title
