"""How many requests the hub serves with a million jobs: `python tests/with_postgres.py python benchmarks/hub_load.py`.

Fills the PostgreSQL that FUCINA_TEST_DATABASE_URL names, starts the real hub under gunicorn and asks for its list pages, first paced
at --rate requests a second, then as fast as they are answered. Prints requests a second, p50 and p95, processor time a request
(hub and database), and the number of queries of each page. Loopback only; bounded by --seconds a page.
"""

import argparse
import asyncio
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

os.environ["FUCINA_DATABASE_URL"] = os.environ.get("FUCINA_TEST_DATABASE_URL", "")
os.environ.pop("FUCINA_TEST_DATABASE_URL", None)
os.environ.setdefault("FUCINA_HOME", tempfile.mkdtemp(prefix="fucina-load-"))
os.environ["DJANGO_SETTINGS_MODULE"] = "fucina.hub.settings"

# One key for this process and the hub, so that sessions made here open something there.
_KEY = Path(os.environ["FUCINA_HOME"]) / "secrets" / "django.key"
_KEY.parent.mkdir(parents=True, exist_ok=True)
_KEY.write_text(secrets.token_urlsafe(64))

import django  # noqa: E402

django.setup()

from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from fucina.hub.accounting.totals import drop_totals, keep_totals  # noqa: E402
from fucina.hub.compute.models import Job  # noqa: E402
from fucina.hub.network.actions import register_agent, register_site  # noqa: E402
from fucina.hub.people.actions import Rule, issue_token  # noqa: E402
from fucina.hub.people.models import Person, Scope  # noqa: E402
from fucina.network.spec import load_network  # noqa: E402

SETUP = Rule("benchmark")
NUM_CALLERS = 200
"""People who ask, in turn."""
PROJECTS_PER_ORGANISATION = 5

