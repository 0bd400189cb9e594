"""A Large Scale call to look at: twenty applications from Italy and beyond, three reviews each, ranked under real room.

Everything goes through the same actions as in earnest; the people cannot sign in, except by a link that staff make.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from fucina.access.moves import MoveName
from fucina.client.wire import ApplicationRequest
from fucina.errors import WrongState
from fucina.hub.access.models import Application
from fucina.hub.access.moving import move_application
from fucina.hub.compute import projects
from fucina.hub.network.actions import register_site
from fucina.hub.network.models import Partition, Site
from fucina.hub.people.actions import Rule, create_organisation
from fucina.hub.people.models import Organisation, Person
from fucina.hub.review.assigning import assign_reviewers, prepare_case
from fucina.hub.review.models import Ranking, Review
from fucina.hub.review.pool import put_reviewer
from fucina.hub.review.rankings import propose_ranking
from fucina.hub.review.reviewing import submit_review
from fucina.network import spec

MODE = "large-scale"
HOUR = 3600
DEMO = Rule("demo")

TOPICS = ("language models", "health", "energy", "manufacturing", "robotics", "climate")


class Wish(NamedTuple):
    """An application of the demo."""

    name: str
    country: str
    project: str
    topics: tuple[str, ...]
    hours: int
    scores: tuple[float, float, float]
    language: str


WISHES = tuple(
    Wish(name, country, project, topics, hours, scores, "it" if country == "IT" else "en")
    for name, country, project, topics, hours, scores in (
        ("Aurora Lingua", "IT", "leggi-chiare", ("language models",), 180_000, (4.5, 4.5, 4.0)),
        ("Boreal Health", "FI", "ward-notes", ("health", "language models"), 120_000, (4.5, 4.0, 4.0)),
        ("Cantiere Dati", "IT", "gare-aperte", ("language models",), 90_000, (4.0, 4.0, 4.0)),
        ("Delta Wind", "DK", "gust-cast", ("energy", "climate"), 150_000, (4.0, 4.5, 3.5)),
        ("Emilia Robotica", "IT", "mani-pronte", ("robotics", "manufacturing"), 110_000, (4.0, 4.0, 3.5)),
        ("Fjord Grid", "SE", "grid-twin", ("energy",), 60_000, (4.0, 3.5, 4.0)),
        ("Gaia Clima", "IT", "piogge-brevi", ("climate",), 140_000, (4.5, 3.5, 3.5)),
        ("Helix Imaging", "DE", "scan-read", ("health",), 100_000, (3.5, 4.0, 4.0)),
        ("Istmo Traduzioni", "IT", "voci-alpine", ("language models",), 70_000, (3.5, 4.0, 3.5)),
        ("Jura Optics", "FR", "lens-check", ("manufacturing",), 55_000, (3.5, 3.5, 4.0)),
        ("Karst Energia", "SI", "cold-grid", ("energy",), 80_000, (3.5, 3.5, 3.5)),
        ("Laguna Porti", "IT", "porto-vivo", ("manufacturing", "robotics"), 65_000, (4.0, 3.0, 3.5)),
        ("Mosel Agro", "DE", "vine-eye", ("climate", "robotics"), 75_000, (3.5, 3.0, 3.5)),
        ("Nova Farma", "IT", "molecole", ("health",), 130_000, (3.5, 3.5, 3.0)),
        ("Olanda Water", "NL", "dike-watch", ("climate",), 60_000, (3.0, 3.5, 3.5)),
        ("Porto Motores", "PT", "engine-ear", ("manufacturing",), 52_000, (3.0, 3.5, 3.0)),
        ("Quarzo Sensori", "IT", "quarzo", ("manufacturing",), 58_000, (3.0, 3.0, 4.0)),
        ("Riva Turismo", "IT", "guide-vive", ("language models",), 51_000, (2.5, 3.5, 4.5)),
        ("Sava Logistics", "HR", "last-mile", ("robotics",), 54_000, (3.0, 2.5, 3.5)),
        ("Tatra Voices", "SK", "rare-speech", ("language models",), 62_000, (3.0, 3.0, 3.0)),
    )
)

REVIEWERS = (
    ("demo-ines", "Ines Prado", ("language models", "health"), ("en", "it")),
    ("demo-jan", "Jan Maas", ("energy", "climate"), ("en", "it")),
    ("demo-katia", "Katia Moro", ("robotics", "manufacturing"), ("en", "it")),
    ("demo-lars", "Lars Beck", ("health", "robotics"), ("en", "it")),
    ("demo-mila", "Mila Novak", ("language models", "climate"), ("en", "it")),
    ("demo-nino", "Nino Serra", ("energy", "manufacturing"), ("en", "it")),
)


class AlreadyThere(WrongState):
    """The demo call was made before."""

    code = "demo_there"


@transaction.atomic
def make_call(*, at: datetime) -> Ranking:
    """Applications, reviews and a proposed ranking. Raises AlreadyThere."""
    if Person.objects.filter(username="demo-officer").exists():
        raise AlreadyThere("The demo call is there already.", hint="Look at it on the access desk.")
    officer = Person.objects.create_user("demo-officer", name="Olga Officer", is_staff=True)
    place = _partition(at)
    applications = [_apply(wish, place, officer=officer, at=at) for wish in WISHES]
    for username, name, fields, languages in REVIEWERS:
        Person.objects.create_user(username, name=name)
        known = {topic: 3 if topic in fields else 1 for topic in TOPICS}
        put_reviewer(username=username, expertise=known, languages=languages, max_reviews=15, by=officer, at=at)
    assign_reviewers(mode_id=MODE, by=officer, at=at)
    for wish, application in zip(WISHES, applications, strict=True):
        _review(wish, application, at=at + timedelta(days=3))
        for name in (MoveName.CLOSE_REVIEW, MoveName.CLOSE_REPLY):
            move_application(application=application, name=name, by=officer, at=at + timedelta(days=5))
    return propose_ranking(
        mode_id=MODE,
        capacity_gpu_s={str(place): 900_000 * HOUR},
        overbooking=1.0,
        smallest_share=None,
        by=officer,
        at=at + timedelta(days=6),
    )


def _partition(at: datetime) -> Partition:
    """A site of the network with a partition that is large enough."""
    accelerator = spec.Accelerator(id="demo", tflops_bf16=250.0, memory_gib=64.0)
    site = spec.Site(
        id="demo-site",
        name="Demo site",
        executor="slurm",
        slurm=spec.SlurmSite(cluster="demo", account="demo"),
        partitions=(spec.Partition(id="booster", accelerator=accelerator, num_nodes=256, num_gpus_per_node=4),),
    )
    known = Site.objects.filter(name=site.id).first() or register_site(site=site, by=DEMO, at=at)
    return Partition.objects.select_related("site").get(site=known, name="booster")


def _apply(wish: Wish, place: Partition, *, officer: Person, at: datetime) -> Application:
    applicant = Person.objects.create_user(f"demo-{wish.project}", name=wish.name, language=wish.language)
    organisation: Organisation = create_organisation(name=wish.name, country=wish.country, by=applicant, at=at)
    request = ApplicationRequest(
        organisation=organisation.ref,
        project=wish.project,
        purpose=f"{wish.project}: a model for {' and '.join(wish.topics)}, trained on our own data.",
        sector=wish.topics[0],
        access_mode=MODE,
        gpu_hours=wish.hours,
    )
    application = projects.apply(request=request, by=applicant, at=at)
    for name in (MoveName.CHECKED, MoveName.ASSESSED):
        move_application(application=application, name=name, by=officer, at=at)
    prepare_case(
        application=application,
        topics=wish.topics,
        language=wish.language,
        asks=[{str(place): wish.hours * HOUR}],
        by=officer,
        at=at,
    )
    return application


def _review(wish: Wish, application: Application, *, at: datetime) -> None:
    """Three reviewers agree within half a point, in turn a little above and below."""
    criteria = ("excellence", "impact", "implementation")
    reviews = Review.objects.filter(application=application).select_related("reviewer__person").order_by("pk")
    for turn, review in enumerate(reviews):
        shift = {1: 0.5, 2: -0.5}.get(turn, 0.0)
        scores = dict(zip(criteria, wish.scores, strict=True))
        first = criteria[application.pk % len(criteria)]
        scores[first] = min(5.0, max(0.0, scores[first] + shift))
        submit_review(
            review=review,
            scores=scores,
            reasons={name: f"{scores[name]:g} points: judged beside the other applications." for name in criteria},
            version=0,
            by=review.reviewer.person,
            at=at,
        )
