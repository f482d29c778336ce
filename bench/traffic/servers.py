"""Who is voted at: nginx, which counts requests, and a small server that notes when they came."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from array import array
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness import Unavailable, pinned

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER_CORE = 0
CLIENT_CORE = 1

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /counts {{ stub_status; }}
    location / {{
      add_header Set-Cookie "voter_id=1234567890abcdef; Path=/";
      add_header X-Pod-Template-Hash 7c9f8b6d5;
      default_type text/plain;
      return 200 "thanks for the vote";
    }}
  }}
}}
"""


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, package: str) -> str:
    """Return the path of a program, or say which package has it."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Unavailable(f"{name} is not installed ({package})")
    return path


class Nginx:
    """A server that is nobody's here and counts what it answered."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"

    def requests(self) -> int:
        """Return how many requests were answered so far, this one included."""
        with urllib.request.urlopen(f"{self.url}counts", timeout=5) as answer:  # noqa: S310 - loopback
            found = re.search(rb"\n\s*\d+ \d+ (\d+)", answer.read())
        assert found is not None  # noqa: S101 - nginx's own format
        return int(found[1])


@contextmanager
def nginx() -> Iterator[Nginx]:
    """Run nginx with one process on a core of its own."""
    path = program("nginx", "Debian: nginx-light")
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = Path(folder, "nginx.conf")
        config.write_text(_NGINX.format(folder=folder, port=port), encoding="ascii")
        with subprocess.Popen(
            pinned(SERVER_CORE, [path, "-c", str(config), "-e", f"{folder}/error.log"]),
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                server = Nginx(port)
                _wait_for(port, process)
                yield server
            finally:
                process.terminate()


class Arrivals:
    """A server that notes the instant of every request, and that can be stopped for a while."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}/"

    def stop(self) -> None:
        """Freeze the server; connections stay open, and nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Thaw the server."""
        self._process.send_signal(signal.SIGCONT)

    def finish(self) -> array[float]:
        """End the server and return the instants, in seconds of the monotonic clock."""
        self._process.terminate()
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        instants = array("d")
        instants.frombytes(self._process.stdout.read())
        return instants


@contextmanager
def arrivals() -> Iterator[Arrivals]:
    """Run the noting server on a core of its own."""
    port = free_port()
    with subprocess.Popen(
        pinned(SERVER_CORE, [sys.executable, "-m", "bench.traffic.noting_server", str(port)]),
        stdout=subprocess.PIPE,
    ) as process:
        try:
            _wait_for(port, process)
            yield Arrivals(process, port)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            if process.stdout is not None:
                process.stdout.read()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return as soon as the port is open."""
    while process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(0.05)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise Unavailable("the server did not start")