FILL = """
INSERT INTO people_person (password, is_superuser, username, name, language, is_active, is_staff, joined_at)
  SELECT '!', false, 'person-' || n, 'Person ' || n, 'en', true, false, now() FROM generate_series(1, {organisations}) n;
INSERT INTO people_organisation (ref, name, country, created_at)
  SELECT 'org-' || lpad(n::text, 12, '0'), 'Organisation ' || n, 'IT', now() FROM generate_series(1, {organisations}) n;
INSERT INTO people_membership (person_id, organisation_id, role)
  SELECT p.id, o.id, 'owner' FROM people_person p JOIN people_organisation o ON o.name = 'Organisation ' || substr(p.username, 8);
INSERT INTO access_accessmode (name, valid_from, wire) VALUES ('benchmark', '2026-01-01', '{{}}');
INSERT INTO access_application (ref, organisation_id, project, purpose, sector, access_mode_id, gpu_s, state, submitted_by_id, submitted_at)
  SELECT 'app-' || lpad(n::text, 12, '0'), o.id, 'project-' || n, 'Measures the hub under load', '', (SELECT max(id) FROM access_accessmode),
    3600000, 'granted', p.id, now()
  FROM generate_series(1, {projects}) n JOIN people_organisation o ON o.name = 'Organisation ' || (1 + n %% {organisations})
  JOIN people_person p ON p.username = 'person-' || (1 + n %% {organisations});
INSERT INTO access_grant (ref, application_id, organisation_id, project, gpu_s, granted_at)
  SELECT 'gra-' || substr(ref, 5), id, organisation_id, project, gpu_s, now() FROM access_application WHERE project LIKE 'project-%%';
INSERT INTO compute_project (ref, organisation_id, name, purpose, created_at)
  SELECT 'prj-' || substr(ref, 5), organisation_id, project, purpose, now() FROM access_application WHERE project LIKE 'project-%%';
INSERT INTO accounting_allocation (ref, grant_id, site_id, partition_id, slurm_account, created_at)
  SELECT 'alc-' || substr(g.ref, 5), g.id, s.id, t.id, 'alc-' || substr(g.ref, 5), now() FROM access_grant g, network_site s, network_partition t WHERE t.site_id = s.id;
INSERT INTO accounting_ledgerentry (allocation_id, kind, gpu_s, job, note, at)
  SELECT id, 'grant', 3600000, '', '', now() FROM accounting_allocation;
INSERT INTO compute_linerun (ref, project_id, allocation_id, key, spec, sources, generation, state, release, created_by_id, created_at, ended_at)
  SELECT 'run-' || lpad(n::text, 12, '0'), j.id, a.id, 'run-key-' || n,
    jsonb_build_object('name', j.name, 'organisation', 'Organisation', 'purpose', repeat('what it is for ', 10), 'pad', repeat('x', 600)),
    '[]', 1, CASE WHEN n %% 50 = 0 THEN 'running' ELSE 'succeeded' END, '', app.submitted_by_id, now() - n * interval '1 minute', now()
  FROM generate_series(1, {runs}) n JOIN compute_project j ON j.name = 'project-' || (1 + n %% {projects})
  JOIN access_grant g ON g.organisation_id = j.organisation_id AND g.project = j.name
  JOIN accounting_allocation a ON a.grant_id = g.id JOIN access_application app ON app.id = g.application_id;
INSERT INTO compute_job (ref, project_id, allocation_id, run_id, position, stage, name, created_by_id, created_at, key, state, reason,
    error_code, error_hint, spec, input, files, num_gpus, walltime_s, num_attempts, native_id, pending_reason, started_at, ended_at)
  SELECT 'job-' || lpad((r.id * 5 + k)::text, 12, '0'), r.project_id, r.allocation_id, r.id, k,
    (ARRAY['prepare', 'train', 'evaluate', 'document', 'release'])[k + 1], 'stage', r.created_by_id, r.created_at,
    r.ref || '.' || (ARRAY['prepare', 'train', 'evaluate', 'document', 'release'])[k + 1],
    CASE WHEN r.state = 'running' AND k = 1 THEN 'running' WHEN r.state = 'running' AND k > 1 THEN 'blocked' ELSE 'succeeded' END, '', '', '',
    jsonb_build_object('command', '["fucina", "stage"]', 'pad', repeat('s', 300)), jsonb_build_object('pad', repeat('i', 500)), '[]',
    CASE WHEN k IN (1, 2) THEN 1 ELSE 0 END, 3600, 1, '', '', r.created_at, r.created_at + interval '10 minutes'
  FROM compute_linerun r, generate_series(0, 4) k;
INSERT INTO compute_job (ref, project_id, allocation_id, position, stage, name, created_by_id, created_at, key, state, reason,
    error_code, error_hint, spec, files, num_gpus, walltime_s, num_attempts, native_id, pending_reason, started_at, ended_at)
  SELECT 'job-' || lpad(n::text, 11, 'a'), j.id, a.id, 0, '', 'own', app.submitted_by_id, now() - n * interval '40 seconds', 'own.' || n,
    CASE WHEN n %% 100 = 0 THEN 'queued' ELSE 'succeeded' END, '', '', '',
    jsonb_build_object('command', '["python"]', 'pad', repeat('s', 300)), '[]', 1, 3600, 1, '', '', now(), now()
  FROM generate_series(1, {own}) n JOIN compute_project j ON j.name = 'project-' || (1 + n %% {projects})
  JOIN access_grant g ON g.organisation_id = j.organisation_id AND g.project = j.name
  JOIN accounting_allocation a ON a.grant_id = g.id JOIN access_application app ON app.id = g.application_id;
INSERT INTO accounting_ledgerentry (allocation_id, kind, gpu_s, job, note, at)
  SELECT allocation_id, kind, gpu_s, key, '', created_at FROM compute_job,
    (VALUES ('hold', -3600), ('settle', 3600), ('use', -600)) AS v(kind, gpu_s) WHERE num_gpus > 0;
INSERT INTO accounting_usagerecord (job, revision, allocation_id, gpu_s, began_at, ended_at, recorded_at, wire)
  SELECT key, 0, allocation_id, 600 * num_gpus, created_at, created_at, created_at, jsonb_build_object('site', 'local', 'job_key', key, 'state', 'succeeded', 'ended_at',
    '2026-11-20T12:00:00Z', 'wall_s', 600, 'num_gpus', num_gpus, 'gpu_s', 600 * num_gpus) FROM compute_job WHERE state = 'succeeded';
INSERT INTO compute_jobevent (job_id, kind, number, state, reason, line, at)
  SELECT id, 'progress', 0, '', '', '{{"at": "2026-11-20T12:00:00Z", "stage": "train", "done": 1, "total": 2, "unit": "tokens"}}', created_at
  FROM compute_job WHERE stage = 'train';
"""


