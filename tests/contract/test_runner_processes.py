"""Programs as child processes: ready lines, early ends, stubborn ones, and what is left running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from process_checks import gone, is_running, line_of, until
from rollout_runner.adapters.processes import ServiceProcess, start_service
from rollout_runner.bench.programs import Programs
from rollout_runner.events import ProcessExited, ProcessStarted
from runner_trial import Log
from svckit.clock import EPOCH_VARIABLE, RATE_VARIABLE, ScaledClock
from svckit.errors import InvalidInput, Unavailable

pytestmark = pytest.mark.anyio

READY = 'print(\'{"event": "ready", "url": "http://127.0.0.1:9"}\', flush=True)\n'
FOREVER = "import time\ntime.sleep(600)\n"


class Program:
    """A module of a few lines, and everything that starting it needs."""

    def __init__(self, folder: Path, source: str) -> None:
        self.exits: list[int | None] = []
        self.log_file = folder / "program.log"
        self._folder = folder
        (folder / "tiny_program.py").write_text(textwrap.dedent(source))

    async def start(self, *arguments: str, ready_seconds: float = 20.0) -> ServiceProcess:
        """Start it."""
        return await start_service(
            "tiny",
            "tiny_program",
            *arguments,
            environment={"PYTHONPATH": str(self._folder), "TINY": "1"},
            log_file=self.log_file,
            on_exit=lambda process: self.exits.append(process.exit_code),
            ready_seconds=ready_seconds,
        )


async def test_a_program_is_ready_when_it_says_so(tmp_path: Path) -> None:
    """The URL comes from its ready line; it runs until it is stopped, and its end is told once."""
    program = Program(tmp_path, READY + FOREVER)
    process = await program.start()
    assert (process.name, process.url) == ("tiny", "http://127.0.0.1:9")
    assert process.exit_code is None
    await process.stop()
    assert process.exit_code == -signal.SIGTERM
    assert process.stopping
    assert program.exits == [-signal.SIGTERM]


async def test_it_is_started_as_a_service(tmp_path: Path) -> None:
    """`serve --port 0`, then the flags; variables are added to the inherited ones."""
    told = tmp_path / "told.json"
    source = (
        "import json, os, sys\n"
        f"open({str(told)!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
    )
    process = await Program(tmp_path, source + READY + FOREVER).start("--hash", "abc")
    await process.stop()
    arguments, environment = json.loads(told.read_text())
    assert arguments == ["serve", "--port", "0", "--hash", "abc"]
    assert environment["TINY"] == "1"
    assert environment["PATH"] == os.environ["PATH"]


async def test_settings_of_the_caller_do_not_reach_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that happens to be exported would change what the run judges."""
    monkeypatch.setenv("VOTEAPP_ERROR_RATIO", "1")
    monkeypatch.setenv("SUITE_CLOCK_RATE", "1000")
    told = tmp_path / "told.json"
    source = f"import json, os\nopen({str(told)!r}, 'w').write(json.dumps(dict(os.environ)))\n"
    process = await Program(tmp_path, source + READY + FOREVER).start()
    await process.stop()
    assert not json.loads(told.read_text()).keys() & {"VOTEAPP_ERROR_RATIO", "SUITE_CLOCK_RATE"}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        pytest.param("", "it wrote nothing", id="ends-at-once"),
        pytest.param(
            "import sys\nsys.exit('error: port 80 on 0.0.0.0 is already in use')",
            "error: port 80 on 0.0.0.0 is already in use",
            id="says-why",
        ),
        pytest.param(
            "import sys\nprint('error: no key\\nhint: set one\\n', file=sys.stderr)\nsys.exit(2)",
            "error: no key",
            id="error-before-hint",
        ),
        pytest.param("1/0", "ZeroDivisionError: division by zero", id="crashes"),
        pytest.param("print('hello')", "it wrote nothing", id="prints-text"),
        pytest.param("print('[1]')", "it wrote nothing", id="prints-a-list"),
        pytest.param("print('{}')", "it wrote nothing", id="prints-no-url"),
        pytest.param("print('x' * 200_000)", "it wrote nothing", id="prints-too-much"),
        pytest.param("import no_such_module_here", "No module named", id="not-installed"),
    ],
)
async def test_a_program_that_does_not_get_ready(source: str, told: str, tmp_path: Path) -> None:
    """The error quotes the last of its log and says where the log is."""
    program = Program(tmp_path, source)
    with pytest.raises(Unavailable) as caught:
        await program.start()
    assert caught.value.detail.startswith("tiny did not start: ")
    assert told in caught.value.detail
    assert str(program.log_file) in caught.value.hint
    assert program.exits == []


