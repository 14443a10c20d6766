"""The reader's helper process ends with its parent, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

PARENT = """
from scrubjay.retrieval.readers.isolated import IsolatedReader
reader = IsolatedReader(seconds=60)
reader.read("html", b"<p>x</p>")
print(reader._helper.pid, flush=True)
reader.read("html", b"<p>a &amp; b <i>c</i></p>" * 800_000)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{pid}/stat") as stat:  # a zombie that nobody waits for is dead, too
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return not os.path.isdir("/proc/self")


def test_a_helper_in_the_middle_of_a_file_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    helper = int(parent.stdout.readline())
    time.sleep(0.3)
    assert alive(helper)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 15
    while alive(helper) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(helper)
