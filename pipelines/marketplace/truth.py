"""The truth beside a simulated ledger, in LEDGER/truth/: for back-tests, descriptions and benchmarks, for nothing that learns.

Hidden types and causes, the mechanism by which chargebacks are won, and what would have come of refunding or refusing.
"""

import dataclasses
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import LedgerError
from features.background import NOT_YET
from features.columns import ARROW
from features.kernel import Flag, Int
from features.signal import Float
from features.tables import EVIDENCE
from pipelines.marketplace.claims import CAUSES, SIDE, SIDES
from pipelines.marketplace.draws import end
from pipelines.marketplace.endings import taken
from pipelines.marketplace.events import Charges, Events
from pipelines.marketplace.goods import TRADES
from pipelines.marketplace.ledger import evidence
from pipelines.marketplace.names import Names, moments, words
from pipelines.marketplace.orders import NETWORKS
from pipelines.marketplace.parcels import PROBLEMS
from pipelines.marketplace.people import SPIRITS
from pipelines.marketplace.winning import FAMILIES, ITEMS, SETS, Cases, Mechanism, win_probability

FOLDER: Final = "truth"
FEE: Final = 1_500
"""Cents that a chargeback costs when it comes, and once more when it is contested and not won."""
HANDLING: Final = 1_300
"""Cents of work that contesting costs."""
MARGIN: Final = 0.12
"""Share of a year's spend that is lost with a buyer who leaves; an assumption."""
LEAVES: Final = 0.3
"""How often a buyer who was owed and is refused leaves for good; an assumption."""
REPEATS: Final = (0.4, 1.0, 1.0)
"""Later claims that one paid claim encourages, as a share of it, by opportunists, serial abusers and rings; an assumption."""


def truth(it: Events, names: Names) -> dict[str, pa.Table]:
    """What is hidden, in tables of its own."""
    trade = it.trade
    found = evidence(it, names)
    return {
        "buyers": pa.table(_buyers(it, names)),
        "sellers": pa.table(
            {"seller_id": names.seller(np.arange(len(trade.who.trade))), "kind": words(TRADES, trade.who.trade)}
        ),
        "products": pa.table(
            {
                "product_id": names.product(np.arange(len(trade.what.seller))),
                **{"faulty": trade.what.faulty, "counterfeit": trade.what.counterfeit},
                "faulty_from": _instants(np.where(trade.what.faulty, trade.what.faulty_from, NOT_YET)),
            }
        ),
        "orders": pa.table(
            {
                **{"order_id": names.order, "buyer_kind": words(SPIRITS, trade.bought.spirit)},
                **{"fake": trade.bought.fake, "problem": words(PROBLEMS, trade.sent.problem)},
                **{"missing_share": trade.sent.missing, "delivered_at": _instants(trade.sent.delivered)},
            }
        ),
        "disputes": pa.table(_disputes(it, names)),
        "chargebacks": pa.table(_chargebacks(it, names)),
        "evidence": pa.table({"evidence_id": found["evidence_id"], "quality": found["quality"]}),
    }


def _instants(at: Int) -> pa.Array:
    return moments(at).cast(ARROW["time"])


def _buyers(it: Events, names: Names) -> dict[str, Any]:
    """Accounts with their kind, and the person or ring that each belongs to."""
    folk, strangers = it.trade.folk, it.trade.strangers
    kind = np.r_[folk.spirit, np.full(len(strangers.buyer), SPIRITS.index("stranger"))]
    group = np.r_[folk.group, strangers.buyer]
    forgetful = np.r_[folk.forgetful, np.zeros(len(strangers.buyer), np.bool_)]
    return {
        "buyer_id": names.buyer(it.trade.accounts),
        "kind": words(SPIRITS, kind),
        "group": names.buyer(group),
        "forgetful": forgetful,
    }


def _disputes(it: Events, names: Names) -> dict[str, Any]:
    """True causes, and what each of two answers would cost, in cents: refunding in full, and refusing.

    Refunding costs the claim and, where it was made in bad faith, what it encourages. Refusing, which is meant for good,
    costs what the bank takes back with its fees when the buyer goes there, and the margin of an honest buyer who leaves.
    What is drawn here is what happens in the ledger wherever the ledger took that way.
    """
    opened = it.quarrels.opened
    n = len(opened)
    drawn = np.random.default_rng([it.seed, 2]).random((3, n))
    real, spared = (_at_bank(charges, n) for charges in (it.charges, it.spared))
    bank, contested, share = real[0] | spared[0], real[1] | spared[1], real[2] + spared[2]
    back = np.ceil(opened.claimed * share).astype(np.int64)
    leaves = (opened.owed >= 0.5) & (drawn[0] < LEAVES)
    repeats = np.zeros(n)
    repeats[opened.malicious] = np.array(REPEATS)[opened.cause[opened.malicious] - CAUSES.index("opportunism")]
    repeated = np.ceil(opened.claimed * 2 * drawn[1] * repeats).astype(np.int64)
    leaving = np.ceil(MARGIN * _yearly_spend(it)).astype(np.int64)
    fees = FEE * bank + HANDLING * contested + FEE * (contested & (share > 0))
    return {
        **{"dispute_id": names.dispute, "cause": words(CAUSES, opened.cause), "side": words(SIDES, SIDE[opened.cause])},
        **{"malicious": opened.malicious, "owed_share": opened.owed, "new_pattern": opened.pattern},
        **{
            "goes_to_bank": bank,
            "contested": contested,
            "lost_at_bank": share > 0,
            "leaves_if_refused": leaves,
        },
        "cost_if_refunded": opened.claimed + repeated,
        "taken_by_bank": back,
        "cost_if_refused": fees + back + np.where(leaves, leaving, 0),
    }


