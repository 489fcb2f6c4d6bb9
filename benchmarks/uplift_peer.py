"""Uplift learners of causalml and scikit-uplift, in an environment of their own.

``PYTHON benchmarks/uplift_peer.py FOLDER`` where PYTHON has causalml, scikit-uplift, lightgbm and pyarrow
(``make bench-uplift`` makes such an environment); it needs nothing of habitue. FOLDER holds train.parquet and
test.parquet: numbers, with the outcome as ``y`` and the treatment as ``w`` (0 or 1). It writes
effects.parquet, one column a learner, and prints one line of JSON: the seconds of each, and what the
libraries' own scores say.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")


def trees(is_binary: bool, seed: int = 0):
    """Return the base learner of all: small trees, as effects are small."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if is_binary else LGBMRegressor
    return kind(
        n_estimators=100,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=100,
        random_state=seed,
        n_jobs=2,
        verbosity=-1,
    )


def learners(is_binary: bool):
    """Return what fits and predicts, by name."""
    from causalml.inference import meta
    from sklift.models import ClassTransformation, SoloModel, TwoModels

    def classify():
        return trees(True)

    def regress():
        return trees(False)

    def causalml(kind, **parts):
        def run(X, y, w, Z, share):
            model = kind(control_name=0, **{name: make() for name, make in parts.items()})
            chances = {} if "BaseS" in kind.__name__ or "BaseT" in kind.__name__ else {"p": share(len(X))}
            model.fit(X=X, treatment=w, y=y, **chances)
            asked = {"p": share(len(Z))} if "BaseX" in kind.__name__ else {}
            return model.predict(X=Z, **asked).ravel()

        return run

    def sklift(make):
        def run(X, y, w, Z, _share):
            model = make()
            model.fit(X, y, w)
            return model.predict(Z)

        return run

    outcome = "Classifier" if is_binary else "Regressor"
    base = classify if is_binary else regress
    found = {
        "causalml S": causalml(getattr(meta, f"BaseS{outcome}"), learner=base),
        "causalml T": causalml(getattr(meta, f"BaseT{outcome}"), learner=base),
        "causalml DR": causalml(meta.BaseDRRegressor, learner=regress),
        "scikit-uplift SoloModel": sklift(lambda: SoloModel(base())),
        "scikit-uplift TwoModels": sklift(lambda: TwoModels(base(), base(), method="vanilla")),
    }
    if is_binary:
        found["causalml X"] = causalml(meta.BaseXClassifier, outcome_learner=classify, effect_learner=regress)
        found["causalml R"] = causalml(meta.BaseRClassifier, outcome_learner=classify, effect_learner=regress)
        found["scikit-uplift ClassTransformation"] = sklift(lambda: ClassTransformation(classify()))
    else:
        found["causalml X"] = causalml(meta.BaseXRegressor, learner=regress)
        found["causalml R"] = causalml(meta.BaseRRegressor, learner=regress)
    return found


def own_scores(y, w, effect, is_binary: bool) -> dict[str, float]:
    """Return what the libraries make of a ranking."""
    import pandas as pd
    from causalml.metrics import auuc_score, qini_score
    from sklift.metrics import qini_auc_score, uplift_auc_score

    frame = pd.DataFrame({"y": y, "w": w, "m": effect})
    told = {
        "causalml auuc_score": float(auuc_score(frame, outcome_col="y", treatment_col="w")["m"]),
        "causalml qini_score": float(qini_score(frame, outcome_col="y", treatment_col="w")["m"]),
    }
    if is_binary:
        told["scikit-uplift uplift_auc_score"] = float(uplift_auc_score(y, effect, w))
        told["scikit-uplift qini_auc_score"] = float(qini_auc_score(y, effect, w))
    return told


def main() -> None:
    """Fit, predict, and tell what it took."""
    import numpy as np
    import pandas as pd

    folder = Path(sys.argv[1])
    train, test = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test"))
    X, Z = train.drop(columns=["y", "w"]), test.drop(columns=["y", "w"])
    is_binary = bool(train["y"].isin((0, 1)).all())
    treated = float(train["w"].mean())
    effects, seconds, scores, failed = {}, {}, {}, {}
    for name, run in learners(is_binary).items():
        start = time.perf_counter()
        try:
            effect = run(X, train["y"], train["w"], Z, lambda n: pd.Series(np.full(n, treated)))
        except Exception as error:  # noqa: BLE001 (a peer that fails is told, not hidden)
            failed[name] = f"{type(error).__name__}: {error}"[:300]
            continue
        seconds[name] = time.perf_counter() - start
        effects[name] = np.asarray(effect, dtype=float)
        scores[name] = own_scores(test["y"].to_numpy(), test["w"].to_numpy(), effects[name], is_binary)
    pd.DataFrame(effects).to_parquet(folder / "effects.parquet")
    print(json.dumps({"seconds": seconds, "scores": scores, "failed": failed}))


if __name__ == "__main__":
    main()
