"""One file a paper: composes the rooms and re-measures the paper's claim.

The decorator that makes a study is ``scrubjay.studies.study.study``.
"""

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.studies.study import (
        Paper,
        Study,
        get_study,
        list_studies,
        load_finding,
        papers,
        save_finding,
        study_table,
    )

__all__ = [
    "Paper",
    "Study",
    "get_study",
    "list_studies",
    "load_finding",
    "papers",
    "save_finding",
    "study_table",
]

__getattr__ = lazy(__name__, dict.fromkeys(__all__, "study"))
