"""Lava's own plastic all-to-all synapses, with the project's random numbers and ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.proc.dense.process import LearningDense

from compiler.backends.lava.processes.epochs import Learning, ProgramLearning
from compiler.backends.lava.processes.rules import graded_spikes, learning_rule
from compiler.rounding import synapse_bits


def plastic_synapses(learning: Learning, **known: Any) -> LearningDense:
    """The process of one plastic all-to-all projection; known: what else its model has to know."""
    synapses = learning.synapses
    assert synapses.rule is not None and synapses.tags is not None
    return LearningDense(
        weights=synapses.weights.astype(np.int32),
        tag_1=synapses.tags.astype(np.int32),
        name=synapses.name,
        # Eight bits and sign, as the learning engine has them; 8 would make odd weights even.
        num_weight_bits=9,
        num_message_bits=8,
        graded_spike_cfg=graded_spikes(synapses.rule),
        learning_rule=learning_rule(synapses.rule),
        learning=learning,
        **known,
    )


@implements(proc=LearningDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_approximate_loihi", "fixed_pt")
class ProgramLearningDenseModel(ProgramLearning, PyLearningDenseModelBitApproximate):
    """Lava's fixed-point model; the learning engine itself is Lava's, unchanged.

    Every message of the source becomes x1, as eight bits of half of it, whether or not it is meant
    for these synapses: a prediction of 24 bits and sign leaves anything there. That is never used.
    Outside the slots post values are zero; in a slot x1 is overwritten by the trace, or the source
    is silent, and the rule asks for a message (x0).
    """

    def random_bits(self, time_step: int) -> np.ndarray:
        """Seven bits a synapse, int (N_target, N_source)."""
        synapses = self._learning.synapses
        n_post, n_pre = synapses.weights.shape
        seed = self._learning.program.seed
        return synapse_bits(seed, synapses.index, time_step, n_pre, n_post).T

    def record_values(self, record: np.ndarray, values: np.ndarray) -> None:
        """Both are (N_target, N_source)."""
        record[:] = values
