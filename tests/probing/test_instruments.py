"""What every instrument promises to the command line and to other packages."""

import inspect
from dataclasses import fields, is_dataclass

import pytest

pytest.importorskip("torch")

from scrubjay.core.errors import UnknownName
from scrubjay.probing.instruments import INSTRUMENTS, get_instrument, list_instruments


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_an_instrument_is_made_without_settings_and_tells_how_far_it_is(name):
    made = get_instrument(name)
    assert is_dataclass(made)
    asked = inspect.signature(made.measure).parameters
    assert list(asked)[:3] == ["self", "model", "data"]
    assert asked["data"].default is None
    assert asked["progress"].kind is inspect.Parameter.KEYWORD_ONLY
    assert made().about == made.about
    assert all(hasattr(made(), f.name) for f in fields(made))


def test_the_list_says_in_a_line_what_each_measures():
    rows = list_instruments()
    assert [row["name"] for row in rows] == list(INSTRUMENTS)
    assert all(10 < len(row["about"]) < 90 and "\n" not in row["about"] for row in rows)
    with pytest.raises(UnknownName, match="retrieval-heads"):
        get_instrument("retrieval-head")
