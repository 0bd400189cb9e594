"""Reading characters and words of the machine from UTF-8, for kernels."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_PRIME = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True, inline="always")
def decode(data, position):  # type: ignore[no-untyped-def]
    """Code point and size of the character at a position; data: uint8[bytes], valid but for surrogates."""
    byte = np.int64(data[position])
    if byte < 0x80:
        return byte, 1
    second = np.int64(data[position + 1]) & 0x3F
    if byte < 0xE0:
        return (byte & 0x1F) << 6 | second, 2
    third = np.int64(data[position + 2]) & 0x3F
    if byte < 0xF0:
        return (byte & 0x0F) << 12 | second << 6 | third, 3
    return (byte & 0x07) << 18 | second << 12 | third << 6 | (np.int64(data[position + 3]) & 0x3F), 4


@intrinsic
def load_8(_: Any, data: Any, __: Any) -> Any:
    """Eight bytes from a position on as one uint64; data: uint8[bytes], contiguous; the caller keeps within it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        value = builder.load(place)
        value.align = 1
        return value

    return types.uint64(data, types.int64), generate


@njit(cache=True, nogil=True)
def hash_slice(data, start, end):  # type: ignore[no-untyped-def]
    """A number that tells slices of bytes apart; data: uint8[bytes], contiguous."""
    found = np.uint64(end - start) * _PRIME
    position = start
    while position + 8 <= end:
        found = (found ^ load_8(data, position)) * _PRIME
        found ^= found >> np.uint64(29)
        position += 8
    while position < end:
        found = (found ^ np.uint64(data[position])) * _PRIME
        position += 1
    return found ^ (found >> np.uint64(32))