def _at_bank(charges: Charges, disputes: int) -> tuple[Flag, Flag, Float]:
    """Which disputes come to the bank, which are contested there, and the share of the money that the bank takes."""
    charged, (comes, contested), taking = charges.charged, np.zeros((2, disputes), np.bool_), np.zeros(disputes)
    share, _ = taken(charges.ended, len(charged))
    known = charged.dispute >= 0
    comes[charged.dispute[known]] = True
    contested[charged.dispute[known]] = (charges.done.filed < NOT_YET)[known]
    taking[charged.dispute[known]] = share[known]
    return comes, contested, taking


def _yearly_spend(it: Events) -> Float:
    """What each dispute's buyer spends in a year, in cents."""
    bought = it.trade.bought
    accounts = int(bought.buyer.max(initial=0)) + 1
    spend = np.bincount(bought.buyer, bought.amount, accounts)
    return np.asarray(spend[bought.buyer[it.quarrels.opened.order]] * 365 / max(it.parameters.days, 30.0))


def _chargebacks(it: Events, names: Names) -> dict[str, Any]:
    """What the mechanism sees of each, the chance that it was contested, and the true probability with what was filed."""
    charged, done = it.charges.charged, it.charges.done
    contested = done.filed < end(it.parameters)
    cases = done.cases
    return {
        **{
            "chargeback_id": names.chargeback,
            "cause": words(CAUSES, charged.cause),
            "side": words(SIDES, SIDE[charged.cause]),
        },
        **{"malicious": charged.malicious, "family": words(FAMILIES, cases.family)},
        **{"network": words(NETWORKS, cases.network), "amount": cases.amount, "at": _instants(cases.at)},
        **{"valid_scans": cases.valid_scans, "eligible": cases.eligible, "contest_probability": done.propensity},
        "win_probability": pa.array(done.probability, mask=~contested),
    }


def write_truth(it: Events, names: Names, folder: Path) -> None:
    """Writes the tables and `mechanism.json`: all parameters, the seed, and the numbers that winning follows."""
    folder.mkdir()
    for name, table in truth(it, names).items():
        pq.write_table(table, folder / f"{name}.parquet")
    told = {
        "seed": it.seed,
        "parameters": dataclasses.asdict(it.parameters),
        "mechanism": dataclasses.asdict(it.mechanism),
        **_rules(),
    }
    (folder / "mechanism.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _rules() -> dict[str, Any]:
    """Weights of items and sets, as JSON holds them."""
    sets = [
        {**dataclasses.asdict(whole), "items": list(whole.items), "adds": dict(whole.adds), "later": list(whole.later)}
        for whole in SETS
    ]
    return {"items": {family: dict(adds) for family, adds in ITEMS.items()}, "sets": sets}


@dataclass(frozen=True)
class Truth:
    """The truth of one ledger: the seed, the parameters, the mechanism, and the tables by name."""

    seed: int
    parameters: dict[str, float]
    mechanism: Mechanism
    tables: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, ledger: str | Path) -> "Truth":
        """Reads LEDGER/truth/; LedgerError when the ledger has none, or one of another version."""
        folder = Path(ledger) / FOLDER
        try:
            told = json.loads((folder / "mechanism.json").read_text(encoding="utf-8"))
            tables = {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}
            seed, parameters, rules = told["seed"], told["parameters"], dict(told["mechanism"])
            mechanism = Mechanism(**rules | {"network": tuple(rules["network"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LedgerError(f"{folder}: want the truth of a simulated ledger, got {error!r}; simulate one") from None
        if {name: told.get(name) for name in _rules()} != _rules():
            raise LedgerError(f"{folder}: want the rules of winning of this version, got others; simulate it again")
        return cls(seed, parameters, mechanism, tables)

    def win_probability(self, chargebacks: Sequence[str], evidence: Sequence[Collection[str]]) -> Float:
        """The true probability (n,) to win each of `chargebacks`, were exactly the kinds in `evidence` filed.

        Raises LedgerError for a chargeback that the truth does not know, and for a kind that is no evidence.
        """
        known = self.tables["chargebacks"].set_index("chargeback_id")
        lost = [name for name in chargebacks if name not in known.index]
        strange = {kind for some in evidence for kind in some} - set(EVIDENCE)
        if lost or strange:
            raise LedgerError(
                f"truth: want chargebacks and kinds of evidence it knows, got {[*lost, *sorted(strange)][0]}"
            )
        if len(evidence) != len(chargebacks):
            came = f"{len(evidence)} for {len(chargebacks)}"
            raise LedgerError(f"truth: want as many sets of evidence as chargebacks, got {came}")
        items = np.array([[kind in some for kind in EVIDENCE] for some in evidence], np.bool_).reshape(
            -1, len(EVIDENCE)
        )
        return win_probability(self.mechanism, _cases(known.loc[list(chargebacks)]), items)


def _cases(rows: pd.DataFrame) -> Cases:
    """Chargebacks from their rows in the truth."""

    def code(column: str, vocabulary: tuple[str, ...]) -> Int:
        return np.array([vocabulary.index(word) for word in rows[column]], np.int64)

    return Cases(
        family=code("family", FAMILIES),
        network=code("network", NETWORKS),
        cause=code("cause", CAUSES),
        amount=rows["amount"].to_numpy(np.int64),
        at=np.asarray(rows["at"].astype("int64"), np.int64),
        valid_scans=rows["valid_scans"].to_numpy(np.bool_),
        eligible=rows["eligible"].to_numpy(np.bool_),
    )
