"""What the last monitoring of a model found: read back by whoever decides whether to train again.

It deliberately finds nothing itself; that is `habitue.pipelines.monitoring.monitor`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal

from habitue.errors import DataError

if TYPE_CHECKING:
    from habitue.tracking import Store

__all__ = ["ALARM_KINDS", "Alarm", "AlarmKind", "Monitored", "last_monitored"]

AlarmKind = Literal["input", "law", "score", "data", "performance"]
"""What an alarm is about: the features, the law of buying, the predictions, the records, the outcomes."""

ALARM_KINDS: Final[tuple[AlarmKind, ...]] = ("input", "law", "score", "data", "performance")


@dataclass(frozen=True)
class Alarm:
    """Something that changed by more than chance explains, and by enough to matter.

    Attributes
    ----------
    kind : {"input", "law", "score", "data", "performance"}
        What it is about.
    what : str
        The feature, parameter, answer, kind of record or score.
    told : str
        One sentence that a marketer understands.
    """

    kind: AlarmKind
    what: str
    told: str


@dataclass(frozen=True)
class Monitored:
    """What one monitoring of one model found.

    Attributes
    ----------
    cutoff : date
        As of which day.
    version : int
        Of the registered model that was looked at.
    alarms : tuple of Alarm
        Empty where all is quiet.
    """

    cutoff: date
    version: int
    alarms: tuple[Alarm, ...]

    def to_json(self) -> str:
        """Return all of it as text.

        Examples
        --------
        >>> Monitored.from_json(Monitored(date(2024, 6, 30), 3, ()).to_json())
        Monitored(cutoff=datetime.date(2024, 6, 30), version=3, alarms=())
        """
        told = {
            "cutoff": self.cutoff.isoformat(),
            "version": self.version,
            "alarms": [asdict(alarm) for alarm in self.alarms],
        }
        return json.dumps(told, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Monitored:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON; what it holds beyond these three is left aside.

        Raises
        ------
        DataError
            Where it is no such text.
        """
        try:
            told = json.loads(text)
            alarms = tuple(_alarm(one) for one in told["alarms"])
            return cls(date.fromisoformat(told["cutoff"]), int(told["version"]), alarms)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                "This is no result of a monitoring as Monitored.to_json writes it "
                f"({type(error).__name__}: {error}); run `habitue monitor` again."
            ) from error


def last_monitored(store: Store, name: str) -> Monitored | None:
    """Return what the last monitoring of a model found.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.

    Returns
    -------
    Monitored or None
        Of the finished run that was begun last; None where the model was never monitored.

    Raises
    ------
    DataError
        Where what the run left cannot be read.
    """
    from habitue.tracking.monitoring import last_monitoring

    text = last_monitoring(store, name)
    return None if text is None else Monitored.from_json(text)


def _alarm(told: dict[str, Any]) -> Alarm:
    if told["kind"] not in ALARM_KINDS:
        raise ValueError(f"an alarm is of a kind {', '.join(ALARM_KINDS)}; got {told['kind']!r}")
    return Alarm(told["kind"], str(told["what"]), str(told["told"]))
