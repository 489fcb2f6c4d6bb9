"""scikit-learn's own checks of the boosted models; the rest of their contract is in test_contract.py.

The checks invent arrays of numbers without meaning, so they can apply only to models that read any columns:
the boosted ones. All others read columns by name (a recency is at most its T, a frequency is whole), and
refuse invented ones as they should.
"""

from __future__ import annotations

from collections.abc import Callable

from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from habitue.models import (
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    LogisticChurnClassifier,
    StackedChurnClassifier,
)

_TWO_CLASSES = "y says churned or not (True, False, 1 or 0); the check uses other classes"
_CHECKS_OF_Y = {
    "check_sample_weight_equivalence_on_dense_data": "a leaf's minimum counts rows, not weights",
    "check_all_zero_sample_weights_error": "the message says 'not all 0'",
    "check_supervised_y_2d": "a table of outcomes is refused, not flattened",
    "check_dtype_object": "text in X is a DataError, which is a ValueError; the check wants a TypeError",
}
_CHECKS_OF_CLASSES = dict.fromkeys(
    [
        "check_estimators_dtypes",
        "check_sample_weights_pandas_series",
        "check_sample_weights_not_an_array",
        "check_sample_weights_shape",
        "check_sample_weights_not_overwritten",
        "check_classifier_data_not_an_array",
        "check_classifiers_classes",
        "check_classifiers_regression_target",
        "check_classifier_not_supporting_multiclass",
        "check_fit2d_1feature",
    ],
    _TWO_CLASSES,
)


def expected_to_fail(model: BaseEstimator) -> dict[str, str]:
    return _CHECKS_OF_Y | (_CHECKS_OF_CLASSES if is_classifier(model) else {})


@parametrize_with_checks(
    [
        BoostedChurnClassifier(n_estimators=20, min_child_samples=5, n_jobs=1),
        LogisticChurnClassifier(),
        StackedChurnClassifier(
            models={
                "logistic": LogisticChurnClassifier(),
                "LightGBM": BoostedChurnClassifier(n_estimators=20, min_child_samples=5, n_jobs=1),
            }
        ),
        BoostedHazardModel(n_estimators=20, min_child_samples=5, n_jobs=1),
        BoostedValueRegressor(n_estimators=20, min_child_samples=5, n_jobs=1),
    ],
    expected_failed_checks=expected_to_fail,
)
def test_scikit_learns_own_checks(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)
