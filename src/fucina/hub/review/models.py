"""Who reviews, what keeps them from it, what they wrote, and who was ranked where."""

from functools import partial

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.hub.access.models import Application
from fucina.hub.people.models import Organisation, Person
from fucina.hub.people.reference import new_ref


class Reviewer(models.Model):
    """Somebody of the pool."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "rev"), editable=False)
    person = models.OneToOneField(Person, on_delete=models.PROTECT, related_name="reviewer")
    affiliation = models.CharField(max_length=200, blank=True)
    """Where they work, in words; their memberships count as well."""
    expertise = models.JSONField(default=dict)
    """Level, 1 to 3, by topic."""
    languages = models.JSONField(default=list)
    """That they read, by two letters."""
    max_reviews = models.PositiveIntegerField()
    """At the same time."""
    away_until = models.DateField(null=True, blank=True)
    """First day on which they take reviews again."""
    is_active = models.BooleanField(default=True)
    added_at = models.DateTimeField()

    class Meta:
        verbose_name = _("reviewer")
        verbose_name_plural = _("reviewers")

    def __str__(self) -> str:
        return str(self.person)


class TieKind(models.TextChoices):
    """How a reviewer and an organisation are tied."""

    DECLARED = "declared", _("declared interest")
    COLLABORATION = "collaboration", _("recent collaboration")


class Tie(models.Model):
    """What a reviewer, or an officer who knows, said about an organisation."""

    reviewer = models.ForeignKey(Reviewer, on_delete=models.CASCADE, related_name="ties")
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="ties")
    kind = models.CharField(max_length=16, choices=TieKind.choices)
    ended_on = models.DateField(null=True, blank=True)
    """Of a collaboration; None while it lasts."""
    note = models.CharField(max_length=500, blank=True)
    said_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    said_at = models.DateTimeField()

    class Meta:
        verbose_name = _("tie")
        verbose_name_plural = _("ties")
        constraints = [models.UniqueConstraint(fields=["reviewer", "organisation", "kind"], name="tie_once")]

    def __str__(self) -> str:
        return f"{self.reviewer} · {self.organisation}"


class ConflictKind(models.TextChoices):
    """Why somebody may not review."""

    ORGANISATION = "organisation", _("same organisation")
    CO_APPLICANT = "co-applicant", _("applies as well")
    DECLARED = "declared", _("declared interest")
    COLLABORATION = "collaboration", _("recent collaboration")


class Conflict(models.Model):
    """A conflict as it was found; it is looked for again whenever somebody opens a review."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="conflicts")
    reviewer = models.ForeignKey(Reviewer, on_delete=models.CASCADE, related_name="conflicts")
    kind = models.CharField(max_length=16, choices=ConflictKind.choices)
    detail = models.CharField(max_length=500)
    found_at = models.DateTimeField()

    class Meta:
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")
        constraints = [models.UniqueConstraint(fields=["application", "reviewer", "kind"], name="conflict_once")]

    def __str__(self) -> str:
        return f"{self.application} · {self.reviewer}: {self.kind}"


class Case(models.Model):
    """What reviewers and the ranking need to know beyond the application."""

    application = models.OneToOneField(Application, on_delete=models.CASCADE, related_name="case")
    topics = models.JSONField(default=list)
    language = models.CharField(max_length=2, default="en")
    """That it is written in."""
    asks = models.JSONField(default=list)
    """Alternatives: GPU-seconds by `site/partition`."""
    prepared_at = models.DateTimeField()

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")

    def __str__(self) -> str:
        return str(self.application)


class ReviewState(models.TextChoices):
    """Where a review stands."""

    ASSIGNED = "assigned", _("assigned")
    SUBMITTED = "submitted", _("submitted")
    DECLINED = "declined", _("declined")


class ReviewQuerySet(models.QuerySet["Review"]):
    """Reviews."""

    def visible_to(self, person: Person) -> "ReviewQuerySet":
        """One's own; access officers see all but those about their own organisations, or about what they apply for."""
        own = models.Q(reviewer__person=person)
        if not person.is_staff:
            return self.filter(own)
        involved = Application.objects.filter(
            models.Q(organisation__memberships__person=person) | models.Q(submitted_by=person)
        )
        return self.filter(own | ~models.Q(application__in=involved))


class Review(models.Model):
    """One reviewer's judgement of one application."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "rvw"), editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(Reviewer, on_delete=models.PROTECT, related_name="reviews")
    state = models.CharField(max_length=16, choices=ReviewState.choices, default=ReviewState.ASSIGNED)
    scores = models.JSONField(default=dict)
    """By criterion."""
    reasons = models.JSONField(default=dict)
    remark = models.TextField(blank=True)
    """For the panel only."""
    version = models.PositiveIntegerField(default=0)
    """Grows with every change."""
    assigned_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    assigned_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    """When it was submitted or declined."""

    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints = [models.UniqueConstraint(fields=["application", "reviewer"], name="review_once")]
        indexes = [models.Index(fields=["reviewer", "state"], name="review_load")]

    def __str__(self) -> str:
        return self.ref


class RankingQuerySet(models.QuerySet["Ranking"]):
    """Rankings."""

    def visible_to(self, person: Person) -> "RankingQuerySet":
        """Access officers see those in which their own organisations do not stand; nobody else sees any."""
        if not person.is_staff:
            return self.none()
        own = RankingPlace.objects.filter(application__organisation__memberships__person=person)
        return self.exclude(pk__in=own.values("ranking"))


class Ranking(models.Model):
    """A proposal of awards under a capacity; what was asked and what came out, kept for good."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "rnk"), editable=False)
    mode = models.CharField(max_length=64)
    capacity_gpu_s = models.JSONField()
    """By `site/partition`."""
    overbooking = models.FloatField()
    smallest_share = models.FloatField(null=True, blank=True)
    """Least share of what was asked for that is awarded; None awards all or nothing."""
    uses = models.JSONField()
    """A list: partition, capacity, limit, awarded, asked; GPU-seconds."""
    points = models.FloatField()
    """Thousandths, as all that follow."""
    greedy_points = models.FloatField()
    bound = models.FloatField()
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True, blank=True)

    objects = RankingQuerySet.as_manager()

    class Meta:
        verbose_name = _("ranking")
        verbose_name_plural = _("rankings")

    def __str__(self) -> str:
        return self.ref


class RankingPlace(models.Model):
    """An application in a ranking."""

    ranking = models.ForeignKey(Ranking, on_delete=models.CASCADE, related_name="places")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="places")
    rank = models.PositiveIntegerField()
    points = models.IntegerField()
    outcome = models.CharField(max_length=16)
    gpu_s = models.JSONField()
    below = models.JSONField()
    ahead = models.JSONField()
    instead = models.JSONField()
    short_gpu_s = models.JSONField()

    class Meta:
        verbose_name = _("place in a ranking")
        verbose_name_plural = _("places in rankings")
        ordering = ["ranking", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["ranking", "application"], name="place_once"),
            models.UniqueConstraint(fields=["ranking", "rank"], name="place_rank"),
        ]

    def __str__(self) -> str:
        return f"{self.rank}. {self.application}"


class Escalation(models.Model):
    """An application whose promised day is over; nothing is decided by it."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="escalations")
    due_on = models.DateField()
    noticed_at = models.DateTimeField()
    seen_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("escalation")
        verbose_name_plural = _("escalations")
        constraints = [models.UniqueConstraint(fields=["application", "due_on"], name="escalation_once")]

    def __str__(self) -> str:
        return f"{self.application}, {self.due_on}"
