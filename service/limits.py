"""The limits of the service: how large, how many, how often, how long; each may be set in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final

from features import RedressError

PREFIX: Final = "REDRESS_"


def _limit(shipped: int, says: str) -> int:
    found: int = field(default=shipped, metadata={"says": says})
    return found


@dataclass(frozen=True)
class Limits:
    """Whole numbers that the service keeps to; the defaults are what redress would ship."""

    body_bytes: int = _limit(2_000_000, "largest body")
    facts: int = _limit(5_000, "most facts in one request")
    cases: int = _limit(256, "most cases in one request")
    rate: int = _limit(1_000, "requests a second that one token may make for long")
    burst: int = _limit(2_000, "requests that one token may make at once")
    waiting: int = _limit(256, "requests that may be under way; one more is told to come again")
    threads: int = _limit(2, "threads that answer; the loop itself reads, writes and keeps the time")
    milliseconds: int = _limit(2_000, "longest time to an answer")
    body_milliseconds: int = _limit(10_000, "longest time in which a body may come")
    shutdown_seconds: int = _limit(30, "longest wait for requests under way at the end")
    flush_milliseconds: int = _limit(
        1_000, "how often decisions are flushed to disk; facts are before they are answered"
    )
    reload_seconds: int = _limit(10, "how often models, policy and tokens are looked at for changes")
    keys: int = _limit(100_000, "Idempotency-Keys that are remembered")
    key_hours: int = _limit(24, "how long they are")


def limits(environ: Mapping[str, str]) -> Limits:
    """The limits with those that an environment sets; RedressError for one that is no whole number of at least 1.

    >>> limits({"REDRESS_RATE": "50"}).rate
    50
    """
    found: dict[str, int] = {}
    for one in fields(Limits):
        name = PREFIX + one.name.upper()
        if name in environ:
            text = environ[name]
            if not (text.isascii() and text.isdigit() and 0 < int(text[:18]) <= 10**12):
                raise RedressError(f"{name}: want a whole number from 1 to 10^12, got {text[:40]}; correct or unset it")
            found[one.name] = int(text)
    return replace(Limits(), **found)


@dataclass
class Bucket:
    """How many requests one token may still make: filled at a steady rate, up to a burst.

    >>> bucket = Bucket(rate=2, burst=1, full=1)
    >>> [bucket.wait(seconds) for seconds in (10.0, 10.25, 10.5)]
    [0.0, 0.25, 0.0]
    """

    rate: float
    burst: float
    full: float
    since: float = 0.0

    def wait(self, seconds: float) -> float:
        """Seconds until a request may be made at a moment; 0 where it may be now, and then it counts."""
        self.full = min(self.burst, self.full + max(0.0, seconds - self.since) * self.rate)
        self.since = seconds
        if self.full < 1:
            return (1 - self.full) / self.rate
        self.full -= 1
        return 0.0


class Buckets:
    """A bucket for each token, by its name."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._of: dict[str, Bucket] = {}

    def wait(self, name: str, seconds: float) -> float:
        """Seconds until a request of that name may be made; 0 where it may be now."""
        bucket = self._of.get(name)
        if bucket is None:
            bucket = self._of[name] = Bucket(self._rate, self._burst, self._burst, seconds)
        return bucket.wait(seconds)
