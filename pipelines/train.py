"""The job of training: learn from what was known, measure on the latest mature slice, log, register and report."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from features import Ledger, RedressError
from features.asking import ASKED
from features.kernel import DAY, Flag, Int
from models import Model
from models.effects import effects
from models.evaluate import METRICS, Evaluation
from models.fit import BAGS, FEWEST
from models.loss import kept
from models.promotion import Verdict
from models.registry import Registered, reach, register
from models.sample import sampled
from models.skill import skill
from models.split import Labelled
from models.trees import PARAMETERS
from pipelines.audit import Judged, audited
from pipelines.card import card, command, write_card
from pipelines.effecting import effects_section
from pipelines.labelling import taught
from pipelines.learning import Cases, Learnt, both, cases, explained, ledger_section, measured, numbers
from pipelines.opening import Said, moment, opened
from pipelines.promotion import group_by_group, judged, overridden
from pipelines.report import Page, Section, evaluation_facts, evaluation_sections, write_plots, write_report
from pipelines.signals import written
from pipelines.teaching import counted, known, looked_into, taught_by
from pipelines.tuning import Chosen, choose

SLICE: Final = 0.2
"""Share of the mature askings, the latest, on which a model trained before them is measured."""
MOST_TESTED: Final = 300_000
LOGGED: Final = ("report.html", "evaluation.json", "plots", "card.md", "card.html")


@dataclass(frozen=True)
class Trial:
    """How the recipe did on the latest mature slice, trained on what was known before it; or why that cannot be said."""

    evaluation: Evaluation | None
    sections: tuple[Section, ...]
    why: str = ""
    tested: Judged | None = None


def train(
    question: str,
    ledger: Path,
    *,
    as_of: int | None,
    start: int | None,
    horizon: int,
    tracking: str,
    out: Path,
    seed: int,
    champion: bool,
    tune: int = 0,
    with_effects: bool = False,
    said: Said,
) -> dict[str, object]:
    """Trains on the answers known before `as_of`, calibrates, evaluates, logs, registers, and writes model and report.

    With `tune` so many settings of the trees are tried first, on what was known before the latest slice. The report says what
    evidence does to winning `with_effects`.
    """
    facts = opened(ledger, said)
    until = _until(facts, as_of, said)
    work = cases(facts, question, start=start, stop=until, horizon=horizon)
    data = work.labelled(until)
    both(data, question)
    work = work.known_by(_latest(work, data))
    reach(tracking)
    n, yes = (f"{data.counts[name]:,}" for name in ("learnt from", "yes"))
    said(f"{known(work.question)} by {moment(until)}: {n} askings, {yes} of them yes")
    rows, learnt = _learnt(work, data, seed, said)
    chosen = choose(work, rows, learnt, _latest(work, data), n=tune, seed=seed, out=out, said=said)
    said("measuring on the latest mature slice")
    trial = _trial(work, data, rows, learnt, seed, chosen)
    slices = None if trial.tested is None else group_by_group(work, trial.tested, seed)
    again = partial(retried, work, rows, learnt, seed, chosen)
    verdict = judged(work, trial.tested, tracking, seed, calibration=slices, again=again)
    verdict = overridden(verdict) if champion else verdict
    said("growing the model on all of them")
    model = taught(work, learnt, until, seed, naive=False, setting=chosen.setting, bags=BAGS).model
    tried = {"settings_tried": tune, "setting": dict(chosen.setting)} if tune else {}
    model = replace(model, card=dict(model.card) | _card(work, until, trial) | tried)
    model.save(out / question)
    if with_effects:
        said("telling effects of evidence from associations")
        trial = replace(
            trial, sections=(*trial.sections, effects_section(effects(learnt.frame, learnt.answer, seed=seed)))
        )
    _report(out, work, data, model, trial, until, said)
    again_by = command(work, ledger, start, until, seed, tune)
    page = card(work, data, model, trial.evaluation, slices, verdict, again_by)
    write_card(out, page)
    said(f"registering with {tracking}")
    made = _registered(model, verdict, learnt, out, tracking, page.lede[0])
    closing = _closing(work, data, model, trial, out) | {"card": str(out / "card.html")}
    return closing | {"registered": f"{made.uri}, version {made.version}", made.alias: verdict.says}


def _until(ledger: Ledger, as_of: int | None, said: Said) -> int:
    """The moment training knows up to, no later than the ledger does: after its end, silence would pass for "no"."""
    first = ledger.facts["orders"].at[:1]
    if as_of is not None and np.any(as_of <= first):
        came = f"the first order at {moment(int(first[0]))}, got {moment(as_of)}"
        raise RedressError(f"--as-of: want a time after {came}; ask later")
    end = ledger.last_at + 1
    if as_of is not None and as_of > end:
        said(f"warning: the ledger ends {moment(ledger.last_at)}, before {moment(as_of)}; training as of its end")
    return end if as_of is None else min(as_of, end)


def _latest(work: Cases, data: Labelled) -> int:
    """The moment at which the latest mature slice begins."""
    size = max(1, min(int(SLICE * data.which.size), MOST_TESTED))
    return int(work.asks.at[data.which[-size]])


def _learnt(work: Cases, data: Labelled, seed: int, said: Said) -> tuple[Int, Learnt]:
    """Positions and signals of the rows to learn from: a sample of the older ones if they are many, all of the latest."""
    late = work.asks.at[data.which] >= _latest(work, data)
    early = np.flatnonzero(~late)
    kept, weight = sampled(data.answer[early], seed)
    rows = np.concatenate([early[kept], np.flatnonzero(late)])
    which, weights = data.which[rows], np.concatenate([weight, np.ones(int(late.sum()))])
    return which, Learnt(work.frame(which), data.answer[rows], weights * work.standing(which, data.as_of, said))


def _trial(work: Cases, data: Labelled, rows: Int, learnt: Learnt, seed: int, chosen: Chosen) -> Trial:
    """The same recipe, trained on what was known when the latest slice began, and measured on that slice."""
    begin = _latest(work, data)
    before = np.isin(rows, work.labelled(begin).which)
    after = work.asks.at[rows] >= begin
    fewest = min(min(int(a.sum()), int((1 - a).sum())) for a in (learnt.answer[before], learnt.answer[after]))
    if fewest < FEWEST:
        why = f"Not measured: the latest mature slice begins {moment(begin)}, and it or what was mature by then has "
        why += f"{fewest} of one answer where {FEWEST} are wanted; a longer ledger can be measured."
        return Trial(None, chosen.sections, why)
    train, test = (_part(learnt, kept) for kept in (before, after))
    made = taught(work, train, begin, seed, naive=True, setting=chosen.setting)
    others = made.predicted(test.frame)
    evaluation, found = measured(made.model, work, train, test, rows[after], seed, others)
    tested = Judged(rows[after], test.frame, test.answer, found["model"], float(found["constant"][0]), begin)
    sections = (*explained(made.model, test.frame, seed), *made.sections, *chosen.sections)
    return Trial(evaluation, sections, tested=tested)


def retried(work: Cases, rows: Int, learnt: Learnt, seed: int, chosen: Chosen, as_of: int, asked: Int) -> Judged:
    """The same recipe, trained on what was known before a moment, and what it says of the askings `asked`."""
    train, test = (_part(learnt, np.isin(rows, which)) for which in (work.labelled(as_of).which, asked))
    model = taught(work, train, as_of, seed, naive=False, setting=chosen.setting).model
    said = model.predict_proba(test.frame)[:, 1]
    return Judged(asked, test.frame, test.answer, said, float(train.answer.mean()), as_of)


def _part(learnt: Learnt, kept: Flag) -> Learnt:
    return Learnt(learnt.frame[kept], learnt.answer[kept], learnt.weight[kept])


def _card(work: Cases, until: int, trial: Trial) -> dict[str, object]:
    tested = trial.tested
    shown = (
        {}
        if tested is None
        else {"skill": skill(tested.answer.astype(np.float64), tested.probability, tested.rate).to_json()}
    )
    metrics = (
        {} if trial.evaluation is None else {m.name: trial.evaluation.numbers(m.name)["estimate"] for m in METRICS}
    )
    return (
        {
            "horizon_days": work.horizon / DAY,
            "trained_until": moment(until),
            "credit_prior": work.prior.to_json(),
            "ledger": work.ledger.fingerprint(),
            "latest_slice": {name: value for name, value in metrics.items() if np.isfinite(value)},
        }
        | shown
        | kept(work.question.name, work.ledger, until)
    )


def _report(out: Path, work: Cases, data: Labelled, model: Model, trial: Trial, until: int, said: Said) -> None:
    audit = audited(work, () if trial.tested is None else (trial.tested,), until, said)
    learnt = taught_by(work.question, model, data, "")
    lede = [f"Trained as of {moment(until)[:16]} UTC. {learnt}."]
    sections, facts = list[Section](), tuple[tuple[str, str], ...]()
    if trial.evaluation is None:
        lede.append(trial.why)
    else:
        lede.append(
            "The numbers are those of the same recipe, trained on what was known when the latest mature slice began and "
            "asked about that slice; the model that is registered has learnt from the slice as well."
        )
        lede += looked_into(work.question)
        facts, sections = (
            evaluation_facts(trial.evaluation),
            evaluation_sections(trial.evaluation, ASKED[work.question.name]),
        )
        with written(out / "evaluation.json") as path:
            path.write_text(json.dumps(trial.evaluation.to_json() | audit.to_json()))
    sections += [*audit.tested, *trial.sections, *audit.known, ledger_section(work, data)]
    title = f"{work.question.name}: {work.question.says}"
    write_report(out / "report.html", Page(title, tuple(lede), facts, tuple(sections)))
    write_plots(out / "plots", sections)


def _registered(model: Model, verdict: Verdict, learnt: Learnt, out: Path, tracking: str, says: str) -> Registered:
    card = dict(model.card)
    metrics = card.pop("latest_slice")
    setting = card.pop("setting", {})
    assert isinstance(setting, dict)
    parameters = dict(PARAMETERS) | setting | card | {"signals": len(model.signals)}
    parameters |= {"slope": model.slope, "intercept": model.intercept}
    example = learnt.frame[list(model.columns)].head(3)
    names = [*LOGGED] + ["tuning.csv"] * ("settings_tried" in card)
    files = [path for name in names if (path := out / name).exists()]
    assert isinstance(metrics, dict)
    return register(
        model,
        verdict,
        tracking=tracking,
        example=example,
        parameters=parameters,
        metrics=metrics,
        files=files,
        says=says,
    )


def _closing(work: Cases, data: Labelled, model: Model, trial: Trial, out: Path) -> dict[str, object]:
    closing: dict[str, object] = {"question": work.question.name}
    closing |= {f"askings, {name}": count for name, count in counted(work.question, data.counts).items()}
    closing |= {"signals": len(model.signals), "trees": model.card["rounds"]}
    if trial.evaluation is None:
        closing["measured"] = trial.why
    else:
        closing |= numbers(trial.evaluation)
    return closing | {"model": str(out / work.question.name), "report": str(out / "report.html")}
