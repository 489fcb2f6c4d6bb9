"""`offers.toml`: the one that comes with the package, and mistakes that people make in theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.offers import Fatigue
from habitue.errors import SettingsError
from habitue.pipelines.offers import built_in_offers, read_offers

DECIDE = "[decide]\nmargin = 0.4\n"
OFFER = """
[[offers]]
name = "call"
kind = "proactive_support"
cost = 4.0
acceptance = { share = 0.4, worth = 20 }
saves = { alpha = 2, beta = 8 }
"""


@pytest.fixture
def write(tmp_path: Path):
    def made(text: str) -> Path:
        path = tmp_path / "offers.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return made


def test_the_offers_of_the_package_can_be_read() -> None:
    read, text = built_in_offers()
    assert [offer.name for offer in read.offers] == [
        "care call",
        "ten percent off",
        "double points",
        "early access",
    ]
    assert read.offers[1].margin_effect == -0.25
    assert read.offers[3].uplift == Amount(1.0, 2.0)
    assert read.decide.margin == 0.4
    assert text.startswith("# What can be done")


def test_commented_keys_of_the_template_are_real(write) -> None:
    lines = built_in_offers()[1].splitlines()
    keys = (
        "price_margin",
        "leaver_share",
        "budget",
        "channels",
        "protected",
        "consent",
        "opt_out",
        "[[decide",
        "attribute",
        "at_least",
    )
    opened = [line[2:] if line.startswith("# ") and line[2:].startswith(keys) else line for line in lines]
    read = read_offers(write("\n".join(opened)))
    assert read.decide.budget == 5000.0
    assert read.decide.fairness[0].at_least_ratio == 0.8
    assert read.decide.channels == {"phone": 200}
    assert read.decide.protected == ["gender", "age"]


def test_shares_and_limits_are_read_as_written(write) -> None:
    text = DECIDE + "fatigue = [{ at_most = 3, days = 30 }]\n" + OFFER
    offer = read_offers(write(text + 'fatigue = [{ at_most = 1, days = 9, over = "offer" }]\n')).offers[0]
    assert offer.acceptance == Share(0.4, worth=20)
    assert offer.saves == Share.beta(2, 8)
    assert offer.fatigue == (Fatigue(1, 9, "offer"), Fatigue(3, 30, "all"))
    nobody = read_offers(write(DECIDE + OFFER.replace("{ share = 0.4, worth = 20 }", "0")))
    assert nobody.offers[0].acceptance == Share(0.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OFFER, "'decide' is missing"),
        (DECIDE, "'offers' is missing"),
        (DECIDE + OFFER + "capacty = 3\n", "did you mean 'capacity'"),
        (DECIDE.replace("margin", "margn") + OFFER, "did you mean 'margin'"),
        (DECIDE + OFFER + OFFER, "different names"),
        (DECIDE + OFFER.replace("4.0", "-4.0"), "greater than or equal to 0"),
        (DECIDE + OFFER.replace("{ share = 0.4, worth = 20 }", "0.4"), "say how sure it is"),
        (DECIDE + OFFER.replace(", worth = 20", ""), "expected { share"),
        (DECIDE + OFFER.replace("alpha = 2, ", ""), "expected { share"),
        (DECIDE + OFFER.replace("saves = { alpha = 2, beta = 8 }", ""), "needs either saves"),
        (DECIDE + OFFER.replace("proactive_support", "bribe"), "offers.0.kind"),
        (DECIDE + OFFER + "discount = 0.1\nmargin_effect = -0.2\n", "say one of them"),
        (DECIDE + OFFER + 'eligible = "clv > (SELECT 1)"\n', "no condition may"),
        (DECIDE + 'protected = ["age"]\n' + OFFER + 'eligible = "age > 60"\n', "protected attribute"),
        (DECIDE + OFFER + "needs_consent = true\n", "name the column"),
        (DECIDE + "budget = -1\n" + OFFER, "decide.budget"),
        (DECIDE + "margin = 40\n" + OFFER, "no valid TOML"),
        (DECIDE.replace("0.4", "40") + OFFER, "decide.margin"),
        (DECIDE + "channels = { phone = -1 }\n" + OFFER, "phone must be 0 or more"),
        (
            DECIDE + '[[decide.fairness]]\nattribute = "age"\n' + OFFER,
            "needs at_least_ratio or at_least_share",
        ),
    ],
)
def test_mistakes_are_told_with_the_way_out(write, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_offers(write(text))


def test_a_protected_attribute_may_be_declared_with_a_reason(write) -> None:
    text = DECIDE + 'protected = ["age"]\n' + OFFER + 'eligible = "age > 60"\n'
    read = read_offers(write(text + 'declared_for = { age = "a fare that law sets for those over 60" }\n'))
    assert read.offers[0].declared_for["age"].startswith("a fare")


def test_a_budget_of_nothing_is_a_budget(write) -> None:
    assert read_offers(write(DECIDE + "budget = 0\n" + OFFER)).decide.budget == 0.0


def test_what_an_offer_learned_takes_its_place(write) -> None:
    read = read_offers(write(DECIDE + OFFER))
    learned = read.offers[0].updated(0.02, 0.01, p_leave=0.3)
    assert read.updated({"call": learned}).offers == (learned,)
    with pytest.raises(SettingsError, match="known are call"):
        read.updated({"cal": learned})


def test_a_missing_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no"):
        read_offers(tmp_path / "offers.toml")
