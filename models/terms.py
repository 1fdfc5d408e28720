"""Terms: what bears on an answer by the rules of the field, declared over signals; the columns of a linear model.

Each is a small rule, as in rule ensembles (Friedman and Popescu 2008), declared here and not grown from data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from features.codes import CODES
from features.evidence import RULES
from features.kernel import Code
from features.priors import COMPELLING
from features.signal import Float
from features.tables import EVIDENCE


@dataclass(frozen=True)
class Term:
    """1 where every signal of `of` is above 0, those `given` are at least so much and none of `without` is above 0; else 0.

    The signals of `of` are what it speaks of, of the others that are not known nothing is held. With `log` it is the
    logarithm of one more than its only signal. Of a term with `rises` more never lowers the answer. `usual` is what such a
    term moves the log-odds by, as is thought before answers are seen; unless it's `likely`, most such terms move nothing.
    """

    of: tuple[str, ...]
    given: tuple[tuple[str, float], ...] = ()
    without: tuple[str, ...] = ()
    log: bool = False
    rises: bool = False
    likely: bool = True
    usual: float = 0.5

    @property
    def signals(self) -> tuple[str, ...]:
        """All signals that it is made of."""
        return (*self.of, *(name for name, _ in self.given), *self.without)

    def of_frame(self, frame: pd.DataFrame) -> Float:
        """Its value (n,) in each row of signals; an unknown amount is NaN, all else that is unknown is 0.

        >>> weighed = Term(("scale", "photo"), given=(("delivered", 1),), without=("elsewhere",))
        >>> rows = {"scale": [1, 1, 1], "photo": [2, 0, 1], "delivered": [1, 1, 1], "elsewhere": [None, None, 1]}
        >>> weighed.of_frame(pd.DataFrame(rows, dtype=float)).tolist()
        [1.0, 0.0, 0.0]
        """
        names = tuple(dict.fromkeys(self.signals))
        return steps((self,), names).of_matrix(frame[list(names)].to_numpy(np.float64))[:, 0]

    def conditions(self) -> list[tuple[str, float, bool]]:
        """What must hold for it to be 1: that a signal is at least so much, or with True that it is not above that."""
        some = [(name, float(np.nextafter(0, 1)), False) for name in self.of]
        return [
            *some,
            *((name, least, False) for name, least in self.given),
            *((name, 0.0, True) for name in self.without),
        ]


CONDITION: Final = np.dtype([("column", "i4"), ("without", "i4"), ("least", "f8")])


@dataclass(frozen=True)
class Steps:
    """Terms over the columns of a matrix, ready to be run: a term's conditions from `start` on, and the columns of `logs`."""

    start: Code
    conditions: NDArray[np.void]
    logs: Mapping[int, int]

    def of_matrix(self, matrix: NDArray[np.float32] | Float) -> Float:
        """The value of each term in each row (n, terms) of a matrix (n, columns)."""
        found = np.empty((len(matrix), self.start.size - 1))
        _step(matrix, self.start, self.conditions, found)
        for term, column in self.logs.items():
            found[:, term] = np.log1p(np.maximum(matrix[:, column].astype(np.float64), 0))
        return found


def steps(terms: Sequence[Term], names: Sequence[str]) -> Steps:
    """Terms over a matrix whose columns are called `names`."""
    place = {name: i for i, name in enumerate(names)}
    each = [[] if term.log else term.conditions() for term in terms]
    rows = [(place[name], without, least) for some in each for name, least, without in some]
    start = np.cumsum([0, *map(len, each)]).astype(np.int32)
    logs = {i: place[term.of[0]] for i, term in enumerate(terms) if term.log}
    return Steps(start, np.array(rows, CONDITION), logs)


@njit(cache=True, nogil=True)
def _step(matrix: NDArray[np.float32] | Float, start: Code, conditions: NDArray[np.void], found: Float) -> None:
    """1 in `found` (n, terms) where all conditions of a term hold, else 0."""
    for row in range(found.shape[0]):
        for term in range(found.shape[1]):
            holds = True
            for i in range(start[term], start[term + 1]):
                one = conditions[i]
                number = np.float64(matrix[row, one.column])
                holds = holds and (not number > one.least if one.without else number >= one.least)
            found[row, term] = holds


def crossed(term: Term, names: Sequence[str]) -> tuple[Term, ...]:
    """A term by itself, and where each of the signals `names` is above 0.

    >>> [one.given for one in crossed(Term(("photo",)), ("fraud", "credit"))]
    [(), (('fraud', 1),), (('credit', 1),)]
    """
    return (term, *(replace(term, given=(*term.given, (name, 1))) for name in names))


REASONS: Final = tuple(f"chargeback_for_{family}" for family in CODES)
_FACTS: Final = (
    *(Term((name,)) for name in (*REASONS, *(f"chargeback_is_{one}" for one in ("visa", "mastercard", "other")))),
    Term(("chargeback_amount",), log=True),
)
"""What the bank says."""


def _items(*kinds: str) -> tuple[str, ...]:
    return tuple(f"case_items_{kind}" for kind in kinds)


def _set(items: Sequence[str]) -> Term:
    return Term(_items(*items), rises=True, usual=2.0)


_SINGLE: Final = tuple(Term(_items(kind), rises=True, likely=False, usual=0.2) for kind in EVIDENCE)
"""One item by itself moves little, and of most reasons nothing."""
_DELIVERY: Final = next(rule for rule in RULES if rule.name == "delivery")
_WHOLE: Final = (
    *(_set(rule.items) for rule in RULES if len(rule.items) > 1),
    replace(
        _set(_DELIVERY.items),
        given=(("order_scans_delivered_count", 1),),
        without=("order_delivered_elsewhere_count",),
    ),
    replace(_set(("identity_match",)), given=(("priors_qualifying_count", COMPELLING.transactions),)),
)
"""What is complete counts: sets that reasons ask for, a delivery that the carrier's scans bear out, and Compelling Evidence."""
WINNING: Final = (*_FACTS, *(one for term in (*_SINGLE, *_WHOLE) for one in crossed(term, REASONS)))
"""What a defence is won by: the reason, the network and the amount, and evidence by itself and for each reason."""
