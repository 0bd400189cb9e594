"""How fast the catalogue of data answers with many datasets: `python benchmarks/data_catalogue.py --datasets 5000`.

Uses the hub's own tables in an empty home folder, or the database that FUCINA_DATABASE_URL names.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WORDS = [
    "water",
    "law",
    "health",
    "energy",
    "traffic",
    "schools",
    "rivers",
    "taxes",
    "building",
    "archive",
    "court",
    "budget",
    "forest",
    "harbour",
]


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=5000)
    asked = parser.parse_args()
    os.environ.setdefault("FUCINA_HOME", tempfile.mkdtemp(prefix="fucina-bench-"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "fucina.hub.settings"
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import transaction

    from fucina.client.wire_data import DataWish, Policy, PublishRequest
    from fucina.hub.data import harvest, publishing, read
    from fucina.hub.people.actions import create_organisation
    from fucina.hub.people.models import Person
    from tests.data.described import described

    call_command("migrate", verbosity=0)
    person = Person.objects.create_user(f"bench-{time.time_ns()}")
    organisation = create_organisation(name=f"Bench {person.pk}", country="IT", by=person, at=AT)
    policy = Policy(listing="public", access="request")
    begun = cpu_s()
    with transaction.atomic():
        for number in range(asked.datasets):
            words = [WORDS[(number // step) % len(WORDS)] for step in (1, 13, 169)]
            told = described(name=f"set-{number}", title=" ".join(words), keywords=tuple(words))
            request = PublishRequest(organisation=organisation.ref, description=told, policy=policy)
            publishing.publish(request=request, by=person, at=AT)
    print(f"publish: {1000 * (cpu_s() - begun) / asked.datasets:.2f} CPU-ms a dataset")
    for name, wish in (
        ("everything", DataWish()),
        ("two words", DataWish(words="water rivers")),
        ("words and facets", DataWish(words="wat", language="it", theme="JUST")),
    ):
        begun, wall, times = cpu_s(), time.perf_counter(), 10
        for _ in range(times):
            found = read.search_page(wish, person=person, offset=0, limit=25)
        print(
            f"search, {name}: {found.num_datasets} found, {1000 * (cpu_s() - begun) / times:.1f} CPU-ms, "
            f"{1000 * (time.perf_counter() - wall) / times:.1f} ms"
        )
    begun = cpu_s()
    edition = harvest.edition("x")
    page = harvest.harvest(number=1, url="https://hub.example/dcat", portal="https://hub.example", found=edition)
    print(f"harvest: a page of {len(page['@graph']) - 2} datasets in {1000 * (cpu_s() - begun):.1f} CPU-ms")


if __name__ == "__main__":
    main()
