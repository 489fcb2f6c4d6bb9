"""8 TOLD: facts -> plain data -> charts -> one HTML page that a marketing lead can read.

In the order of use: :mod:`~habitue.report.facts` gathers everything the report says as plain data (with the
help of ``scores``, ``customers``, ``rivals``, ``curves`` and ``glossary``), :mod:`~habitue.report.charts`
draws it, :mod:`~habitue.report.page` writes it. Nothing is fitted, scored or read from a database here.
"""

from __future__ import annotations

from habitue.report import plots
from habitue.report.dependence import dependence, draw_dependence
from habitue.report.facts import Champion, DataCheck, Facts, KindCheck, build_facts
from habitue.report.model_card import CardFacts, facts_from_json, facts_to_json, model_card, model_card_page
from habitue.report.page import render, write_report

__all__ = [
    "CardFacts",
    "Champion",
    "DataCheck",
    "Facts",
    "KindCheck",
    "build_facts",
    "dependence",
    "draw_dependence",
    "facts_from_json",
    "facts_to_json",
    "model_card",
    "model_card_page",
    "plots",
    "render",
    "write_report",
]
