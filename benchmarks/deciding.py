"""What decisions are worth on simulated marketplaces, by the truth of all disputes, and how long one takes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from timeit import repeat
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.workbench import Workbench, markdown
from features import Ledger
from features.asking import askings
from models.deciding import QUESTION, VOICES, of_case
from models.explain import COLUMNS, MOST
from models.offpolicy import Log, value
from models.policy import opened
from models.reasons import REASONS
from models.records import Grounds
from models.refunds import ACTIONS, Case, Cases, Refunds, Scores, coefficients, decide, decide_many
from pipelines.comparing import FAIR
from pipelines.valuing import true_worth

ORDERS: Final = 300_000
SEEDS: Final = 3
LEARNT: Final = 0.66
"""Share of the ledger's span that is learnt from; the rest is answered."""
CASES: Final = 1_000_000
TARGET: Final = "saves 20 %, at most 0.5 % of the honest refused"
MICROSECONDS: Final = 20
RECORDED: Final = 120
TRIED: Final = ("refund_full", "request_evidence", "review")
"""Answers that are logged, as exploring tries them."""
EXPLORED: Final = 0.1
DRAWS: Final = 400
ESTIMATES: Final = ("ips", "self-normalised ips", "doubly robust")


def treasure(bench: Workbench) -> str:
    """What the shipped policies save of the gap between the best plain way and the oracle; 20 % by the default's prices."""
    rows: list[dict[str, object]] = []
    worse: list[dict[str, object]] = []
    for seed in range(1, 1 + (bench.seeds or SEEDS)):
        told = _answered(bench, seed)
        ways, sweep = pd.DataFrame(told["ways"]).set_index("way"), pd.DataFrame(told["sweep"])
        saved = {(one["way"], one["kind"]): _share(one) for one in told["saved"]}
        rows += [{"seed": seed, **_row(name, ways, saved)} for name in ways.index.astype(str)]
        sure, unfair = (sweep[sweep[f"{kind}low"] > 0] for kind in ("", "fair_"))
        worse.append({"seed": seed, "prices": len(sweep), "a plain way surely cheaper": len(sure)})
        worse[-1] |= {"that way": ", ".join(sorted(set(sure["beside"]))) or "none"}
        worse[-1] |= {f"one that refuses at most {FAIR:.1%}": len(unfair)}
    return f"{TARGET}.\n\n{markdown(rows)}\n\nEach price from a quarter to four times.\n\n{markdown(worse)}"


def _share(one: dict[str, object]) -> str:
    share, low, high = (f"{100 * float(str(one[end])):.0f}" for end in ("share", "low", "high"))
    return f"{share} % [{low}, {high}] beside {one['beside']}"


def _row(name: str, ways: pd.DataFrame, saved: dict[tuple[object, object], str]) -> dict[str, object]:
    """A way's cost, and of a policy what it saves of the gap to the oracle, beside the best plain way and a fair one."""
    return {
        "way": name,
        "cents a dispute": float(ways["cost"][name]),
        "honest refused": f"{float(ways['honest_refused'][name]):.2%}",
        "of what they were owed, not paid": f"{float(ways['unpaid'][name]):.2%}",
        "of the gap to the oracle": saved.get((name, "any"), ""),
        f"where at most {FAIR:.1%} of the honest are refused": saved.get((name, "fair"), ""),
    }


def _answered(bench: Workbench, seed: int) -> dict[str, list[dict[str, object]]]:
    """The numbers of `redress refunds` over the last part of a marketplace, by a model of the part before."""
    ledger, models, out = (bench.folder / f"{name}-{seed}" for name in ("treasure", "models", "refunds"))
    bench.redress("simulate", "--out", ledger, "--orders", bench.rows or ORDERS, "--seed", seed)
    begin, end = _span(ledger)
    cut = (begin + LEARNT * (end - begin)).date().isoformat()
    tracking = f"sqlite:///{bench.folder / f'{seed}.db'}"
    words = ("--ledger", ledger, "--as-of", cut, "--tracking", tracking, "--out", models)
    bench.redress("train", "malicious_dispute", *words)
    last = (end + timedelta(days=1)).date().isoformat()
    policies = [word for name in ("default", "strict", "generous") for word in ("--policy", name)]
    bench.redress(
        "refunds", "--ledger", ledger, "--models", models, "--from", cut, "--to", last, *policies, "--out", out
    )
    told: dict[str, list[dict[str, object]]] = json.loads((out / "refunds.json").read_text(encoding="utf-8"))
    return told


def _span(ledger: Path) -> tuple[datetime, datetime]:
    at = Ledger.open(ledger).facts["disputes"].at
    begin, end = (datetime.fromtimestamp(int(t) / 1e6, UTC) for t in (at[0], at[-1]))
    return begin, end


