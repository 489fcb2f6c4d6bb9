"""Reasons in words: what moved a prediction most, and nothing that reads like a machine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import habitue as hb
from habitue.decisions import by_pillar, reasons, reasons_in_words
from habitue.decisions.reasons import N_REASONS, reasons_for, whom_to_tell
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.features import build
from habitue.models import BoostedChurnClassifier, BTYDChurnClassifier
from habitue.vocabulary import VOCABULARY

FEATURES = [name for name, term in VOCABULARY.items() if term.pillar]
VALUES = (-3.2, -0.004, 0.0, 0.004, 0.3, 0.996, 1.0, 1.3, 2.0, 2.5, 94.0, 12345.67, np.nan)


def told(name: str, value: float, weight: float = 1.0) -> str:
    """Return what is said of one value of one feature."""
    moved, X = pd.DataFrame({name: [weight]}), pd.DataFrame({name: [value]})
    return reasons_in_words(moved, X).loc[0, "reason_1"]


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_can_be_told(name: str) -> None:
    X = pd.DataFrame({name: VALUES})
    raised, lowered = (reasons_in_words(0.0 * X.fillna(0.0) + moved, X)["reason_1"] for moved in (1.0, -1.0))
    assert raised.str.endswith(" (raises it)").all()
    assert list(lowered) == list(raised.str.replace("raises", "lowers"))
    odd = r"[{}_]|nan|  |(?<![\d,.])1 (?:repeat )?(?:days|purchases|interactions|kinds)"
    assert list(raised[raised.str.contains(odd)]) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("inactivity", 94.0, "last bought 94 days ago"),
        ("inactivity", 1.0, "last bought 1 day ago"),
        ("inactivity", 0.0, "bought on the last day"),
        ("gap_mean", 1.3, "usually buys every 1 day"),
        ("gap_mean", np.nan, "bought only once, so there is no rhythm yet"),
        ("gap_last", 1.0, "1 day between the last two purchases"),
        ("frequency", 0.0, "bought only once so far"),
        ("frequency", 1.0, "1 repeat purchase so far"),
        ("frequency", 1234.0, "1,234 repeat purchases so far"),
        ("n_purchases_90d", 1.0, "1 purchase in the last 90 days"),
        ("n_purchases_90d", 0.0, "no purchase in the last 90 days"),
        ("n_events_30d", 1.0, "1 interaction in the last 30 days"),
        ("n_event_kinds", 1.0, "1 kind of interaction"),
        ("n_event_kinds", 2.0, "2 kinds of interaction"),
        ("weekend_share", 1.0, "100% of purchases at weekends"),
        ("weekend_share", 0.004, "less than 1% of purchases at weekends"),
        ("spend_total", 1234.5, "spent 1,234.50 in total"),
        ("inactivity_ratio", 2.5, "silent for 2.5 times the usual gap"),
        ("inactivity_ratio", 3.0, "silent for 3 times the usual gap"),
        ("days_to_next_expected_purchase", 12.0, "12 days to the next expected purchase"),
        ("days_to_next_expected_purchase", 0.3, "next purchase expected today"),
        ("days_to_next_expected_purchase", -0.3, "next purchase expected today"),
        ("days_to_next_expected_purchase", -0.6, "next purchase overdue by 1 day"),
        ("days_to_next_expected_purchase", -94.0, "next purchase overdue by 94 days"),
        ("nps_change", -3.0, "last NPS answer differs by -3 from those before"),
        ("csat_change", -0.004, "last CSAT answer differs by less than 1% from those before"),
        ("purchases_trend_score", -0.04, "pace of buying changed by a score of 0.0"),
        ("n_return_reasons", 1.0, "returned things for 1 reason"),
        ("tier_rank", 2.0, "tier number 2"),
        ("points_to_next_tier", np.nan, "no tier to reach"),
        ("segment_is_gold", 1.0, "segment is gold"),
        ("segment_is_gold", 0.0, "segment is not gold"),
        ("segment_is_gold", np.nan, "segment is not known"),
        ("plan_is_pay_as_you_go_", 1.0, "plan is pay as you go"),
        ("has_app_is_true", 1.0, "has app: yes"),
        ("has_app_is_true", 0.0, "has app: no"),
        ("age", 41.5, "age: 41.5"),
        ("monthly_fee_EUR", 1234.0, "monthly fee EUR: 1,234"),
        ("return_reason_is_too_small", 0.5, "50% of returns have the reason 'too small'"),
        ("return_reason_is_too_small", 0.0, "no return has the reason 'too small'"),
        ("return_reason_is_too_small", np.nan, "no return with a reason"),
    ],
)
def test_how_it_reads(name: str, value: float, sentence: str) -> None:
    assert told(name, value) == f"{sentence} (raises it)"


@pytest.mark.parametrize("name", ["shoe size", "a{b}", "{value}s", "100%"])
def test_a_feature_that_the_vocabulary_lacks_is_told_by_its_name(name: str) -> None:
    assert told(name, 42.0).startswith(name.replace("{value}", "42"))
    assert told(name, np.nan) == f"{name} is not known (raises it)"
    assert told("shoe size", np.inf) == "shoe size: inf (raises it)"


def one(**columns: float) -> pd.DataFrame:
    return pd.DataFrame({name: [value] for name, value in columns.items()})


def test_the_strongest_come_first_whichever_way_they_point() -> None:
    moved = one(inactivity=0.5, frequency=-2.0, returns_share=1.0, weekend_share=0.1)
    X = one(inactivity=30.0, frequency=3.0, returns_share=0.25, weekend_share=0.5)
    assert reasons_in_words(moved, X).loc[0].to_list() == [
        "3 repeat purchases so far (lowers it)",
        "returned 25% of what was bought (raises it)",
        "last bought 30 days ago (raises it)",
    ]


def test_what_moved_nothing_is_not_told() -> None:
    moved = one(inactivity=0.0, frequency=-2.0, returns_share=0.0)
    X = one(inactivity=30.0, frequency=3.0, returns_share=0.25)
    assert reasons_in_words(moved, X).loc[0].to_list() == ["3 repeat purchases so far (lowers it)", "", ""]


def test_a_family_is_told_once_by_who_weighs_most_in_its_direction() -> None:
    moved = one(n_purchases_90d=0.4, n_purchases_180d=0.9, n_purchases_365d=-1.0, inactivity=0.2)
    X = one(n_purchases_90d=0.0, n_purchases_180d=2.0, n_purchases_365d=5.0, inactivity=94.0)
    assert reasons_in_words(moved, X).loc[0].to_list() == [
        "2 purchases in the last 180 days (raises it)",
        "last bought 94 days ago (raises it)",
        "",
    ]


def test_of_the_levels_of_one_attribute_one_is_told() -> None:
    moved = one(segment_is_gold=0.5, segment_is_silver=0.7, segment_is_basic=-0.1, city_is_rome=0.2, age=0.1)
    X = one(segment_is_gold=1.0, segment_is_silver=0.0, segment_is_basic=0.0, city_is_rome=1.0, age=40.0)
    assert reasons_in_words(moved, X).loc[0].to_list() == [
        "segment is not silver (raises it)", "city is rome (raises it)", "age: 40 (raises it)",
    ]  # fmt: skip


def test_a_family_weighs_as_much_as_its_members_together() -> None:
    moved = one(frequency=1.0, gap_mean=0.6, gap_max=0.5)
    X = one(frequency=2.0, gap_mean=20.0, gap_max=30.0)
    assert reasons_in_words(moved, X).loc[0, "reason_1"] == "usually buys every 20 days (raises it)"


def test_what_two_families_say_alike_is_told_once() -> None:
    moved = one(frequency=1.0, recency=0.9, gap_mean=0.8, inactivity_ratio=-0.7, returns_share=0.1)
    X = one(frequency=0.0, recency=0.0, gap_mean=np.nan, inactivity_ratio=np.nan, returns_share=0.0)
    assert reasons_in_words(moved, X).loc[0].to_list() == [
        "bought only once so far (raises it)",
        "bought only once, so there is no rhythm yet (raises it)",
        "never returned anything (raises it)",
    ]


tables = st.integers(0, 2**32 - 1)


def random_table(seed: int, n: int = 7) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    index = [f"customer-{row}" for row in range(n)]
    moved = pd.DataFrame(rng.normal(size=(n, len(FEATURES))), index, FEATURES)
    X = pd.DataFrame(rng.choice(VALUES, size=moved.shape), index, FEATURES)
    return moved, X


@settings(max_examples=25, deadline=None)
@given(tables)
def test_nobody_is_told_a_thing_twice_and_there_are_always_three(seed: int) -> None:
    moved, X = random_table(seed)
    words = reasons_in_words(moved, X)
    assert list(words) == ["reason_1", "reason_2", "reason_3"]
    pd.testing.assert_index_equal(words.index, X.index)
    for _, row in words.iterrows():
        things = {sentence.rsplit(" (", 1)[0] for sentence in row}
        assert len(things) == N_REASONS
        assert "" not in things


@settings(max_examples=15, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_customers_and_of_features_changes_nothing(seed: int, random) -> None:
    moved, X = random_table(seed)
    rows, columns = list(X.index), list(moved.columns)
    random.shuffle(rows)
    words = reasons_in_words(moved, X)
    pd.testing.assert_frame_equal(reasons_in_words(moved.loc[rows], X.loc[rows]), words.loc[rows])
    random.shuffle(columns)
    pd.testing.assert_frame_equal(reasons_in_words(moved[columns], X), words)


@settings(max_examples=15, deadline=None)
@given(tables, st.sampled_from([0.25, 8.0]))
def test_only_the_proportions_of_contributions_count(seed: int, factor: float) -> None:
    moved, X = random_table(seed)
    pd.testing.assert_frame_equal(reasons_in_words(moved * factor, X), reasons_in_words(moved, X))


@settings(max_examples=25, deadline=None)
@given(tables)
def test_pillars_add_up_to_the_whole(seed: int) -> None:
    moved, _ = random_table(seed)
    moved["shoe size"] = 1.0
    sums = by_pillar(moved)
    np.testing.assert_allclose(sums.sum(axis=1), moved.sum(axis=1), atol=1e-12)
    pd.testing.assert_index_equal(sums.index, moved.index)
    pillars = {VOCABULARY[name].pillar for name in FEATURES}
    assert set(sums) == {pillar.value for pillar in pillars if pillar} | {"other"}
    assert (sums["other"] == 1.0).all()
    habit = [name for name in FEATURES if VOCABULARY[name].pillar == "habit"]
    np.testing.assert_allclose(sums["habit"], moved[habit].sum(axis=1), atol=1e-12)


def test_other_customers_and_missing_values_are_refused() -> None:
    moved, X = random_table(0)
    with pytest.raises(DataError, match="same customers in the same order"):
        reasons_in_words(moved, X.iloc[::-1])
    with pytest.raises(SchemaError, match="missing: inactivity"):
        reasons_in_words(moved, X.drop(columns="inactivity"))


def test_nobody_and_nothing_give_empty_tables() -> None:
    moved, X = random_table(0)
    assert reasons_in_words(moved.iloc[:0], X.iloc[:0]).shape == (0, N_REASONS)
    assert (reasons_in_words(moved[[]], X) == "").all(axis=None)


def test_a_learned_level_belongs_to_its_pillar() -> None:
    moved = one(segment_is_gold=1.0, return_reason_is_damaged=2.0, returns_share=0.5, free_share=0.25)
    assert by_pillar(moved).loc[0].to_dict() == {"context": 1.0, "perceived_value": 2.5, "other": 0.25}


def shop_of_attributes() -> hb.CustomerLog:
    """Return a log of customers who differ in attributes and in why they send things back."""
    who = np.arange(400)
    buys = pd.DataFrame({"customer_id": who, "timestamp": "2024-01-01", "amount": 50})
    reason = np.array(["too small", "damaged in transit"])[who // 8 % 2]
    returns = buys.assign(timestamp="2024-01-09", amount=-20, return_reason=reason)
    customers = pd.DataFrame({
        "customer_id": who, "plan (new)": np.array(["pay as you go", "flat"])[who % 2],
        "newsletter": who // 2 % 2 == 1, "shoe size": np.array([36.5, 44.0])[who // 4 % 2],
    })  # fmt: skip
    return hb.CustomerLog(transactions=pd.concat([buys, returns]), customers=customers)


def test_a_boosted_models_attributes_are_told_well() -> None:
    """The model knows its columns by name alone."""
    history = shop_of_attributes().until("2024-01-09")
    population = hb.learn_population(history)
    assert population.return_reasons == ("damaged in transit", "too small")
    features = [one for one in population.features(history) if one.own_term]
    X = build(history, features, horizon=30)
    who = X.index.to_numpy()
    risk = 1.6 * (who % 2) + 0.8 * (who // 2 % 2) + 1.2 * (who // 4 % 2) + 1.2 * (who // 8 % 2)
    churned = risk + np.random.default_rng(0).logistic(size=len(who)) > 2.4
    model = BoostedChurnClassifier(n_estimators=40, min_child_samples=10, n_jobs=1).fit(X, churned)
    words = reasons_in_words(model.contributions(X), X)
    said = {sentence.rsplit(" (", 1)[0] for sentence in words.to_numpy().ravel()}
    assert said - {""} <= {
        "plan new is flat", "plan new is not flat",
        "plan new is pay as you go", "plan new is not pay as you go",
        "newsletter: yes", "newsletter: no", "shoe size: 36.5", "shoe size: 44",
        *(f"100% of returns have the reason '{reason}'" for reason in population.return_reasons),
        *(f"no return has the reason '{reason}'" for reason in population.return_reasons),
    }  # fmt: skip
    assert {"newsletter: yes", "shoe size: 44"} < said
    assert words.loc[1, "reason_1"].startswith("plan new is")
    assert words.loc[1, "reason_1"].endswith("(raises it)")


def test_a_real_model_is_told_for_real_customers() -> None:
    log = hb.datasets.cdnow(sample=True)
    X = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91)).X
    words = reasons_in_words(BTYDChurnClassifier(horizon=91).fit(X).contributions(X), X)
    assert words.shape == (2357, 3)
    said = words.to_numpy().ravel()
    assert all(not one or one.endswith((" (raises it)", " (lowers it)")) for one in said)
    repeat = X.index[(X["frequency"] > 0) & (X["inactivity"] > 300)]
    assert words.loc[repeat].apply(lambda row: row.str.startswith("last bought").any(), axis=1).mean() > 0.9


def test_a_large_base_is_told_as_its_customers_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    moved, X = random_table(3, n=60)
    moved = moved.where(np.random.default_rng(1).uniform(size=moved.shape) < 0.01, 0.0)  # little to tell
    alone = pd.concat([reasons_in_words(moved.iloc[[row]], X.iloc[[row]]) for row in range(len(X))])
    assert (alone == "").any(axis=None)
    pd.testing.assert_frame_equal(reasons_in_words(moved, X), alone)
    monkeypatch.setattr(reasons, "_AT_ONCE", 7)
    pd.testing.assert_frame_equal(reasons_in_words(moved, X), alone)


def slowly(moved: pd.Series, X: pd.Series) -> list[str]:
    """Tell one customer's reasons by the rule: families by weight, each by its leader, no sentence twice."""
    families: dict[str, list[str]] = {}
    for name in moved.index:
        families.setdefault(reasons._MEMBER.sub("", name), []).append(name)  # pyright: ignore[reportPrivateUsage]
    sums = {family: moved[names].to_numpy().sum() for family, names in families.items()}
    said: dict[str, str] = {}
    for family in sorted(families, key=lambda one: -abs(sums[one])):
        leader = max(families[family], key=lambda name: moved[name] * np.sign(sums[family]))
        if sums[family] and len(said) < N_REASONS:
            sentence, way = told(leader, X[leader], np.sign(sums[family])).rsplit(" (", 1)
            said.setdefault(sentence, f"{sentence} ({way}")
    return [*said.values(), "", "", ""][:N_REASONS]


