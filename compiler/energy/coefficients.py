"""A machine's coefficients as lines: drawn once, shared factors and parents applied."""

from __future__ import annotations

from dataclasses import dataclass

from clapp_neuro.errors import InputError
from compiler.energy.band import Band, Line, NotPublished, Within, scaled
from compiler.targets import ConventionalMachine, NeuromorphicMachine, load_machine
from compiler.targets.figures import Coefficient, Derived, Included, Measure

Machine = NeuromorphicMachine | ConventionalMachine


@dataclass(frozen=True)
class Coefficients:
    """What one event of each kind costs on a machine, with the draws of one seed."""

    machine: Machine
    seed: int = 0

    def energy(self, name: str) -> Line:
        """Joules an event."""
        return self._line(f"{self.machine.name}.energy.{name}")

    def time(self, name: str) -> Line:
        """Seconds an event."""
        return self._line(f"{self.machine.name}.time.{name}")

    def power(self, name: str) -> Line:
        """Watts of a `static_core` or `static_chip`."""
        return self._line(f"{self.machine.name}.power.{name}")

    def _line(self, path: str, children: tuple[str, ...] = ()) -> Line:
        """The line of machine.section.name; InputError where it is derived from nothing."""
        machine_name, section, name = path.split(".")
        if path in children:
            raise InputError(f"{self.machine.name}: {path} is derived from itself")
        machine = self.machine if machine_name == self.machine.name else load_machine(machine_name)
        coefficient = getattr(getattr(machine, section, None), name, None)
        while machine.extends is not None:  # what a board takes over has the draws of its base
            base = load_machine(machine.extends)
            if coefficient != getattr(getattr(base, section, None), name, None):
                break
            machine, path = base, f"{base.name}.{section}.{name}"
        if coefficient is None:
            origin = children[-1] if children else self.machine.name
            raise InputError(f"{origin}: there is no coefficient {path} to derive it from")
        return self._of(coefficient, machine, path, children)

    def _of(
        self, coefficient: Coefficient, machine: Machine, path: str, children: tuple[str, ...]
    ) -> Line:
        if isinstance(coefficient, Measure):
            own = Band.of(coefficient, path, self.seed)
            if coefficient.factor is None:
                return own
            return own.times(self._factor(machine, coefficient.factor, path), own.unit)
        if isinstance(coefficient, Derived):
            like = self._line(coefficient.like, (*children, path))
            if not isinstance(like, Band):
                return like
            factor = self._factor(machine, coefficient.factor, path)
            return like.times(factor, like.unit)
        if isinstance(coefficient, Included):
            return Within(coefficient.included_in)
        return NotPublished(coefficient.missing, (path.split(".")[2].replace("_", " "),))

    def _factor(self, machine: Machine, name: str, path: str) -> Band:
        if name not in machine.factors:
            known = ", ".join(machine.factors) or "none"
            raise InputError(f"{path} has the factor '{name}', but the machine's are: {known}")
        return Band.of(machine.factors[name], f"{machine.name}.factors.{name}", self.seed)


def parents(machine: Machine) -> tuple[str, ...]:
    """The machines whose energies, times a factor, stand for what nobody published of this one."""
    found = (getattr(machine.energy, name) for name in type(machine.energy).model_fields)
    names = (c.like.split(".")[0] for c in found if isinstance(c, Derived))
    return tuple(dict.fromkeys(name for name in names if name != machine.name))


def cost(count: float, coefficient: Line) -> Line | None:
    """So many events; None where nothing happened or another line has the cost."""
    if count == 0 or isinstance(coefficient, Within):
        return None
    return scaled(coefficient, count)
