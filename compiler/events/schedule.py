"""When everything that only learning needs happens in a fixation, and which note says how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from compiler.events.messages import Run, Sent, hears_spikes, messages_of, phase_steps
from compiler.events.moments import Cause, Moments
from compiler.events.notes import Note, carried, notes, score_steps
from compiler.events.projections import due_alone
from compiler.events.updates import busy_steps, neurons_in_turn, telling_steps
from compiler.products import in_slots
from compiler.program import Gate, ProgramPopulation, Synapses, Tally
from compiler.terms import Quantity
from compiler.timing import DOWNWARD
from compiler.timing import carried as brought
from compiler.turns import buffers_of, counts_of, learners_of, post_values_of, traces_of, turns_of

Schedule = dict[Cause, Moments]
SPIKES = -1
"""The place of spikes among the steps of a population's messages."""


def schedule(run: Run, sent: Mapping[str, Sent]) -> Schedule:
    """The moments of all causes of learning, of a run that learns."""
    plan = _Plan(run, sent, notes(run.program))
    found: Schedule = {Cause("begun"): Moments(steady=((0, 1),))}
    for p in run.program.populations:
        found |= plan.of_population(p)
    for gate in run.program.gates:
        found |= plan.of_gate(gate)
    for s in run.program.synapses:
        found |= plan.of_projection(s)
        if s.rule is not None and s.in_turn:
            found |= plan.of_turns(s)
        elif s.rule is not None:
            found |= plan.of_rule(s)
    return found