class Page(NamedTuple):
    """One address, through the API or the portal."""

    name: str
    path: str
    is_api: bool


class Caller(NamedTuple):
    """One who asks."""

    token: str
    session: str
    project: str


def fill(num_jobs: int, num_projects: int) -> None:
    """The tables, by the database itself; what is there already is kept."""
    call_command("migrate", interactive=False, verbosity=0)
    if Job.objects.exists():
        return
    site = register_site(site=load_network().sites[0], by=SETUP, at=timezone.now())
    register_agent(site=site, by=SETUP, at=timezone.now())
    runs = num_jobs * 3 // 4 // 5
    values = {
        "projects": num_projects, "organisations": num_projects // PROJECTS_PER_ORGANISATION, "runs": runs, "own": num_jobs - 5 * runs,
    }  # fmt: skip
    started = time.monotonic()
    with connection.schema_editor() as editor:
        drop_totals(None, editor)
    with connection.cursor() as cursor:
        for statement in FILL.format(**values).replace("%%", "%").split(";\n"):
            if statement.strip():
                cursor.execute(statement)
    with connection.schema_editor() as editor:
        keep_totals(None, editor)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT (SELECT count(*) FROM compute_job), (SELECT count(*) FROM accounting_ledgerentry)")
        jobs, entries = cursor.fetchone()
    print(
        f"{jobs:,} jobs, {num_projects:,} projects, {entries:,} ledger entries, filled in {time.monotonic() - started:.0f} s"
    )


def callers() -> list[Caller]:
    """People with a token, a session and a project each."""
    found = []
    for person in Person.objects.filter(username__startswith="person-").order_by("id")[:NUM_CALLERS]:
        token = issue_token(name="load", scope=Scope.PERSON, person=person, by=SETUP, at=timezone.now()).secret
        session = SessionStore()
        session["_auth_user_id"] = str(person.pk)
        session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
        session["_auth_user_hash"] = person.get_session_auth_hash()
        session.save()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT p.ref FROM compute_project p JOIN people_membership m ON m.organisation_id = p.organisation_id"
                " WHERE m.person_id = %s ORDER BY p.id LIMIT 1",
                [person.pk],
            )
            found.append(Caller(token, session.session_key, cursor.fetchone()[0]))
    return found


PAGES = (
    Page("API job list", "/api/v1/jobs?limit=50", True),
    Page("API run list", "/api/v1/runs?limit=20", True),
    Page("API projects with balances", "/api/v1/projects", True),
    Page("API one project", "/api/v1/projects/{project}", True),
    Page("portal run list", "/runs", False),
    Page("portal projects", "/projects", False),
    Page("portal allocation with ledger", "/projects/{project}", False),
)


def count_queries(page: Page, caller: Caller) -> int:
    """Queries of one page, asked for the second time."""
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {caller.token}"} if page.is_api else {})
    client.cookies["sessionid"] = caller.session
    path = page.path.format(project=caller.project)
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code, answer.content[:300])
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    return len(captured)


