"""NameMap, token counts, dates and numbers: hand-made values, and properties."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import stream
from scrubjay.worlds.coin import edit_distance, new_numbers
from scrubjay.worlds.lengths import count_tokens, tokenizer
from scrubjay.worlds.names import NameMap, fold, shift_year
from scrubjay.worlds.universe import TIME, Entity, Fact, Quantity, Relation, Timestamp, Universe
from scrubjay.worlds.values import map_numbers, map_times, shift_of, spread

DATES = st.builds(
    lambda y, m, d: Timestamp(y, m, d if m else 0),
    st.integers(-60, 60).filter(bool) | st.integers(1900, 1903),
    st.integers(0, 12),
    st.integers(0, 28),
)
LENGTH = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}


def universe_of(values) -> Universe:
    relation = Relation("r", "thing", TIME, ("[S] has [O].",))
    return Universe(
        [Entity("e", "thing", "Thing")], [relation], [Fact("e", "r", v) for v in values]
    )


def sample() -> NameMap:
    return NameMap(
        {"a": ("Órla", "Bel"), "b": ("Bel Mar",), "c": ("bel",)},
        "twin1",
        12,
        {Timestamp(1900, 2, 3): Timestamp(1912, 4, 5)},
        {Quantity(3, "km"): Quantity(8, "km")},
    )


def test_identify_prefers_exact_then_case_then_diacritics_and_names_over_aliases():
    names = sample()
    assert names.identify("Órla") == "a"
    assert names.identify("ORLA") == "a"
    assert names.identify("bel") == "c"
    assert names.identify("Bel") == "a"
    assert names.identify("BEL MAR") == "b"
    assert names.identify("Nobody") is None


def test_values_are_written_as_this_world_has_them():
    names = sample()
    assert names.value("b") == "Bel Mar"
    assert names.value(Timestamp(1900, 2, 3)) == "April 5, 1912"
    assert names.value(Timestamp(1990)) == "2002"
    assert names.value(Quantity(3, "km")) == "8 km"


def test_records_round_trip_and_damage_is_reported():
    names = sample()
    assert NameMap.from_records(names.to_records()) == names
    with pytest.raises(InputError, match="damaged"):
        NameMap.from_records([{"time": [[1, 2, 3]]}])


def test_there_is_no_year_zero():
    assert shift_year(-1, 1) == 1
    assert shift_year(1, -1) == -1
    assert shift_year(30, -60) == -31
    assert shift_year(-43, 60) == 18


@given(st.integers(-500, 500).filter(bool), st.integers(-60, 60))
def test_shifting_back_and_forth_is_nothing(year, by):
    assert shift_year(shift_year(year, by), -by) == year


def test_fold_keeps_positions():
    text = "São Tomé, ŁÓDŹ, straße, Türkiye"
    assert fold(text)[:8] == "sao tome"
    assert len(fold(text)) == len(text)


@settings(max_examples=60, deadline=None)
@given(st.sets(DATES, min_size=2, max_size=60), st.integers(0, 50))
def test_dates_keep_order_precision_and_years_between(dates, seed):
    universe = universe_of(dates)
    shift = shift_of(universe, seed)
    names = NameMap({}, "t", shift, map_times(universe, seed, shift))
    assert 7 <= abs(shift) <= 60
    new = [names.map(d) for d in sorted(dates)]
    assert all(a < b for a, b in itertools.pairwise(new))
    for old, moved in zip(sorted(dates), new):
        assert moved.year == shift_year(old.year, shift) != 0
        assert (moved.month > 0, moved.day > 0) == (old.month > 0, old.day > 0)
        assert moved.day <= LENGTH.get(moved.month, 31)


def test_a_month_in_full_use_stays_and_the_others_keep_valid_days():
    days = [Timestamp(1904, 1, d) for d in range(1, 32)] + [Timestamp(1904, 2, 29)]
    moved = map_times(universe_of(days), 0, 10)
    assert [moved[d] for d in days[:-1]] == [Timestamp(1914, 1, d.day) for d in days[:-1]]
    assert moved[days[-1]].month == 2
    assert moved[days[-1]].day <= 28


@settings(max_examples=60, deadline=None)
@given(
    st.sets(
        st.integers(-50, 300).map(float)
        | st.floats(0.01, 1e6).map(lambda x: float(f"{x:.5g}"))
        | st.integers(1, 10**9).map(float),
        min_size=2,
        max_size=60,
    ),
    st.integers(0, 50),
)
def test_numbers_keep_order_sign_and_wholeness(values, seed):
    moved = map_numbers(universe_of(Quantity(v, "km") for v in values), seed)
    new = [moved[Quantity(v, "km")].value for v in sorted(values)]
    assert all(a < b for a, b in itertools.pairwise(new))
    for old, value in zip(sorted(values), new):
        assert (old > 0, old < 0) == (value > 0, value < 0)
        assert value.is_integer() or not old.is_integer()
        assert old == 0 or abs(value - old) > 0.1 * abs(old)


def test_spread_by_hand():
    assert spread([1, 2, 3, 10], 1.5, 4) == {1: 6, 2: 7, 3: 8, 10: 19}
    assert spread([1.5, 2.0], 1.0, 0) == {1.5: 1.5, 2.0: 2.0}


def test_numbers_in_names_follow_the_dates_and_do_not_collide():
    real = {"1968": False, "1972": False, "7": True, "747": False}
    new = new_numbers(real, 12, stream(0, "test"))
    assert (new["1968"], new["1972"]) == ("1980", "1984")
    assert new["7"] not in real
    assert len(set(new.values())) == 4


def test_edit_distance_by_hand():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3


# What transformers' AutoTokenizer.from_pretrained(..., gguf_file=...) gives for the same file.
TRANSFORMERS = {
    "Canada": [26760],
    " Canada": [4004],
    "University of Toronto": [17166, 282, 15500],
    "São Tomé": [67, 17031, 8581, 2756],
    "日本 1,234.5": [23274, 115, 40993, 216, 33, 28, 34, 35, 36, 30, 37],
    " it's": [357, 506],
    "Łódź 7": [144, 219, 7342, 84, 144, 135, 216, 39],
}


def test_token_counts_are_those_of_the_model():
    ours = tokenizer().encode_batch(list(TRANSFORMERS), add_special_tokens=False)
    assert [e.ids for e in ours] == list(TRANSFORMERS.values())
    assert count_tokens(list(TRANSFORMERS)) == [len(i) for i in TRANSFORMERS.values()]
