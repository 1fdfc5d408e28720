"""The label model: what each source is worth, and how probable each dispute's hypotheses are, where few were looked into.

What signals say is the prior of each dispute, and every vote moves its odds by what it is worth, as findings show. Whether a
dispute was looked into may depend on signals and votes. What these say of malice does not change with that, but how often a
vote is heard of the malicious does (Rubin 1976): so malice is learnt given votes, and not votes given malice as Dawid and
Skene (1979) do. A finding is believed as far as its kind is found to be right, and the class prior is held to audits, which
are random.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import beta

from features.errors import RedressError
from features.kernel import Code, Flag
from features.signal import Float
from models.calibration import calibration
from models.linear import linear
from models.questions import Answer
from models.sources import SAYING, Source, Votes
from models.terms import Term

CHOOSE: Final = ("officer", "issuer", "audit")
"""Finders who choose whom they look into by what is seen beforehand. Others come upon the malicious, and find few others, so
how common malice is cannot be learnt from them."""
TRUST: Final = (0.95, 20.0)
"""How often an anchor is right, and how many findings that belief is worth."""
AUDITED: Final = 50.0
"""How many audits the model's own share of malice is worth when the class prior is told."""
SMOOTHING: Final = 4.0
"""Disputes that each word's share is drawn towards its share among all with."""
REPORTS: Final = 10.0
"""Reports of its own that weigh as much as the source's rate, for one reporter."""
SPEAKS: Final = 0.8
"""How often a word that names a fault is right, before its share is counted."""
ROUNDS: Final = 5
"""Rounds in which findings and the share of faults are learnt."""
USUAL: Final = 2.0
"""What a word moves the log-odds by, as a standard deviation before findings are seen."""


Share = tuple[float, float, float]
"""A share and the ends of its 95 % interval."""


@dataclass(frozen=True)
class Reliability:
    """What a source is worth: askings it accused and cleared, and the share right of each, with 95 % intervals.

    Sensitivity and specificity are among all it spoke of; None of a source that only ever accuses or only ever clears.
    """

    source: str
    by: str
    accused: int
    cleared: int
    accused_right: Share
    cleared_right: Share
    sensitivity: Share | None
    specificity: Share | None


@dataclass(frozen=True)
class Labels:
    """Soft labels: `view` (n, 3) probabilities of sources.VIEW, the class prior, audits and how many said yes, reliabilities.

    `reporters` is the share of malice among each reporter's reports by code, shrunk to that of all.
    """

    view: Float
    prior: float
    audits: tuple[int, int]
    reliability: tuple[Reliability, ...]
    reporters: dict[int, float]

    @property
    def malicious(self) -> Float:
        """The probability that each asking is malicious."""
        return np.asarray(self.view[:, 0], np.float64)


def labels(said: Votes, signals: Float) -> Labels:
    """Soft labels of askings from votes and from the log-odds that signals give.

    Two were looked into, by an officer of the first kind: one malicious, one honest. Of the two others the refused one is more
    suspect, and the one whose seller was blamed is most likely his fault. Raises RedressError without findings of both kinds.

    >>> said = {source.name: np.full(4, -1, np.int32) for source in SAYING}
    >>> said |= {"finding by officer": np.array([1, 0, -1, -1], np.int32), "officer": np.array([5, 1, 5, 1], np.int32)}
    >>> found = labels(Votes(said, np.full(4, -1, np.int32)), np.zeros(4))
    >>> bool(found.malicious[2] > found.malicious[3]), int(found.view[3].argmax())
    (True, 1)
    """
    anchors = _part(said, "anchor")
    audits = said.said["finding by audit"]
    audited = int((audits >= 0).sum()), int((audits == 1).sum())
    trust = dict.fromkeys(anchors, (TRUST[0], TRUST[0]))
    looked = _anchored(said, anchors, trust)
    chosen = _anchored(said, {name: one for name, one in anchors.items() if one.by in CHOOSE}, trust)
    answer = next((told for told in map(_signs, (chosen, looked)) if {0, 1} <= set(told.tolist())), None)
    if answer is None:
        raise RedressError("labels: want findings of both kinds, got one or none; train on a longer span")
    odds = given(said, signals, answer)
    odds, prior = held(odds + _reporters_worth(said.reporter, expit(odds + looked)), audited)
    for _ in range(ROUNDS):
        malice = expit(odds + _anchored(said, anchors, trust))
        trust = {name: _right(said.said[name], anchors[name], malice) for name in anchors}
    malice = expit(odds + _anchored(said, anchors, trust))
    honest = 1 - malice
    fault = _fault(said, honest)
    view = np.column_stack([malice, honest * fault, honest * (1 - fault)])
    return Labels(view, prior, audited, reliabilities(said, malice), _reporters(said.reporter, malice))


