"""A figure is a Vega-Lite specification; this draws it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError, MissingExtra
from scrubjay.core.files import dump_json, write_atomic

ENDINGS = (".svg", ".png", ".json")


def check_figure(path: Path | None) -> None:
    """Say before the work, not after it, that a file of this name can't be drawn.

    Raises:
        InputError: the name ends in something else than .svg, .png or .json.
    """
    if path is not None and path.suffix.lower() not in ENDINGS:
        raise InputError(f"a figure ends in .svg, .png or .json, not '{path.name}'")


def draw(figure: Mapping[str, Any], path: Path) -> None:
    """Draw a Vega-Lite specification into a file, by its ending (``.json``: as it is).

    Raises:
        InputError: the name ends in something else.
        MissingExtra: the package that draws isn't installed.
        DiskError: the file can't be written.
    """
    check_figure(path)
    ending = path.suffix.lower()
    if ending == ".json":
        write_atomic(path, dump_json(figure, indent=1) + "\n")
    elif ending == ".svg":
        write_atomic(path, to_svg(figure))
    else:
        write_atomic(path, _converter().vegalite_to_png(dump_json(figure), scale=2))


def to_svg(figure: Mapping[str, Any]) -> str:
    """The drawing as text.

    Raises:
        MissingExtra: the package that draws isn't installed.
    """
    return str(_converter().vegalite_to_svg(dump_json(figure)))


def _converter() -> Any:
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtra("vl-convert-python", "reports") from error
    return vl_convert
