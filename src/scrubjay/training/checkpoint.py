"""The state of a training as one file; the code is in ``deciding``, whose learners need it, too."""

from scrubjay.deciding.checkpoint import load_state, save_state

__all__ = ["load_state", "save_state"]
