"""From bytes to text: the byte order mark decides, then UTF-8, then Windows' Latin-1."""

from __future__ import annotations

import codecs
import re

from scrubjay.retrieval.files import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
JUNK = 0.005
"""Share of control characters above which bytes are not taken for text."""


def decode(data: bytes) -> str:
    """The text, its lines ended by ``\\n``.

    Raises:
        Unreadable: it is binary, or broken in the encoding its mark names.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return lines(data.decode(encoding))
            except UnicodeDecodeError as error:
                raise Unreadable(f"not valid {encoding.removesuffix('-sig').upper()}") from error
    if b"\0" in data[:65536]:
        raise Unreadable("binary, not text")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    # A sample from everywhere: enough to tell, and no second copy of a large file.
    sample = text[: 1 << 16] + text[len(text) // 2 :][: 1 << 16] + text[-(1 << 16) :]
    if len(_CONTROL.findall(sample)) > JUNK * len(sample):
        raise Unreadable("binary, not text")
    return lines(text)


def lines(text: str) -> str:
    """The text with every line break as ``\\n``, so that line numbers are those of an editor."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
