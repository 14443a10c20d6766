"""PDF, through pypdf: one block per paragraph, with its page."""

from __future__ import annotations

import io
import logging
import re

from scrubjay.core.errors import MissingExtra
from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers.types import Block


def read_pdf(data: bytes) -> list[Block]:
    """The text of every page that has some.

    Raises:
        Unreadable: not a PDF, encrypted, damaged, or without any text (a scan).
        MissingExtra: pypdf isn't installed.
    """
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise MissingExtra("pypdf", "files") from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    if b"%PDF" not in data[:1024]:
        raise Unreadable("damaged: not a PDF")
    found: list[Block] = []
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("encrypted with a password")
        for number, page in enumerate(reader.pages, 1):
            for paragraph in re.split(r"\n\s*\n", page.extract_text() or ""):
                if text := " ".join(paragraph.split()):
                    found.append(Block(text, page=number))
    except Unreadable:
        raise
    except Exception as error:  # a broken file breaks a parser in more ways than it names
        raise Unreadable(f"damaged PDF ({type(error).__name__})") from error
    if not found:
        raise Unreadable("has no text (a scan?)")
    return found
