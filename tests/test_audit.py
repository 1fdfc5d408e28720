"""What reports say beyond averages: what is off is said, what is not yet due is not, and it all goes into JSON."""

import json

import naive
import numpy as np
import pandas as pd
import pytest

from features import Ledger
from features.kernel import DAY
from pipelines.audit import Audit, Judged, audited
from pipelines.check import won
from pipelines.learning import Cases, cases
from pipelines.report import Page, html

N = 600
HORIZON = 10 * DAY


def market(endings: bool = True) -> Ledger:
    """An order an hour, every second of a new buyer; of these alone one in three is charged back, and half of that lost."""
    orders = [
        {
            "order_id": str(i),
            "at": DAY + i * DAY // 24,
            "buyer_id": f"b{i}" if i % 2 else "a",
            "seller_id": "s",
            "amount": 500 + i,
        }
        for i in range(N)
    ]
    charged = [i for i in range(N) if i % 6 == 1]
    came = [
        {"chargeback_id": str(i), "order_id": str(i), "at": 2 * DAY + i * DAY // 24, "amount": 500 + i} for i in charged
    ]
    ended = [{"chargeback_id": c["chargeback_id"], "at": int(str(c["at"])) + DAY, "outcome": "won"} for c in came[::2]]
    ended += [
        {"chargeback_id": c["chargeback_id"], "at": int(str(c["at"])) + DAY, "outcome": "lost"} for c in came[1::2]
    ]
    rows: naive.Rows = {"orders": orders, "chargebacks": came, "chargeback_rulings": ended}
    return Ledger.of(
        naive.tables({name: some for name, some in rows.items() if endings or name != "chargeback_rulings"})
    )


def judged(work: Cases, first: float, later: float) -> Judged:
    """The due orders, with one probability for first-time buyers and one for the other."""
    which = work.labelled(work.ledger.last_at + 1).which
    new = which % 2 == 1
    frame = pd.DataFrame({"buyer_orders_count_ever": np.where(new, 0.0, 9.0), "order_amount": 500.0 + which})
    return Judged(which, frame, work.found.answer[which], np.where(new, first, later), 0.5, 15 * DAY)


def found(first: float, later: float, *, endings: bool = True) -> tuple[Audit, list[str]]:
    said: list[str] = []
    work = cases(market(endings), "chargeback_risk", start=None, stop=None, horizon=HORIZON)
    return audited(work, [judged(work, first, later)], work.ledger.last_at + 1, said.append), said


def test_a_slice_that_is_off_is_said_by_the_job_and_in_the_report() -> None:
    audit, said = found(1 / 6, 1 / 6)  # right on average, for nobody
    assert [line.partition(":")[2].split(":")[0] for line in said] == [
        " the slice buyer first order",
        " the slice buyer 5 or more before",
    ]
    assert [f"warning: {warning}" for warning in audit.warnings] == said
    page = html(Page("t", (), (), audit.tested))
    told = [warning.removeprefix("the slice ") for warning in audit.warnings]
    assert all(f"Off: {warning}." in page.replace("\N{NO-BREAK SPACE}", " ") for warning in told)
    assert "2 of 7 slices are off" in page


def test_expected_loss_that_surely_differs_from_what_was_lost_is_said() -> None:
    audit, said = found(0.9, 0.9)
    (line,) = (line for line in said if "expected loss of all" in line)
    assert "less by" in line
    assert f"Off: {audit.warnings[-1].removeprefix('the ')}." in html(Page("t", (), (), audit.tested))


def test_few_askings_that_are_not_surely_off_are_too_few_to_say() -> None:
    audit, _ = found(1 / 3, 0.001)
    rows = audit.tested[0].table
    assert rows is not None
    standing = {row[1]: row[-1] for row in rows.rows}
    assert {int(str(n)): says for n, says in standing.items()} == {
        int(str(n)): "within chance" if int(str(n)) >= 100 else "too few to say" for n in standing
    }
    assert set(standing.values()) == {"within chance", "too few to say"}


def test_a_reliable_model_leaves_nothing_to_say() -> None:
    audit, said = found(1 / 3, 0.001)
    assert said == []
    assert "None of 7 slices is off" in html(Page("t", (), (), audit.tested))


def test_months_not_yet_due_are_listed_without_answers() -> None:
    audit, _ = found(1 / 3, 0.001)
    months = audit.tables["cohorts"]
    assert int(months["n"].sum()) == N
    assert 0 < int(months["due"].sum()) < N
    heading = {section.heading: section for section in audit.known}
    assert list(heading) == ["How long answers take", "Month by month"]
    waiting = N - int(months["due"].sum())
    assert (
        heading["Month by month"].prose[-1] == f"{waiting:,} askings are not yet due, and nothing is reported of them."
    )


def test_money_is_measured_where_a_ledger_tells_how_chargebacks_end() -> None:
    audit, _ = found(1 / 3, 0.001)
    assert [section.heading for section in audit.tested] == ["Slice by slice", "Expected loss"]
    whole = audit.tables["expected_loss"].iloc[-1]
    assert whole["band"] == "all"
    assert whole["gap_low"] < 0 < whole["gap_high"]
    without, _ = found(1 / 3, 0.001, endings=False)
    assert [section.heading for section in without.tested] == ["Slice by slice"]


def test_the_tables_are_plain_json_without_nan() -> None:
    audit, _ = found(1 / 3, 0.001)
    told = json.loads(json.dumps(audit.to_json(), allow_nan=False))
    assert set(told) == {"arrivals", "cohorts", "slices", "expected_loss"}
    assert told["cohorts"][0] == {
        "month": "1970-01",
        "n": N,
        "due": 404,  # the last ruling is 643 hours after the first order, and the horizon 240
        "answered": 404,
        "yes": 68,
        "standing": "partly due",
    }


@pytest.mark.parametrize("endings", [True, False])
def test_what_is_won_is_told_in_short_with_its_denominator(endings: bool) -> None:
    told = won(market(endings))
    line = "50.0 % [40.4 %, 59.6 %] of 100 all chargebacks, 0.0 % not yet ended"
    assert told == ({"chargebacks won": line} if endings else {})