@dataclass(frozen=True)
class _Plan:
    """What a program does when: a run, what its populations sent, the columns of notes."""

    run: Run
    sent: Mapping[str, Sent]
    columns: Mapping[Note, int]

    def of_population(self, p: ProgramPopulation) -> Schedule:
        """Its messages, its updates after the presentation, its post values."""
        phase = phase_steps(self.run.program, p)
        graded = [m for step, m in self._messages(p).items() if step in phase]
        busy, resting = self._updates(p)
        return {
            Cause("messages", p.name): self._along(p),
            Cause("graded", p.name): _sum([*graded, self._told(p)]),
            Cause("scores", p.name): self._scores(p),
            Cause("busy", p.name): busy,
            Cause("resting", p.name): resting,
            Cause("written", p.name): _sum(
                self._noted("written", p.name, [p.level + value.step], part)
                for part, value in enumerate(p.post_values)
            ),
        }

    def of_gate(self, gate: Gate) -> Schedule:
        """Its broadcast, its updates, and the messages that it hears for nothing."""
        population = self.run.program.population(gate.population)
        sent, decided = (population.level + at(self.run.steps) for at in (gate.sent, gate.decided))
        busy = range(sent, decided + 1)
        return {
            Cause("opened", gate.name): self._noted("opened", gate.name, [decided]),
            Cause("busy", gate.name): _steady(busy),
            Cause("resting", gate.name): _steady(self._others(busy)),
            Cause("ignored", gate.name): _sum(
                [*self._messages(population).values(), self._told(population)]
            ),
        }

    def of_projection(self, s: Synapses) -> Schedule:
        """Messages that arrive, by whether anybody listens."""
        source = self.run.program.population(s.source)
        heard = {*s.listens, *([SPIKES] if hears_spikes(self.run, s) else [])}
        messages = self._messages(source)
        ignored = [m for step, m in messages.items() if step not in heard]
        if not self.sent[s.source].apart:
            ignored.append(self._scores(source))
        return {
            Cause("delivered", s.name): _sum(m for step, m in messages.items() if step in heard),
            Cause("ignored", s.name): _sum([*ignored, self._told(source)]),
        }

    def of_rule(self, s: Synapses) -> Schedule:
        """What synapses learn that learn from all messages, in their slots or at any step."""
        program = self.run.program
        source, level = program.population(s.source), program.population(s.target).level
        if not in_slots(s):
            updated = _sum(
                self._noted("visited", s.name, [source.level + tau], tau)
                for tau in range(program.timetable.period)
            )
            k = due_alone(s)
            visited = updated if k is None else Moments(due=((k, 1),))
            return {Cause("visited", s.name): visited, Cause("updated", s.name): updated}
        last = [program.timetable.period - 1]
        found = {
            Cause("visited", s.name): self._along(source),
            Cause("updated", s.name): _sum(
                self._noted("learned", s.name, [level + slot], part)
                for part, slot in enumerate(s.slots)
            ),
        }
        if carried(s):
            found |= {
                Cause("looked", s.name): self._noted("looked", s.name, last),
                Cause("carried", s.name): self._noted("carried", s.name, last),
            }
        return found

    def of_turns(self, s: Synapses) -> Schedule:
        """Of buffers and learners of kernels that learn in turn, `compiler.events.turns`.

        What all positions do in a slot counts in equal parts in the steps in which the buffers pass
        on what they see.
        """
        program, turns = self.run.program, turns_of(self.run.program, s)
        source, target = program.population(s.source), program.population(s.target)
        level, positions = target.level, turns.of_positions()
        messages = self._messages(source)
        kept_at = {turns.sent(slot, level - source.level): slot for slot in s.slots}
        kept = {step: m for step, m in messages.items() if step in kept_at}
        passed_on = _sum(
            self._spread(m, level + slot + positions).times(turns.kernel**2)
            for step, slot in kept_at.items()
            for m in [messages.get(step, NOTHING)]
        )
        others = [m for step, m in messages.items() if step not in kept]
        scores = NOTHING if self.sent[s.source].apart else self._scores(source)
        learned = _sum(
            self._noted("learned", s.name, (level + slot + positions).tolist(), part)
            for part, slot in enumerate(s.slots)
        )
        found = {
            Cause("delivered", counts_of(s)): _sum(kept.values()),
            Cause("ignored", counts_of(s)): _sum([*others, scores, self._told(source)]),
            Cause("delivered", post_values_of(s)): self._told(target),
            Cause("ignored", post_values_of(s)): _sum(
                [*self._messages(target).values(), self._scores(target)]
            ),
            Cause("visited", traces_of(s)): passed_on,
            Cause("updated", traces_of(s)): learned,
            Cause("messages", buffers_of(s)): passed_on,
            Cause("graded", buffers_of(s)): passed_on,
        }
        spans = {buffers_of(s): (-turns.depth, turns.span + 2 * turns.depth),
                 learners_of(s): (1, turns.span)}  # fmt: skip
        for name, (after, span) in spans.items():
            busy = {level + slot + after + n for slot in s.slots for n in range(span)}
            found[Cause("busy", name)] = _steady(busy)
            found[Cause("resting", name)] = _steady(self._others(busy))
        return found

    def _messages(self, p: ProgramPopulation) -> dict[int, Moments]:
        """By the step in which it sends them, all but scores and post values."""
        found = {SPIKES: Moments((("sent", p.name, 1),))} if p.spiking else {}
        for message in messages_of(self.run, p):
            first = p.level + message.step
            if p.soma is None and not p.spiking and message.step == 0:
                found[0] = Moments((("sent", p.name, 1),))
                continue
            steps = [first]
            if message.stride:
                rows, columns = np.divmod(np.arange(p.map[1] * p.map[2]), p.map[2])
                steps = (first + rows * message.stride + columns).tolist()
            found[message.step] = self._quantity(p, message.quantity, steps)
        return found

    def _quantity(self, p: ProgramPopulation, quantity: Quantity, steps: list[int]) -> Moments:
        """Messages that hold it: a note of the population, or of a projection that they reach."""
        if quantity is Quantity.COUNT:
            return self._noted("counts", p.name, steps)
        if quantity is Quantity.PREVIOUS_COUNT:
            return self._noted("previous", p.name, steps)
        leaving = self.run.program.leaving[p.name]
        via = [s for s in leaving if s.connection in DOWNWARD and quantity in brought(s)]
        return self._noted("brought", via[-1].name, steps)

    def _told(self, p: ProgramPopulation) -> Moments:
        """Post values that learners hear in turn, which are messages."""
        learning = [s for s in self.run.program.arriving[p.name] if s.in_turn]
        if not learning:
            return NOTHING
        turns = turns_of(self.run.program, learning[0]).of_positions()
        return _sum(
            self._noted("written", p.name, (p.level + value.step + turns).tolist(), part)
            for part, value in enumerate(p.post_values)
        )

    def _scores(self, p: ProgramPopulation) -> Moments:
        """What it tells comparators."""
        return _sum(
            self._noted("said", g.name, [p.level + g.sent(self.run.steps) + part], part)
            for g in self.run.program.gates
            if g.population == p.name
            for part in range(score_steps(g))
        )

    def _along(self, p: ProgramPopulation) -> Moments:
        """All that it sends along the axons to other neurons."""
        scores = NOTHING if self.sent[p.name].apart else self._scores(p)
        return _sum([*self._messages(p).values(), scores, self._told(p)])

    def _updates(self, p: ProgramPopulation) -> tuple[Moments, Moments]:
        """Active and idle ones that only learning needs: of a mean those of the presentation, too.

        Each neuron tells its post values in turn in a step of its own.
        """
        if p.soma is None:
            return NOTHING, NOTHING
        steps, period = self.run.steps, self.run.program.timetable.period
        at = busy_steps(self.run, p)
        busy = _steady((p.level + step for step in at), p.size)
        rest = (p.level + step for step in range(steps, period) if step not in at)
        resting = _steady(rest, p.size)
        if isinstance(p.soma, Tally):
            shown = _steady(range(p.level, p.level + steps), p.size)
            seen = Moments((("active", p.name, 1),))
            busy, resting = busy + seen, resting + shown + seen.times(-1)
        own = (p.level + step for step in telling_steps(self.run, p))
        telling = _steady(own, neurons_in_turn(p))
        return busy + telling, resting + telling.times(-1)

    def _noted(self, what: str, name: str, steps: list[int], part: int = 0) -> Moments:
        """A note, in equal parts at so many steps."""
        column = self.columns[Note(what, name, part)]  # type: ignore[arg-type]
        return Moments(noted=tuple((column, step, 1 / len(steps)) for step in steps))

    def _others(self, busy: Iterable[int]) -> list[int]:
        """All other steps of a fixation."""
        period = self.run.program.timetable.period
        return sorted({*range(period)} - {step % period for step in busy})

    def _spread(self, moments: Moments, steps: np.ndarray) -> Moments:
        """The same notes, each at other steps, in equal parts."""
        columns = dict.fromkeys(column for column, _, _ in moments.noted)
        return Moments(
            noted=tuple((c, int(step), 1 / len(steps)) for c in columns for step in steps)
        )


NOTHING = Moments()


def _sum(parts: Iterable[Moments]) -> Moments:
    return sum(parts, NOTHING)


def _steady(steps: Iterable[int], number: float = 1) -> Moments:
    return Moments(steady=tuple((step, number) for step in sorted(steps)))
