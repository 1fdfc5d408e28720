"""What people who rule about disputes grant of claims, and how much of it goes to the malicious and to the honest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from features import Ledger
from features.asking import Askings
from features.background import NOT_YET, automatic_rulings, is_word
from features.signal import Float
from models.labels import Share

WIDE: Final = 1.96
"""Standard errors on either side of a 95 % interval."""


@dataclass(frozen=True)
class Officers:
    """What their rulings are worth: of the money that the malicious and the honest claim, the share that they do not grant.

    Shares stand with their 95 % intervals.
    """

    rulings: int
    caught: Share
    withheld: Share

    def to_json(self) -> dict[str, object]:
        """As a model's card holds it."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}

    @classmethod
    def of_card(cls, card: Mapping[str, object]) -> "Officers | None":
        """As a model's card tells it; None where training did not measure it."""
        told = card.get("officers")
        if not isinstance(told, Mapping):
            return None
        return cls(int(told["rulings"]), _three(told["caught"]), _three(told["withheld"]))


def granted(ledger: Ledger, asks: Askings, as_of: int = NOT_YET) -> Float:
    """The share of each claim (n,) that an officer granted when he first ruled; NaN where none did before a moment.

    What was settled or withdrawn, what the platform's own system decided, and a claim or a refund of which nobody knows how
    much it was, say nothing of how an officer would have ruled.
    """
    if "rulings" not in ledger.facts:
        return np.full(len(asks), np.nan)
    rulings, disputes = ledger.facts["rulings"], ledger.facts["disputes"]
    (paid, told), (claimed, known) = rulings.numbers("refunded"), disputes.numbers("claimed")
    counts = told & ~is_word(rulings.codes("outcome"), "settled", "withdrawn") & ~automatic_rulings(ledger)
    first = np.full(len(disputes), -1, np.int64)
    first[rulings.points["disputes"][::-1]] = np.arange(len(rulings))[::-1]
    row = first[asks.row]
    says = np.append(counts & (rulings.at < as_of), False)[row] & known[asks.row]
    share = np.append(paid, 0)[row] / np.maximum(claimed[asks.row], 1)
    return np.where(says, np.clip(share, 0, 1), np.nan)


def measured(granted: Float, malicious: Float) -> Officers | None:
    """What officers are worth by the shares that they granted (n,), NaN for none, and how probable malice is; None without any.

    The share granted is what the honest are granted, and so much more or less for each bit of malice: the straight line of
    least squares, whose ends are the honest and the malicious. To weigh each claim by its probability instead would count the
    honest among the suspect as malicious. Intervals are by White (1980). Of two malicious claims they granted one, of two
    honest ones three halves.

    >>> found = measured(np.array([0.0, 1.0, 1.0, 0.5]), np.array([1.0, 1.0, 0.0, 0.0]))
    >>> found.rulings, round(found.caught[0], 12), round(found.withheld[0], 12)
    (4, 0.5, 0.25)
    """
    ruled = ~np.isnan(granted)
    share, m = granted[ruled], malicious[ruled]
    if not len(share) or np.ptp(m) == 0:
        return None
    rows = np.stack([m, 1 - m], axis=1)
    inverse = np.linalg.inv(rows.T @ rows)
    ends = inverse @ rows.T @ share
    miss = (share - rows @ ends)[:, None] * rows
    error = np.sqrt(np.diag(inverse @ (miss.T @ miss) @ inverse))
    caught, withheld = (
        tuple(float(np.clip(1 - end - z * e, 0, 1)) for z in (0.0, WIDE, -WIDE))
        for end, e in zip(ends, error, strict=True)
    )
    return Officers(int(ruled.sum()), _three(caught), _three(withheld))


def _three(told: Sequence[float]) -> Share:
    return told[0], told[1], told[2]
