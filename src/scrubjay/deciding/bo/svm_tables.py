"""A real table of tunings, measured here: support vector machines on generated data sets.

    settings   log₁₀ C ∈ [−2, 3] × log₁₀ γ ∈ [−4, 1] (8 × 8), class weights: equal, balanced, cubed
    result     balanced accuracy on held-out examples

Data sets differ in size, dimension, separation, noise of labels, imbalance and shape (clusters,
moons, circles), so that the best setting moves but not arbitrarily. One seed fixes all of them.
scikit-learn comes with the extra ``index``. Source: paper 32, sections 5-6 of our sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scrubjay.core.errors import MissingExtra
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bo.families import TableFamily
from scrubjay.deciding.bo.tasks import Floats

SIDE = 8
KINDS = (0, 0, 3)
SHAPES = ("clusters", "moons", "circles")


def svm_family(
    data_sets: int = 60,
    seed: int = 0,
    *,
    candidates: int = 64,
    side: int = SIDE,
    progress: Callable[[int], None] | None = None,
) -> TableFamily:
    """Measure ``data_sets`` × ``side``² × 3 tunings (about half a second a data set).

    Raises:
        MissingExtra: scikit-learn isn't installed.
    """
    settings = svm_settings(side)
    rows = []
    for number in range(data_sets):
        rows.append(_measure(settings, number, seed))
        if progress:
            progress(number + 1)
    names = tuple(f"{SHAPES[i % 3]}-{i}" for i in range(data_sets))
    return TableFamily(settings, np.array(rows), KINDS, names, candidates)


def svm_settings(side: int = SIDE) -> Floats:
    """(side² · 3, 3): C and γ scaled to [0, 1] in their logarithms, and the weighting."""
    line = np.linspace(0, 1, side)
    return np.array([[c, g, w] for c in line for g in line for w in range(3)])


def _measure(settings: Floats, number: int, seed: int) -> Floats:
    try:
        from sklearn.metrics import balanced_accuracy_score
        from sklearn.svm import SVC
    except ImportError as error:
        raise MissingExtra("scikit-learn", "index") from error
    x, y, test_x, test_y = _examples(number, seed)
    share = y.mean()
    weights: list[Any] = [None, "balanced", {0: 1.0, 1: float(((1 - share) / share) ** 3)}]
    found = []
    for c, gamma, weight in settings:
        machine = SVC(
            C=10 ** (5 * c - 2), gamma=10 ** (5 * gamma - 4), class_weight=weights[int(weight)]
        )
        machine.fit(x, y)
        found.append(balanced_accuracy_score(test_y, machine.predict(test_x)))
    return np.array(found)


def _examples(number: int, seed: int) -> tuple[Floats, Any, Floats, Any]:
    """A data set, standardised by its training part: (x, y, held-out x, held-out y)."""
    from sklearn.datasets import make_circles, make_classification, make_moons

    rng = numpy_stream(seed, "svm", number)
    size, held, state = int(rng.integers(80, 160)), 300, int(rng.integers(2**31))
    rare = float(rng.uniform(0.15, 0.5))
    shape = SHAPES[number % 3]
    if shape == "clusters":
        informative = int(rng.integers(2, 8))
        x, y = make_classification(
            size + held,
            informative + int(rng.integers(0, 8)),
            n_informative=informative,
            n_redundant=0,
            n_clusters_per_class=int(rng.integers(1, 3)) if informative > 2 else 1,
            class_sep=float(rng.uniform(0.4, 1.6)),
            flip_y=float(rng.uniform(0, 0.15)),
            weights=[1 - rare],
            random_state=state,
        )
    else:
        make = make_moons if shape == "moons" else make_circles
        ones = int(rare * (size + held))
        x, y = make(
            (size + held - ones, ones), noise=float(rng.uniform(0.1, 0.4)), random_state=state
        )
        noise = rng.standard_normal((len(x), int(rng.integers(0, 4)))) * rng.uniform(0.1, 1)
        x = np.hstack([x, noise])
    x = (x - x[:size].mean(axis=0)) / x[:size].std(axis=0)
    return x[:size], y[:size], x[size:], y[size:]
