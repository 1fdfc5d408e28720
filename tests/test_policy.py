"""Policies: the shipped ones, what a file may say, and the sentence for each that is wrong."""

from dataclasses import fields
from pathlib import Path

import pytest

from features import RedressError
from models.officers import Officers
from models.policy import SECTIONS, SHIPPED, Policy, opened, policy
from models.refunds import Refunds
from pipelines.documents import default_policy

DEFAULT = opened("default")


def told(**refunds: object) -> dict[str, object]:
    return {"name": "mine", "extends": "default", "refunds": refunds}


def test_the_shipped_default_is_what_the_code_declares() -> None:
    assert Policy("default", DEFAULT.says) == DEFAULT
    assert [f.name for f in fields(Policy)] == ["name", "says", *SECTIONS]
    assert (SHIPPED / "default.toml").read_text(encoding="utf-8") == default_policy(), "`make docs` writes it anew"


def test_strict_and_generous_lie_on_either_side() -> None:
    strict, generous = opened("strict").refunds, opened("generous").refunds
    for name in ("refuse_at", "automatic_below", "automatic_most", "wrongful"):
        assert getattr(strict, name) < getattr(DEFAULT.refunds, name) < getattr(generous, name)


def test_a_version_is_of_what_a_policy_says_and_not_of_its_name_or_layout(tmp_path: Path) -> None:
    same = policy({"name": "other", "says": "words", "extends": "default"}, "p")
    assert same.version == DEFAULT.version
    text = (SHIPPED / "default.toml").read_text(encoding="utf-8")
    (tmp_path / "bare.toml").write_text("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    assert opened(tmp_path / "bare.toml").version == DEFAULT.version
    assert policy(told(review=1_301), "p").version != DEFAULT.version
    assert policy({"name": "p", "extends": "default", "blocks": {"risk_address": 12.0}}, "p").version != DEFAULT.version
    assert len({opened(name).version for name in ("default", "strict", "generous")}) == 3


@pytest.mark.parametrize(
    ("came", "says"),
    [
        (told(reviews=1), r"p\.refunds: want reasons, .*, got reviews; rename it review$"),
        (told(review=-1), r"p\.refunds\.review: want whole cents from 0 to 1e\+14, got -1"),
        (told(review=1.5), r"p\.refunds\.review: want whole cents .*, got 1\.5"),
        (told(review=True), r"p\.refunds\.review: want whole cents .*, got True"),
        (told(caught=1.2), r"p\.refunds\.caught: want share from 0 to 1, got 1\.2"),
        (told(caught=float("nan")), r"p\.refunds\.caught: want share from 0 to 1, got nan"),
        (told(caught="often"), r"p\.refunds\.caught: want share from 0 to 1, got 'often'"),
        (told(keys=["rumour"]), r"p\.refunds\.keys: want a list of earlier_finding, .*, got \['rumour'\]"),
        (told(keys="upheld_report"), r"p\.refunds\.keys: want a list of "),
        (told(keys=["upheld_report", "upheld_report"]), r"p\.refunds\.keys: want a list of .*, each once"),
        (told(automatic_below=0.95), r"refunds\.automatic_below: want at most refunds\.refuse_at, got 0\.95 and 0\.9"),
        (told(withheld=0.9), r"refunds\.withheld: want at most refunds\.caught, got 0\.9 and 0\.6"),
        (told(returns=["billing"]), r"refunds\.returns: want some of refunds\.reasons, got billing"),
        (
            {"name": "mine", "refunds": {"review": 1}},
            r"p\.refunds\.reasons: want a list of .*, got nothing; set it, or begin",
        ),
        ({"name": "mine"}, r"p\.refunds\.reasons: want .*, got nothing"),
        ({"extends": "default"}, r"p\.name: want a name in words, got ''"),
        ({"name": "mine", "extends": "default", "refund": {}}, r"p: want name, says, extends, refunds.*, got refund;"),
        (
            {"name": "mine", "extends": "default", "refunds": 3},
            r"p\.refunds: want a section, got 3; begin it with \[refunds\]",
        ),
        (
            {"name": "mine", "extends": "kind"},
            r"p\.extends: want default, generous, strict, got kind; name a policy that is shipped",
        ),
    ],
)
def test_a_policy_that_is_wrong_is_one_sentence_that_names_the_field(came: dict[str, object], says: str) -> None:
    with pytest.raises(RedressError, match=f"^{says}"):
        policy(came, "p")


def test_a_file_that_is_no_policy_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text("name = ")
    with pytest.raises(RedressError, match=r"odd\.toml: want a policy in TOML, got .*; mend the file"):
        opened(tmp_path / "odd.toml")
    with pytest.raises(RedressError, match="got no such file"):
        opened(tmp_path / "none.toml")


def test_a_policy_says_what_it_does_not_take_over() -> None:
    mine = policy(told(review=900), "p")
    assert isinstance(mine, Policy)
    assert mine.refunds == Refunds(review=900)


def test_what_training_measured_of_officers_makes_another_version_of_a_policy() -> None:
    officers = Officers(100, (0.7, 0.6, 0.8), (0.1, 0.05, 0.15))
    found = DEFAULT.informed({"officers": officers.to_json()})
    assert (found.name, found.refunds.caught, found.refunds.withheld) == (DEFAULT.name, 0.7, 0.1)
    assert found.version != DEFAULT.version
    assert found.version == policy(told(caught=0.7, withheld=0.1), "p").version
    assert DEFAULT.informed({}).version == DEFAULT.version
