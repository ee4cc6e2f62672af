"""The learning methods by name: which rule, and what it combines with. No PyTorch here.

A method is a rule, a file of this folder, applied to a number of modules: what the paper calls
Hinge Loss CPC is the rule of CLAPP-s with one module, GIM is that of CPC with one a layer.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Literal

from clapp_neuro.errors import unknown
from clapp_neuro.rules.seen import Rule

Retro = Literal["own", "transposed", "none"]
Context = Literal["same", "above", "top"]


@dataclass(frozen=True)
class Method:
    """A row of the project's table.

    rule: file of this folder. end_to_end: one module unless `modules` says otherwise. retro and
    context: what it combines with, its own choice first. online: uses nothing but this fixation
    and the last. labelled: learns from labels. splits: may be divided into modules of several
    layers. timed: learns at every time step, from spikes of the inputs as well. spiking_only,
    rate_only: which neurons it is made for.
    """

    rule: str
    title: str
    end_to_end: bool = False
    retro: tuple[Retro, ...] = ("none",)
    context: tuple[Context, ...] = ("same",)
    online: bool = False
    labelled: bool = False
    splits: bool = True
    spiking_only: bool = False
    timed: bool = False
    rate_only: bool = False


METHODS = {
    "clapp": Method("clapp", "CLAPP", retro=("own", "transposed", "none"),
                    context=("same", "above", "top"), online=True),
    "clapp-s": Method("clapp_s", "CLAPP-s", retro=("transposed", "own", "none"),
                      context=("same", "above", "top")),
    "hinge-cpc": Method("clapp_s", "Hinge Loss CPC", end_to_end=True,
                        retro=("transposed", "own", "none")),
    "hinge-cpc-local": Method("clapp", "time-local Hinge Loss CPC", end_to_end=True,
                              retro=("transposed", "own", "none")),
    "cpc": Method("infonce", "CPC", end_to_end=True, retro=("transposed",)),
    "gim": Method("infonce", "GIM", retro=("transposed",)),
    "supervised": Method("supervised", "Supervised", end_to_end=True, labelled=True),
    "greedy-supervised": Method("supervised", "Greedy supervised", labelled=True),
    "snn-supervised": Method("supervised", "Surrogate-gradient SNN", end_to_end=True,
                             labelled=True, spiking_only=True),
    "random": Method("random", "Random init.", retro=("own", "transposed", "none")),
    "dfa": Method("feedback_alignment", "Direct feedback alignment",
                  retro=("transposed", "own", "none"), splits=False),
    "predictive-coding": Method("predictive_coding", "Predictive coding", splits=False,
                                rate_only=True),
    "lpl": Method("lpl", "LPL", online=True),
    "espp": Method("espp", "ESPP (EchoSpike)", online=True),
    "stdp": Method("stdp", "STDP", online=True, timed=True, spiking_only=True),
    "r-stdp": Method("reward_stdp", "Reward-modulated STDP", online=True, timed=True,
                     spiking_only=True),
}  # fmt: skip


def check_method(name: str) -> str:
    """Return `name`; raises InputError, with the nearest method, where there is none of it."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return name


def find_rule(name: str) -> Rule:
    """The rule of a method. Raises InputError, with the nearest method, for an unknown name."""
    file = METHODS[check_method(name)].rule
    rule: Rule = importlib.import_module(f"clapp_neuro.rules.{file}").RULE
    return rule
