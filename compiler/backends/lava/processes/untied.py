"""Untied kernels that learn, as Lava's own plastic sparse synapses."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sparse.models import PyLearningSparseModelBitApproximate
from lava.proc.sparse.process import LearningSparse
from scipy.sparse import csr_matrix

from compiler.backends.lava.copies import averaged_copies
from compiler.backends.lava.entries import Entries, entries
from compiler.backends.lava.processes.epochs import Learning, ProgramLearning
from compiler.backends.lava.processes.rules import graded_spikes, learning_rule
from compiler.backends.lava.processes.static import sparse_matrix
from compiler.rounding import synapse_bits
from compiler.terms import Map

PRE, POST = ("x1", "x2"), ("y1", "y2", "y3")


def untied_synapses(learning: Learning, source: Map, target: Map) -> LearningSparse:
    """The process of one plastic projection of untied kernels."""
    synapses = learning.synapses
    assert synapses.rule is not None and synapses.tags is not None
    found = entries(synapses, source, target)
    shape = int(np.prod(target)), int(np.prod(source))
    return LearningSparse(
        weights=sparse_matrix(synapses.weights, found, shape),
        tag_1=sparse_matrix(synapses.tags, found, shape),
        tag_2=csr_matrix(shape, dtype=np.int32),
        name=synapses.name,
        num_message_bits=8,
        graded_spike_cfg=graded_spikes(synapses.rule),
        learning_rule=learning_rule(synapses.rule),
        learning=learning,
        entries=found,
    )


@implements(proc=LearningSparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_approximate_loihi", "fixed_pt")
class UntiedSparseModel(ProgramLearning, PyLearningSparseModelBitApproximate):
    """Lava's fixed-point model of sparse synapses, applied to a vector of synapses.

    Lava's own fails on rules that read a tag or a weight, as a carry does (sgn(t)): it clips the
    sparse matrix as if it were an array. For all other rules it computes the change of all pairs of
    neurons, and keeps that of the synapses. Here its code for arrays does the same arithmetic,
    synapse by synapse, so a pair that is no synapse, as at a map's border, has neither weight nor
    tag and cannot learn. What `ProgramLearningDenseModel` says of messages that are no traces holds
    here, too.
    """

    def __init__(self, proc_params: dict) -> None:
        self._entries: Entries = proc_params["entries"]
        super().__init__(proc_params)
        # Lava would make odd weights even, and leave out synapses whose weight is 0 at first.
        self.weights_set = True

    def random_bits(self, time_step: int) -> np.ndarray:
        """Seven bits a synapse, int (synapses,), by row and column as in `compiler.rounding`."""
        synapses, shape = self._learning.synapses, self._learning.synapses.weights.shape
        position, out, channel, down, right = np.unravel_index(self._entries.weight, shape)
        positions, n_out, n_in, side, _ = shape
        row = ((position * side + down) * side + right) * n_in + channel
        rows = positions * side * side * n_in
        seed = self._learning.program.seed
        return synapse_bits(seed, synapses.index, time_step, rows, n_out)[row, out]

    def record_values(self, record: np.ndarray, values: csr_matrix) -> None:
        """Into (positions, C_out, C_in, k, k); what is no synapse stays 0."""
        record.reshape(-1)[self._entries.weight] = values.data

    def _apply_learning_rules(
        self, x_traces_history: np.ndarray, y_traces_history: np.ndarray
    ) -> None:
        """Lava's code for arrays, on the synapses alone."""
        weights, tags = self.weights, self.tag_1
        self.weights, self.tag_1 = weights.data, tags.data
        super()._apply_learning_rules(x_traces_history, y_traces_history)
        weights.data, tags.data = self.weights, self.tag_1
        self.weights, self.tag_1 = weights, tags

    def _extract_applier_args(
        self, x_traces_history: np.ndarray, y_traces_history: np.ndarray
    ) -> dict:
        """What a rule may read, with a value for each synapse."""
        return {
            **super()._extract_applier_args(x_traces_history, y_traces_history),
            "shape": self._entries.target.shape,
            "x0": self.x0[self._entries.source],
            "y0": self.y0[self._entries.target],
        }

    def _extract_applier_evaluated_traces(
        self, x_traces_history: np.ndarray, y_traces_history: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The traces that the rule reads, at the step of the spike that it asks for, (synapses,).

        Histories are (steps + 1, traces, N); Lava looks the traces up for all pairs of neurons.
        """
        source, target = self._entries.source, self._entries.target
        steps = {"x0": self.tx[source], "y0": self.ty[target], "u": np.full_like(source, -1)}
        read = self._learning_rule.active_traces_per_dependency
        found = {}
        for dependency, traces in read.items():
            for trace in traces:
                pre = trace in PRE
                history = x_traces_history if pre else y_traces_history
                number = PRE.index(trace) if pre else POST.index(trace)
                neuron = source if pre else target
                found[f"{trace}_{dependency}"] = history[steps[dependency], number, neuron]
        return found

    def end_step(self) -> None:
        """Averages the copies of each kernel where that is due, and records.

        A fixation is over on all levels before the next one begins, since a period has room for the
        topmost level's last step. So the copies are averaged after the last step of the input's
        fixation, when whole units have been carried: the next message comes one step later. On a
        chip it is the management processor that does it.
        """
        program, every = self._learning.program, self._learning.synapses.averaged
        if every and self.time_step % (every * program.timetable.period) == 0:
            kernels = np.prod(self._learning.synapses.weights.shape[1:])
            self.weights.data, self.tag_1.data = averaged_copies(
                self.weights.data,
                self.tag_1.data,
                self._entries.weight % kernels,
                program.weight_max,
                program.tag_max,
            )
        super().end_step()
