"""Numpy arrays as one file (npz): written whole or not at all, read without pickles."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.files import write_atomic


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays to ``path``.

    Raises:
        DiskError: it can't be written; an older file is untouched.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **dict[str, Any](arrays))
    write_atomic(path, buffer.getvalue())


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """What ``save_arrays`` wrote; pickled objects are refused.

    Raises:
        InputError: the file is missing or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError("is not a whole file of arrays (npz)", file=path) from error