def test_categories_are_told_by_name() -> None:
    tier = pd.Categorical(["silver", "gold", None])
    X = pd.DataFrame({"loyalty_tier": tier, "inactivity": [9.0, 8.0, 7.0]})
    moved = pd.DataFrame({"loyalty_tier": [1.0, -1.0, 0.5], "inactivity": 0.0})
    told = reasons_in_words(moved, X)["reason_1"].tolist()
    assert told == [
        "loyalty tier is silver (raises it)",
        "loyalty tier is gold (lowers it)",
        "loyalty tier is unknown (raises it)",
    ]


@settings(max_examples=4, deadline=None)
@given(tables)
def test_reasons_are_those_of_the_rule_taken_literally(seed: int) -> None:
    moved, X = random_table(seed, n=3)
    words = reasons_in_words(moved, X)
    for customer in X.index:
        assert list(words.loc[customer]) == slowly(moved.loc[customer], X.loc[customer])


answers = st.lists(st.one_of(st.floats(0.0, 1.0), st.just(np.nan)), max_size=30)


@settings(max_examples=40, deadline=None)
@given(answers, st.floats(0.0, 1.0), st.floats(0.01, 1.0))
def test_those_told_are_the_highest(answer: list[float], at_least: float, share: float) -> None:
    values = np.array(answer)
    known = values[~np.isnan(values)]
    top = whom_to_tell(answer, top_share=share)
    assert top.sum() == np.ceil(round(share * known.size, 9))
    if top.any():
        assert values[top].min() >= np.max(values[~top & ~np.isnan(values)], initial=-np.inf)
    above = whom_to_tell(answer, at_least=at_least)
    assert above.tolist() == [value >= at_least for value in answer]
    both = whom_to_tell(answer, at_least=at_least, top_share=share)
    assert (both == (above & top)).all()
    assert whom_to_tell(answer).sum() == known.size


