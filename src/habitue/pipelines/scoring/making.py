"""How a batch is made: features, the contract check, answers chunk by chunk, and one stream of rows.

What is finished lies in the folder of work, and is not made again by the run that goes on. In memory there is
one chunk at a time, and one column of all answers for tenths and for the highest ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from habitue.errors import DataError
from habitue.pipelines.scoring import answers as score_answers
from habitue.pipelines.scoring.answers import FloatArray, answers_of, deciles, joined, reasons_for_chunk
from habitue.pipelines.scoring.columns import as_table, completed, schema_of
from habitue.pipelines.scoring.contract import check_contract
from habitue.pipelines.scoring.features import FeatureFile, Source
from habitue.pipelines.scoring.models import Models
from habitue.pipelines.scoring.plan import Plan, model_of
from habitue.pipelines.scoring.work import Work
from habitue.snapshots.profile import Profile
from habitue.vocabulary import one_or_many

__all__ = ["Making"]

_ADDED = ("customer_id", "cutoff", "horizon", "decile", "scored_at")
"""Columns that every row of scores has besides answers and lineage."""
_TOLD = 5
"""Breaches told in one message; the manifest has all of those that were let pass."""


@dataclass(frozen=True)
class Making:
    """A batch in the making.

    Attributes
    ----------
    source : Source
        What models read.
    models : Models
        Who answers.
    plan : Plan
        What it is to be made of.
    tell : callable
        Called with one line before each step.
    work : Work
        What is finished.
    """

    source: Source
    models: Models
    plan: Plan
    tell: Callable[[str], None]
    work: Work

    def features(self) -> FeatureFile:
        """Return the features of everybody; they are built where they were not yet.

        Raises
        ------
        DataError
            Where nobody was a customer.
        """
        cutoff = self.plan.key.cutoff
        self.tell(f"features as of {cutoff}")
        file = FeatureFile(self.work.features(lambda to: self.source.write(self.models, to)), self.models)
        if not file.n_customers:
            raise DataError(f"Nobody was a customer by {cutoff}; choose another cutoff.")
        return file

    def facts(self, file: FeatureFile, *, allow_breaches: bool) -> dict[str, Any]:
        """Hold the features against what the models learned from, and say what the batch is made of.

        Parameters
        ----------
        file : FeatureFile
            Of `features`.
        allow_breaches : bool
            Whether a breach is waved through; it is told of either way.

        Raises
        ------
        DataError
            Where the contract is breached.
        """
        self.tell("checking the features against what the models learned from")
        contract = self.work.contract(lambda: self._contract(file))
        if contract["breaches"] and not allow_breaches:
            first, n_more = " ".join(contract["breaches"][:_TOLD]), len(contract["breaches"]) - _TOLD
            more = f" And {one_or_many(n_more, 'more breach', plural='more breaches')}." if n_more > 0 else ""
            raise DataError(
                f"{first}{more} Nothing was scored; mend the source, or let it pass with --allow-breaches."
            )
        told, n, horizon = self.source.recorded(), file.n_customers, self.models.horizon
        told["data"]["fingerprint"] = self.plan.source["fingerprint"]
        kinds = told["records"].values()
        return {
            "cutoff": str(self.plan.key.cutoff),
            "horizon": horizon,
            "discount_rate": self.models.discount_rate,
            "reasons": self.plan.reasons.wanted,
            "scored_at": self.work.scored_at.isoformat(),
            "n_customers": n,
            "n_rows": sum(one["n_rows"] for one in kinds),
            "n_quarantined": sum(sum(one["quarantined"].values()) for one in kinds),
            **told,
            "models": [model_of(one, horizon) for one in self.models.loaded],
            "contract": contract,
            "breaches_allowed": bool(contract["breaches"]),
            "plan": self.plan.identity,
        }

    def scores(self, file: FeatureFile) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Let the models answer, and return the columns of the batch and its rows as a stream.

        Parameters
        ----------
        file : FeatureFile
            Of `features`.
        """
        n_chunks = self._answer(file)
        if self.plan.reasons.afterwards:
            self._explain(file, self.plan.reasons.who(self._values(self.models.explained, n_chunks)))
        tenths = deciles(self._values(self.models.ranked_by, n_chunks))
        names = {name for number in range(n_chunks) for name in self._columns(number)}
        schema = schema_of({*names, *_ADDED, *self.models.lineage}, file.ids)
        return schema, self._rows(n_chunks, tenths, schema)

    def _contract(self, file: FeatureFile) -> dict[str, Any]:
        """Check what each model reads; one that carries no profile cannot say what it learned from."""
        breaches: list[str] = []
        findings: list[dict[str, Any]] = []
        unchecked: list[str] = []
        for one in self.models.loaded:
            profile = getattr(one.answers, "profile", "")
            if not profile:
                unchecked.append(one.version.label)
                continue
            found = check_contract(
                _read_by(one.input_columns, Profile.from_json(profile)),
                partial(file.of, one, score_answers.CHUNK),
                cutoff=self.plan.key.cutoff,
            )
            findings += [{"model": one.version.label, **finding} for finding in found.to_plain()]
            breaches += [f"{one.version.label}: {sentence}" for sentence in found.breaches]
        return {"breaches": breaches, "findings": findings, "unchecked": unchecked}

    def _answer(self, file: FeatureFile) -> int:
        """Answer the chunks that are not answered yet; return how many there are."""
        done = n_chunks = 0
        for number, chunk in enumerate(file.chunks(score_answers.CHUNK)):
            self.tell(f"customers {done + 1:,} to {done + len(chunk.ids):,} of {file.n_customers:,}")
            done, n_chunks = done + len(chunk.ids), number + 1
            if not self.work.has("answers", number):
                self.work.keep("answers", number, answers_of(chunk, self.models, self.plan.reasons))
        return n_chunks

    def _explain(self, file: FeatureFile, who: npt.NDArray[np.bool_]) -> None:
        """Say why of those picked, chunk by chunk."""
        done = 0
        for number, chunk in enumerate(file.chunks(score_answers.CHUNK)):
            theirs = who[done : done + len(chunk.ids)]
            self.tell(f"reasons of {one_or_many(theirs.sum(), 'customer')} from number {done + 1:,} on")
            done += len(chunk.ids)
            if not self.work.has("reasons", number):
                self.work.keep("reasons", number, reasons_for_chunk(chunk, theirs, self.models))

    def _values(self, name: str, n_chunks: int) -> FloatArray:
        """Return one column of all answers."""
        return np.concatenate([self.work.column(name, number) for number in range(n_chunks)])

    def _columns(self, number: int) -> list[str]:
        reasons = self.work.columns("reasons", number) if self.plan.reasons.afterwards else []
        return [*self.work.columns("answers", number), *reasons]

    def _rows(
        self, n_chunks: int, tenths: npt.NDArray[np.int8], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the batch, chunk by chunk."""
        done = 0
        for number in range(n_chunks):
            kinds = ("answers", "reasons") if self.plan.reasons.afterwards else ("answers",)
            answers = joined([self.work.chunk(kind, number) for kind in kinds])
            rows = completed(
                answers,
                tenths[done : done + len(answers)],
                cutoff=self.plan.key.cutoff,
                horizon=self.models.horizon,
                lineage=self.models.lineage,
                scored_at=self.work.scored_at,
            )
            done += len(answers)
            yield from as_table(rows, schema).to_batches()


def _read_by(columns: Collection[str], profile: Profile) -> Profile:
    """Return of a profile what a model reads: those trained beside it may have learned from more."""
    return replace(profile, columns={name: one for name, one in profile.columns.items() if name in columns})
