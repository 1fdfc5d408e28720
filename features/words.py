"""Words in a page's title that a careful reader would stop at, as lists and as the expressions that find them."""

from typing import Final

IMITATION: Final = (
    *("replica", "imitation", "inspired", "dupe", "copy", "knock-?off", "fake", "faux", "look-?alike", "lookalike"),
    *("style", r"(?<!usb )type(?!\W*c\b)", "alternative", "unbranded", "1:1", "mirror quality", "super quality"),
    r"aaa(?:\+| quality| grade)",
    "high copy",
)
"""Words that say a thing is like a brand's and is not one; a USB plug of type C is no imitation."""
BRANDED_PART: Final = (
    "compatible",
    r"fits(?! (?:true|like|well|perfectly)\b)",
    "for use with",
    "branded part",
    "spare part",
    "replacement for",
    "suitable for",
)
"""Words that put a brand beside a thing that it did not make; what fits true to size is clothes."""
VAGUE_QUANTITY: Final = (
    *("set", "sets", "lot", "lots", "bundle", "assorted", "assortment", "various", "several", "bulk", "up to"),
    *("random", "mixed", "approx", "approximately", "kit"),
)
"""Words for a quantity that is not a number."""


def _any_of(words: tuple[str, ...]) -> str:
    """An expression that finds any of the words, whole."""
    return rf"(?<!\w)(?:{'|'.join(words)})(?!\w)"


WORDS: Final = {
    "imitation": _any_of(IMITATION),
    "branded_part": _any_of(BRANDED_PART),
    "vague_quantity": _any_of(VAGUE_QUANTITY),
    "number_of": r"\d+\s*(?:x|pcs|pieces?|units?|pack)(?!\w)",
}
"""Expressions by the name that an operand `listing.title~NAME` gives."""
