"""The job of a buyer's own records: what was decided about his disputes, in his own voice, and nothing of anybody else."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from features import Ledger, RedressError
from features.background import order_rows
from models.records import chained, of_buyer
from pipelines.opening import Said, opened
from pipelines.replay import about, records_at
from pipelines.signals import written


def disclose(records: Path, ledger: Path, buyer: str, out: Path, *, said: Said) -> dict[str, object]:
    """Writes a buyer's view of every record about a dispute of his, one a line, once the chain has been found whole.

    Whose a dispute is says the ledger. RedressError where the chain is broken, where nobody is called so, and where there is no
    record of his.
    """
    told = records_at(records)
    if faults := [*chained(told)]:
        more = f"; and {len(faults) - 1:,} more" if len(faults) > 1 else ""
        raise RedressError(f"{records}: want a whole chain of records, got one broken: {faults[0]}{more}")
    facts = opened(ledger, said)
    if buyer not in _buyers(facts):
        raise RedressError(f"--buyer: want a buyer of {ledger}, got {buyer}, of whom it has no order; name another")
    cases = _cases(facts)
    named = [(about(one), about(one, "order_id")) for one in told]
    if lost := sum(one not in cases for one in named):
        said(
            f"warning: {lost:,} records name a dispute that {ledger} has not, or has of another order; nobody is given them"
        )
    mine = [one for one, case in zip(told, named, strict=True) if cases.get(case) == buyer]
    if not mine:
        raise RedressError(
            f"{records}: want records of {buyer}'s disputes, got none among {len(told):,}; name other records"
        )
    with written(out) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(of_buyer(one), sort_keys=True, ensure_ascii=False) + "\n" for one in mine)
    disputes = len({about(one) for one in mine})
    closing: dict[str, object] = {"records in the chain": len(told), "last hash of the chain": str(told[-1]["hash"])}
    return closing | {"of this buyer": len(mine), "disputes of his": disputes, "written": str(out)}


def _buyers(ledger: Ledger) -> set[str]:
    names: list[str] = ledger.facts["orders"].codes("buyer_id").values.to_pylist()
    return set(names)


def _cases(ledger: Ledger) -> Mapping[tuple[str, str], str | None]:
    """Whose each dispute of an order is, as the ledger says; None for nobody known."""
    if "disputes" not in ledger.facts:
        return {}
    row, orders = order_rows(ledger, "disputes"), ledger.facts["orders"]
    some = np.flatnonzero(row >= 0)
    names = ledger.facts["disputes"].strings("dispute_id").take(pa.array(some)).to_pylist()
    order, buyer = (orders.strings(name).take(pa.array(row[some])).to_pylist() for name in ("order_id", "buyer_id"))
    return dict(zip(zip(names, order, strict=True), buyer, strict=True))
