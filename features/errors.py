"""What redress raises when the input is at fault: one sentence that says where, what was wanted, what came, what to do."""


class RedressError(ValueError):
    """A known fault in what the user gave; the message is the whole story and the command exits with 1."""


class LedgerError(RedressError):
    """A fault in a ledger that no command can work around."""
