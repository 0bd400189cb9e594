"""slurmrestd: submit, cancel and watch over HTTP, in the newest version that server and we both speak."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from fucina.compute.slurm import rest_bodies
from fucina.compute.slurm.refusals import SlurmRefused, in_words
from fucina.compute.slurm.rows import Listing
from fucina.compute.slurm.sacct import AccountingRow
from fucina.compute.slurm.sbatch import SubmitOptions, key_of
from fucina.compute.slurm.scontrol import ClusterFacts
from fucina.compute.slurm.sinfo import NodeRow
from fucina.compute.slurm.squeue import QueueRow, WaitingRow
from fucina.compute.slurm.transport import TIMEOUT_S, LostAnswer, Unreachable
from fucina.errors import Unavailable
from fucina.network.spec import BadSiteFile, RestAccess

_VERSION = re.compile(r"^/slurm/v0\.0\.(\d+)/")
_MISSING = frozenset({2017, 9003})
"""Error numbers of an id that is not known, and of a query that finds nothing."""
MAX_JOBS = 100
"""Ended jobs whose accounting one poll asks for: the accounting routes take no list of ids."""
PATH = "/usr/local/bin:/usr/bin:/bin"


class NoVersion(Unavailable):
    """The server speaks no version that we do."""

    code = "no_rest_version"


class RestController:
    """One slurmrestd. Implements `Controller`."""

    def __init__(self, access: RestAccess) -> None:
        self._access = access
        self.own_user = access.user
        self._token = self._read_token()
        self._version = 0
        if access.url.startswith("unix://"):
            transport = httpx.HTTPTransport(uds=access.url.removeprefix("unix://"))
            self._http = httpx.Client(transport=transport, base_url="http://slurmrestd", timeout=TIMEOUT_S)
        else:
            self._http = httpx.Client(base_url=access.url, timeout=TIMEOUT_S, trust_env=False)

    def submit(self, options: SubmitOptions, script: str) -> int:
        """Hand in a job; returns its id. Raises SlurmRefused, SlurmNotAllowed, SlurmLimit, LostAnswer."""
        body = rest_bodies.submit_body(options, script, version=self.version, path=PATH)
        answer = self._ask("POST", "/slurm/{}/job/submit", body=body, user=options.user)
        job_id = answer.get("job_id")
        if not isinstance(job_id, int) or job_id <= 0:
            raise LostAnswer(f"slurmrestd named no job: {str(answer)[:200]}", hint="The job is looked for.")
        return job_id

    def queue(self, users: Sequence[str]) -> Listing[QueueRow]:
        """Jobs of these users that wait, run, or ended in the last minutes: one query."""
        rows = rest_bodies.queue_rows(self._ask("GET", "/slurm/{}/jobs"))
        return Listing(rows=tuple(row for row in rows if not users or row.user in users))

    def queue_of(self, job_id: int) -> Listing[QueueRow]:
        """One job, empty when the queue does not know it."""
        return Listing(rows=tuple(rest_bodies.queue_rows(self._ask("GET", f"/slurm/{{}}/job/{job_id}"))))

    def accounting(self, job_ids: Sequence[int]) -> Listing[AccountingRow]:
        """Runs and steps of these jobs; one request each, since the routes take no list."""
        rows: list[AccountingRow] = []
        for job_id in job_ids[:MAX_JOBS]:
            answer = self._ask("GET", f"/slurmdb/{{}}/job/{job_id}")
            rows += rest_bodies.accounting_rows(answer, version=self.version)
        return Listing(rows=tuple(rows))

    def accounting_since(self, since: int, *, users: Sequence[str], name: str = "") -> Listing[AccountingRow]:
        """Jobs of these users that were alive since then, in seconds since 1970, without their steps."""
        # The old style takes dates in the server's own time zone only: a day more is asked for.
        day = (datetime.fromtimestamp(since, UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
        start = day if self.version in rest_bodies.OLD else f"uts{since}"
        params = {"start_time": start} | ({"job_name": name} if name else {})
        answer = self._ask("GET", "/slurmdb/{}/jobs", params=params)
        rows = rest_bodies.accounting_rows(answer, version=self.version)
        return Listing(rows=tuple(row for row in rows if not row.step and (not users or row.user in users)))

    def warns(self) -> bool:
        """Whether the server can have Slurm warn a job of its time limit."""
        return self.version not in rest_bodies.OLD

    def cancel(self, job_id: int, *, user: str) -> None:
        """End a job, every task of an array with it."""
        self._ask("DELETE", f"/slurm/{{}}/job/{job_id}", user=user)

    def start_now(self, job_id: int, *, user: str) -> None:
        """End the wait of a job that has been put back into the queue."""
        body = rest_bodies.begin_body(datetime.now(UTC), version=self.version)
        self._ask("POST", f"/slurm/{{}}/job/{job_id}", body=body, user=user)

    def starts(self, job_ids: Sequence[int]) -> Listing[tuple[int, int | None, str]]:
        """Expected starts of waiting jobs."""
        wanted = set(job_ids)
        rows = (row for row in self.queue(()).rows if row.base_id in wanted and row.state == "PENDING")
        return Listing(rows=tuple((row.base_id, row.start_at, row.comment) for row in rows if key_of(row.comment)))

    def nodes(self) -> Listing[NodeRow]:
        """Every node in every partition."""
        nodes, partitions = self._ask("GET", "/slurm/{}/nodes"), self._ask("GET", "/slurm/{}/partitions")
        return Listing(rows=tuple(rest_bodies.node_rows(nodes, partitions)))

    def load(self) -> Listing[WaitingRow]:
        """Everybody's waiting and running jobs."""
        return Listing(rows=tuple(rest_bodies.load_rows(self._ask("GET", "/slurm/{}/jobs"))))

    def facts(self) -> ClusterFacts:
        """Version, and the name where the server tells it; slurmrestd does not show the configuration."""
        meta = self._ask("GET", "/slurm/{}/ping").get("meta") or {}
        slurm = meta.get("Slurm") or meta.get("slurm") or {}
        return ClusterFacts(
            cluster=str(slurm.get("cluster") or ""),
            version=str(slurm.get("release") or ""),
            min_job_age_s=0,
            comments_stored=False,
            limits_enforced=False,
        )

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    @property
    def version(self) -> int:
        """The last part of the version that is spoken, as 42 for v0.0.42. Raises NoVersion, Unreachable."""
        if not self._version:
            self._version = self._negotiate()
        return self._version

    def _negotiate(self) -> int:
        offered: set[int] = set()
        for path in ("/openapi/v3", "/openapi"):
            response = self._send("GET", path, user="")
            if response.status_code == httpx.codes.OK:
                offered |= {
                    int(match.group(1)) for name in _json(response).get("paths", {}) if (match := _VERSION.match(name))
                }
                break
        spoken = offered & {*rest_bodies.OLD, *rest_bodies.NEW}
        if not spoken:
            theirs = ", ".join(f"v0.0.{number}" for number in sorted(offered)) or f"none (HTTP {response.status_code})"
            ours = ", ".join(f"v0.0.{number}" for number in (*rest_bodies.OLD, *rest_bodies.NEW))
            raise NoVersion(
                f"{self._access.url} offers {theirs}; we speak {ours}.", hint="Use transport `cli` or `ssh`."
            )
        return max(spoken)

    def _ask(
        self, method: str, path: str, *, body: dict | None = None, params: dict | None = None, user: str = ""
    ) -> dict[str, Any]:
        """One answer without errors; an id or a query that finds nothing is an empty answer."""
        response = self._send(method, path.format(f"v0.0.{self.version}"), body=body, params=params, user=user)
        answer = _json(response)
        errors = [item for item in answer.get("errors") or () if isinstance(item, dict)]
        if errors and all(_error_number(item) in _MISSING for item in errors):
            return {**answer, "jobs": []}
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise SlurmRefused(
                f"slurmrestd does not understand the request: {response.text[:300]}",
                hint="Report it with the version of Slurm, or use transport `cli` or `ssh`.",
            )
        if errors or response.status_code >= httpx.codes.BAD_REQUEST:
            said = "; ".join(f"{item.get('error', '')} {item.get('description', '')}".strip() for item in errors)
            raise in_words("slurmrestd", said=said or response.text, rc=response.status_code)
        return answer

    def _send(
        self, method: str, path: str, *, body: dict | None = None, params: dict | None = None, user: str = ""
    ) -> httpx.Response:
        """One request; a refused token is read again once, since files of tokens are renewed."""
        response = self._once(method, path, body, params, user)
        if response.status_code == httpx.codes.UNAUTHORIZED or _is_token_trouble(response):
            fresh = self._read_token()
            if fresh != self._token:
                self._token = fresh
                response = self._once(method, path, body, params, user)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise Unreachable(
                f"{self._access.url} refuses the token of {user or self._access.user}.",
                hint="Renew the token file: `scontrol token username=NAME lifespan=SECONDS`.",
            )
        return response

    def _once(self, method: str, path: str, body: dict | None, params: dict | None, user: str) -> httpx.Response:
        headers = {"X-SLURM-USER-NAME": user or self._access.user}
        if self._token:
            headers["X-SLURM-USER-TOKEN"] = self._token
        try:
            return self._http.request(method, path, json=body, params=params, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise Unreachable(
                f"slurmrestd at {self._access.url} does not answer: {error}", hint="Check `url`, and whether it runs."
            ) from error
        except httpx.HTTPError as error:
            raise LostAnswer(
                f"slurmrestd at {self._access.url} broke off: {error or type(error).__name__}", hint="Try again."
            ) from error

    def _read_token(self) -> str:
        """The token, read with the agent's own rights and never shown. Raises BadSiteFile."""
        if self._access.token_file is None:
            return ""
        try:
            text = self._access.token_file.read_text(encoding="ascii").strip().removeprefix("SLURM_JWT=")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSiteFile(
                f"{self._access.token_file} cannot be read: {error}", hint="`token_file` holds one JSON web token."
            ) from error
        if not text:
            raise BadSiteFile(f"{self._access.token_file} is empty.", hint="`token_file` holds one JSON web token.")
        return text


def _json(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; what is none is turned into an error of the same text."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    return {"errors": [{"error": response.text[:300], "error_number": response.status_code}]}


def _error_number(item: dict[str, Any]) -> int:
    number = item.get("error_number", item.get("error_code", 0))
    return number if isinstance(number, int) else 0


def _is_token_trouble(response: httpx.Response) -> bool:
    """22.05 answers a bad token with status 500 and a text that says little."""
    text = response.text if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else ""
    return "authentication" in text.lower() or "config is unable to load" in text