async def test_a_program_that_says_nothing_is_killed(tmp_path: Path) -> None:
    """After its time it is given up, and does not stay behind."""
    pid_file = tmp_path / "pid"
    source = f"import os\nopen({str(pid_file)!r}, 'w').write(f'{{os.getpid()}}\\n')\n" + FOREVER
    with pytest.raises(Unavailable, match="did not start"):
        await Program(tmp_path, source).start(ready_seconds=1.0)
    assert not is_running(int(await line_of(pid_file)))


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """The process is killed with it."""
    pid_file = tmp_path / "pid"
    source = f"import os\nopen({str(pid_file)!r}, 'w').write(f'{{os.getpid()}}\\n')\n" + FOREVER
    starting = asyncio.ensure_future(Program(tmp_path, source).start())
    pid = int(await line_of(pid_file))
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    assert not is_running(pid)


async def test_a_program_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    """It has its grace, then it is over."""
    source = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    process = await Program(tmp_path, source + READY + FOREVER).start()
    await process.stop(grace_seconds=0.2)
    assert process.exit_code == -signal.SIGKILL


async def test_a_program_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    """With its exit code, and not as something that was wanted."""
    source = "import sys, time\ntime.sleep(0.1)\nsys.exit(7)\n"
    program = Program(tmp_path, READY + source)
    process = await program.start()
    await until(lambda: bool(program.exits))
    assert (program.exits, process.exit_code, process.stopping) == ([7], 7, False)
    await process.stop()
    assert program.exits == [7]


