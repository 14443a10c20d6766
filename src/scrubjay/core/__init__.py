"""The nouns everyone shares. Imports no model library."""

from scrubjay.core.errors import (
    BudgetExceeded,
    DiskError,
    IndexMismatch,
    InputError,
    MissingExtra,
    ModelError,
    RunMismatch,
    ScrubjayError,
    UnknownName,
)
from scrubjay.core.finding import Claim, Finding, Number, Verdict
from scrubjay.core.nouns import Answer, Hit, Link, Passage, Question, Source
from scrubjay.core.registry import Registry
from scrubjay.core.trace import (
    Chose,
    Cost,
    Generated,
    Moved,
    Noted,
    Read,
    Scored,
    Searched,
    Step,
    Trace,
)

__all__ = [
    "Answer",
    "BudgetExceeded",
    "Chose",
    "Claim",
    "Cost",
    "DiskError",
    "Finding",
    "Generated",
    "Hit",
    "IndexMismatch",
    "InputError",
    "Link",
    "MissingExtra",
    "ModelError",
    "Moved",
    "Noted",
    "Number",
    "Passage",
    "Question",
    "Read",
    "Registry",
    "RunMismatch",
    "Scored",
    "ScrubjayError",
    "Searched",
    "Source",
    "Step",
    "Trace",
    "UnknownName",
    "Verdict",
]
