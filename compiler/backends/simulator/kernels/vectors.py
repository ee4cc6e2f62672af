"""Inner loops in LLVM's portable vector types, where numba's own vectorizer gives too little.

It would write sums to memory after every few rows; here a tile of sums stays in registers while
all rows go by. LLVM makes the vectors fit the processor, whatever its width: any machine computes
the same integers. Nothing here checks bounds: callers pass whole tiles inside their arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TILE = 64  # columns of a row that are summed at a time
NARROW = 16  # and where so many are not left
GROUP = 8  # neurons whose spikes are listed at a time

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))

# PLACES[b, :number of bits in b] are the positions of the bits of the byte b, in order
PLACES = np.zeros((1 << GROUP, GROUP), np.uint8)
for _byte in range(1 << GROUP):
    _set = [place for place in range(GROUP) if _byte >> place & 1]
    PLACES[_byte, : len(_set)] = _set


def _data(context: Any, builder: Any, signature: Any, args: Any, index: int) -> Any:
    """The pointer to the first element of array argument `index`."""
    return context.make_array(signature.args[index])(context, builder, args[index]).data


def _load(builder: Any, pointer: Any, element: Any, lanes: int) -> Any:
    """A vector from a place that is aligned for one element only."""
    vector = builder.load(builder.bitcast(pointer, ir.VectorType(element, lanes).as_pointer()))
    vector.align = element.width // 8
    return vector


def _store(builder: Any, vector: Any, pointer: Any) -> None:
    stored = builder.store(vector, builder.bitcast(pointer, vector.type.as_pointer()))
    stored.align = vector.type.element.width // 8


def _everywhere(builder: Any, value: Any, lanes: int) -> Any:
    """A vector with the same value in every lane."""
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, I32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(I32, lanes), None))


@contextmanager
def _each_row(
    builder: Any, weight: Any, row_of: Any, first: Any, n: Any, start: Any, stride: Any, part: Any
) -> Iterator[tuple[Any, Any]]:
    """A loop over rows[first : first + n]: the row, and its columns as a vector of type `part`."""
    with cgutils.for_range(builder, n) as loop:
        listed = builder.gep(row_of, [builder.add(first, loop.index)])
        row = builder.sext(builder.load(listed), I64)
        place = builder.gep(weight, [builder.add(start, builder.mul(row, stride))])
        yield row, builder.sext(_load(builder, place, I8, part.count), part)


def _add(builder: Any, total: Any, part: Any) -> None:
    """Adds a vector to the variable `total`."""
    builder.store(builder.add(builder.load(total), part), total)


def _add_out(builder: Any, sums: Any, to: Any, total: Any, lanes: int) -> None:
    """Adds the variable `total`, widened to 32 bits, to what stands at sums[to]."""
    found = builder.sext(builder.load(total), ir.VectorType(I32, lanes))
    place = builder.gep(sums, [to])
    _store(builder, builder.add(_load(builder, place, I32, lanes), found), place)


def _adding(lanes: int) -> Any:
    """`add_tile` for so many columns."""

    @intrinsic
    def add(
        typing: Any,
        out: Any,
        to: Any,
        weights: Any,
        start: Any,
        stride: Any,
        rows: Any,
        first: Any,
        n: Any,
    ) -> Any:
        """out[to + j] += sum of weights[start + row * stride + j] over rows[first : first + n].

        For j < lanes; out int32, weights int8, rows int32, whose indices count through the
        flattened arrays. At most 256 rows, whose sums fit 16 bits.
        """

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, weight, row_of = (_data(context, builder, signature, args, i) for i in (0, 2, 5))
            to, start, stride, first, n = args[1], args[3], args[4], args[6], args[7]
            wide = ir.VectorType(I16, lanes)
            total = cgutils.alloca_once_value(builder, ir.Constant(wide, None))
            with _each_row(builder, weight, row_of, first, n, start, stride, wide) as (_, part):
                _add(builder, total, part)
            _add_out(builder, sums, to, total, lanes)
            return context.get_dummy_value()

        number = types.int64
        taken = (out, number, weights, number, number, rows, number, number)
        return types.void(*taken), generate

    return add


def _adding_runs(lanes: int) -> Any:
    """`add_runs_tile` for so many columns."""

    @intrinsic
    def add_runs(
        typing: Any,
        out: Any,
        to: Any,
        weights: Any,
        column: Any,
        stride: Any,
        rows: Any,
        runs: Any,
        n: Any,
    ) -> Any:
        """`add_tile` for n runs, the sums of all of them in registers; 256 rows in all at most.

        runs int64 (n, 3), flattened: first and number of the rows of a run, and the place that its
        row 0 would have in `weights`, of which `column` is added.
        """

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, weight, row_of, run_of = (
                _data(context, builder, signature, args, i) for i in (0, 2, 5, 6)
            )
            to, column, stride, n = args[1], args[3], args[4], args[7]
            wide = ir.VectorType(I16, lanes)
            total = cgutils.alloca_once_value(builder, ir.Constant(wide, None))
            with cgutils.for_range(builder, n) as run:
                at = builder.mul(run.index, I64(3))
                first, number, start = (
                    builder.load(builder.gep(run_of, [builder.add(at, I64(i))])) for i in range(3)
                )
                start = builder.add(start, column)
                listed = (row_of, first, number)
                with _each_row(builder, weight, *listed, start, stride, wide) as (_, part):
                    _add(builder, total, part)
            _add_out(builder, sums, to, total, lanes)
            return context.get_dummy_value()

        number = types.int64
        taken = (out, number, weights, number, number, rows, runs, number)
        return types.void(*taken), generate

    return add_runs


def _adding_graded(lanes: int) -> Any:
    """`add_graded_tile` for so many columns."""

    @intrinsic
    def add_graded(
        typing: Any,
        out: Any,
        to: Any,
        weights: Any,
        start: Any,
        stride: Any,
        rows: Any,
        payload: Any,
        n: Any,
    ) -> Any:
        """`add_tile` for rows[:n], with each row times payload[row], in 32 bits."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            sums, weight, row_of, payloads = (
                _data(context, builder, signature, args, i) for i in (0, 2, 5, 6)
            )
            to, start, stride, n = args[1], args[3], args[4], args[7]
            wide = ir.VectorType(I32, lanes)
            out = builder.gep(sums, [to])
            total = cgutils.alloca_once_value(builder, _load(builder, out, I32, lanes))
            listed = (row_of, I64(0), n)
            with _each_row(builder, weight, *listed, start, stride, wide) as (row, part):
                sent = builder.load(builder.gep(payloads, [row]))
                _add(builder, total, builder.mul(_everywhere(builder, sent, lanes), part))
            _store(builder, builder.load(total), out)
            return context.get_dummy_value()

        number = types.int64
        return types.void(out, number, weights, number, number, rows, payload, number), generate

    return add_graded


