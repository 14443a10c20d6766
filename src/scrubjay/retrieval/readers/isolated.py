"""Reading in a helper process: a hostile file costs that process, never this one.

    parent                                     helper (limits: memory, no new files, no core)
      "pdf" + bytes         ── stdin ──>         read("pdf", bytes)
      blocks or a sentence  <── stdout ──        JSON

The helper gets the bytes, not the path, and stays for the next file. If it takes too long it is
killed; if it dies (memory, a crash of a parser) that file is skipped and a new one reads on. If the
parent dies, even by SIGKILL, the helper ends as well, in the middle of a file.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import astuple
from typing import IO

from scrubjay.core.errors import MissingExtra
from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers import read, risky
from scrubjay.retrieval.readers.types import Block

SECONDS = 30.0
"""For one file."""
MEMORY = 1_000_000_000
"""Bytes of address space of the helper."""


class IsolatedReader:
    """Reads risky kinds; use it as a context manager, so that the helper ends."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds, self.memory = seconds, memory
        self._helper: subprocess.Popen[bytes] | None = None

    def blocks(self, kind: str, data: bytes) -> list[Block]:
        """The blocks of a file, read here if that is safe and quick, else by the helper.

        Raises:
            Unreadable, MissingExtra: as ``read``.
        """
        return self.read(kind, data) if risky(kind, data) else read(kind, data)

    def read(self, kind: str, data: bytes) -> list[Block]:
        """The blocks of a file, read by the helper.

        Raises:
            Unreadable: damaged, or too much for the limits.
            MissingExtra: the kind needs a package that isn't installed.
        """
        helper = self._helper = self._helper or self._start()
        assert helper.stdin is not None
        assert helper.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            helper.kill()

        timer = threading.Timer(self.seconds, stop)
        timer.start()
        try:
            _send(helper.stdin, kind.encode())
            _send(helper.stdin, data)
            reply = json.loads(_receive(helper.stdout))
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Unreadable(
                f"takes longer than {self.seconds:g} s to read" if late.is_set()
                else "too complex to read: its reader ran out of memory or crashed"
            ) from error  # fmt: skip
        finally:
            timer.cancel()
        if "missing" in reply:
            raise MissingExtra(reply["missing"], "files")
        if "error" in reply:
            raise Unreadable(reply["error"])
        return [Block(*values) for values in reply["blocks"]]

    def close(self) -> None:
        """End the helper; a later ``read`` starts another."""
        if self._helper is not None:
            self._helper.kill()
            for pipe in (self._helper.stdin, self._helper.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            self._helper.wait()
            self._helper = None

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "scrubjay.retrieval.readers.isolated", str(self.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A group of its own: Ctrl-C reaches the command, which then ends the helper.
            start_new_session=True,
        )


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(struct.pack(">Q", len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    head = pipe.read(8)
    data = pipe.read(struct.unpack(">Q", head)[0]) if len(head) == 8 else b""
    if len(head) < 8 or len(data) < struct.unpack(">Q", head)[0]:
        raise EOFError
    return data


def _limit(memory: int) -> None:
    """Bounds for this process, where the system has them."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reply(kind: str, data: bytes) -> dict[str, object]:
    try:
        return {"blocks": [astuple(block) for block in read(kind, data)]}
    except MissingExtra:
        return {"missing": "pypdf"}
    except Unreadable as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {"error": "too complex to read: its reader ran out of memory"}
    except Exception as error:  # whatever a parser throws at hostile data
        return {"error": f"damaged ({type(error).__name__})"}


def _end_with_parent() -> None:
    """Ends this process within a second of its parent's death."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _serve() -> None:
    # Replies go to a copy of stdout: a parser that prints can't break the protocol.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit(int(sys.argv[1]))
    _end_with_parent()
    with suppress(EOFError):
        while True:
            kind = _receive(sys.stdin.buffer).decode()
            _send(replies, json.dumps(_reply(kind, _receive(sys.stdin.buffer))).encode())


if __name__ == "__main__":
    _serve()
