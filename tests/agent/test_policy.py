"""What a site runs for a hub, whatever the hub says."""

import pwd

import pytest

from fucina.agent.identity import NoSuchUser
from fucina.agent.policy import BadJob, check_job
from fucina.compute.spec import JobSpec
from fucina.network.spec import load_network
from tests.agent.test_journal import claimed
from tests.hub.conftest import slurm_site

LOCAL = load_network().sites[0]


def stage(**changes):
    spec = claimed().spec.model_copy(update=changes)
    return claimed().model_copy(update={"spec": spec})


def own(*command, **changes):
    spec = JobSpec(key="k", name="n", command=command, walltime_s=1, **changes)
    return claimed().model_copy(update={"run": "", "stage": None, "input": None, "spec": spec})


def test_a_stage_passes():
    check_job(claimed(), LOCAL)


@pytest.mark.parametrize("field", ["run", "ref"])
@pytest.mark.parametrize("value", ["../x", "/etc", "a/b", ".", "..", "x" * 100, "a\nb"])
def test_a_reference_that_leads_elsewhere_is_refused(field, value):
    with pytest.raises(BadJob, match="no reference"):
        check_job(claimed().model_copy(update={field: value}), LOCAL)


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "true"),
        ("fucina", "up"),
        ("fucina", "stage", "train", "."),
        ("fucina", "stage", "prepare", "/etc"),
        ("fucina", "stage", "prepare", ".", "--debug"),
        ("/bin/true",),
    ],
)
def test_only_the_jobs_own_stage_is_run(command):
    with pytest.raises(BadJob, match="stages only"):
        check_job(stage(command=command), LOCAL)


def test_a_persons_own_program_is_run_where_the_site_allows_it():
    for allowed in ((), ("true",)):
        with pytest.raises(BadJob, match="does not run 'python' for users"):
            check_job(own("python", "a.py"), LOCAL.model_copy(update={"user_commands": allowed}))
    for allowed in (("python",), ("*",)):
        check_job(own("python", "a.py"), LOCAL.model_copy(update={"user_commands": allowed}))
    with pytest.raises(BadJob, match="it allows python"):
        check_job(own("/opt/python"), LOCAL.model_copy(update={"user_commands": ("python",)}))


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "PYTHONPATH", "PYTHONSTARTUP", "BASH_ENV", "IFS", "SLURM_CONF"]
    + ["SBATCH_ACCOUNT", "FUCINA_SIGNING_KEY", "APPTAINER_BIND", "GIT_SSH_COMMAND", "A B", "1A", "", "A=B", "X\n"],
)
def test_a_variable_that_steers_programs_is_refused(name):
    with pytest.raises(BadJob, match="may not set"):
        check_job(stage(environment={name: "x"}), LOCAL)


def test_other_variables_pass():
    check_job(stage(environment={"OMP_NUM_THREADS": "4", "NCCL_DEBUG": "INFO", "seed": "1"}), LOCAL)
    with pytest.raises(BadJob, match="NUL"):
        check_job(stage(environment={"A": "x\0y"}), LOCAL)


@pytest.mark.parametrize("folder", ["/etc", "../..", "x"])
def test_the_hub_does_not_choose_folders(folder):
    with pytest.raises(BadJob, match="working directory"):
        check_job(stage(working_directory=folder), LOCAL)


def test_a_local_site_has_no_users():
    with pytest.raises(BadJob, match="no users or accounts"):
        check_job(stage(user="alice"), LOCAL)


def on_slurm(**changes):
    return stage(**({"user": pwd.getpwall()[-1].pw_name, "account": "alc-1", "partition": "gpu"} | changes))


def test_site_mode_runs_jobs_of_ordinary_users_only():
    site = slurm_site()
    least = max(1, pwd.getpwall()[-1].pw_uid)
    open_site = site.model_copy(update={"slurm": site.slurm.model_copy(update={"min_uid": least})})
    check_job(on_slurm(), open_site)
    with pytest.raises(BadJob, match="has the number 0"):
        check_job(on_slurm(user="root"), open_site)
    with pytest.raises(BadJob, match="users from 1000 on"):
        check_job(on_slurm(user="daemon"), site)
    with pytest.raises(NoSuchUser):
        check_job(on_slurm(user="nobody-at-all"), site)
    for lacking in ({"user": ""}, {"account": ""}):
        with pytest.raises(BadJob, match="no user or no account"):
            check_job(on_slurm(**lacking), site)
    with pytest.raises(BadJob, match="no partition 'other'"):
        check_job(on_slurm(partition="other"), site)


def test_a_personal_agent_runs_as_itself_on_its_account():
    check_job(stage(account="projx", partition="gpu"), slurm_site(), personal=True)
    for other in ({"user": "alice"}, {"account": "projy"}):
        with pytest.raises(BadJob, match="account projx"):
            check_job(stage(**({"account": "projx"} | other)), slurm_site(), personal=True)