class Connection:
    """One kept-alive connection that reads whole answers."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, request: bytes) -> int:
        """Status of the answer; opens the connection anew where the hub closed it."""
        for _ in range(2):
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                self._streams = None
                continue
            lower = head.lower()
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            if b"connection: close" in lower:
                writer.close()
                self._streams = None
            return int(head[9:12])
        return 0


async def load(
    page: Page, who: list[Caller], *, port: int, seconds: float, rate: float, num_connections: int
) -> list[float]:
    """Seconds of each request: paced at `rate` a second, or with 0 one after another on every connection."""
    requests = []
    for caller in who:
        auth = f"Authorization: Bearer {caller.token}" if page.is_api else f"Cookie: sessionid={caller.session}"
        path = page.path.format(project=caller.project)
        requests.append(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{auth}\r\n\r\n".encode())
    times: list[float] = []
    begin = time.perf_counter()
    counter = iter(range(10**9))

    async def work() -> None:
        connection_ = Connection(port)
        while True:
            number = next(counter)
            due = begin + number / rate if rate else time.perf_counter()
            if max(due, time.perf_counter()) - begin > seconds:
                return
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            status = await connection_.get(requests[number % len(requests)])
            assert status == 200, (page.path, status)
            times.append(time.perf_counter() - due)

    await asyncio.gather(*(work() for _ in range(num_connections)))
    return times


def cpu_s(pids: list[int]) -> float:
    """Processor seconds of processes and all that they started, as /proc tells."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) in pids or int(stat.parent.name) in pids:
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def postgres_pid() -> int:
    """The server process of the database that we use."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])


def start_hub(port: int, *, workers: int, threads: int) -> subprocess.Popen:
    """The real hub under gunicorn, as `fucina up` starts it."""
    command = [
        sys.executable, "-m", "gunicorn", "fucina.hub.wsgi:application", "--bind", f"127.0.0.1:{port}", "--workers", str(workers),
        "--threads", str(threads), "--timeout", "120", "--keep-alive", "30", "--no-control-socket", "--log-level", "warning",
    ]  # fmt: skip
    process = subprocess.Popen(command)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.1)
    raise SystemExit("the hub did not start")


def main() -> None:
    """Fill, count, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--projects", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--page", default="", help="only pages whose name holds this")
    arguments = parser.parse_args()
    if not os.environ["FUCINA_DATABASE_URL"]:
        raise SystemExit("run it with tests/with_postgres.py")
    fill(arguments.jobs, arguments.projects)
    who = callers()
    pages = [page for page in PAGES if arguments.page in page.name]
    queries = {page.name: count_queries(page, who[0]) for page in pages}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = postgres_pid()
    connection.close()
    hub = start_hub(port, workers=arguments.workers, threads=arguments.threads)
    print(
        f"{'page':32}{'queries':>8}{'paced/s':>9}{'p50 ms':>8}{'p95 ms':>8}{'most/s':>8}{'p95 ms':>8}{'CPU ms: hub':>13}{'database':>10}{'client':>8}"
    )
    try:
        for page in pages:
            asyncio.run(load(page, who, port=port, seconds=2, rate=0, num_connections=4))
            paced = asyncio.run(
                load(page, who, port=port, seconds=arguments.seconds, rate=arguments.rate, num_connections=16)
            )
            before = cpu_s([hub.pid]), cpu_s([database]), resource.getrusage(resource.RUSAGE_SELF)
            most = asyncio.run(load(page, who, port=port, seconds=arguments.seconds, rate=0, num_connections=4))
            after = cpu_s([hub.pid]), cpu_s([database]), resource.getrusage(resource.RUSAGE_SELF)
            own = sum(getattr(after[2], name) - getattr(before[2], name) for name in ("ru_utime", "ru_stime"))
            slow = [quantiles(times, n=20)[-1] * 1000 for times in (paced, most)]
            print(
                f"{page.name:32}{queries[page.name]:8}{len(paced) / arguments.seconds:9.0f}{quantiles(paced, n=2)[0] * 1000:8.1f}{slow[0]:8.1f}"
                f"{len(most) / arguments.seconds:8.0f}{slow[1]:8.1f}{(after[0] - before[0]) / len(most) * 1000:13.2f}"
                f"{(after[1] - before[1]) / len(most) * 1000:10.2f}{own / len(most) * 1000:8.2f}",
                flush=True,
            )
    finally:
        hub.send_signal(signal.SIGTERM)
        hub.wait(30)


if __name__ == "__main__":
    main()
