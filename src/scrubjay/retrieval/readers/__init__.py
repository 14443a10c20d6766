"""From a file's bytes to blocks of text that know where they stood.

    kind_of("guide.md")     ->  "markdown"
    read("markdown", data)  ->  [Block("Setup", line=1, level=1), Block("Install …", line=3)]

Text formats are read here; formats that unpack, nest or compute (HTML, JSON Lines, DOCX, EPUB, PDF)
are read in a helper process with limits on time and memory (``isolated``), so that a hostile file
costs itself and nothing else. No file gives more text than the largest plain one could.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePath

from scrubjay.retrieval.files import MAX_BYTES, Unreadable
from scrubjay.retrieval.readers.types import Block as Block

KINDS = {
    "markdown": (".md", ".markdown", ".mdx", ".rst", ".txt", ".text", ".adoc", ".org"),
    "code": (
        ".py", ".pyi", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".c", ".h", ".cc", ".cpp", ".hpp",
        ".cs", ".java", ".kt", ".scala", ".go", ".rs", ".rb", ".php", ".swift", ".lua", ".pl", ".r",
        ".jl", ".sh", ".bash", ".sql", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".css", ".proto",
    ),
    "jsonl": (".jsonl", ".ndjson"),
    "html": (".html", ".htm", ".xhtml"),
    "docx": (".docx",),
    "epub": (".epub",),
    "pdf": (".pdf",),
}  # fmt: skip
RISKY = frozenset({"html", "jsonl", "docx", "epub", "pdf"})
"""Kinds read in a helper process."""
LARGE = 1_000_000
"""Bytes from which any file is read there: much of anything takes time."""
MOST = 500_000
"""Blocks of a file."""
BINARY = frozenset({
    ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".ico", ".tif", ".tiff",
    ".mp3", ".mp4", ".wav", ".ogg", ".avi", ".mov", ".zip", ".gz", ".bz2",
    ".xz", ".zst", ".7z", ".rar", ".tar", ".jar", ".whl", ".so", ".dll",
    ".dylib", ".exe", ".o", ".a", ".class", ".pyc", ".pyd", ".woff", ".woff2",
    ".ttf", ".otf", ".eot", ".bin", ".npy", ".npz", ".pt", ".safetensors", ".gguf",
    ".onnx", ".parquet", ".arrow", ".lance", ".sqlite", ".db", ".pickle", ".pkl", ".doc",
    ".xls", ".xlsx", ".ppt", ".pptx", ".odt",
})  # fmt: skip
"""Suffixes that are passed over, counted by kind and not one by one."""
_KIND = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes}


def kind_of(name: str) -> str | None:
    """How a file of this name is read; None: not at all. Unknown names are tried as text."""
    suffix = PurePath(name).suffix.lower()
    return None if suffix in BINARY else _KIND.get(suffix, "markdown")


def risky(kind: str, data: bytes) -> bool:
    """Whether a file is to be read in a helper process (``IsolatedReader``)."""
    return kind in RISKY or len(data) >= LARGE


def read(kind: str, data: bytes) -> list[Block]:
    """The blocks of a file, in this process.

    Raises:
        Unreadable: the data is not of that kind, damaged beyond reading, or too much text.
    """
    module = {"docx": "office", "epub": "office"}.get(kind, kind)
    blocks: list[Block] = getattr(
        import_module(f"scrubjay.retrieval.readers.{module}"), f"read_{kind}"
    )(data)
    if len(blocks) > MOST or sum(len(b.text) for b in blocks) > MAX_BYTES:
        raise Unreadable("holds too much text")
    return blocks
