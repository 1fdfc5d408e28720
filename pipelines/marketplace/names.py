"""Names: ids that tell nothing of what they stand for, words, and unknown values, as columns of Arrow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import Generator
from numpy.typing import NDArray

from features.background import NOT_YET
from features.kernel import Flag, Int
from features.tables import TABLES
from pipelines.marketplace.events import Events


class Ids:
    """Ids of hidden codes, numbered in a random order, so that no number tells who is who; a negative code is unknown."""

    def __init__(self, rng: Generator, prefix: str, codes: Int) -> None:
        self.codes = np.unique(codes)
        self.ids = numbered(prefix, rng.permutation(len(self.codes)))

    def __call__(self, codes: Int) -> pa.Array:
        """The id of each code."""
        return self.ids.take(pa.array(np.searchsorted(self.codes, codes), mask=codes < 0))


class Names:
    """The ids that the ledger and the truth share."""

    def __init__(self, it: Events) -> None:
        rng = np.random.default_rng([it.seed, 1]).spawn(10)
        trade, bought = it.trade, it.trade.bought
        self.order = numbered("o", np.arange(len(bought)))
        self.dispute = numbered("d", np.arange(len(it.quarrels.opened)))
        self.chargeback = numbered("c", np.arange(len(it.charges.charged)))
        self.buyer = Ids(rng[0], "bu", trade.accounts)
        self.seller = Ids(rng[1], "se", np.arange(len(trade.who.trade)))
        self.product = Ids(rng[2], "pr", np.arange(len(trade.what.seller)))
        links = ("instrument", "device", "address", "email", "ip", "login")
        self.links = {link: Ids(rng[3 + i], link[:2], getattr(bought, link)) for i, link in enumerate(links)}
        contents = np.r_[it.quarrels.shown.content, it.charges.filed.content, it.secured.content]
        self.content = Ids(rng[9], "h", contents[contents >= 0])


def numbered(prefix: str, numbers: Int) -> pa.Array:
    """Ids such as o00000012."""
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 8, "0"), "")


def words(vocabulary: Sequence[str], codes: Int) -> pa.Array:
    """Words by position, null where it is negative."""
    return pa.array(vocabulary, pa.string()).take(pa.array(codes, mask=codes < 0))


def spoken(table: str, column: str, codes: Int) -> pa.Array:
    """Words of a column's declared vocabulary by position, null where it is negative."""
    return words(next(c.vocabulary for c in TABLES[table].columns if c.name == column), codes)


def known(values: NDArray[Any], unknown: NDArray[Any] | None = None) -> pa.Array:
    """Numbers, null where they are negative, or what has not happened."""
    return pa.array(values, mask=(values < 0) if unknown is None else unknown)


def untold(it: Events, column: int, share: float, n: int) -> Flag:
    """Where a column keeps silent, at random; the same each time for the same column's number."""
    return np.asarray(np.random.default_rng([it.seed, 3, column]).random(n) < share)


def moments(at: Int) -> pa.Array:
    """Moments, null where there was none."""
    return pa.array(at, mask=at == NOT_YET)
