"""The report: a run folder as one self-contained HTML page."""

from scrubjay.evaluation.report.page import write_report

__all__ = ["write_report"]
