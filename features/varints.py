"""Integers as bytes: short where they are near 0, and lists of them where most are 0 or 1 shorter still.

The zeros at the low end of the first byte say how many bytes follow it, so a number is read by one load and one shift, and
no branch depends on how large it is. Numbers that may be negative are folded first: 0, -1, 1, -2 … become 0, 1, 2, 3 …
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel import Int

Bytes = NDArray[np.uint8]

SPARE: Final = 16
"""Bytes that must follow the last number in a buffer: eight are read or written at once."""
GROUP: Final = 8
"""Values of a list whose zeros and ones share two bytes."""
_0, _1, _7, _8 = (np.uint64(n) for n in (0, 1, 7, 8))
ZEROS: Final = np.array([8, *((n & -n).bit_length() - 1 for n in range(1, 256))], np.uint64)
"""How many zeros a byte has at its low end."""
_MASK: Final = np.array([2 ** (7 * (n + 1)) - 1 for n in range(8)], np.uint64)
"""The bits of a number whose first byte has n followers."""


@njit(cache=True, nogil=True)
def word(buffer: Bytes, p: np.uint64) -> np.uint64:
    """The eight bytes from place p on, the lowest first."""
    found = np.uint64(buffer[p])
    found |= np.uint64(buffer[p + np.uint64(1)]) << np.uint64(8)
    found |= np.uint64(buffer[p + np.uint64(2)]) << np.uint64(16)
    found |= np.uint64(buffer[p + np.uint64(3)]) << np.uint64(24)
    found |= np.uint64(buffer[p + np.uint64(4)]) << np.uint64(32)
    found |= np.uint64(buffer[p + np.uint64(5)]) << np.uint64(40)
    found |= np.uint64(buffer[p + np.uint64(6)]) << np.uint64(48)
    return found | np.uint64(buffer[p + np.uint64(7)]) << np.uint64(56)


@njit(cache=True, nogil=True)
def set_word(out: Bytes, p: np.uint64, value: np.uint64) -> None:
    """Writes eight bytes from place p on, the lowest first."""
    for k in range(8):
        out[p + np.uint64(k)] = np.uint8((value >> np.uint64(8 * k)) & np.uint64(255))


@njit(cache=True, nogil=True)
def put(out: Bytes, p: np.uint64, value: np.uint64) -> np.uint64:
    """Writes a number from place p on, in one byte below 2**7, two below 2**14 and so on, at most nine; where it ends.

    >>> out = np.zeros(SPARE, np.uint8)
    >>> [int(put(out, np.uint64(0), np.uint64(n))) for n in (0, 127, 128, 2**56 - 1, 2**56)]
    [1, 1, 2, 8, 9]
    """
    more, rest = _0, value >> _7
    while rest and more < _8:
        rest >>= _7
        more += _1
    if more == _8:
        out[p] = 0
        set_word(out, p + _1, value)
    else:
        set_word(out, p, (value << (more + _1)) | (_1 << more))
    return p + more + _1


@njit(cache=True, nogil=True)
def taken(buffer: Bytes, p: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The number from place p on, and where it ends."""
    more = ZEROS[buffer[p]]
    if more == _8:
        return word(buffer, p + _1), p + _8 + _1
    return (word(buffer, p) >> (more + _1)) & _MASK[more], p + more + _1


@njit(cache=True, nogil=True)
def folded(value: np.int64) -> np.uint64:
    """A number of either sign as one that is small where it is near 0.

    >>> [int(folded(np.int64(n))) for n in (0, -1, 1, -2)], int(unfolded(np.uint64(3)))
    ([0, 1, 2, 3], -2)
    """
    return np.uint64(value << 1) ^ np.uint64(value >> 63)


@njit(cache=True, nogil=True)
def unfolded(value: np.uint64) -> np.int64:
    """What was folded."""
    return np.int64(value >> _1) ^ -np.int64(value & _1)


@njit(cache=True, nogil=True)
def put_list(out: Bytes, p: np.uint64, values: Int, lo: int, hi: int) -> np.uint64:
    """Writes values[lo:hi] from place p on; where they end.

    A group of eight is a byte that says which are not 0, if any is a byte that says which of them are not 1, and those.

    >>> out = np.zeros(50, np.uint8)
    >>> int(put_list(out, np.uint64(0), np.array([0, 1, -3, 0, 0, 0, 0, 0, 0]), 0, 9))
    4
    >>> found = np.full(9, 7)
    >>> int(take_list(out, np.uint64(0), found, 0, 9)), found.tolist()
    (4, [0, 1, -3, 0, 0, 0, 0, 0, 0])
    """
    for c in range(lo, hi, GROUP):
        some = more = 0
        for k in range(min(GROUP, hi - c)):
            some |= (values[c + k] != 0) << k
            more |= ((values[c + k] != 0) & (values[c + k] != 1)) << k
        out[p] = np.uint8(some)
        p += _1
        if some:
            out[p] = np.uint8(more)
            p += _1
        for k in range(min(GROUP, hi - c)):
            if (more >> k) & 1:
                p = put(out, p, folded(values[c + k]))
    return p


@njit(cache=True, nogil=True)
def add_list(buffer: Bytes, p: np.uint64, totals: Int, lo: int, hi: int) -> np.uint64:
    """Adds the list from place p on to totals[lo:hi]; where it ends."""
    c, end = np.uint64(lo), np.uint64(hi)
    while c < end:
        some = np.uint64(buffer[p])
        p += _1
        if some:
            more = np.uint64(buffer[p])
            p += _1
            some ^= more
            while some:
                totals[c + ZEROS[some]] += 1
                some &= some - _1
            while more:
                value, p = taken(buffer, p)
                totals[c + ZEROS[more]] += unfolded(value)
                more &= more - _1
        c += _8
    return p


@njit(cache=True, nogil=True)
def take_list(buffer: Bytes, p: np.uint64, values: Int, lo: int, hi: int) -> np.uint64:
    """Reads the list from place p on into values[lo:hi]; where it ends."""
    for c in range(lo, hi):
        values[c] = 0
    return add_list(buffer, p, values, lo, hi)


@njit(cache=True, nogil=True)
def pass_list(buffer: Bytes, p: np.uint64, size: int) -> np.uint64:
    """Where the list of so many values from place p on ends.

    >>> out = np.zeros(50, np.uint8)
    >>> int(put_list(out, np.uint64(0), np.array([0, 1, -3, 0, 0, 0, 0, 0, 5000]), 0, 9))
    7
    >>> int(pass_list(out, np.uint64(0), 9))
    7
    """
    for _ in range(0, size, GROUP):
        some = buffer[p]
        p += _1
        if some:
            more = np.uint64(buffer[p])
            p += _1
            while more:
                p += ZEROS[buffer[p]] + _1
                more &= more - _1
    return p
