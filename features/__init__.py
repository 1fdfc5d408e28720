"""What was known, and the signals drawn from it."""

from features.build import signals
from features.errors import LedgerError, RedressError
from features.ledger import Ledger

__all__ = ["Ledger", "LedgerError", "RedressError", "signals"]
