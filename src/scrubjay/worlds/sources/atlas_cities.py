"""The cities of the atlas: which are in it, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrubjay.worlds.sources import atlas_tables as tables
from scrubjay.worlds.sources.draft import Draft, Drafts, key
from scrubjay.worlds.universe import Quantity

LARGE = 190_000
"""Inhabitants that make a city large; capitals and largest cities are in whatever their size."""

City = dict[str, Any]


def large_cities(
    countries: Mapping[str, City], cities: Mapping[str, list[City]], regions: Mapping[Any, Any]
) -> tuple[list[City], dict[str, City]]:
    """The atlas's cities, most people first, and the capitals by country code."""
    capitals = {}
    chosen: dict[int, City] = {}
    for iso, country in countries.items():
        capital = _capital(country["capital"].strip(), cities.get(iso, []))
        if capital is not None:
            capitals[iso] = capital
        for city in (*cities.get(iso, [])[:1], *([capital] if capital else [])):
            chosen[city["geonameid"]] = city
        for city in cities.get(iso, []):
            if city["population"] >= LARGE:
                chosen[city["geonameid"]] = city
    # Two cities of one name in one country and region can't be told apart: the larger one stays.
    unique: dict[tuple[str, str | None, str], City] = {}
    for city in sorted(chosen.values(), key=lambda c: (-c["population"], c["geonameid"])):
        region = regions.get((city["countrycode"], city["admin1code"]))
        code = region.code if region else None
        unique.setdefault((city["countrycode"], code, key(city["name"])), city)
    return list(unique.values()), capitals


def _capital(name: str, cities: list[City]) -> City | None:
    """The city of that name with the most people, also under an alternative spelling."""
    if not name:
        return None
    same = [c for c in cities if key(c["name"]) == key(name)]
    other = [c for c in cities if name in c["alternatenames"]]
    return next(iter(same + other), None)


def add_city_facts(
    drafts: Drafts,
    cultures: Mapping[str, str],
    chosen: list[City],
    capitals: Mapping[str, City],
    cities: Mapping[str, list[City]],
    regions: Mapping[tuple[str, str], Any],
) -> None:
    """Add the chosen cities (most people first) with country, region, size and neighbours."""
    ids = {c["geonameid"]: f"city-{c['geonameid']}" for c in chosen}
    seats = {c["geonameid"] for c in capitals.values()}
    for city in chosen:
        _add_city(drafts, cultures, city, city["geonameid"] in seats, regions)
    for iso, capital in sorted(capitals.items()):
        country = drafts.entities[f"country-{iso.lower()}"]
        if capital["geonameid"] in ids:
            drafts.say(country.id, "capital", ids[capital["geonameid"]])
    for iso, all_cities in sorted(cities.items()):
        if all_cities[0]["geonameid"] in ids:
            drafts.say(f"country-{iso.lower()}", "largest_city", ids[all_cities[0]["geonameid"]])
    for city, other in _nearest_larger(chosen):
        drafts.say(ids[city["geonameid"]], "nearest_larger", ids[other["geonameid"]])
    _add_time_zones(drafts, chosen)


def _add_city(
    drafts: Drafts,
    cultures: Mapping[str, str],
    city: City,
    capital: bool,
    regions: Mapping[tuple[str, str], Any],
) -> None:
    iso, id = city["countrycode"], f"city-{city['geonameid']}"
    country = drafts.entities[f"country-{iso.lower()}"]
    region = regions.get((iso, city["admin1code"]))
    name = city["name"]
    places = [region.name] if region and key(region.name) != key(name) else []
    places += [country.name if key(country.name) != key(name) else "city"]
    drafts.add(
        Draft(
            id,
            "city",
            name,
            # A capital outranks a larger city elsewhere that shares its name.
            city["population"] * (20 if capital else 1),
            tuple(f"{name} ({place})" for place in places),
            tables.CITY_ALIASES.get((iso, name), ()),
            cultures.get(iso, ""),
        )
    )
    drafts.say(id, "city_country", country.id)
    if city["population"]:
        drafts.say(id, "city_population", Quantity(float(city["population"])))
    if region:
        drafts.say(id, "city_region", f"region-{region.code.lower()}")


def _nearest_larger(chosen: list[City]) -> list[tuple[City, City]]:
    """Every city but the largest with the nearest one that has more people (great circle)."""
    import numpy as np

    latitude = np.radians([c["latitude"] for c in chosen])
    longitude = np.radians([c["longitude"] for c in chosen])
    population = np.array([c["population"] for c in chosen])
    pairs = []
    for n, city in enumerate(chosen):
        larger = int(np.searchsorted(-population, -population[n]))  # first of equal size
        if larger:
            # Haversine; monotone in the distance, so neither radius nor arcsine is needed.
            closeness = (
                np.sin((latitude[:larger] - latitude[n]) / 2) ** 2
                + np.cos(latitude[:larger])
                * np.cos(latitude[n])
                * np.sin((longitude[:larger] - longitude[n]) / 2) ** 2
            )
            pairs.append((city, chosen[int(np.argmin(closeness))]))
    return pairs


def _add_time_zones(drafts: Drafts, chosen: list[City]) -> None:
    """Say which city gave each time zone its name ('Asia/Kolkata'), where that city is in."""
    places: dict[tuple[str, str], City] = {}
    for city in chosen:
        for name in (city["name"], *city["alternatenames"]):
            places.setdefault((city["timezone"], key(name)), city)
    for city in chosen:
        name = key(city["timezone"].rsplit("/")[-1].replace("_", " "))
        patron = places.get((city["timezone"], name))
        if patron is not None and patron is not city:
            drafts.say(f"city-{city['geonameid']}", "same_time", f"city-{patron['geonameid']}")
