"""Responses kept on disk, so that the same request is paid for once.

One SQLite file in write-ahead mode, shared by any number of processes. Keys are hashes of address,
model and request; only successful responses are kept. A cache is a convenience: when it breaks,
work goes on without it and a warning says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from scrubjay.core.files import cache_dir, dump_json

_PATIENCE = 30.0
"""Seconds to wait for another process that holds the file."""
_TABLE = "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, value TEXT NOT NULL)"


def request_key(*parts: Any) -> str:
    """sha256 over the parts as JSON with sorted keys."""
    return hashlib.sha256(dump_json(parts).encode("utf-8", "surrogatepass")).hexdigest()


class ResponseCache:
    """JSON values by key. ``path`` defaults to a file in the user's cache folder."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = cache_dir("responses") / "responses.sqlite" if path is None else Path(path)
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        with self._lock:
            try:
                self._database = self._open()
            except sqlite3.Error as error:
                self._broken(error)

    def get(self, key: str) -> Any:
        """The value kept under ``key``, or None."""
        query = "SELECT value FROM responses WHERE key = ?"
        rows = self._run(query, (key,))
        try:
            return json.loads(rows[0][0]) if rows else None
        except ValueError:
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` (plain JSON) under ``key``."""
        query = "INSERT OR REPLACE INTO responses VALUES (?, ?)"
        self._run(query, (key, json.dumps(value)))

    def close(self) -> None:
        """Close the file; the cache is empty and silent afterwards."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _run(self, query: str, values: tuple[str, ...]) -> list[tuple[str, ...]]:
        with self._lock:
            if self._database is None:
                return []
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                self._broken(error)
                return []

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            _write_ahead(database)
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(_TABLE)
            database.execute("SELECT key, value FROM responses LIMIT 1").fetchall()
        except BaseException:
            database.close()
            raise
        return database

    def _broken(self, error: sqlite3.Error) -> None:
        """Start a damaged file anew; a locked, full or read-only one is left alone."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if isinstance(error, sqlite3.OperationalError):
            warnings.warn(
                f"the response cache {self.path} can't be used ({error}); going on without it",
                stacklevel=4,
            )
            return
        warnings.warn(
            f"the response cache {self.path} is damaged ({error}); starting a new one", stacklevel=4
        )
        try:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self._database = self._open()
        except (OSError, sqlite3.Error):
            self._database = None


def _write_ahead(database: sqlite3.Connection) -> None:
    """Switch to write-ahead mode. SQLite doesn't wait here for another process that is about to
    write (both could wait for each other), as when several open a new file at once; so we do."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)
