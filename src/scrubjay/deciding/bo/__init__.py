"""Optimisation of black boxes by surrogates that are fitted, and by ones that were learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.deciding.bo.bar import BarDistribution
    from scrubjay.deciding.bo.curves import expected_records, harmonic, mean_ranks
    from scrubjay.deciding.bo.deep_kernel import DeepKernel, fit_deep_kernel
    from scrubjay.deciding.bo.env import BOEnv, Online, State, UnitRange
    from scrubjay.deciding.bo.families import AnalyticFamily, GPFamily, TableFamily
    from scrubjay.deciding.bo.fit import Fit, Step, fit_metabo, fit_nap
    from scrubjay.deciding.bo.gp import GP, expected_improvement
    from scrubjay.deciding.bo.metabo import MetaBOStyle
    from scrubjay.deciding.bo.nap import NAPSpec, NeuralAcquisitionProcess, load_nap
    from scrubjay.deciding.bo.optimisers import (
        GPEI,
        NPEI,
        Optimiser,
        Played,
        RandomSearch,
        optimise,
    )
    from scrubjay.deciding.bo.svm_tables import svm_family
    from scrubjay.deciding.bo.tasks import OptimiseError, Task, TaskFamily, draw
    from scrubjay.deciding.bo.tune import Proposal, Table, propose, read_table

_WHERE = {
    "GP": "gp",
    "GPEI": "optimisers",
    "NPEI": "optimisers",
    "AnalyticFamily": "families",
    "BOEnv": "env",
    "BarDistribution": "bar",
    "DeepKernel": "deep_kernel",
    "Fit": "fit",
    "GPFamily": "families",
    "MetaBOStyle": "metabo",
    "NAPSpec": "nap",
    "NeuralAcquisitionProcess": "nap",
    "Online": "env",
    "OptimiseError": "tasks",
    "Optimiser": "optimisers",
    "Played": "optimisers",
    "Proposal": "tune",
    "RandomSearch": "optimisers",
    "State": "env",
    "Step": "fit",
    "Table": "tune",
    "TableFamily": "families",
    "Task": "tasks",
    "TaskFamily": "tasks",
    "UnitRange": "env",
    "draw": "tasks",
    "expected_improvement": "gp",
    "expected_records": "curves",
    "fit_deep_kernel": "deep_kernel",
    "fit_metabo": "fit",
    "fit_nap": "fit",
    "harmonic": "curves",
    "load_nap": "nap",
    "mean_ranks": "curves",
    "optimise": "optimisers",
    "propose": "tune",
    "read_table": "tune",
    "svm_family": "svm_tables",
}

__all__ = [
    "GP",
    "GPEI",
    "NPEI",
    "AnalyticFamily",
    "BOEnv",
    "BarDistribution",
    "DeepKernel",
    "Fit",
    "GPFamily",
    "MetaBOStyle",
    "NAPSpec",
    "NeuralAcquisitionProcess",
    "Online",
    "OptimiseError",
    "Optimiser",
    "Played",
    "Proposal",
    "RandomSearch",
    "State",
    "Step",
    "Table",
    "TableFamily",
    "Task",
    "TaskFamily",
    "UnitRange",
    "draw",
    "expected_improvement",
    "expected_records",
    "fit_deep_kernel",
    "fit_metabo",
    "fit_nap",
    "harmonic",
    "load_nap",
    "mean_ranks",
    "optimise",
    "propose",
    "read_table",
    "svm_family",
]

__getattr__ = lazy(__name__, _WHERE)
