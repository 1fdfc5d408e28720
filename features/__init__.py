"""What was known, and the signals drawn from it."""

from features.errors import LedgerError, RedressError
from features.ledger import Ledger

__all__ = ["Ledger", "LedgerError", "RedressError"]
