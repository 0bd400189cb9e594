"""A personal agent that starts while its hub is away."""

import pytest

from fucina.cli.agents import register_personal
from fucina.client.door import HubUnreachable
from fucina.config import Settings
from fucina.network.spec import Accelerator, Partition, Site
from tests.line.factory import free_port

SITE = Site(
    id="beta",
    name="Beta",
    partitions=(Partition(id="gpu", accelerator=Accelerator(id="h200", tflops_bf16=989, memory_gib=141)),),
)


class WaitedEnough(Exception):
    pass


def start(home, wait):
    settings = Settings(home=home, hub_url=f"http://127.0.0.1:{free_port()}")
    register_personal(settings, SITE, token="t", project="prj-1", gpu_hours=1.0, wait=wait)


def test_one_that_was_never_registered_says_that_no_hub_answers(tmp_path):
    with pytest.raises(HubUnreachable, match="No hub answers"):
        start(tmp_path, wait=lambda _s: pytest.fail("nobody knows this site yet"))


def test_one_that_was_registered_waits_longer_and_longer(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "agent-beta.ada.token").write_text("fuc_x\n")
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 4:
            raise WaitedEnough

    with pytest.raises(WaitedEnough):
        start(tmp_path, wait)
    assert waited == sorted(waited) and len(set(waited)) == 4
