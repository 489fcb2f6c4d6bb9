"""What a batch is to be made of, said before any of it is made.

Two runs with the same plan make the same batch, but for the moment: so a run that was killed is gone on with,
and a batch that is there already is not made again. A plan that differs in anything is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from habitue.pipelines.scoring.answers import AskedReasons
from habitue.pipelines.scoring.batches import BatchKey
from habitue.pipelines.scoring.features import Source
from habitue.pipelines.scoring.models import Models, feature_set, is_churn

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel

__all__ = ["Plan", "key_of_models", "model_of", "plan_of"]

_CHECKSUMS = "habitue.sha256"


@dataclass(frozen=True)
class Plan:
    """What a batch is made of.

    Attributes
    ----------
    key : BatchKey
        Which batch.
    models : tuple of Mapping
        Name, version, run, checksum of the files and fingerprint of the features of each.
    reasons : AskedReasons
        Who is told why.
    discount_rate : float
        What a year takes off money.
    source : Mapping[str, str]
        Whether records or features were handed in, and their fingerprint.
    scored_at : datetime
        When it was begun; the only part that may differ between runs that make one batch.
    """

    key: BatchKey
    models: tuple[Mapping[str, Any], ...]
    reasons: AskedReasons
    discount_rate: float
    source: Mapping[str, str]
    scored_at: datetime

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides what is in the batch, as JSON can hold it."""
        return {
            "batch": self.key.to_plain(),
            "models": [dict(one) for one in self.models],
            "reasons": asdict(self.reasons),
            "discount_rate": self.discount_rate,
            "source": dict(self.source),
        }

    def differs_in(self, other: Any) -> str:
        """Say in a few words what another batch of this key was made of that this one is not.

        Parameters
        ----------
        other : object
            The identity of its plan, as its manifest has it.

        Returns
        -------
        str
            Empty where nothing differs.
        """
        told = {
            "models": "other files of the models",
            "reasons": "other reasons",
            "discount_rate": "money discounted otherwise",
            "source": "other records",
        }
        own = self.identity
        if not isinstance(other, Mapping):
            return "something that it does not tell"
        return " and ".join(words for part, words in told.items() if other.get(part) != own[part])


def plan_of(models: Models, source: Source, reasons: AskedReasons, *, now: datetime) -> Plan:
    """Return the plan of a batch.

    Parameters
    ----------
    models : Models
        Who answers.
    source : Source
        What they read.
    reasons : AskedReasons
        Who is told why.
    now : datetime
        When.
    """
    return Plan(
        key=key_of_models(models, source.cutoff),
        models=tuple(_pinned(one) for one in models.loaded),
        reasons=reasons,
        discount_rate=models.discount_rate,
        source={"kind": type(source).__name__.lower(), "fingerprint": source.fingerprint()},
        scored_at=now,
    )


def key_of_models(models: Models, cutoff: date) -> BatchKey:
    """Return which batch some models make.

    Parameters
    ----------
    models : Models
        Who answers.
    cutoff : date
        The last day known.
    """
    versions = tuple((one.version.name, one.version.version) for one in models.loaded)
    return BatchKey(cutoff, models.horizon, versions)


def model_of(one: LoadedModel, horizon: int) -> dict[str, Any]:
    """Say which model answered, what it learned, and how sure its interval is, or why it has none.

    Parameters
    ----------
    one : LoadedModel
        A registered model.
    horizon : int
        Days ahead that it was asked for.
    """
    version, answers = one.version, one.answers
    why_no_interval = "" if is_churn(one) else answers.why_no_interval(horizon)
    return {
        "role": "churn" if is_churn(one) else "clv",
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "label": version.tags.get("habitue.label", ""),
        "why": version.tags.get("habitue.champion_why", ""),
        "learned_horizon": int(answers.horizon),
        "interval": None if is_churn(one) or why_no_interval else answers.interval.confidence,
        "why_no_interval": why_no_interval,
        "feature_set": feature_set(one),
        "from_cache": bool(getattr(one, "from_cache", False)),
    }


def _pinned(one: LoadedModel) -> dict[str, Any]:
    files = one.version.tags.get(_CHECKSUMS, "")
    return {
        "name": one.version.name,
        "version": one.version.version,
        "run_id": one.version.run_id,
        "files": hashlib.sha256(files.encode()).hexdigest(),
        "feature_set": feature_set(one),
    }
