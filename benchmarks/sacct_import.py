"""Import of a Slurm site's accounting, beside `sacct --parsable2 | wc -l` over the same rows.

    python benchmarks/sacct_import.py --jobs 1000000

fills the job table of a test cluster (`python -m lab`) by SQL, 30 days of jobs of which some were requeued by hand, and runs the
importer on it as an agent does, into a hub that only counts. With `--generated` no Slurm is needed: rows come from a
program that prints them.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from fucina.accounting.importer import Importer
from fucina.accounting.sacct import ENVIRONMENT, ended_between, sacct_options
from fucina.accounting.sacct_command import LocalSacct
from fucina.accounting.usage import UsageReceipt
from fucina.network.spec import Accelerator, Partition, Site, SlurmSite

SPAN_S = 30 * 86_400
BEGIN = 1_780_000_000
TRES = "1=8,2=32768,3=18446744073709551614,4=1,5=8,1001=4,1002=4"


def cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def fill(cluster, num_jobs: int) -> None:
    """Rows straight into slurmdbd's table; every twentieth job ran out of memory and was requeued."""
    cluster.sql("DELETE FROM alpha_job_table")
    columns = (
        "account,cpus_req,derived_ec,derived_es,env_hash_inx,exit_code,job_name,flags,id_array_job,id_array_task,id_assoc,id_block,"
        "id_job,id_qos,id_resv,id_wckey,id_user,id_group,het_job_id,het_job_offset,mem_req,nodelist,nodes_alloc,node_inx,`partition`,"
        "priority,script_hash_inx,state,timelimit,time_submit,time_eligible,time_start,time_end,time_suspended,gres_used,wckey,work_dir,"
        "tres_alloc,tres_req,submit_line,mod_time"
    )
    (assoc,) = cluster.sql("SELECT id_assoc FROM alpha_assoc_table WHERE acct='projx' AND user='alice'")[0]
    piece = 2000
    for first in range(0, num_jobs, piece):
        rows = []
        for number in range(first, min(first + piece, num_jobs)):
            again = number % 20 == 19
            job_id = number if again else number + 1
            start = BEGIN + number * SPAN_S // num_jobs
            before_again = (number + 1) % 20 == 19
            state = 11 if before_again else 3
            rows.append(
                f"('projx',8,0,NULL,0,0,'job',0,0,4294967294,{assoc},'',{job_id},1,0,0,1000,1000,0,4294967294,0,'alpha-1',1,'0','gpu',"
                f"1,0,{state},60,{start},{start},{start},{start + 600 - 300 * before_again},0,'','','/',"
                f"'{TRES}','{TRES}','',{start})"
            )
        cluster.sql(f"INSERT IGNORE INTO alpha_job_table ({columns}) VALUES {','.join(rows)}")  # noqa: S608