async def test_output_after_the_ready_line_does_not_block(tmp_path: Path) -> None:
    """More than a pipe holds."""
    done = tmp_path / "done"
    source = f"print('x' * 1_000_000, flush=True)\nopen({str(done)!r}, 'w').close()\n"
    process = await Program(tmp_path, READY + source + FOREVER).start()
    await until(done.exists)
    await process.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_a_program_ends_with_its_parent(tmp_path: Path) -> None:
    """However the parent ends, killed even."""
    Program(tmp_path, READY + FOREVER)
    parent = tmp_path / "parent.py"
    parent.write_text(
        textwrap.dedent(f"""
        import asyncio, os, signal
        from pathlib import Path
        from rollout_runner.adapters.processes import start_service

        async def main():
            process = await start_service(
                "tiny", "tiny_program", environment={{"PYTHONPATH": {str(tmp_path)!r}}},
                log_file=Path({str(tmp_path / "log")!r}), on_exit=print,
            )
            print(process.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """)
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(parent), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == -signal.SIGKILL
    await gone(int(output))


class Suite:
    """The programs of a bench, of which the modules are tiny."""

    def __init__(self, folder: Path) -> None:
        self.log = Log()
        self.changes = 0
        self._folder = folder
        self.programs = Programs(
            clock=ScaledClock(epoch=1_770_170_400.0, rate=8.0),
            log_dir=folder,
            sink=self.log,
            on_change=self._changed,
        )

    async def start(self, name: str, source: str) -> ServiceProcess:
        """Start a program."""
        module = f"tiny_{name}"
        (self._folder / f"{module}.py").write_text(source)
        return await self.programs.start(
            name, module, environment={"PYTHONPATH": str(self._folder)}
        )

    async def after(self, changes: int) -> None:
        """Wait for so many changes."""
        await until(lambda: self.changes >= changes)

    def _changed(self) -> None:
        self.changes += 1


ALIVE = """
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(STATUS)
        self.end_headers()
    def log_message(self, *args):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
server.serve_forever()
"""


def alive(status: int = 200) -> str:
    """Return a program that answers every request with a status."""
    return ALIVE.replace("STATUS", str(status))


async def test_programs_share_one_clock(tmp_path: Path) -> None:
    """Epoch and rate go to each of them; the start is recorded."""
    told = tmp_path / "told.json"
    source = f"import json, os\nopen({str(told)!r}, 'w').write(json.dumps(dict(os.environ)))\n"
    suite = Suite(tmp_path)
    process = await suite.start("apm", source + READY + FOREVER)
    environment = json.loads(told.read_text())
    assert environment[EPOCH_VARIABLE] == "2026-02-04T02:00:00Z"
    assert environment[RATE_VARIABLE] == "8.0"
    (started,) = suite.log.of(ProcessStarted)
    assert (started.name, started.url, started.pid) == ("apm", process.url, process.pid)
    await suite.programs.close()
    (exited,) = suite.log.of(ProcessExited)
    assert (exited.name, exited.exit_code, exited.expected) == ("apm", -signal.SIGTERM, True)


async def test_nothing_lost_nothing_to_object(tmp_path: Path) -> None:
    """Programs that answer are no reason against a promotion."""
    suite = Suite(tmp_path)
    await suite.start("apm", alive())
    assert await suite.programs.objection() == ""
    await suite.programs.close()


async def test_a_program_that_crashed_is_objected_to(tmp_path: Path) -> None:
    """With its exit code, and who waits for news is told."""
    suite = Suite(tmp_path)
    await suite.start("votegen", READY + "import sys\nsys.exit(3)\n")
    await suite.after(1)
    assert await suite.programs.objection() == (
        "votegen ended by itself (exit code 3): a run that lost one of its programs is not promoted"
    )
    (exited,) = suite.log.of(ProcessExited)
    assert (exited.exit_code, exited.expected) == (3, False)


async def test_a_program_that_the_scenario_stops_is_objected_to(tmp_path: Path) -> None:
    """It ended as wanted, yet the run lost it."""
    suite = Suite(tmp_path)
    await suite.start("apm", alive())
    await suite.programs.lose("apm")
    assert (await suite.programs.objection()).startswith("apm was stopped by the scenario: ")
    assert suite.log.of(ProcessExited)[0].expected


async def test_a_program_that_does_not_answer_is_objected_to(tmp_path: Path) -> None:
    """Running is not enough: nobody listens, or it says that it is not well."""
    suite = Suite(tmp_path)
    await suite.start("apm", READY + FOREVER)
    await suite.start("analyzer", alive(503))
    told = await suite.programs.objection()
    assert "apm does not answer (ConnectError)" in told
    assert "analyzer answers /livez with HTTP 503" in told
    await suite.programs.close()


async def test_what_does_not_run_cannot_be_stopped(tmp_path: Path) -> None:
    """A scenario that would test nothing is refused."""
    suite = Suite(tmp_path)
    with pytest.raises(InvalidInput, match="canary does not run now"):
        await suite.programs.lose("canary")
    assert await suite.programs.objection() == ""


async def test_what_could_not_be_started_is_kept(tmp_path: Path) -> None:
    """For the run, which ends with it."""
    suite = Suite(tmp_path)
    error = Unavailable("canary did not start")
    suite.programs.report_failure(error)
    assert suite.programs.failures() == [error]
    assert suite.changes == 1


async def test_a_program_that_is_started_again_is_not_forgotten(tmp_path: Path) -> None:
    """Both processes of one name end with the run."""
    suite = Suite(tmp_path)
    first = await suite.start("canary", READY + FOREVER)
    second = await suite.start("canary", READY + FOREVER)
    await suite.programs.close()
    assert first.exit_code is not None
    assert second.exit_code is not None
