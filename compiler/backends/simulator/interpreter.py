"""Executes the operation table of `memory.lay_out`, fixation after fixation, in compiled code."""

from __future__ import annotations

from compiler.backends.simulator import adapt, copies, epoch, feedback, forward, maps, turns
from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.copying import copy


@compiled
def execute_step(op, fixation, clock, w, log):
    """Operations of single time steps, kept out of the way of those of whole presentations."""
    code = op[0]
    if code == c.ENCODE:
        forward.encode(w, op, clock.steps)
    elif code == c.STEP:
        forward.step(w, op, clock.steps, log)
    elif code == c.SEND_SPIKES:
        forward.send_spikes(w, op)
    elif code == c.SEND_GRADED:
        forward.send_graded(w, op)
    elif code == c.EPOCH:
        epoch.learn_epoch(w, op, fixation, clock)


@compiled
def execute_plastic_map(op, fixation, clock, w):
    """Operations of maps whose kernels learn, kept out of the way likewise."""
    code = op[0]
    if code == c.SUM:
        maps.sum_up(w, op, clock.steps)
    elif code == c.TALLY:
        maps.tally(w, op, clock.steps)
    elif code == c.SPREAD:
        feedback.spread(w, op)
    elif code == c.INHIBIT:
        feedback.inhibit(w, op)
    elif code == c.LEARN_COPIES:
        copies.learn_copies(w, op, fixation, clock)
    elif code == c.AVERAGE_COPIES:
        copies.average_copies(w, op, fixation)
    elif code == c.LEARN_IN_TURN:
        turns.learn_in_turn(w, op, fixation, clock)
    elif code == c.CARRY_OVER:
        turns.carry_over(w, op, fixation)


@compiled
def execute(operations, fixation, clock, w, log):
    """Runs the given operations of one fixation; `log` keeps the potentials of every step."""
    steps = clock.steps
    for o in range(operations.shape[0]):
        op = operations[o]
        code = op[0]
        if code == c.CURRENT:
            w.current[: steps + 1, : op[1]] = 0
        elif code == c.DRIVE_GRADED:
            forward.drive_graded(w, op, steps)
        elif code == c.DRIVE_SPIKES:
            forward.drive_spikes(w, op, steps)
        elif code == c.INTEGRATE:
            forward.integrate(w, op, steps, log)
        elif code == c.GATE:
            adapt.decide(w, op, steps)
        elif code == c.CLEAR:
            w.state[op[1], op[2] : op[2] + op[3]] = 0
        elif code == c.DELIVER:
            forward.deliver(w, op, steps)
        elif code == c.SATURATE:
            forward.saturate(w, op)
        elif code == c.AVERAGE:
            adapt.average(w, op)
        elif code == c.POST:
            adapt.write_post(w, op, fixation, clock)
        elif code == c.LEARN:
            adapt.learn(w, op, fixation, clock)
        elif code == c.CARRY:
            adapt.carry(w, op, fixation, clock)
        elif code == c.END:
            forward.end(w, op)
        elif code == c.PRESENT:
            forward.present(w, op)
        elif code == c.CONVOLVE_GRADED:
            maps.convolve_graded(w, op, steps)
        elif code == c.CONVOLVE_SPIKES:
            maps.convolve_spikes(w, op, steps)
        elif code == c.POOL:
            maps.pool(w, op, steps)
        elif code == c.RELAY:
            maps.relay(w, op, steps, log)
        elif code < c.SUM:
            execute_step(op, fixation, clock, w, log)
        else:
            execute_plastic_map(op, fixation, clock, w)


@compiled
def show(w, stimulus, inputs):
    """Puts one fixation's intensities where the input neurons' counts lie."""
    for j in range(stimulus.shape[0]):
        w.state[c.COUNT, inputs[j]] = stimulus[j]


@compiled
def run_learning(operations, first_fixation, clock, intensities, labels, inputs, w, scores, gates):
    """Fixation after fixation with everything on; intensities (F, N), labels (F, modulators).

    `inputs` (N,) are the input neurons' places. Scores and gates (F, gates) are filled in.
    """
    modulators = labels.shape[1]
    for f in range(intensities.shape[0]):
        show(w, intensities[f], inputs)
        for m in range(modulators):
            w.signals[m] = labels[f, m]
        execute(operations, first_fixation + f, clock, w, False)
        copy(scores[f], w.scores)
        copy(gates[f], w.signals[modulators:])


@compiled
def run_inference(operations, clock, intensities, inputs, w, kept, counts):
    """The forward pass of independent fixations.

    The counts of the neurons whose places are `kept` (K,) fill counts (F, K) uint8.
    """
    for f in range(intensities.shape[0]):
        show(w, intensities[f], inputs)
        execute(operations, 0, clock, w, False)
        for j in range(kept.shape[0]):
            counts[f, j] = w.state[c.COUNT, kept[j]]
