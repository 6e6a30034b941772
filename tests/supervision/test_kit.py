"""The testing kit, used as its users use it."""

from __future__ import annotations

import sys
import time

import anyio
import pytest

from supervision import (
    ActorCrashed,
    ActorStopped,
    Backoff,
    ChildSpec,
    NotAnActor,
    Restart,
    SupervisorSpec,
    open_system,
)
from supervision.testing import (
    Crash,
    Echo,
    Hang,
    Kill,
    Probe,
    Quit,
    Stage,
    Step,
    run_script,
    virtual_backend,
)

AT_ONCE = Backoff(lambda _: 0)
CONFTEST = """
from supervision.testing.fixtures import (
    probe as probe, stage as stage, virtual_asyncio as only_asyncio, virtual_time as anyio_backend,
    virtual_trio as only_trio,
)
"""
TESTS = """
import time
import anyio, pytest
from supervision import ChildSpec, SupervisorSpec, open_system
from supervision.testing import Echo

pytestmark = pytest.mark.anyio
begin = time.monotonic()

async def test_a_day_passes_at_once(stage, probe):
    spec = SupervisorSpec((ChildSpec("a", stage), ChildSpec("p", probe)))
    async with open_system(spec) as system:
        await anyio.sleep(86_400)
        assert await system.lookup("a").ask(Echo(1)) == 1
        system.lookup("p").tell(Echo(2))
        assert (await probe.expect(Echo)).value == 2
    assert time.monotonic() - begin < 3_600

def test_one_backend_alone(only_asyncio, only_trio):
    assert (only_asyncio[0], only_trio[0]) == ("asyncio", "trio")
"""


def test_the_fixtures_need_a_conftest_and_no_plugin(pytester: pytest.Pytester) -> None:
    """On both backends, in a project of its own."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)

    outcome = pytester.runpytest("-q")

    outcome.assert_outcomes(passed=3)


def test_the_kit_itself_needs_no_pytest() -> None:
    """Only its fixtures do."""
    code = "import sys, supervision.testing; sys.exit('pytest' in sys.modules)"

    async def main() -> int:
        return (await anyio.run_process([sys.executable, "-c", code], check=False)).returncode

    assert anyio.run(main) == 0


@pytest.mark.anyio
async def test_a_script_is_run_step_by_step(stage: Stage) -> None:
    """In its order and at its times; what met nobody is told at the end."""
    floor = ChildSpec("sub", SupervisorSpec((ChildSpec("c", stage),)))
    children = (ChildSpec("a", stage, restart=Restart.TRANSIENT), ChildSpec("b", stage), floor)
    script = [
        Step(1, "a", Crash()),
        Step(2, "b", Kill()),
        Step(0, "b", Hang(3)),
        Step(3, "a", Quit()),
        Step(1, "a", Crash()),
        Step(1, "sub", Kill()),
        Step(0, "sub", Crash()),
    ]
    async with open_system(SupervisorSpec(children)) as system:
        begin = anyio.current_time()
        met = await run_script(system, script)
        assert anyio.current_time() - begin == pytest.approx(8)
        assert [type(each) for each in met] == [ActorStopped, NotAnActor]
        await anyio.sleep(1)
        assert stage.of("stop") == ["a", "b", "a", "sub/c"]
        assert stage.tries == {"a": 2, "b": 2, "sub/c": 2}


@pytest.mark.anyio
async def test_a_stop_may_fail_by_the_script(stage: Stage) -> None:
    """As often as told; the failure is the exit reason of an orderly stop."""
    stage.failing_stops["a"] = 2
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        for _ in range(2):
            await system.kill("a")
            await anyio.sleep(1)
        assert stage.of("stop") == []
        assert await system.lookup("a").ask(Echo(1)) == 1
    assert stage.of("stop") == ["a"]
    assert stage.of("stopping") == ["a"] * 3


@pytest.mark.anyio
async def test_a_start_may_fail_by_the_script(stage: Stage) -> None:
    """As often as told."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage, backoff=AT_ONCE),))) as system:
        stage.failing_starts["a"] = 3
        await system.kill("a")
        assert await system.lookup("a").ask(Echo(1)) == 1
        assert stage.tries["a"] == 1 + 3 + 1


@pytest.mark.anyio
async def test_a_probe_expects(probe: Probe) -> None:
    """The kit's own asserts hold and fail as they say."""
    probe.answer(Echo, lambda echo: ("heard", echo.value))
    async with open_system(SupervisorSpec((ChildSpec("p", probe),))) as system:
        ref = system.lookup("p")
        assert await ref.ask(Echo(1)) == ("heard", 1)
        assert (await probe.expect(Echo)).value == 1
        probe.answer(Crash, ValueError("as scripted"))
        with pytest.raises(ActorCrashed, match="as scripted"):
            await ref.ask(Crash())
        await probe.expect(Crash)
        begin = anyio.current_time()
        await probe.expect_nothing()
        assert anyio.current_time() - begin == pytest.approx(0.1)
        ref.tell("surprise")
        with pytest.raises(AssertionError, match="expected Echo, got 'surprise'"):
            await probe.expect(Echo)
        with pytest.raises(AssertionError, match=r"no Echo within 5\.0 s"):
            await probe.expect(Echo)
        with pytest.raises(AssertionError, match="no Echo within 1 s"):
            await probe.expect(Echo, timeout=1)
        assert anyio.current_time() - begin == pytest.approx(0.1 + 5 + 1)
        ref.tell("surprise")
        with pytest.raises(AssertionError, match="expected nothing"):
            await probe.expect_nothing()
    assert len(probe.received) == 4


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_virtual_time_without_pytest(name: str) -> None:
    """The backend is passed to ``anyio.run``, a new one for every run."""

    async def main() -> float:
        begin = anyio.current_time()
        with anyio.move_on_after(1e6):
            await anyio.sleep_forever()
        return anyio.current_time() - begin

    backend, options = virtual_backend("trio" if name == "trio" else "asyncio")
    assert anyio.run(main, backend=backend, backend_options=options) == pytest.approx(1e6)


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_virtual_time_goes_faster_than_the_clock_on_the_wall(name: str) -> None:
    """It does not wait before it jumps."""

    async def main() -> None:
        for _ in range(10):
            await anyio.sleep(1)

    backend, options = virtual_backend("trio" if name == "trio" else "asyncio")
    begin = time.monotonic()
    anyio.run(main, backend=backend, backend_options=options)
    assert time.monotonic() - begin < 10
