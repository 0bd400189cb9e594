"""The catalogue as a person finds it: words, filters, facets and how many have each."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import Count

from fucina.client.wire_data import DataWish, FacetCount
from fucina.data.authority import LANGUAGES
from fucina.data.description import DatasetDescription
from fucina.hub.data.full_text import keep_words, matching
from fucina.hub.data.models import Dataset, DatasetFacet, DatasetQuerySet, DatasetVersion
from fucina.hub.people.models import Person

FACETS = ("language", "licence", "sensitivity", "access", "theme", "size", "quality")
SIZES = (("up-to-10-mb", 10**7), ("up-to-1-gb", 10**9), ("up-to-100-gb", 10**11))
LARGEST = "over-100-gb"
MAX_FACET_VALUES = 40


class Found(NamedTuple):
    """Datasets that fit, best or newest first, and the facets over all of them."""

    rows: DatasetQuerySet
    facets: tuple[FacetCount, ...]


def search(wish: DataWish, *, person: Person | None) -> Found:
    """What this person may see and asked for."""
    rows = Dataset.objects.visible_to(person).filter(current__isnull=False)
    for kind in FACETS:
        if value := getattr(wish, kind):
            has = DatasetFacet.objects.filter(kind=kind, value=value.replace("\x00", "")).values("dataset")
            rows = rows.filter(pk__in=has)
    plain = rows
    rows = matching(rows, wish.words)
    ranked = ["-rank"] if "rank" in rows.query.annotations else []
    keys = rows.values("pk") if ranked else plain.values("pk")
    counted = (
        DatasetFacet.objects.filter(dataset__in=keys.values("pk"))
        .values_list("kind", "value")
        .annotate(num=Count("pk"))
        .order_by("kind", "-num", "value")
    )
    facets = tuple(FacetCount(kind=kind, value=value, num_datasets=num) for kind, value, num in counted)
    rows = rows.select_related("organisation", "current").order_by(*ranked, "-changed_at", "-pk")
    return Found(rows, facets)


def enter(dataset: Dataset, version: DatasetVersion | None) -> None:
    """Let a dataset be found by its current version; by nothing when it has none."""
    DatasetFacet.objects.filter(dataset=dataset).delete()
    if version is None:
        keep_words(dataset.pk, ())
        return
    described = version.described
    rows = [
        DatasetFacet(dataset=dataset, kind=kind, value=value) for kind, value in sorted(_facets(version, described))
    ]
    DatasetFacet.objects.bulk_create(rows)
    keep_words(dataset.pk, _texts(dataset, described))


def _facets(version: DatasetVersion, described: DatasetDescription) -> set[tuple[str, str]]:
    size = next((name for name, limit in SIZES if version.num_bytes <= limit), LARGEST)
    return {
        *(("language", code) for code in described.languages),
        *(("licence", licence[:200]) for licence in described.licences),
        *(("theme", theme.value) for theme in described.themes),
        ("sensitivity", described.sensitivity.value),
        ("access", described.access.value),
        ("size", size),
        ("quality", str(version.num_met)),
    }


def _texts(dataset: Dataset, described: DatasetDescription) -> Iterable[str]:
    yield from (dataset.name, dataset.title, described.title, described.description, described.purpose)
    yield from (described.publisher.name, dataset.organisation.name, *described.keywords)
    yield from (*described.licences, *(LANGUAGES.get(code, code) for code in described.languages))