class Generated:
    """Prints what sacct would print of such a table."""

    def __init__(self, num_jobs: int) -> None:
        self._num_jobs = num_jobs

    def __call__(self, options: Sequence[str]) -> Iterator[bytes]:
        given = dict(option.split("=", 1) for option in options if "=" in option)
        if "--jobs" in given:
            return
        begin, end = (int(given[name].removeprefix("uts")) for name in ("--starttime", "--endtime"))
        first = max(0, (begin - 600 - BEGIN) * self._num_jobs // SPAN_S)
        for number in range(first, self._num_jobs):
            start = BEGIN + number * SPAN_S // self._num_jobs
            if start + 600 > end:
                return
            if start + 600 >= begin:
                values = (
                    number + 1,
                    number + 1,
                    "alpha",
                    "projx",
                    "alice",
                    "gpu",
                    "COMPLETED",
                    start,
                    start,
                    start + 600,
                    600,
                    1,
                    8,
                )
                text = "0:0", "0", "billing=8,cpu=8,gres/gpu:h200=4,gres/gpu=4,mem=32G,node=1", ""
                yield (given["--delimiter"].join(map(str, (*values, *text))) + "\n").encode()


class Counting:
    """A hub that only counts; each batch crosses the wire as JSON."""

    def __init__(self) -> None:
        self.num_records = self.num_bytes = self.gpu_s = 0

    def send(self, records) -> UsageReceipt:
        self.num_records += len(records)
        self.num_bytes += sum(len(record.model_dump_json()) for record in records)
        self.gpu_s += sum(record.gpu_s for record in records)
        return UsageReceipt(known_until=datetime.now(UTC))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--generated", action="store_true")
    parser.add_argument("--root", type=Path, help="a lab that is up; else one is started")
    arguments = parser.parse_args()
    accelerator = Accelerator(id="h200", tflops_bf16=989, memory_gib=141)
    slurm = SlurmSite(cluster="alpha")
    lab = None
    if not arguments.generated:
        from lab import Lab
        from lab.layout import ClusterSpec

        lab = Lab(
            arguments.root or Path(mkdtemp(prefix="fucina-bench-")),
            clusters=(ClusterSpec(name="alpha", num_nodes=1, gpus_per_node=4),),
        )
        lab.up()
        cluster = lab.clusters["alpha"]
        slurm = SlurmSite(cluster="alpha", conf=cluster.conf)
        began = time.monotonic()
        fill(cluster, arguments.jobs)
        print(f"filled {arguments.jobs:,} rows in {time.monotonic() - began:.0f} s", file=sys.stderr)
    site = Site(
        id="alpha",
        name="Alpha",
        executor="slurm",
        slurm=slurm,
        partitions=(Partition(id="gpu", accelerator=accelerator, num_gpus_per_node=4),),
    )
    source = Generated(arguments.jobs) if arguments.generated else LocalSacct(slurm)
    result: dict[str, object] = {"rows": arguments.jobs}
    if not arguments.generated:
        options = [*sacct_options(clusters="alpha"), *ended_between(BEGIN, BEGIN + SPAN_S + 3600)]
        before, began = cpu_s(resource.RUSAGE_CHILDREN), time.monotonic()
        environment = {**ENVIRONMENT, "SLURM_CONF": str(slurm.conf), "PATH": "/usr/bin:/bin"}
        sacct = subprocess.Popen(["sacct", *options], stdout=subprocess.PIPE, env=environment)
        count = subprocess.run(["wc", "-l"], stdin=sacct.stdout, capture_output=True, text=True, check=True)
        sacct.wait()
        plain_s = time.monotonic() - began
        result |= {"plain_wall_s": round(plain_s, 1), "plain_cpu_s": round(cpu_s(resource.RUSAGE_CHILDREN) - before, 1)}
        result |= {
            "plain_rows_per_s": round(int(count.stdout) / plain_s),
            "plain_rss_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        }
    with TemporaryDirectory() as folder:
        hub = Counting()
        one = Importer(
            site=site,
            source=source,
            state=Path(folder) / "usage.db",
            send=hub.send,
            since=datetime.fromtimestamp(BEGIN, UTC),
        )
        own, children, began = cpu_s(resource.RUSAGE_SELF), cpu_s(resource.RUSAGE_CHILDREN), time.monotonic()
        done = one.step(now=datetime.fromtimestamp(BEGIN + SPAN_S + 3600, UTC))
        wall_s = time.monotonic() - began
        result |= {
            "wall_s": round(wall_s, 1),
            "importer_cpu_s": round(cpu_s(resource.RUSAGE_SELF) - own, 1),
            "sacct_cpu_s": round(cpu_s(resource.RUSAGE_CHILDREN) - children, 1),
            "rows_read": done.num_rows,
            "rows_per_s": round(arguments.jobs / wall_s),
            "records": hub.num_records,
            "gpu_s": hub.gpu_s,
            "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "state_mib": (Path(folder) / "usage.db").stat().st_size // 2**20,
        }
        one.close()
    print(json.dumps(result, indent=1))
    if lab is not None and arguments.root is None:
        lab.down(wipe=True)


if __name__ == "__main__":
    main()
