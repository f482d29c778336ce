"""Jobs under audit: the real script as a process, answered by a world in virtual time.

The script reaches cluster names through `http_proxy`, which is this module: each request goes to
the world's network, and while its answer takes virtual time, real time passes in step. So a script
meets the same APM, analyzer and application as a web metric of the same analysis does.

    one execution   per metric while nothing changes: further measurements and attempts
                    (`backoffLimit`) of a steady fault would end as the first did
    sleep           ten times faster
    slow faults     time-outs of curl, wget and timeout, and `activeDeadlineSeconds`, too
    no deadline     a Job that has not ended after five minutes never does: its analysis waits
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from rollout_runner.adapters.cluster_network import cluster_name
from rollout_runner.adapters.in_process import WIRE
from rollout_runner.adapters.processes import die_with_parent
from rollout_runner.adapters.providers.job_spec import JobError, check_name, read_job
from rollout_runner.argo.types import Measurement, Phase
from rollout_runner.audit import hurried

if TYPE_CHECKING:
    from pathlib import Path

    from rollout_runner.adapters.providers.job_spec import JobPlan, Values
    from rollout_runner.argo.analysis import Metric
    from rollout_runner.audit.network import AuditNetwork
    from svckit.clock import Clock

SPEED: Final = 10.0
"""How much faster scripts wait under a fault that makes them wait."""
LONGEST_SECONDS: Final = 300.0
"""How long a Job without a deadline may take before it is said that it never ends."""
_SLICE_SECONDS = 0.05
_IDLE_SECONDS = 0.005
_READ_SECONDS = 5.0
_LONGEST_HEAD = 64 * 1024
_LONGEST_OUTPUT = 64 * 1024
_ABORT = struct.pack("ii", 1, 0)
_GARBAGE = bytes(range(1, 64))


@dataclass(frozen=True, slots=True)
class Execution:
    """How a script ended: exit code (None when it never did, or was killed) and what it wrote."""

    exit_code: int | None
    output: str
    killed: str = ""


class ScriptProvider:
    """Measures metrics whose provider is `job`."""

    def __init__(
        self,
        *,
        clock: Clock,
        network: AuditNetwork,
        namespace: str,
        secrets: Values,
        config_maps: Values,
        folder: Path,
    ) -> None:
        self._clock = clock
        self._network = network
        self._namespace = namespace
        self._secrets = secrets
        self._config_maps = config_maps
        self._tools = folder
        self._known: dict[tuple[object, ...], Execution] = {}
        self._slow = False
        self._steady = True
        self.executions: dict[str, Execution] = {}
        """The latest one of each metric."""

    def begin(self, *, slow: bool, steady: bool) -> None:
        """Forget what was executed: something has changed."""
        self._known.clear()
        self.executions.clear()
        self._slow, self._steady = slow, steady

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:
        """Execute the script, or take how it ended before."""
        try:
            check_name(measurement_name)
            job = read_job(
                metric.provider["job"].get("spec") or {},
                secrets=self._secrets,
                config_maps=self._config_maps,
            )
        except JobError as error:
            return Measurement(phase=Phase.ERROR, message=str(error))
        key = (metric.name, job.command, tuple(sorted(job.environment.items())))
        execution = self._known.get(key) if self._steady else None
        if execution is None:
            execution = self._known[key] = await self._execute(job)
        self.executions[metric.name] = execution
        if execution.killed and job.deadline_seconds is None:
            return Measurement(phase=Phase.ERROR, message=execution.killed)
        succeeded = execution.exit_code == 0
        return Measurement(phase=Phase.SUCCESSFUL if succeeded else Phase.FAILED)

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: no Job is in flight between two passes."""
        return measurement

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: no Job is in flight between two passes."""
        return replace(measurement)

    async def _execute(self, job: JobPlan) -> Execution:
        speed = SPEED if self._slow else 1.0
        seconds = min(LONGEST_SECONDS, job.deadline_seconds or LONGEST_SECONDS)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
            output = self._tools / "output"
            with output.open("wb") as sink:
                try:
                    process = subprocess.Popen(  # noqa: ASYNC220, S603 - the loop has no real time
                        job.command,
                        stdin=subprocess.DEVNULL,
                        stdout=sink,
                        stderr=sink,
                        env={**self._environment(proxy, speed), **job.environment},
                        preexec_fn=die_with_parent,  # noqa: PLW1509 - as for every child here
                        start_new_session=True,
                    )
                except (OSError, ValueError) as error:
                    return Execution(127, f"{job.command[0]}: {error}")
                try:
                    in_time = await self._attend(process, listener, seconds / speed, speed)
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            text = output.read_bytes()[-_LONGEST_OUTPUT:].decode("utf-8", "replace").strip()
        if in_time:
            return Execution(process.returncode, text)
        if job.deadline_seconds is not None and seconds == job.deadline_seconds:
            return Execution(None, text, f"killed after activeDeadlineSeconds ({seconds:g} s)")
        return Execution(
            None, text, f"the Job had not ended after {seconds:g} s and has no deadline"
        )

    async def _attend(
        self,
        process: subprocess.Popen[bytes],
        listener: socket.socket,
        seconds: float,
        speed: float,
    ) -> bool:
        """Answer the process until it ends; say whether it did so in time (real seconds)."""
        deadline = time.monotonic() + seconds
        answering: set[asyncio.Task[None]] = set()
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    return False
                ready, _, _ = select.select([listener], [], [], 0 if answering else _IDLE_SECONDS)
                if ready:
                    connection, _ = listener.accept()
                    answering.add(asyncio.create_task(self._converse(connection)))
                if answering:
                    await asyncio.sleep(_SLICE_SECONDS)
                    answering = {task for task in answering if not task.done()}
                    if answering:
                        time.sleep(_SLICE_SECONDS / speed)  # noqa: ASYNC251 - virtual time waits too
        finally:
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)
        return True

    async def _converse(self, connection: socket.socket) -> None:
        wire = SocketWire(connection)
        try:
            request = self._read(connection, wire)
            if request is not None:
                await self._answer(request, wire)
        except OSError:
            pass  # the script has left
        finally:
            wire.finish()

    async def _answer(self, request: httpx.Request, wire: SocketWire) -> None:
        try:
            response = await self._network.handle_async_request(request)
            body = await response.aread()
        except httpx.HTTPError as error:
            if wire.gone.is_set():
                return  # the APM has broken it already
            if "malformed" in str(error):
                wire.write(_GARBAGE)
            elif "complete" in str(error):
                wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            elif not isinstance(error, httpx.RemoteProtocolError):
                wire.reset()
        else:
            lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}"]
            lines += [
                f"{name}: {value}"
                for name, value in response.headers.items()
                if name.lower() not in {"content-length", "connection", "transfer-encoding"}
            ]
            lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
            wire.write("\r\n".join(lines).encode("latin-1", "replace") + body)

    def _read(self, connection: socket.socket, wire: SocketWire) -> httpx.Request | None:
        """Read one request; None when it is none that a cluster's network would carry."""
        connection.settimeout(_READ_SECONDS)
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            data += part
            if not part or len(data) > _LONGEST_HEAD:
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        url = rest.rpartition(" ")[0]
        headers = [tuple(map(str.strip, line.split(":", 1))) for line in lines if ":" in line]
        parts = urlsplit(url)
        if method == "CONNECT" or parts.scheme != "http" or not parts.hostname:
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return None
        length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
        while len(body) < length:
            part = connection.recv(65536)
            if not part:
                return None
            body += part
        host = parts.hostname
        if cluster_name(host) is None and "." not in host:
            # A Job lives in the Services' namespace, where the bare name is enough.
            url = url.replace(host, f"{host}.{self._namespace}.svc.cluster.local", 1)
        kept = [(k, v) for k, v in headers if k.lower() != "proxy-connection"]
        return httpx.Request(method, url, headers=kept, content=body, extensions={WIRE: wire})

    def _environment(self, proxy: str, speed: float) -> dict[str, str]:
        """Return variables, with programs first in PATH that wait less long."""
        tools = self._tools / f"x{speed:g}"
        if not tools.is_dir():
            tools.mkdir(parents=True)
            names = ("sleep",) if speed == 1 else ("sleep", "curl", "wget", "timeout")
            for name in names:
                program = shutil.which(name)
                if program:
                    wrapper = tools / name
                    wrapper.write_text(
                        f'#!/bin/sh\nexec "{sys.executable}" -IS "{hurried.__file__}" {SPEED:g}'
                        f' "{program}" "$@"\n'
                    )
                    wrapper.chmod(0o755)
        return {
            "PATH": f"{tools}:{os.environ.get('PATH', '')}",
            "http_proxy": proxy,
            "https_proxy": proxy,
        }


class SocketWire:
    """A connection from a script, as the APM breaks it; `finish` is for its owner."""

    def __init__(self, connection: socket.socket) -> None:
        self.gone = asyncio.Event()
        self._connection = connection

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        with contextlib.suppress(OSError):
            self._connection.sendall(data)

    def close(self) -> None:
        """Say that nothing more will come; what is still to be sent may be."""
        self.gone.set()

    def reset(self) -> None:
        """Drop the connection at once."""
        self.gone.set()
        with contextlib.suppress(OSError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._connection.close()

    def finish(self) -> None:
        """Close it in an orderly way, unless it was reset."""
        self.gone.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        self._connection.close()
