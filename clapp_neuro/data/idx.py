"""The idx file format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from clapp_neuro.errors import InputError

UNSIGNED_BYTE = 0x08


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read an idx file of unsigned bytes, plain or gzip-compressed.

    Raises InputError where the file is missing, damaged, cut off, or of another rank or type.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read '{path}': {reason}") from error
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, UNSIGNED_BYTE, dimensions)):
        raise InputError(f"'{path}' is not an idx file of unsigned bytes with {dimensions} axes")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    expected = int(np.prod(shape, dtype=np.int64))
    if len(content) - header != expected:
        raise InputError(
            f"'{path}' promises {expected} bytes {shape} but holds {len(content) - header}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def write_idx_gz(file: BinaryIO, array: npt.NDArray[np.uint8]) -> None:
    """Write unsigned bytes as a compressed idx file, the same bytes every time."""
    plain = io.BytesIO()
    plain.write(bytes((0, 0, UNSIGNED_BYTE, array.ndim)))
    plain.write(struct.pack(f">{array.ndim}I", *array.shape))
    plain.write(np.ascontiguousarray(array, dtype=np.uint8).tobytes())
    file.write(gzip.compress(plain.getvalue(), compresslevel=9, mtime=0))
