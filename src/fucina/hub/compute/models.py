"""Projects, their runs, the jobs of a run and what happened to them."""

from functools import partial

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fucina.compute.spec import FINAL, JobSpec, JobState
from fucina.hub.accounting.models import Allocation
from fucina.hub.network.models import Agent
from fucina.hub.people.append_only import AppendOnly, AppendOnlyQuerySet
from fucina.hub.people.models import Organisation, Person
from fucina.hub.people.reference import new_ref
from fucina.line.spec import ProjectSpec, StageName
from fucina.line.stage import StageInput

STATES = [(state.value, state.value) for state in JobState]
LIVE = frozenset({JobState.CLAIMED, JobState.RUNNING, JobState.UNKNOWN})
"""States in which an agent has the job."""


class ProjectQuerySet(models.QuerySet["Project"]):
    """Projects."""

    def visible_to(self, person: Person) -> "ProjectQuerySet":
        """Those of the person's organisations; nobody else sees them, whatever their office."""
        return self.filter(organisation__memberships__person=person)


class Project(models.Model):
    """What an organisation was granted time for."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "prj"), editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=63)
    purpose = models.TextField()
    created_at = models.DateTimeField()

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="project_unique")]

    def __str__(self) -> str:
        return self.name


class LineRunQuerySet(models.QuerySet["LineRun"]):
    """Line runs."""

    def visible_to(self, person: Person) -> "LineRunQuerySet":
        """Those of projects that the person may see."""
        return self.filter(project__organisation__memberships__person=person)


class LineRun(models.Model):
    """One way through the five stages."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "run"), editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="runs")
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="runs")
    key = models.CharField(max_length=80)
    """Idempotency key of whoever started it."""
    spec = models.JSONField()
    """`fucina.line.spec.ProjectSpec`."""
    sources = models.JSONField()
    """A list of `fucina.client.wire.RunSource`."""
    state = models.CharField(max_length=16, choices=STATES, db_index=True)
    release = models.CharField(max_length=32, blank=True)
    """Reference of the release, once it is registered."""
    problem = models.JSONField(null=True, blank=True)
    """`fucina.errors.ErrorBody`: why the release could not be registered."""
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = LineRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="run_key_unique")]

    def __str__(self) -> str:
        return self.ref

    @property
    def parsed_spec(self) -> ProjectSpec:
        """The project file that it runs."""
        return ProjectSpec.model_validate(self.spec)

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL


class Job(models.Model):
    """One stage of a run."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "job"), editable=False)
    run = models.ForeignKey(LineRun, on_delete=models.PROTECT, related_name="jobs")
    position = models.PositiveSmallIntegerField()
    stage = models.CharField(max_length=16, choices=[(stage.value, stage.value) for stage in StageName])
    key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=16, choices=STATES)
    reason = models.TextField(blank=True)
    error_code = models.CharField(max_length=100, blank=True)
    error_hint = models.TextField(blank=True)
    spec = models.JSONField()
    """`fucina.compute.spec.JobSpec`."""
    input = models.JSONField()
    """`fucina.line.stage.StageInput`."""
    num_gpus = models.PositiveIntegerField()
    walltime_s = models.PositiveIntegerField()
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs")
    claimed_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    """When the agent said that its executor has the job; until then it is handed out again."""
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    num_attempts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    record = models.JSONField(null=True, blank=True)
    """`fucina.compute.record.StageRecord`."""

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "stage"], name="job_stage_unique"),
            models.UniqueConstraint(fields=["run", "position"], name="job_position_unique"),
        ]
        indexes = [models.Index(fields=["state", "agent"], name="job_state_agent")]

    def __str__(self) -> str:
        return self.key

    @property
    def job_state(self) -> JobState:
        """The state as its own type."""
        return JobState(self.state)

    @property
    def parsed_spec(self) -> JobSpec:
        """What to run."""
        return JobSpec.model_validate(self.spec)

    @property
    def parsed_input(self) -> StageInput:
        """What the stage reads."""
        return StageInput.model_validate(self.input)


class EventKind(models.TextChoices):
    """What an event of a job is about."""

    STATE = "state", _("state")
    PROGRESS = "progress", _("progress")


class JobEvent(AppendOnly):
    """Something that happened to a job: a new state, or a progress line."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=16, choices=EventKind.choices)
    number = models.PositiveIntegerField(null=True)
    """Of a progress line in the job's file, from 0."""
    state = models.CharField(max_length=16, choices=STATES, blank=True)
    reason = models.TextField(blank=True)
    line = models.JSONField(null=True)
    """`fucina.compute.record.ProgressLine`."""
    at = models.DateTimeField()

    objects = AppendOnlyQuerySet["JobEvent"].as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="job_event_number_unique"),
            models.CheckConstraint(
                name="job_event_shape",
                condition=(Q(kind=EventKind.PROGRESS, number__isnull=False, line__isnull=False, state=""))
                | (Q(kind=EventKind.STATE, number__isnull=True) & ~Q(state="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.state or self.number}"


class Artifact(models.Model):
    """A file that a job left, as the agent sent it."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="artifacts")
    path = models.CharField(max_length=1000)
    """Relative to the stage's `out/`."""
    sha256 = models.CharField(max_length=64)
    num_bytes = models.BigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("artifact")
        verbose_name_plural = _("artifacts")
        constraints = [models.UniqueConstraint(fields=["job", "path"], name="artifact_unique")]

    def __str__(self) -> str:
        return self.path
