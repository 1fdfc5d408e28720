"""Deadlines: moments in UTC, told on a clock that the reader lives by."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from features import RedressError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The time zone of a name in the IANA database; RedressError for a name that is none."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise RedressError(
            f"zone: want a name of the IANA time zone database, got {name!r}; use one like Europe/Berlin or UTC"
        ) from None


def moment(at: int) -> datetime:
    """A time in microseconds since 1970 UTC as a datetime in UTC.

    >>> moment(1_500_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return EPOCH + timedelta(microseconds=at)


def iso(at: int) -> str:
    """The same as ISO 8601, UTC.

    >>> iso(1_500_000)
    '1970-01-01T00:00:01.500000+00:00'
    """
    return moment(at).isoformat()


def shown(at: int, name: str = "UTC") -> str:
    """A moment by the clock of a zone, with its distance from UTC; a part of a second is dropped, so that it is never late.

    >>> shown(1_774_745_999_999_999, "Europe/Berlin"), shown(1_774_746_000_000_000, "Europe/Berlin")
    ('2026-03-29T01:59:59+01:00 Europe/Berlin', '2026-03-29T03:00:00+02:00 Europe/Berlin')
    """
    return f"{moment(at).astimezone(zone(name)).isoformat(timespec='seconds')} {name}"