def test_of_equal_answers_the_first_are_told() -> None:
    assert whom_to_tell([0.5] * 4, top_share=0.5).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    "limits", [{"top_share": 0.0}, {"top_share": 1.1}, {"top_share": np.nan}, {"at_least": np.nan}]
)
def test_limits_that_are_none_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(limits))} must be"):
        whom_to_tell([0.5], **limits)


def test_reasons_for_some_are_those_that_all_would_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    log = hb.datasets.cdnow(sample=True)
    past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    X = past.X.iloc[:500]
    model = BoostedChurnClassifier(n_estimators=10, btyd_features=True, n_jobs=1).fit(
        past.X, past.y["churned"]
    )
    everybody = reasons_for(model, X)
    pd.testing.assert_frame_equal(everybody, reasons_in_words(model.contributions(X), model.reason_values(X)))
    who = whom_to_tell(model.predict_proba(X)[:, 1], at_least=0.8)
    assert 0 < who.sum() < len(X)
    monkeypatch.setattr(reasons, "_ASKED_AT_ONCE", 70)
    some = reasons_for(model, X, who)
    pd.testing.assert_frame_equal(some[who], everybody[who])
    assert (some[~who] == "").all(axis=None)
    assert (reasons_for(model, X, np.zeros(len(X), dtype=np.bool_)) == "").all(axis=None)
    with pytest.raises(DataError, match="each of 500 customers"):
        reasons_for(model, X, who[:-1])