def _signs(looked: Float) -> Answer:
    """1 and 0 for what findings say of each asking, -1 for nothing."""
    return np.where(looked != 0, looked > 0, -1).astype(np.int8)


def given(said: Votes, signals: Float, answer: Answer) -> Float:
    """Log-odds (n,) of malice given signals and votes, learnt where `answer` (n,) is 1 or 0; it is negative where unknown.

    Findings are wrong now and then, which makes what is rare look commoner than it is; so each counts as how probable malice
    is given the finding and all else, in rounds (expectation maximisation, with the error rate of TRUST). Of those the officer
    refused three in four were found malicious, of the others one in four: a little more, and less, than that were.

    >>> word, answer = np.repeat([5, 1], 400).astype(np.int32), np.tile([1, 1, 1, 0], 200).astype(np.int8)
    >>> said = {source.name: np.full(800, -1, np.int32) for source in SAYING} | {"officer": word}
    >>> odds = given(Votes(said, np.full(800, -1, np.int32)), np.zeros(800), np.where(word == 5, answer, 1 - answer))
    >>> expit(odds[[0, 799]]).round(2).tolist()
    [0.78, 0.22]
    """
    rows, words = answer >= 0, _words(said)
    terms = [Term((str(name),), usual=USUAL) for name in words]
    looked, odds = np.where(answer[rows] == 1, 1.0, -1.0) * logit(TRUST[0]), np.zeros(len(answer))
    for _ in range(ROUNDS):
        malice = expit(odds[rows] + looked)
        slope, intercept = calibration(signals[rows], malice)
        odds = intercept + slope * signals
        odds += linear(words[rows], malice, terms, start=odds[rows]).logit(words)
    return odds


def held(odds: Float, audited: tuple[int, int]) -> tuple[Float, float]:
    """Log-odds moved together until their mean probability is the class prior, and that prior.

    The prior is the share malicious by audits, which are drawn at random and err as often as TRUST says (Rogan and Gladen
    1978), and the mean of the odds as so many more. Of 50 audits 20 found malice, so 39 % are malicious.

    >>> odds, prior = held(np.zeros(4), (50, 20))
    >>> round(prior, 2), expit(odds).round(2).tolist()
    (0.44, [0.44, 0.44, 0.44, 0.44])
    """
    n, found = audited
    malicious = np.clip((found - (1 - TRUST[0]) * n) / (2 * TRUST[0] - 1), 0, n)
    prior = float((malicious + AUDITED * expit(odds).mean()) / (n + AUDITED))
    far = 30 + float(np.abs(odds).max())
    move = brentq(lambda by: float(expit(odds + by).mean()) - prior, -far, far)
    return odds + move, prior


def reliabilities(said: Votes, malice: Float) -> tuple[Reliability, ...]:
    """What each source that speaks of malice is worth, counted over soft labels."""
    found = []
    for source in SAYING:
        word = said.said[source.name]
        yes, no = _spoken(source, word)
        if source.part != "rival" and (yes | no).any():
            right, wrong = malice[yes].sum(), (1 - malice[yes]).sum()
            missed, cleared = malice[no].sum(), (1 - malice[no]).sum()
            both = (_interval(right, missed), _interval(cleared, wrong)) if yes.any() and no.any() else (None, None)
            shares = _interval(right, wrong), _interval(cleared, missed)
            found.append(Reliability(source.name, source.by, int(yes.sum()), int(no.sum()), *shares, *both))
    return tuple(found)


def _interval(right: float, wrong: float) -> Share:
    """A share with its 95 % interval (Jeffreys)."""
    low, high = beta.ppf([0.025, 0.975], right + 0.5, wrong + 0.5)
    return float((right + 0.5) / (right + wrong + 1)), float(low), float(high)


def _part(said: Votes, part: str) -> dict[str, Source]:
    """The sources of a part that said anything."""
    return {s.name: s for s in SAYING if s.part == part and (said.said[s.name] >= 0).any()}


