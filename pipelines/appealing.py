"""The job of appeals: what a person ruled on a buyer's appeal, as the row of the ledger that it gives."""

from pathlib import Path

from features import RedressError
from models.policy import opened as policy_at
from models.tiers import SAYS, Adjustment, Standing, appealable, appealed, standing, told
from pipelines.opening import Said, moment, opened
from pipelines.tiering import notice, write_changes


def appeal(
    buyer: str, ledger: Path, policy: str, out: Path, *, granted: bool, at: int, filed: int | None, said: Said
) -> dict[str, object]:
    """Rules on an appeal against the tier that stood when it was filed; RedressError where there is nothing to rule on.

    Writes `tiers.parquet`, the row for the ledger, none where it was refused or the tier was over before it was ruled on, and
    `notices.jsonl`, what the buyer is told.
    """
    rules = policy_at(policy).tiers
    changes = told(opened(ledger, said)).get(buyer, [])
    if any(one.at == at for one in changes):
        raise RedressError(
            f"--at: want a moment at which nothing else was said of {buyer}, got {moment(at)}; name a later one"
        )
    against = appealable(buyer, changes, at, rules=rules, filed=filed)
    made = appealed(buyer, changes, at, granted=granted, rules=rules, filed=filed)
    now = standing(changes, at)
    told_of = made or Adjustment(buyer, at, now.tier, now.reason, now.expires_at, says=_stays(against, now, granted))
    write_changes(out, [made] if made else [], [notice(told_of)])
    closing: dict[str, object] = {"buyer": buyer, "appealed against": against.tier, "since": moment(against.since or 0)}
    closing |= {"tier before": now.tier, "appeal": "granted" if granted else "refused"}
    closing |= {"tier now": made.tier if made else f"{now.tier}{_ends(now)}"}
    return closing | {"rows for the ledger": int(made is not None), "written": str(out / "tiers.parquet")}


def _stays(against: Standing, now: Standing, granted: bool) -> str:
    """What a buyer is told where nothing is changed: not granted, or granted of a tier that was over by then."""
    says = f"{SAYS[now.tier]}{_ends(now)}."
    if granted:
        return f"A person looked at your appeal and granted it. What it was against is over already. Now {says}"
    return f"A person looked at your appeal and did not grant it. {'As before' if now == against else 'Now'} {says}"


def _ends(now: Standing) -> str:
    return "" if now.expires_at is None else f", until {moment(now.expires_at)} at most"
