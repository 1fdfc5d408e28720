"""A ledger as a job opens it, and the words and times that a job tells."""

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from features import Ledger
from models.deadlines import iso

Said = Callable[[str], None]


def moment(t: int) -> str:
    """A time in microseconds since 1970 as ISO 8601, UTC.

    >>> moment(1_500_000)
    '1970-01-01T00:00:01.500000+00:00'
    """
    return iso(t)


def opened(path: str | Path, said: Said) -> Ledger:
    """A checked ledger; says what was left out of it."""
    with tqdm(desc="checking", unit=" rows", unit_scale=True, delay=2, disable=None, leave=False) as bar:
        ledger = Ledger.open(path, said, bar.update)
    for warning in ledger.warnings:
        said(f"warning: {warning}")
    bad = sum(len(b) for b in ledger.bad.values())
    if bad:
        said(f"left out {bad:,} bad rows; redress check {path} writes them to {path}/quarantine with their reasons")
    return ledger