def logged(bench: Workbench) -> str:
    """How often 95 % intervals of what a policy would have cost hold that cost, from logs of another that explores."""
    ledger = bench.folder / "logged"
    bench.redress("simulate", "--out", ledger, "--orders", bench.rows or ORDERS, "--seed", 1)
    facts, policy = Ledger.open(ledger), Refunds()
    asks = askings(facts, QUESTION)
    worth = true_worth(facts, asks, policy)
    n, rng = len(asks), np.random.default_rng(0)
    ways = [worth.costs(np.full(n, ACTIONS.index(name)), np.full(n, np.nan), policy) for name in TRIED]
    costs = np.stack(ways, axis=1)
    guess = np.clip(worth.malicious * 0.5 + rng.beta(1, 6, n), 0, 1)  # a score that knows something
    of = coefficients(policy)[[ACTIONS.index(name) for name in TRIED]]
    believed = np.stack([np.ones(n), guess, worth.claimed, guess * worth.claimed], axis=1) @ of.T
    target = np.eye(len(TRIED))[believed.argmin(axis=1)]
    usual = np.eye(len(TRIED))[np.where(worth.claimed > np.median(worth.claimed), 2, 0)]
    held, width = dict.fromkeys(ESTIMATES, 0), dict.fromkeys(ESTIMATES, 0.0)
    true = float((costs * target).sum(axis=1).mean())
    for _ in range(DRAWS):
        rows = rng.integers(0, n, n)
        propensity = (1 - EXPLORED) * usual[rows] + EXPLORED / len(TRIED)
        action = (rng.random((n, 1)) > propensity.cumsum(axis=1)).sum(axis=1).clip(max=len(TRIED) - 1)
        log = Log(TRIED, action, propensity, costs[rows, action])
        found = value(log, target[rows], believed[rows])
        for name in ESTIMATES:
            one = found.by(name)
            held[name] += one.low <= true <= one.high
            width[name] += (one.high - one.low) / DRAWS
    told: list[dict[str, object]] = [
        {
            "estimator": name,
            "intervals that hold the true cost": f"{held[name] / DRAWS:.1%}",
            "mean width, cents": width[name],
        }
        for name in ESTIMATES
    ]
    refunds = float(costs[:, 0].mean())
    says = f"{n:,} disputes; {DRAWS} logs, each of as many drawn with replacement; of the answers {EXPLORED:.0%} are explored."
    return f"{says} The policy costs {true:,.0f} cents a dispute, refunding all {refunds:,.0f}.\n\n{markdown(told)}"


def decisions(bench: Workbench) -> str:
    """Microseconds to decide one dispute, target 20, with its record 120, and seconds for a million, 60; the same both ways."""
    n, policy = bench.rows or CASES, Refunds()
    rng = np.random.default_rng(0)
    owed = np.where(rng.random(n) < 0.1, rng.random(n), np.nan)
    flags = (rng.random((4, n)) < np.array([[0.02], [0.1], [0.1], [0.5]])).astype(np.bool_)
    reason = np.where(flags[1], "wrong_item", "quality")
    claimed, scope, tier = rng.integers(0, 100_000, n), np.ones(n, np.bool_), np.zeros(n, np.int64)
    many = Cases(rng.random(n), flags[0], claimed, owed, scope, flags[1], flags[2], flags[3], tier, ~scope, ~scope)
    made = decide_many(many, policy)
    seconds = min(repeat(lambda: decide_many(many, policy), number=1, repeat=bench.runs))
    some = [
        (
            Case("d", "o", 0, str(reason[i]), int(many.claimed[i]), *_held(flags[2:, i]), float(owed[i])),
            Scores(float(many.malicious[i]), bool(flags[0, i])),
        )
        for i in range(min(n, 10_000))
    ]
    one = min(repeat(lambda: [decide(*pair, policy) for pair in some], number=1, repeat=bench.runs)) / len(some)
    for i, pair in enumerate(some):
        found = decide(*pair, policy)
        assert (found.action, found.amount) == (ACTIONS[made.action[i]], made.amount[i]), "one and many differ"
    written = min(repeat(lambda: _written(some), number=1, repeat=bench.runs)) / len(some)
    told: list[dict[str, object]] = [
        {"way": "one by one, microseconds a case", "measured": one * 1e6, "target": f"at most {MICROSECONDS}"},
        {"way": "with its record, microseconds", "measured": written * 1e6, "target": f"at most {RECORDED}"},
        {"way": f"{n:,} at once, seconds", "measured": seconds, "target": "at most 60"},
    ]
    return markdown(told)


def _written(some: Sequence[tuple[Case, Scores]]) -> None:
    """Decides cases and writes their records, with as many reasons as a score has at most."""
    policy, grounds = opened("default"), Grounds("a" * 32, {QUESTION: "b" * 32}, "default", "c" * 16)
    lines = [f"{one.says}: speaks for found malicious, +0.42 | {one.seller}" for one in REASONS[: 2 * MOST]]
    for case, scores in some:
        parts = replace(scores, parts=dict.fromkeys(COLUMNS, 0.123456789))
        of_case(case, parts, policy, grounds, reasons=dict.fromkeys(VOICES, lines))


def _held(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A confirmed signal and an item that lacks, where they are held."""
    return ("upheld_report",) if flags[0] else (), ("listing_copy",) if flags[1] else ()
