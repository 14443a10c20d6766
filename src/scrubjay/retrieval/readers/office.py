"""DOCX and EPUB: zip files of XML. Both are opened with limits, and nothing is written to disk.

A member counts by what it unpacks to while it unpacks, not by what the archive claims. XML with a
document type is refused: no honest Word file has one, and it is how entities are made to explode.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers.decode import decode
from scrubjay.retrieval.readers.html import page_blocks
from scrubjay.retrieval.readers.types import Block

UNPACKED = 100_000_000
"""Bytes that one document may unpack to."""
SMALL, RATIO = 10_000_000, 100
"""Beyond so many bytes, it may unpack to so many times its size: XML packs ten- to thirtyfold."""
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


class Archive:
    """A zip file in memory that gives members until they add up to its limit.

    Raises:
        Unreadable: not a zip file.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise Unreadable("damaged: not a zip file") from error
        self._limit = self._left = min(UNPACKED, max(SMALL, RATIO * len(data)))

    def read(self, name: str) -> bytes:
        """A member, unpacked.

        Raises:
            Unreadable: it is missing, encrypted or damaged, or unpacks to too much.
        """
        try:
            with self._zip.open(name) as member:
                data = member.read(self._left + 1)
        except KeyError as error:
            raise Unreadable(f"damaged: it lacks {name}") from error
        except Exception as error:  # zlib, zipfile and lzma each have their own
            raise Unreadable("damaged or encrypted") from error
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable(f"unpacks to more than {self._limit / 1e6:.0f} MB")
        return data


def read_docx(data: bytes) -> list[Block]:
    """Paragraphs and headings (by style) of a Word document, tables row by row.

    Raises:
        Unreadable: not a Word document, damaged, or unpacking to too much.
    """
    found: list[Block] = []
    text: list[str] = []
    level = 0
    for element in _elements(Archive(data).read("word/document.xml")):
        if element.tag == W + "t":
            text.append(element.text or "")
        elif element.tag in (W + "tab", W + "tc"):
            text.append("\t")
        elif element.tag in (W + "br", W + "cr"):
            text.append("\n")
        elif element.tag == W + "pStyle":
            level = _level(element.get(W + "val", ""))
        elif element.tag == W + "p":
            if line := " ".join("".join(text).split()):
                found.append(Block(line, level=level))
            text, level = [], 0
    return found


def read_epub(data: bytes) -> list[Block]:
    """The chapters of an EPUB in reading order.

    Raises:
        Unreadable: not an EPUB, damaged, or unpacking to too much.
    """
    archive = Archive(data)
    package = next(
        (e.get("full-path", "") for e in _elements(archive.read("META-INF/container.xml"))
         if e.tag.endswith("}rootfile")),
        "",
    )  # fmt: skip
    files: dict[str, str] = {}
    order: list[str] = []
    for element in _elements(archive.read(package)):
        if element.tag.endswith("}item"):
            files[element.get("id", "")] = element.get("href", "")
        elif element.tag.endswith("}itemref"):
            order.append(element.get("idref", ""))
    found: list[Block] = []
    for chapter in dict.fromkeys(order):
        if href := files.get(chapter):
            page = archive.read(
                posixpath.normpath(posixpath.join(posixpath.dirname(package), href))
            )
            # Lines of a file inside an archive help nobody to find the place.
            found += [replace(b, line=0, last=0) for b in page_blocks(decode(page))]
    return found


def _elements(xml: bytes) -> list[ElementTree.Element]:
    """All elements, each at its end; refuses document types."""
    if re.search(rb"<!DOCTYPE|<!ENTITY", xml) or b"<\0!\0" in xml or b"\0<\0!" in xml:
        raise Unreadable("has an XML document type, which no honest file of this kind has")
    try:
        return [e for _, e in ElementTree.iterparse(io.BytesIO(xml), events=("end",))]
    except ElementTree.ParseError as error:
        raise Unreadable("damaged: its XML can't be parsed") from error


def _level(style: str) -> int:
    match = re.fullmatch(r"[Hh]eading\s?([1-9])", style)
    return int(match[1]) if match else int(style in ("Title", "title"))
