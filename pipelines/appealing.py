"""The job of appeals: what a person ruled on a buyer's appeal, as the row of the ledger that it gives."""

from pathlib import Path

from features import RedressError
from models.policy import opened as policy_at
from models.tiers import SAYS, Adjustment, appealed, standing, told
from pipelines.opening import Said, moment, opened
from pipelines.tiering import notice, write_changes


def appeal(
    buyer: str, ledger: Path, policy: str, out: Path, *, granted: bool, at: int, filed: int | None, said: Said
) -> dict[str, object]:
    """Rules on an appeal by what the ledger's table `tiers` said just before; RedressError where there is nothing to rule on.

    Writes `tiers.parquet`, the row for the ledger, none where it was refused, and `notices.jsonl`, what the buyer is told.
    """
    rules = policy_at(policy).tiers
    changes = told(opened(ledger, said)).get(buyer, [])
    if any(one.at == at for one in changes):
        raise RedressError(
            f"--at: want a moment at which nothing else was said of {buyer}, got {moment(at)}; name a later one"
        )
    now = standing(changes, at)
    made = appealed(buyer, now, at, granted=granted, rules=rules, filed=filed)
    ends = "" if made or now.expires_at is None else f", until {moment(now.expires_at)} at most"
    stays = f"A person looked at your appeal and did not grant it. As before {SAYS[now.tier]}{ends}."
    said_of_it = made or Adjustment(buyer, at, now.tier, now.reason, now.expires_at, says=stays)
    write_changes(out, [made] if made else [], [notice(said_of_it)])
    closing: dict[str, object] = {"buyer": buyer, "tier before": now.tier, "since": moment(now.since or 0)}
    closing |= {"appeal": "granted" if granted else "refused", "tier now": f"{made.tier if made else now.tier}{ends}"}
    return closing | {"rows for the ledger": int(made is not None), "written": str(out / "tiers.parquet")}
