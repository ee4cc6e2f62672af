"""A part of a population: the neurons of it that lie on one core."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A box of a population's map, given by where it begins and how far it goes.

    A population without a map has one channel a neuron, one row and one column.
    """

    first_channel: int
    channels: int
    first_row: int
    rows: int
    first_column: int
    columns: int

    @property
    def neurons(self) -> int:
        """How many they are."""
        return self.channels * self.rows * self.columns

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Which of the map's channels, rows and columns."""
        return (
            slice(self.first_channel, self.first_channel + self.channels),
            slice(self.first_row, self.first_row + self.rows),
            slice(self.first_column, self.first_column + self.columns),
        )
