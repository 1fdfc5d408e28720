"""Digests: the sixteen bytes that stand for each of many names, their order, and keys that are made of them by columns."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa

from features.homes import WIDTH
from features.kernel import Int
from features.varints import Bytes

_SOME: Final = 1 << 18
EPOCH: Final = 1 << 63
"""What makes a moment unsigned, so that its bytes are in order."""


def digests(names: pa.Array) -> Bytes:
    """The digest of each name (n, 16); what has no name has that of an empty one.

    >>> from features.homes import digest
    >>> digests(pa.array(["a", None])).tobytes() == digest("a") + digest("")
    True
    """
    some = (names.slice(lo, _SOME).to_pylist() for lo in range(0, len(names), _SOME))
    made = (blake2b((name or "").encode(), digest_size=WIDTH).digest() for name in chain.from_iterable(some))
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, WIDTH)


def ranked(found: Bytes) -> tuple[Int, Int]:
    """The digests (n, 16) in order, as positions, and the place (n,) of each, the same for the same.

    >>> [each.tolist() for each in ranked(np.array([[2] * 16, [1] * 16, [2] * 16], np.uint8))]
    [[1, 0, 2], [1, 0, 1]]
    """
    words = np.ascontiguousarray(found).view(">u8").astype(np.uint64)
    order = np.lexsort((words[:, 1], words[:, 0]))
    new = np.append(False, np.any(np.diff(words[order], axis=0) != 0, axis=1))[: order.size]
    rank = np.empty(order.size, np.int64)
    rank[order] = np.cumsum(new)
    return order, rank


def big(values: Int, size: int = 8) -> Bytes:
    """Moments, or numbers from 0 on if they have a `size` of their own, as bytes (n, size) that are in their order."""
    words = values.astype(np.uint64) + np.uint64(EPOCH if size == 8 else 0)
    return words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - size :]


def joined(*parts: Bytes | bytes) -> Iterator[bytes]:
    """Keys whose parts are the same for all, or columns of bytes.

    >>> list(joined(b"h", big(np.array([7, 8]), 2)))
    [b'h\\x00\\x07', b'h\\x00\\x08']
    """
    rows = next(part.shape[0] for part in parts if not isinstance(part, bytes))
    columns = [
        np.broadcast_to(np.frombuffer(part, np.uint8), (rows, len(part))) if isinstance(part, bytes) else part
        for part in parts
    ]
    whole = np.concatenate(columns, axis=1)
    width, found = whole.shape[1], whole.tobytes()
    return (found[lo : lo + width] for lo in range(0, len(found), width))