add_tile, add_narrow_tile = _adding(TILE), _adding(NARROW)
add_runs_tile, add_narrow_runs_tile = _adding_runs(TILE), _adding_runs(NARROW)
add_graded_tile, add_narrow_graded_tile = _adding_graded(TILE), _adding_graded(NARROW)


@intrinsic
def list_group(typing: Any, mask: Any, first: Any, places: Any, rows: Any, n: Any) -> Any:
    """Appends first + i for every i < GROUP with mask[first + i] != 0 to rows[:n]; the new n.

    mask and rows int32, places = PLACES. Writes GROUP elements of `rows` whatever it finds.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        masks, place_of, row_of = (_data(context, builder, signature, args, i) for i in (0, 2, 3))
        first, n = args[1], args[4]
        group = _load(builder, builder.gep(masks, [first]), I32, GROUP)
        bits = builder.icmp_signed("!=", group, ir.Constant(group.type, None))
        byte = builder.zext(builder.bitcast(bits, I8), I64)
        place = builder.gep(place_of, [builder.mul(byte, I64(GROUP))])
        places = builder.zext(_load(builder, place, I8, GROUP), group.type)
        base = _everywhere(builder, builder.trunc(first, I32), GROUP)
        _store(builder, builder.add(base, places), builder.gep(row_of, [n]))
        return builder.add(n, builder.ctpop(byte))

    return types.int64(mask, types.int64, places, rows, types.int64), generate
