"""Projects, their runs, the jobs of a run and what happened to them."""

from functools import partial
from typing import Any

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
from fucina.network.broker import Placement

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
        return self.filter(project__in=Project.objects.visible_to(person).values("pk"))


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
    placement = models.JSONField(null=True, blank=True)
    """`fucina.network.broker.Placement`: where it was placed and why."""
    generation = models.PositiveIntegerField(default=1)
    """Grows when the run is placed anew, so that whoever still works for an older one is told apart."""
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
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="run_newest_of_project")]

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


class JobQuerySet(models.QuerySet["Job"]):
    """Jobs."""

    def visible_to(self, person: Person) -> "JobQuerySet":
        """Those of projects that the person may see."""
        mine = Project.objects.visible_to(person).values("pk")
        return self.filter(project__in=mine)


class Job(models.Model):
    """One stage of a run, or a command of a person's own."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "job"), editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="jobs")
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="jobs")
    """Who pays, and so where it runs."""
    run = models.ForeignKey(LineRun, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs")
    """None for a job of a person's own."""
    position = models.PositiveSmallIntegerField(default=0)
    stage = models.CharField(max_length=16, choices=[(stage.value, stage.value) for stage in StageName], blank=True)
    name = models.CharField(max_length=100, blank=True)
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=16, choices=STATES)
    reason = models.TextField(blank=True)
    error_code = models.CharField(max_length=100, blank=True)
    error_hint = models.TextField(blank=True)
    spec = models.JSONField()
    """`fucina.compute.spec.JobSpec`."""
    input = models.JSONField(null=True, blank=True)
    """`fucina.line.stage.StageInput`; None for a job of a person's own."""
    files = models.JSONField(default=list, blank=True)
    """A list of `fucina.client.wire.RunSource`: files for a person's own job, by their path in its folder."""
    placement = models.JSONField(null=True, blank=True)
    """`fucina.network.broker.Placement` of a person's own job; a stage has its run's."""
    num_gpus = models.PositiveIntegerField()
    walltime_s = models.PositiveIntegerField()
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs")
    claimed_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    """When the agent said that its executor has the job; until then it is handed out again."""
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    num_attempts = models.PositiveIntegerField(default=0)
    exit_code = models.IntegerField(null=True, blank=True)
    native_id = models.CharField(max_length=100, blank=True)
    """What the site's scheduler calls it."""
    pending_reason = models.CharField(max_length=200, blank=True)
    """Why it waits at the site, in the scheduler's own word."""
    starts_at = models.DateTimeField(null=True, blank=True)
    """When the site's scheduler expects to start it."""
    silent_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Since when it is UNKNOWN because its agent is silent, and not because the agent itself cannot say."""
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    record = models.JSONField(null=True, blank=True)
    """`fucina.compute.record.StageRecord`."""

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "stage"], name="job_stage_unique"),
            models.UniqueConstraint(fields=["run", "position"], name="job_position_unique"),
        ]
        indexes = [
            models.Index(fields=["state", "agent"], name="job_state_agent"),
            models.Index(fields=["project", "-created_at", "-id"], name="job_newest_of_project"),
            models.Index(
                fields=["allocation", "created_at", "id"], name="job_queue", condition=Q(state=JobState.QUEUED.value)
            ),
        ]

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
    def parsed_input(self) -> StageInput | None:
        """What the stage reads; None for a job of a person's own."""
        return StageInput.model_validate(self.input) if self.input is not None else None

    @property
    def sources(self) -> list[dict[str, Any]]:
        """Files to bring before it starts: `fucina.client.wire.RunSource`."""
        if self.run is None:
            return list(self.files)
        return list(self.run.sources) if self.stage == StageName.PREPARE else []

    @property
    def parsed_placement(self) -> Placement | None:
        """Where it was placed and why; None where nothing had to be chosen."""
        kept = self.run.placement if self.run is not None else self.placement
        return Placement.model_validate(kept) if kept else None


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


class ProjectFile(models.Model):
    """A file of a project's folder at the hub, under the name that people know it by."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="files")
    path = models.CharField(max_length=1000)
    """Relative to the project's folder."""
    sha256 = models.CharField(max_length=64)
    num_bytes = models.BigIntegerField()
    sent_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField()

    class Meta:
        verbose_name = _("project file")
        verbose_name_plural = _("project files")
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["project", "path"], name="project_file_unique")]

    def __str__(self) -> str:
        return self.path
