"""From traces to numbers: metrics, the knowledge advantage gap, intervals, run folders, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.evaluation.gap import (
        EffectRow,
        GapRow,
        GroupRow,
        ReductionRow,
        decomposition,
        gap_table,
        group_table,
        reduction_table,
        write_tables,
    )
    from scrubjay.evaluation.navigation import navigation_scores
    from scrubjay.evaluation.paths import PathMatch, answer_bins, levels_right, path_matching
    from scrubjay.evaluation.ranking import Rank, rank, ranking_scores
    from scrubjay.evaluation.reading import read_gap
    from scrubjay.evaluation.report import write_report
    from scrubjay.evaluation.retrieval import recall_at_k, retrieval_scores
    from scrubjay.evaluation.runner import run_agent
    from scrubjay.evaluation.runs import Record, Run
    from scrubjay.evaluation.scoring import main_metric, score
    from scrubjay.evaluation.statistics import (
        Interval,
        auroc,
        bootstrap_mean,
        brier,
        calibration_error,
        paired_bootstrap,
    )
    from scrubjay.evaluation.stopping import (
        Curve,
        StopScore,
        Sufficiency,
        Walk,
        curve_gain,
        oracle_stop,
        stop_scores,
        sufficiency,
    )
    from scrubjay.evaluation.text import exact_match, extract, f1, normalise
    from scrubjay.evaluation.times import parse_time, score_time
    from scrubjay.evaluation.trees import TreeScore, measure_tree_agent, tree_score

_HOME = {
    "gap": "EffectRow GapRow GroupRow ReductionRow decomposition gap_table group_table "
    "reduction_table write_tables",
    "navigation": "navigation_scores",
    "paths": "PathMatch answer_bins levels_right path_matching",
    "ranking": "Rank rank ranking_scores",
    "report": "write_report",
    "retrieval": "recall_at_k retrieval_scores",
    "runner": "run_agent",
    "runs": "Record Run",
    "scoring": "main_metric score",
    "statistics": "Interval auroc bootstrap_mean brier calibration_error paired_bootstrap",
    "stopping": "Curve StopScore Sufficiency Walk curve_gain oracle_stop stop_scores sufficiency",
    "text": "exact_match extract f1 normalise",
    "times": "parse_time score_time",
    "reading": "read_gap",
    "trees": "TreeScore measure_tree_agent tree_score",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "Curve",
    "EffectRow",
    "GapRow",
    "GroupRow",
    "Interval",
    "PathMatch",
    "Rank",
    "Record",
    "ReductionRow",
    "Run",
    "StopScore",
    "Sufficiency",
    "TreeScore",
    "Walk",
    "answer_bins",
    "auroc",
    "bootstrap_mean",
    "brier",
    "calibration_error",
    "curve_gain",
    "decomposition",
    "exact_match",
    "extract",
    "f1",
    "gap_table",
    "group_table",
    "levels_right",
    "main_metric",
    "measure_tree_agent",
    "navigation_scores",
    "normalise",
    "oracle_stop",
    "paired_bootstrap",
    "parse_time",
    "path_matching",
    "rank",
    "ranking_scores",
    "read_gap",
    "recall_at_k",
    "reduction_table",
    "retrieval_scores",
    "run_agent",
    "score",
    "score_time",
    "stop_scores",
    "sufficiency",
    "tree_score",
    "write_report",
    "write_tables",
]

__getattr__ = lazy(__name__, _MODULE)
