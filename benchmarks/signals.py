"""The signals of a large ledger as one command."""

from pathlib import Path
from typing import Final

from benchmarks.made import card_payments
from benchmarks.workbench import Workbench, costs, markdown

PAYMENTS: Final = 1_240_000
MARKET: Final = 1_000_000
TARGET: Final = "< 40 s, < 4 GB"


def job(bench: Workbench) -> str:
    """Seconds and peak memory of every signal of 1.24 M orders, files read and written; target 40 s and 4 GB."""
    ledger, whose = _payments(bench)
    words = ("--ledger", ledger, "--horizon", "7d", "--out", "signals.parquet")
    runs = [bench.redress("signals", "chargeback_risk", *words) for _ in range(bench.runs)]
    size = (bench.folder / "signals.parquet").stat().st_size / 1e9
    made = runs[0].closing()
    return markdown(
        [
            {
                "orders": made["askings"],
                "signals": made["signals"],
                **costs(runs),
                "written GB": size,
                "target": "" if bench.rows else TARGET,
                "ledger": f"{whose}; median of {bench.runs} runs",
            }
        ]
    )


def disputes(bench: Workbench) -> str:
    """Seconds and peak memory of all signals of every dispute of a marketplace of 1 M orders, files read and written."""
    orders = bench.rows or MARKET
    bench.redress("simulate", "--out", bench.folder / "market", "--orders", orders, "--seed", 1)
    words = ("--ledger", bench.folder / "market", "--out", "disputes.parquet")
    runs = [bench.redress("signals", "dispute_outcome", *words) for _ in range(bench.runs)]
    made = runs[0].closing()
    cells: dict[str, object] = {"orders": orders, "disputes": made["askings"], "signals": made["signals"]}
    return markdown([cells | costs(runs) | {"target": "" if bench.rows else "< 30 s"}])


def _payments(bench: Workbench) -> tuple[Path, str]:
    """The public ledger, or where that is missing or another size is wanted one of its shape."""
    if bench.source("handbook").is_dir() and not bench.rows:
        return bench.ledger("handbook"), "public, simulated card payments"
    folder = bench.folder / "payments"
    return card_payments(folder, bench.rows or PAYMENTS), "made from a seed, 5,000 buyers, 10,000 sellers"
