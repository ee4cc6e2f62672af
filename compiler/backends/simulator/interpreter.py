"""Executes the operation table of `memory.lay_out`, fixation after fixation, in compiled code."""

from __future__ import annotations

from compiler.backends.simulator import (
    adapt,
    copies,
    epoch,
    feedback,
    forward,
    general,
    maps,
    scatter,
    turns,
)
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
def execute_general(op, first, stop, clock, w, log):
    """Operations of any neurons, and of what drives them, for some steps of a presentation."""
    code = op[0]
    if code == c.SEQUENCE:
        general.list_sequence(w, op, clock.steps)
    elif code == c.DRIVE_SEQUENCE:
        general.drive_sequence(w, op, first, stop)
    elif code == c.CONVOLVE_SEQUENCE:
        general.convolve_sequence(w, op, first, stop)
    elif code == c.DRIVE_ONE_TO_ONE:
        general.drive_one_to_one(w, op, first, stop)
    elif code == c.SCATTER_SPIKES:
        scatter.scatter_spikes(w, op, first, stop)
    elif code == c.SCATTER_SEQUENCE:
        scatter.scatter_sequence(w, op, first, stop)
    elif code == c.SCATTER_GRADED:
        scatter.scatter_graded(w, op, clock.steps)
    elif code == c.BEGIN:
        general.begin(w, op, clock.steps)
    elif code == c.ADVANCE:
        general.advance(w, op, first, stop, log)
    elif code == c.FINISH:
        general.finish(w, op, clock.steps)


@compiled
def execute_band(operations, clock, w, log):
    """Populations that wait for one another in every step of a presentation."""
    for tau in range(clock.steps):
        for o in range(operations.shape[0]):
            op = operations[o]
            code = op[0]
            if code == c.CURRENT:
                w.current[tau, : op[1]] = 0
            elif code == c.DRIVE_SPIKES:
                forward.drive_spikes(w, op, tau, tau + 1)
            elif code == c.CONVOLVE_SPIKES:
                maps.convolve_spikes(w, op, tau, tau + 1)
            else:
                execute_general(op, tau, tau + 1, clock, w, log)


@compiled
def execute(operations, fixation, clock, w, log):
    """Runs the given operations of one fixation; `log` keeps the potentials of every step."""
    steps = clock.steps
    after = 0
    for o in range(operations.shape[0]):
        if o < after:
            continue
        op = operations[o]
        code = op[0]
        if code == c.CURRENT:
            w.current[: steps + 1, : op[1]] = 0
        elif code == c.DRIVE_GRADED:
            forward.drive_graded(w, op, steps)
        elif code == c.DRIVE_SPIKES:
            forward.drive_spikes(w, op, 0, steps)
        elif code == c.INTEGRATE:
            forward.integrate(w, op, steps, log)
        elif code == c.GATE:
            adapt.decide(w, op, fixation, clock)
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
            maps.convolve_spikes(w, op, 0, steps)
        elif code == c.POOL:
            maps.pool(w, op, steps)
        elif code == c.RELAY:
            maps.relay(w, op, steps, log)
        elif code < c.SUM:
            execute_step(op, fixation, clock, w, log)
        elif code < c.SEQUENCE:
            execute_plastic_map(op, fixation, clock, w)
        elif code == c.BAND:
            after = o + 1 + op[1]
            execute_band(operations[o + 1 : after], clock, w, log)
        else:
            execute_general(op, 0, steps, clock, w, log)


@compiled
def show(w, intensities, inputs, sequences):
    """Puts one fixation's intensities where the input neurons' counts lie, and what is given."""
    for j in range(intensities.shape[0]):
        w.state[c.COUNT, inputs[j]] = intensities[j]
    for t in range(sequences.shape[0]):
        for j in range(sequences.shape[1]):
            w.sequence[t, j] = sequences[t, j]


@compiled
def record(w, fixation, recorded):
    """Keeps what each population did in each step, and notes, of those fixations that are kept."""
    stride, sent, active, noted = recorded
    if fixation % stride == 0:
        row = fixation // stride
        for n in range(noted.shape[1]):
            noted[row, n] = w.noted[n]
        for p in range(w.n_fired.shape[0]):
            copy(sent[row, p], w.n_fired[p])
            copy(active[row, p], w.n_active[p])


@compiled
def run_learning(
    operations, first_fixation, clock, shown, labels, inputs, w, recorded, scores, gates
):
    """Fixation after fixation with everything on; labels (F, modulators).

    `shown` are intensities (F, N), of the input neurons whose places are `inputs` (N,), and
    sequences (F, T, S) of all that inputs are given step by step. Scores and gates (F, gates) are
    filled in, and what is `recorded`: a stride and the arrays of `compiler.events.steps`.
    """
    modulators = labels.shape[1]
    intensities, sequences = shown
    for f in range(intensities.shape[0]):
        show(w, intensities[f], inputs, sequences[f])
        for m in range(modulators):
            w.signals[m] = labels[f, m]
        execute(operations, first_fixation + f, clock, w, False)
        record(w, first_fixation + f, recorded)
        copy(scores[f], w.scores)
        copy(gates[f], w.signals[modulators:])


@compiled
def run_inference(operations, first_fixation, clock, shown, inputs, w, recorded, kept, counts):
    """The forward pass of independent fixations, `shown` and `recorded` as in `run_learning`.

    The counts of the neurons whose places are `kept` (K,) fill counts (F, K).
    """
    intensities, sequences = shown
    for f in range(intensities.shape[0]):
        show(w, intensities[f], inputs, sequences[f])
        execute(operations, 0, clock, w, False)
        record(w, first_fixation + f, recorded)
        for j in range(kept.shape[0]):
            counts[f, j] = w.state[c.COUNT, kept[j]]
