"""Reading characters from UTF-8, for kernels."""

import numpy as np
from numba import njit


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
