"""What taught a model, in words: the answers that are known, or soft labels of all askings and what these rest on."""

from collections.abc import Mapping
from typing import Final

from features.asking import ASKED
from models import Model
from models.questions import Question
from models.split import Labelled

SOFT: Final = (
    "It was taught by soft labels: how probable the answer is by all that was said of {asked}, those looked into and the "
    "others. Such a label is a judgement and no truth: what all sources are blind to, the model is blind to. Its sources: "
    "{sources}."
)
LOOKED: Final = (
    "It is measured on {asked} that were looked into, whatever taught it. These are suspected first, so the shares observed "
    "among them are higher than among all {asked}, and those predicted may lie below."
)


def softly(model: Model) -> bool:
    """Whether soft labels taught it."""
    return "class_prior" in model.card


def taught_by(question: Question, model: Model, data: Labelled, span: str) -> str:
    """A sentence about what taught a model on askings of a `span`."""
    if not softly(model):
        n, yes = (f"{data.counts[name]:,}" for name in ("learnt from", "yes"))
        return f"Learnt from {n} askings{span}, {yes} of them yes"
    rows, looked, found = _numbers(model.card)
    return (
        f"Taught by soft labels of {rows} {ASKED[question.name]}{span} (class prior "
        f"{float(str(model.card['class_prior'])):.1%}), of which {looked} were looked into and {found} {question.yes}"
    )


def facts_of(question: Question, model: Model, data: Labelled) -> tuple[tuple[str, str], ...]:
    """The key numbers of what taught a model."""
    if not softly(model):
        of = {"Askings learnt from": "learnt from", "Of them yes": "yes"}
        return tuple((name, f"{data.counts[count]:,}") for name, count in of.items())
    names = (f"{ASKED[question.name].capitalize()} with a soft label", "Looked into", question.yes.capitalize())
    return tuple(zip(names, _numbers(model.card), strict=True))


def blind(question: Question, model: Model) -> str:
    """What soft labels rest on and cannot show."""
    told = model.card["sources"]
    assert isinstance(told, (list, tuple))
    return SOFT.format(asked=ASKED[question.name], sources=", ".join(map(str, told)))


def looked_into(question: Question) -> tuple[str, ...]:
    """A sentence about the rows that tests are of, where a question has sources and few rows are looked into."""
    return (LOOKED.format(asked=ASKED[question.name]),) if question.sources else ()


def known(question: Question) -> str:
    """What askings with an answer are to training, in two words."""
    return "looked into" if question.sources else "learnt from"


def counted(question: Question, counts: Mapping[str, int]) -> dict[str, int]:
    """Where askings went, by words that hold where soft labels teach as well.

    >>> from models.questions import QUESTIONS
    >>> counted(QUESTIONS["malicious_dispute"], {"asked": 9, "learnt from": 2})
    {'asked': 9, 'looked into': 2}
    """
    return {known(question) if name == "learnt from" else name: n for name, n in counts.items()}


def _numbers(card: Mapping[str, object]) -> tuple[str, str, str]:
    rows, looked, found = (f"{int(str(card[name])):,}" for name in ("rows", "looked_into", "found"))
    return rows, looked, found