def _spoken(source: Source, word: Code) -> tuple[Flag, Flag]:
    """Which words speak for malice, and which against it; none speaks for neither."""
    yes, no = (np.append(source.speaks_for(*sides), False) for sides in (("malice",), ("honest", "fault", "mistake")))
    return yes[word], no[word]


def _anchored(said: Votes, anchors: dict[str, Source], trust: dict[str, tuple[float, float]]) -> Float:
    """What findings add to the log-odds: the most sure of each dispute's, since finders look at each other's work."""
    added = np.zeros(len(said.reporter))
    for name, source in anchors.items():
        (sure, clears), (yes, no) = trust[name], _spoken(source, said.said[name])
        each = np.where(yes, np.log(sure / (1 - clears)), np.where(no, np.log((1 - sure) / clears), 0.0))
        added = np.where(np.abs(each) > np.abs(added), each, added)
    return added


def _right(word: Code, source: Source, malice: Float) -> tuple[float, float]:
    """Sensitivity and specificity of an anchor, drawn towards TRUST."""
    yes, no = _spoken(source, word)
    right, worth = TRUST
    spoke = yes | no
    sure = (right * worth + malice[yes].sum()) / (worth + malice[spoke].sum())
    clears = (right * worth + (1 - malice[no]).sum()) / (worth + (1 - malice[spoke]).sum())
    return float(np.clip(sure, 0.5, 0.99)), float(np.clip(clears, 0.5, 0.99))


def _words(said: Votes) -> pd.DataFrame:
    """Which word each source that votes has said, a column for every word, silence being one."""
    votes = _part(said, "vote").items()
    return pd.DataFrame(
        {
            f"{name} {word}": (said.said[name] == word).astype(np.float64)
            for name, source in votes
            for word in range(-1, len(source.words))
        },
        index=range(len(said.reporter)),
    )


def _reporters_worth(reporter: Code, malice: Float) -> Float:
    """What it adds who reported: the share of malice among his other reports, over that of all reports."""
    filed = reporter >= 0
    added = np.zeros(len(malice))
    if filed.any():
        who, of_all = reporter[filed], float(malice[filed].mean())
        total, n = np.bincount(who, malice[filed])[who], np.bincount(who)[who]
        added[filed] = logit((total - malice[filed] + REPORTS * of_all) / (n - 1 + REPORTS)) - logit(of_all)
    return added


def _reporters(reporter: Code, malice: Float) -> dict[int, float]:
    """The share of malice among each reporter's reports, drawn towards that of all."""
    filed = reporter >= 0
    if not filed.any():
        return {}
    who, which = np.unique(reporter[filed], return_inverse=True)
    of_all, total = float(malice[filed].mean()), np.bincount(which, malice[filed])
    shares = (total + REPORTS * of_all) / (np.bincount(which) + REPORTS)
    return dict(zip(who.tolist(), shares.tolist(), strict=True))


def _fault(said: Votes, honest: Float) -> Float:
    """How probable a seller's or product's fault is for those who are honest, rather than a carrier's or honest mistake.

    Words start from what they are declared to speak for, and are then counted.
    """
    sources = _part(said, "vote") | _part(said, "rival")
    odds = np.zeros(len(honest))
    for name, source in sources.items():
        fault, mistake = (np.append(source.speaks_for(side), False)[said.said[name]] for side in ("fault", "mistake"))
        odds += logit(SPEAKS) * (fault.astype(np.float64) - mistake)
    for _ in range(ROUNDS):
        fault = honest * expit(odds)
        odds = np.full(len(honest), float(logit(fault.sum() / honest.sum())))
        for name, source in sources.items():
            odds += _worth(said.said[name], len(source.words), fault, honest - fault)
    return np.asarray(expit(odds), np.float64)


def _worth(word: Code, words: int, one: Float, other: Float) -> Float:
    """Log ratio of each asking's word under one hypothesis and another, both drawn towards the word's share of all."""
    shares = np.bincount(word + 1, one + other, words + 1) / (one + other).sum()
    under = [(np.bincount(word + 1, w, words + 1) + SMOOTHING * shares) / (w.sum() + SMOOTHING) for w in (one, other)]
    tiny = np.finfo(np.float64).tiny
    ratio = np.log(np.maximum(under[0], tiny)) - np.log(np.maximum(under[1], tiny))
    return np.asarray(np.where(shares > 0, ratio, 0.0)[word + 1], np.float64)
