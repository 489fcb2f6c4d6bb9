"""`habitue report`: scores, leaderboards and curves, told on one page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from habitue.errors import DataError, RegistryError
from habitue.files import sha256_of
from habitue.pipelines.monitoring.monitored import last_monitored
from habitue.pipelines.scoring.files import json_in, read_scores, sidecar_of
from habitue.pipelines.scoring.targets import Target, target_of
from habitue.pipelines.scoring.targets_files import FileTarget
from habitue.pipelines.tell_loop import LoopFiles, gather_loop
from habitue.report import Champion, DataCheck, KindCheck, build_facts, write_report
from habitue.report.looked import Looked

if TYPE_CHECKING:
    from habitue.tracking import Store

__all__ = ["tell"]

_CURVES = frozenset({"reliability", "gains", "deciles"})
"""Tables of a run that hold curves."""


def tell(
    scores: Path | str,
    output: Path,
    *,
    store: Store,
    money: str,
    title: str,
    now: datetime,
    published: pd.DataFrame | None = None,
    n_customers: int = 500,
    loop: LoopFiles | None = None,
) -> Path:
    """Write the report of the newest batch of scores.

    Parameters
    ----------
    scores : Path or str
        Where `habitue score` wrote it: whatever `target_of` understands.
    output : Path
        The HTML page.
    store : Store
        MLflow's home: leaderboards and curves are those that the models were registered with.
    money : str
        Sign or code of the currency.
    title : str
        Heading.
    now : datetime
        When; shown on the page.
    published : DataFrame, optional
        Published figures beside ours.
    n_customers : int
        Customers listed.
    loop : LoopFiles, optional
        Where scorecard, decision and readout lie.

    Raises
    ------
    DataError
        Where there are no scores, no manifest, or that of other scores; or a file of the loop was named and
        is not there, or cannot be read.
    """
    manifest, frame = _newest(target_of(str(scores)))
    tables, curves = _evidence(manifest, store)
    data: dict[str, Any] = manifest["data"]
    levels = [model["interval"] for model in manifest["models"] if model["interval"]]
    facts = build_facts(
        title=title,
        source=data["source"],
        currency=money,
        cutoff=date.fromisoformat(manifest["cutoff"]),
        horizon=manifest["horizon"],
        scores=frame,
        tables=tables,
        curves=curves,
        champions=[_champion(model) for model in manifest["models"]],
        data_check=DataCheck(
            n_rows=data["n_rows"],
            n_customers=manifest["n_customers"],
            first_day=date.fromisoformat(manifest["first_day"]),
            last_day=date.fromisoformat(manifest["observed_until"]),
            n_quarantined=sum(data["quarantined"].values()),
            quarantined=data["quarantined"],
            notes=data["notes"],
            others=_others(manifest),
        ),
        generated_at=now,
        published=published,
        n_customers_shown=n_customers,
        interval_level=levels[0] if levels else None,
        # Manifests of older versions do not tell: then models answered for what they learned.
        trained_for=manifest["models"][0].get("learned_horizon"),
        discount_rate=manifest.get("discount_rate", 0.0),
        loop=gather_loop(
            loop or LoopFiles(),
            cutoff=date.fromisoformat(manifest["cutoff"]),
            scores_sha256=manifest.get("sha256"),
        ),
        looked=[found for model in manifest["models"] if (found := _looked(model, store)) is not None],
    )
    return write_report(facts, output)


def _others(manifest: Mapping[str, Any]) -> list[KindCheck]:
    """Say of each kind of record but the main one what was set aside; older manifests do not tell."""
    records = manifest.get("records", {})
    main = "transactions" if "transactions" in records else "contracts"
    return [
        KindCheck(
            kind=kind,
            source=one["source"],
            n_rows=one["n_rows"],
            n_quarantined=sum(one["quarantined"].values()),
            quarantined=one["quarantined"],
            notes=one["notes"],
        )
        for kind, one in records.items()
        if kind != main
    ]


def _newest(target: Target) -> tuple[dict[str, Any], pd.DataFrame]:
    """Read the batch of the latest cutoff, and of several the one that was made last, with its manifest."""
    if isinstance(target, FileTarget):
        return _read_manifest(target.path), read_scores(target.path, None)
    keys = target.batches()
    whole = {key: target.finished(key) for key in keys if key.cutoff == keys[-1].cutoff}
    found = {key: manifest for key, manifest in whole.items() if manifest is not None}
    if not found:
        raise DataError(f"There are no scores in {target.label}. Make them with: habitue score")
    newest = max(found, key=lambda key: found[key]["scored_at"])
    return found[newest], target.read(newest)


def _read_manifest(scores: Path) -> dict[str, Any]:
    if not scores.is_file():
        raise DataError(f"There are no scores at {scores}. Make them with: habitue score")
    path = sidecar_of(scores)
    manifest = json_in(path)
    if manifest is None or "sha256" not in manifest:
        raise DataError(f"{scores} has no readable manifest ({path.name}) beside it; score again.")
    if manifest["sha256"] != sha256_of(scores):
        raise DataError(f"{path.name} does not belong to {scores}, which was changed since; score again.")
    return manifest


def _champion(model: Mapping[str, Any]) -> Champion:
    return Champion(
        model["role"], model["name"], str(model["version"]), model["run_id"], model["label"], model["why"]
    )


def _looked(model: Mapping[str, Any], store: Store) -> Looked | None:
    """Return what the last monitoring of a model found; None where there was none."""
    name, version = model["name"], str(model["version"])
    try:
        found = last_monitored(store, name)
    except (DataError, RegistryError) as error:
        return Looked(name, None, "", version, problem=str(error))
    if found is None:
        return None
    return Looked(name, found.cutoff, str(found.version), version, tuple(one.told for one in found.alarms))


def _evidence(
    manifest: Mapping[str, Any], store: Store
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Fetch from MLflow how each model was tested."""
    from habitue.tracking import logged_tables

    tables: dict[str, pd.DataFrame] = {}
    curves: dict[str, pd.DataFrame] = {}
    for model in manifest["models"]:
        logged = logged_tables(store, model["run_id"])
        question = "churn" if model["role"] == "churn" else "value"
        if "scores" in logged:
            tables[question] = logged.pop("scores")
        # A run keeps further tables, such as what a search of settings tried; the page draws these.
        for name in _CURVES & logged.keys():
            # The page draws one gains chart: that of churn where both were asked.
            if name not in curves or model["role"] == "churn":
                curves[name] = logged[name]
    return tables, curves
