"""Links: who else had used the same address, device, instrument, e-mail, IP or picture, and what was known of them by then."""

from typing import Final

from features.signal import CASES, ONCE, Family, On, Pattern
from features.transaction import LINKS

SHARING: Final = (
    Pattern(
        "malicious_sharers_count",
        "value",
        ("malicious_sharers.count",),
        "buyers",
        "buyers who had used this {entity}, this one among them, and stand found malicious",
        ONCE,
    ),
    Pattern(
        "charged_sharers_count",
        "value",
        ("charged_sharers.count",),
        "buyers",
        "buyers who had used this {entity}, this one among them, and had chargebacks",
        ONCE,
    ),
    Pattern(
        "days_since_new_sharer",
        "days",
        ("asking.at", "sharers.last"),
        "days",
        "days since the last new buyer used this {entity}",
        ONCE,
    ),
    Pattern(
        "sharers_days",
        "days",
        ("sharers.last", "sharers.first"),
        "days",
        "days from the first buyer who used this {entity} to the last new one",
        ONCE,
    ),
)
"""What is asked of each link besides how many buyers had used it, which the transaction background counts."""


def _content(name: str, measure: str, unit: str, says: str) -> Pattern:
    says = f"{says} the content that most had shown, of what the buyer brought"
    return Pattern(f"content_{name}", "value", (f"content.{measure}",), unit, says, ONCE, "evidence")


CONTENT: Final = (
    _content("buyers_count", "buyers", "buyers", "buyers who had shown"),
    _content("malicious_sharers_count", "malicious", "buyers", "buyers found malicious who had shown"),
    _content("charged_sharers_count", "charged", "buyers", "buyers with chargebacks who had shown"),
    _content("days_since_new_sharer", "days_since_new", "days", "days since another new buyer had shown"),
)
"""The same of evidence, by the hash of its content."""

FAMILY: Final = Family(
    "links",
    "Who else had used the same address, device, instrument, e-mail, IP or evidence, and what was known of them by then.",
    (*(On(link, SHARING) for link in LINKS), On(None, CONTENT, CASES)),
)
