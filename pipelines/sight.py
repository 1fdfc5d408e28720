"""How far signals can see: each alone against every hidden cause of a simulated marketplace."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from features import Ledger, signals, transaction
from features.asking import Askings, askings
from features.background import NOT_YET, first_at
from features.dictionary import dictionary
from features.kernel import DAY, Flag, Int
from features.signal import Float
from pipelines.marketplace import Events
from pipelines.marketplace.claims import CAUSES, SIDE, SIDES, in_bad_faith
from pipelines.marketplace.ledger import tables
from pipelines.marketplace.people import STRANGER

FEWEST: Final = 60
"""Cases of a cause below which nothing is said of it."""
LIMIT: Final = 0.85
"""The AUC beyond which a single signal gives a hidden cause away."""
SURE: Final = 3.0
"""Standard errors from one half beyond which a signal is said to tell something."""
SAMPLE: Final = 20_000
"""Orders that stolen ones are told from."""
SHOWN_BY: Final = 7 * DAY
"""How long after it was opened a dispute is looked at."""


@dataclass(frozen=True)
class View:
    """What signals show of disputes and of a sample of orders, beside what is true: frames and codes (n,) of CAUSES."""

    disputes: pd.DataFrame
    cause: Int
    orders: pd.DataFrame
    stolen: Flag


def view(it: Events) -> View:
    """The signals of disputes a week after they were opened and of a sample of orders, stolen ones all, with their truth."""
    ledger = Ledger.of(tables(it))
    disputes = signals(ledger, "dispute_outcome", asks=_unruled(ledger))
    row = disputes["ask_id"].str[1:].astype("int64").to_numpy()
    stolen = it.trade.bought.spirit == STRANGER
    some = np.random.default_rng(it.seed).random(len(stolen)) < SAMPLE / len(stolen)
    asks = askings(ledger, "chargeback_risk")
    orders = signals(ledger, "chargeback_risk", asks=_named(asks, asks.at)[(stolen | some)[asks.row]])
    order = orders["ask_id"].str[1:].astype("int64").to_numpy()
    return View(disputes, it.quarrels.opened.cause[row], orders, stolen[order])


def _unruled(ledger: Ledger) -> pd.DataFrame:
    """Every dispute, a week after it was opened, when there is evidence, unless it was ruled on before."""
    asks = askings(ledger, "dispute_outcome")
    rulings = ledger.facts["rulings"]
    ruled = np.append(first_at(rulings.points["disputes"], rulings.at, len(ledger.facts["disputes"])), NOT_YET)
    late = asks.at + SHOWN_BY
    return _named(asks, late)[ruled[asks.row] >= late]


def _named(asks: Askings, at: Int) -> pd.DataFrame:
    return pd.DataFrame({"ask_id": asks.ids.to_pandas(), "at": pd.to_datetime(at, unit="us", utc=True)})


@dataclass(frozen=True)
class Ranks:
    """Ranks of every signal with the unknown first and with it last: matrices (n, signals)."""

    names: list[str]
    low: Float
    high: Float

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Ranks":
        """The ranks of a frame's float32 columns."""
        values = frame.select_dtypes(np.float32)
        low, high = (rankdata(values.fillna(far).to_numpy(np.float64), axis=0) for far in (-np.inf, np.inf))
        return cls([str(name) for name in values.columns], low, high)

    def auc(self, yes: Flag) -> Float:
        """How well each signal alone separates `yes` (n,), in whichever direction, the unknown at whichever end: 0.5 to 1."""
        p, n = int(yes.sum()), len(yes)
        found = [(ranks[yes].sum(axis=0) - p * (p + 1) / 2) / (p * (n - p)) for ranks in (self.low, self.high)]
        return np.asarray(np.max([np.maximum(auc, 1 - auc) for auc in found], axis=0))


@dataclass(frozen=True)
class Sight:
    """How every signal alone separates one hidden cause: its name, how many cases, the signals and their AUC (signals,)."""

    cause: str
    cases: int
    signals: list[str]
    auc: Float
    by_chance: float

    def strongest(self, most: int) -> list[tuple[str, float]]:
        """The signals that separate it best, and their AUC."""
        return [(self.signals[i], float(self.auc[i])) for i in np.argsort(-self.auc, kind="stable")[:most]]


def sights(seen: View) -> list[Sight]:
    """Every hidden cause that there are enough cases of, and how each signal separates it from all the rest."""
    side = SIDE[seen.cause]
    apart = {"malicious": in_bad_faith(seen.cause)}
    apart |= {f"at fault: {name}": side == i for i, name in enumerate(SIDES) if name != "buyer"}
    apart |= {f"cause: {name}": seen.cause == i for i, name in enumerate(CAUSES)}
    disputes, orders = Ranks.of(seen.disputes), Ranks.of(seen.orders)
    asked = [(name, disputes, yes) for name, yes in apart.items()] + [("stolen order", orders, seen.stolen)]
    return [
        Sight(name, int(yes.sum()), ranks.names, ranks.auc(yes), _by_chance(yes))
        for name, ranks, yes in asked
        if FEWEST <= yes.sum() <= len(yes) - FEWEST
    ]


def mute(found: list[Sight]) -> list[str]:
    """The kinds of signals that tell of no cause, each AUC being within SURE standard errors of one half."""
    if not found:
        return []
    sure = dict.fromkeys(kinds(), 0.0)
    for sight in found:
        beyond = dict(zip(sight.signals, ((sight.auc - 0.5) / sight.by_chance).tolist(), strict=True))
        sure = {kind: max(most, *(beyond.get(signal, 0.0) for signal in kinds()[kind])) for kind, most in sure.items()}
    return [kind for kind, most in sure.items() if most < SURE]


def _by_chance(yes: Flag) -> float:
    """Standard error of the AUC of a signal that tells nothing (Mann and Whitney 1947)."""
    p, n = int(yes.sum()), int((~yes).sum())
    return float(np.sqrt((p + n + 1) / (12 * p * n)))


@cache
def kinds() -> dict[str, list[str]]:
    """All declared signals by kind: by family, by whose history it is, and those of the transaction background by pattern."""
    found: dict[str, list[str]] = {}
    for question in ("chargeback_risk", "dispute_outcome"):
        for signal in dictionary(question):
            of = [f"family {signal.family}"]
            if signal.entity is not None:
                of.append(f"histories of {signal.entity.name}")
            if signal.family == transaction.FAMILY.name:
                of.append(f"histories by {signal.pattern.name}")
            for kind in of:
                found.setdefault(kind, []).append(signal.name)
    return found
