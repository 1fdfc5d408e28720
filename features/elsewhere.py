"""Elsewhere: what is known of sellers from facts that a ledger does not hold, where it holds those of a few buyers alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from features.kernel import Code, Int
from features.rows import locate


@dataclass(frozen=True)
class Elsewhere:
    """Moments, in microseconds since 1970, at which each seller was found `guilty`, or found to be `faking` transactions."""

    guilty: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    faking: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def told(of: Mapping[str, tuple[int, ...]], sellers: pa.Array) -> tuple[Code, Int]:
    """The same as codes of `sellers` and moments, without those who are not among them.

    >>> told({"s": (5, 7), "x": (6,)}, pa.array(["r", "s"]))
    (array([1, 1], dtype=int32), array([5, 7]))
    """
    pairs = [(name, at) for name, some in of.items() for at in some]
    place = locate(pa.array(list(of), pa.large_string()), sellers)
    codes = np.repeat(place, [len(some) for some in of.values()]).astype(np.int32)
    at = np.array([at for _, at in pairs], np.int64)
    return codes[codes >= 0], at[codes >= 0]
