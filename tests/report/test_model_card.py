"""Model cards: every number handed in is on the card, what was not done is said, and losses are said too."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date
from html import unescape
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.decisions.stability import importance_by_pillar
from habitue.errors import DataError, SchemaError
from habitue.evaluation.paired import comparison_table, judge
from habitue.evaluation.segments import scores_by_segment, segment_of
from habitue.report.model_card import (
    CardFacts,
    facts_from_json,
    facts_to_json,
    model_card,
    model_card_page,
)

SCORES = pd.DataFrame(
    [
        ("churned", "the mean", "auc", 0.5, 0.5, 0.5),
        ("churned", "trees", "auc", 0.812, 0.79, 0.83),
        ("churned", "x/T*t", "auc", 0.901, 0.88, 0.92),
        ("churned", "logit", "auc", 0.805, 0.78, 0.82),
        ("churned", "the mean", "brier", 0.2, 0.19, 0.21),
        ("churned", "trees", "brier", 0.11, 0.10, 0.12),
        ("churned", "x/T*t", "brier", 0.11, 0.10, 0.12),
        ("spend", "trees", "mae", 77.7, 70.0, 80.0),
    ],
    columns=["target", "model", "score", "value", "lower", "upper"],
)
BARE = CardFacts("shop-churn", "trees", "BoostedChurnClassifier", "churned", 91, "shop.csv", "0a1b",
                 date(2026, 6, 30), SCORES)  # fmt: skip
FULL = replace(
    BARE,
    why="trees: best by auc.",
    version=7,
    params={"n_estimators": 150},
    first_day=date(2024, 1, 2),
    last_day=date(2026, 9, 29),
    n_customers=12345,
    n_quarantined=67,
    learned_from=(date(2026, 3, 31),),
    tested_at=(date(2026, 3, 31), date(2026, 6, 30)),
    features=("inactivity", "gap_mean", "odd | name"),
    silent={"season_share": "missing"},
    not_fitted={"forest": "too few customers."},
    calibration="isotonic, on the last training cutoff",
    comparisons=pd.DataFrame(
        [
            ("auc", "trees", "x/T*t", -0.089, -0.1, -0.07, "clearly worse"),
            ("auc", "trees", "the mean", 0.312, 0.29, 0.33, "clearly better"),
            ("brier", "trees", "the mean", 0.09, -0.01, 0.1, "better"),
            ("auc", "logit", "trees", -0.007, -0.01, 0.01, "worse"),
        ],
        columns=["score", "model", "rival", "advantage", "lower", "upper", "verdict"],
    ),
    coverage=pd.DataFrame(
        [
            ("everybody", "everybody", 900, 0.79, 0.76, 0.82, 0.1, 0.11, 50.0, 71.0),
            ("tenth", "1", 90, 0.61, 0.51, 0.7, 0.1, 0.29, 90.0, 150.0),
            ("segment", "new", 100, 0.95, 0.89, 0.98, 0.0, 0.05, 10.0, 12.0),
            ("outcome", "spent something", 300, 0.55, 0.5, 0.6, 0.1, 0.35, 60.0, 99.0),
            ("one interval for all", "all", 900, 0.8, 0.77, 0.83, 0.1, 0.1, 90.0, 100.0),
        ],
        columns=["by", "group", "n", "share_inside", "share_lower", "share_upper",
                 "share_below", "share_above", "mean_width", "mean_score"],
    ).assign(stated=0.8),
    stability_note="By 5 refits; reasons of 900 customers.",
    pictures=("inactivity", "gap_mean"),
    importance=pd.DataFrame(
        {"pillar": ["perceived_value"], "n_features": [3], "importance": [1.0], "lower": [0.9],
         "upper": [1.1], "share": [0.76], "share_lower": [0.7], "share_upper": [0.8]}
    ),
    stability=pd.DataFrame(
        {"level": ["feature"], "top": [1], "jaccard": [0.49], "lower": [0.28], "upper": [0.7],
         "shared": [0.51], "of_another": [0.33]}
    ),
    leakage=("notes: alone it has an AUC of 0.99.",),
    fairness=("gender: no measure differs.",),
    groups=pd.DataFrame(
        {"attribute": "gender", "group": ["f", "m", "x"], "n_rows": 500, "n_customers": [500, 400, 3],
         "judged": [True, True, False], "measure": ["auc", "auc", ""], "value": [0.81, 0.82, np.nan],
         "lower": [0.8, 0.8, np.nan], "upper": [0.83, 0.84, np.nan]}
    ),
    limits=("Only for the shop in Ulm.",),
)  # fmt: skip


def section(card: str, heading: str) -> str:
    """Return what stands under a heading."""
    return card.split(f"## {heading}\n")[1].split("\n## ")[0].replace("\N{NO-BREAK SPACE}", " ")


def test_a_card_tells_what_it_was_told() -> None:
    card = model_card(FULL).replace("\N{NO-BREAK SPACE}", " ")
    assert card.startswith("# Model card: shop-churn, version 7\n")
    for told in (
        "leaves within 91 days", "shop.csv", "`0a1b`", "2 January 2024 to 29 September 2026", "12,345", "67",
        "31 March 2026 and 30 June 2026", "- activity (1): inactivity", "- habit (1): gap_mean",
        "season_share (missing)", "- n_estimators: 150", "isotonic, on the last training cutoff.",
        "trees: best by auc.", "- forest could not be fitted: too few customers.",
        "| everybody | 900 | 80 % | 79 % (76 % to 82 %) | 10 % | 11 % | 50.00 | 71.00 |",
        "| tenth 1 | 90 | 80 % | 61 % (51 % to 70 %) |",
        "**Less often than stated**, beyond chance: tenth 1.",
        "More often than stated, so wider than need be: segment new.",
        "Of the 300 who spent anything it held for 55 %.",
        "71.00, against 100 of one interval for all, learned from the same days: 29 % less.",
        "By 5 refits; reasons of 900 customers.", "of those that move them most: inactivity and gap_mean.",
        "| perceived value | 3 | 76 % (70 % to 80 %) |",
        "| feature | 1 | 51 % | 0.490 (0.280 to 0.700) | 0.330 |",
        "- notes: alone it has an AUC of 0.99.", "- gender: no measure differs.",
        "| gender | m | 400 | 0.820 (0.800 to 0.840) |", "tested at 2 cutoffs", "- Only for the shop in Ulm.",
    ):  # fmt: skip
        assert told in card
    assert "77.7" not in card  # of another target
    assert "| gender | x" not in card  # too few to be judged
    assert model_card(FULL) == model_card(FULL)


def test_a_card_says_where_the_model_does_not_win() -> None:
    told = section(model_card(BARE), "How good it is")
    assert "| **trees** | 0.812 (0.790 to 0.830) | 0.110 (0.100 to 0.120) |" in told
    assert "| x/T*t (baseline) | 0.901 (0.880 to 0.920) |" in told
    assert (
        "- AUC: clearly ahead of the mean; ahead, perhaps by chance, of logit; clearly behind x/T*t." in told
    )
    assert "- Brier score: clearly ahead of the mean; level with x/T*t." in told
    assert "**Baselines that it does not beat**: x/T*t, by AUC and Brier score." in told
    won = model_card(replace(BARE, scores=SCORES[SCORES["model"] != "x/T*t"]))
    assert "Every baseline is behind by every score." in won


def test_a_card_compares_on_the_same_draws_where_that_was_done() -> None:
    told = section(model_card(FULL), "How good it is")
    assert "| x/T*t (baseline) | −0.0890 (−0.1000 to −0.0700) | – |" in told
    assert "| the mean (baseline) | +0.3120 (+0.2900 to +0.3300) | +0.0900 (−0.0100 to +0.1000) |" in told
    assert "- AUC: clearly ahead of the mean; clearly behind x/T*t." in told
    assert "- Brier score: ahead, perhaps by chance, of the mean." in told
    assert "**Baselines that it does not clearly beat**: the mean, by Brier score; x/T*t, by AUC." in told
    assert "These are 3 comparisons" in told
    alone = replace(FULL, comparisons=FULL.comparisons.iloc[:0])  # pyright: ignore[reportOptionalMemberAccess]
    assert "nothing to compare it with" in model_card(alone)


def test_facts_come_back_as_they_were_kept() -> None:
    for facts in (BARE, FULL, replace(FULL, params={"depth": np.int64(5), "odd": np.nan, "law": None})):
        text = facts_to_json(facts)
        again = facts_from_json(text)
        assert facts_to_json(again) == text
        assert model_card(again).replace("None", "nan") == model_card(facts).replace("None", "nan")
    assert facts_from_json(facts_to_json(BARE)[:-1] + ', "of_later": 1}').name == BARE.name
    for wrong in ("{", "[]", '{"name": "shop"}'):
        with pytest.raises(DataError, match=r"no model card.*train again"):
            facts_from_json(wrong)


def test_the_page_says_what_the_text_says_and_nothing_of_it_is_markup() -> None:
    odd = replace(FULL, source="<script>alert(1)</script>", why="a & b: **best**.")
    page = model_card_page(odd)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<strong>best</strong>" in page
    assert "<em>Clearly</em>" in page
    assert "x/T*t (baseline)" in page
    words = re.sub(r"[|#*`\\-]|\s", "", model_card(odd))
    seen = unescape(re.sub(r"<style>.*</style>|<title>.*</title>|<[^>]+>", "", page, flags=re.DOTALL))
    assert re.sub(r"[|#*`\\-]|\s", "", seen) == words


def test_what_was_not_done_is_said() -> None:
    card = model_card(BARE)
    assert section(card, "For whom: segments").strip() == "Not measured for this version."
    assert "The leakage probe was not run" in section(card, "Leakage")
    assert "no attribute was declared" in section(card, "Fairness")
    assert "not measured" in section(card, "What it goes by").lower()
    assert "nothing was done" in section(card, "What it is")
    assert "found nothing" in section(model_card(replace(BARE, leakage=())), "Leakage")
    of_value = replace(BARE, target="spend")
    assert section(model_card(of_value), "Do its intervals hold").strip() == "Not measured for this version."


DIFFERENT = [one.name for one in fields(CardFacts) if getattr(BARE, one.name) is not getattr(FULL, one.name)]


@pytest.mark.parametrize("part", DIFFERENT)
def test_every_part_changes_the_card(part: str) -> None:
    assert model_card(replace(FULL, **{part: getattr(BARE, part)})) != model_card(FULL)


def test_tables_are_tables_whatever_names_hold() -> None:
    odd = SCORES.assign(model=SCORES["model"].replace("logit", "a|b\nc"))
    for card in (model_card(FULL), model_card(replace(BARE, scores=odd))):
        lines = card.splitlines()
        for before, line in pairwise(lines):
            if line.startswith("|") and before.startswith("|"):
                cells = [row.replace("\\|", "").count("|") for row in (before, line)]
                assert cells[0] == cells[1]
    assert "a\\|b c" in model_card(replace(BARE, scores=odd))


def test_scores_must_be_scores() -> None:
    with pytest.raises(SchemaError):
        model_card(replace(BARE, scores=SCORES.drop(columns="value")))


def test_the_card_of_a_real_training() -> None:
    log, horizon = hb.datasets.cdnow(sample=True), 91
    tested = hb.backtest(
        log,
        {"trees": hb.BoostedChurnClassifier(n_estimators=20, n_jobs=1)},
        cutoffs=["1998-03-31"],
        horizon=horizon,
    )
    cutoff = date(1998, 3, 31)
    X = hb.take_snapshot(log, hb.Window(cutoff, horizon=horizon)).X
    model = tested.models[cutoff, "churned", "trees"]
    segments = segment_of(X, horizon=horizon)
    by_segment = scores_by_segment(tested.frame, segments, target="churned", at_least=100, n_replicates=20)
    judged = judge(tested.frame, "churned", n_replicates=20)
    facts = replace(
        BARE,
        scores=tested.scores(n_replicates=20),
        comparisons=comparison_table(judged, ["trees"]),
        by_segment=by_segment,
        importance=importance_by_pillar(model.contributions(X), n_replicates=20),  # pyright: ignore
    )
    card = model_card(facts)
    auc = by_segment[(by_segment["score"] == "auc") & (by_segment["model"] == "trees")].set_index("segment")[
        "value"
    ]
    table = section(card, "For whom: segments")
    for name, n in segments.value_counts().items():
        if n >= 100:
            assert f"| {name} | {n:,} | {auc[name]:.3f}" in table
        elif n:
            assert f"{name}: {n} customers, too few (100)." in table
    assert "| activity | " in section(card, "What it goes by")
    assert re.search("clearly ahead of [^;]*the mean", section(card, "How good it is"))
