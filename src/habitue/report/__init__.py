"""8 TOLD: facts -> plain data -> charts -> one HTML page that a marketing lead can read.

In the order of use: :mod:`~habitue.report.facts` gathers everything the report says as plain data (with the
help of ``scores``, ``customers``, ``rivals``, ``curves`` and ``glossary``), :mod:`~habitue.report.charts`
draws it, :mod:`~habitue.report.page` writes it. Nothing is fitted, scored or read from a database here.
"""

from __future__ import annotations

from habitue.report import plots
from habitue.report.dependence import draw_dependence
from habitue.report.facts import Champion, DataCheck, Facts, KindCheck, build_facts
from habitue.report.model_card import CardFacts, model_card
from habitue.report.page import render, write_report

__all__ = [
    "CardFacts",
    "Champion",
    "DataCheck",
    "Facts",
    "KindCheck",
    "build_facts",
    "draw_dependence",
    "model_card",
    "plots",
    "render",
    "write_report",
]
