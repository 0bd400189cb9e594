"""What other catalogues harvest: every dataset that is listed for everybody, as DCAT-AP in pages."""

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import Count, Max

from fucina.data.dcat import CatalogueHead, Entry, catalogue_of
from fucina.data.dcat_terms import Node
from fucina.data.description import Party
from fucina.errors import NotVisible
from fucina.hub.data.models import Dataset, DatasetQuerySet

PAGE_ROWS = 100


class NoSuchPage(NotVisible):
    """The catalogue has fewer pages."""

    code = "no_such_page"


class Edition(NamedTuple):
    """Which state of the catalogue it is."""

    stamp: str
    """Changes whenever a page may have changed."""
    changed_at: datetime | None
    num_datasets: int


def public_datasets() -> DatasetQuerySet:
    """What everybody may know of."""
    return Dataset.objects.visible_to(None).filter(current__isnull=False)


def edition(address: str) -> Edition:
    """The state of the catalogue under an address, from one query."""
    told = public_datasets().aggregate(
        num=Count("pk"), last=Max("changed_at"), version=Max("current"), newest=Max("pk")
    )
    words = f"{address} {told['num']} {told['last']} {told['version']} {told['newest']}"
    return Edition(hashlib.sha256(words.encode()).hexdigest()[:32], told["last"], told["num"])


def harvest(*, number: int, url: str, portal: str, found: Edition) -> dict[str, Any]:
    """A page of the catalogue with the way to the others; `portal` is the address of the portal.

    Raises NoSuchPage.
    """
    last = max(1, -(-found.num_datasets // PAGE_ROWS))
    if not 1 <= number <= last:
        raise NoSuchPage(f"The catalogue has {last} pages; {number} was asked for.", hint=f"Begin at {url}.")
    rows = public_datasets().select_related("organisation", "current").order_by("pk")
    entries = []
    for row in rows[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]:
        if row.current is not None:
            row.current.dataset = row
            entries.append(Entry(described=row.current.described, ref=row.ref, page=f"{portal}/data/{row.ref}"))
    head = CatalogueHead(
        url=url,
        title="Data for AI",
        description="Datasets that organisations of this AI Factory offer for training and evaluating models.",
        publisher=Party(name="AI Factory", url=portal),
        page=f"{portal}/data",
        changed_on=found.changed_at.astimezone(UTC).date() if found.changed_at else None,
    )
    return catalogue_of(head, entries, more=[_paging(url, number, last, found.num_datasets)])


def _paging(url: str, number: int, last: int, num: int) -> Node:
    """Hydra's words for a page, which harvesters of DCAT follow."""
    page: Node = {
        "@id": f"{url}?page={number}",
        "@type": "hydra:PagedCollection",
        "hydra:totalItems": num,
        "hydra:itemsPerPage": PAGE_ROWS,
        "hydra:firstPage": f"{url}?page=1",
        "hydra:lastPage": f"{url}?page={last}",
    }
    if number < last:
        page["hydra:nextPage"] = f"{url}?page={number + 1}"
    if number > 1:
        page["hydra:previousPage"] = f"{url}?page={number - 1}"
    return page
