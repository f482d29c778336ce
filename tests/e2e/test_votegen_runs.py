"""votegen as its users run it: real processes, real sockets, real signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from bench.traffic.servers import arrivals

from e2e.programs import get, reconcile, result_of, serving, votegen

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CANARY, STABLE = "7cd75c6d7c", "79bd65fcc9"


@pytest.fixture(name="app", scope="module")
def _app() -> Iterator[str]:
    with serving("voteapp", "--hash", STABLE) as url:
        yield url


def test_a_stalled_server_shows_in_full() -> None:
    """1,000/s for 8 s, the server stopped for 1 s: the percentiles are those of arithmetic.

    Of 8,000 requests 1,000 wait evenly from 1 s to 0: p90 200 ms, p95 600 ms, p99 920 ms, and the
    maximum 1 s, all of it plus the moments in which the machine was late to end the stall.
    """
    with (
        arrivals() as server,
        subprocess.Popen(
            [
                sys.executable, "-m", "votegen", "run", "--target", server.url, "--rate", "1000",
                "--duration", "8s", "--output", "json",
            ],
            stdout=subprocess.PIPE,
            text=True,
        ) as run,
    ):  # fmt: skip
        _wait_for_traffic(server.url)
        time.sleep(2)
        server.stop()
        stopped = time.monotonic()
        time.sleep(1)
        server.go_on()
        more = (time.monotonic() - stopped - 1) * 1e3
        assert run.stdout is not None
        document = json.loads(run.stdout.read())
        seen = len(server.finish())
    reconcile(document)
    assert document["planned"] == document["completed"] == seen == 8000
    latency = document["targets"]["default"]["latency_ms"]
    assert 980 <= latency["max"] <= 1500 + more
    # A busy machine makes the stall longer, and adds shorter ones: 0.1 s move p90 by as much.
    busy = latency["max"] - 1000 + 100
    assert 195 <= latency["p90"] <= 235 + busy
    assert 550 <= latency["p95"] <= 700 + busy
    assert 880 <= latency["p99"] <= 1000 + busy
    # What a tool would say that waits for its answers.
    assert document["targets"]["default"]["service_ms"]["p90"] < 100


def test_client_redis_and_apm_count_the_same_votes(tmp_path: Path) -> None:
    """10/s for a minute: planned = sent = ok = entries in the Redis list = samples at the APM."""
    with (
        _redis(tmp_path) as redis,
        serving("mock_newrelic", "--ephemeral") as apm,
        serving("voteapp", "--redis", redis, "--report-to", apm, "--app", "vote") as app,
    ):
        document = result_of("--target", app, "--rate", "10", "--duration", "60s")
        reconcile(document)
        votes = [json.loads(one) for one in _list_of(redis)]
        deadline = time.monotonic() + 10
        while (count := get(f"{apm}/v1/metrics", app="vote", metric="count", window="5m"))[
            "count"
        ] < len(votes) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert document["planned"] == document["sent"] == document["targets"]["default"]["ok"] == 600
    assert len(votes) == 600
    assert count["count"] == 600
    assert {tuple(sorted(vote)) for vote in votes} == {("vote", "voter_id")}
    assert len({vote["voter_id"] for vote in votes}) == 600
    # Two thirds for a, within three standard deviations.
    assert abs(sum(vote["vote"] == "a" for vote in votes) - 396) <= 3 * (600 * 0.66 * 0.34) ** 0.5


def test_a_signal_ends_a_run_with_a_report(app: str) -> None:
    """SIGTERM: what is under way finishes, the totals reconcile, exit code 130."""
    for processes in ("1", "2"):
        with subprocess.Popen(
            [
                sys.executable, "-m", "votegen", "run", "--target", app, "--rate", "200",
                "--duration", "60s", "--processes", processes, "--output", "json",
            ],
            stdout=subprocess.PIPE,
            text=True,
        ) as run:  # fmt: skip
            _wait_for_traffic(app)
            time.sleep(2)
            run.send_signal(signal.SIGTERM)
            output, _ = run.communicate(timeout=15)
        assert run.returncode == 130
        document = json.loads(output)
        reconcile(document)
        assert 200 < document["planned"] < 1200
        assert document["in_flight"] == document["backlog"] == 0


def test_a_signal_before_the_first_request_is_no_failure_of_the_run(app: str) -> None:
    """SIGTERM while the processes of a run are still being started: 130, and no process is left."""
    for wait in (0.9, 1.3, 1.7):
        with subprocess.Popen(
            [
                sys.executable, "-m", "votegen", "run", "--target", app, "--rate", "50",
                "--duration", "60s", "--processes", "2", "--output", "json",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as run:  # fmt: skip
            time.sleep(wait)
            run.send_signal(signal.SIGTERM)
            _, errors = run.communicate(timeout=20)
        # Before the program itself has begun, the signal ends the interpreter.
        assert run.returncode in {130, -signal.SIGTERM}, errors
        assert "Traceback" not in errors


def test_processes_share_one_schedule_exactly(app: str) -> None:
    """Two processes send together what one sends alone; their counts and reports add up."""
    flags = ("--target", app, "--rate", "301", "--duration", "3s")
    with serving("mock_newrelic", "--ephemeral") as apm:
        alone = result_of(*flags)
        shared = result_of(*flags, "--processes", "2", "--report-to", apm, "--report-app", "seen")
        count = get(f"{apm}/v1/metrics", app="seen", metric="count", window="5m")["count"]
    for document in (alone, shared):
        reconcile(document)
    assert alone["planned"] == shared["planned"] == 903
    assert shared["targets"]["default"]["ok"] == 903
    assert shared["reported"] == {"sent": 903, "dropped": 0}
    assert count == 903


def test_a_process_that_dies_is_an_error(app: str) -> None:
    """A part that is killed leaves no smaller result that looks whole."""
    with subprocess.Popen(
        [
            sys.executable, "-m", "votegen", "run", "--target", app, "--rate", "50",
            "--duration", "60s", "--processes", "2", "--output", "json",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:  # fmt: skip
        _wait_for_traffic(app)
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        parts = [
            int(pid)
            for pid in children
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(parts[0], signal.SIGKILL)
        output, errors = run.communicate(timeout=20)
    assert output == ""
    assert "died without a result" in errors
    assert run.returncode not in {0, 130}


def test_weights_hold_and_change_within_a_second() -> None:
    """20, 50 and 100 %: within two points over 2,000 requests each, in force within a second."""
    with (
        serving("voteapp", "--hash", STABLE) as stable,
        serving("voteapp", "--hash", CANARY) as canary,
        serving("votegen") as control,
        httpx.Client(base_url=control, trust_env=False) as http,
    ):
        plan = {
            "targets": [
                {"name": "stable", "url": stable, "weight": 80},
                {"name": "canary", "url": canary, "weight": 20},
            ],
            "rate": 500,
        }
        assert http.put("/control/plan", json=plan).status_code == 200
        assert http.post("/control/start").status_code == 200
        before = {"stable": 0, "canary": 0}
        for weight in (20, 50, 100):
            weights = {"stable": 100 - weight, "canary": weight}
            assert http.patch("/control/plan", json={"weights": weights}).status_code == 200
            time.sleep(1)
            first = _requests(http)
            time.sleep(4.1)
            last = _requests(http)
            counted = {name: last[name] - first[name] for name in last}
            total = sum(counted.values())
            assert total >= 2000
            assert counted["canary"] / total == pytest.approx(weight / 100, abs=0.02)
            before = last
        assert before["canary"] > 0
        status = http.post("/control/stop").json()
    reconcile(status["result"])
    for name, pod_hash in (("stable", STABLE), ("canary", CANARY)):
        assert list(status["result"]["targets"][name]["hashes"]) == [pod_hash]


@pytest.mark.external
def test_the_split_holds_behind_a_sticky_ingress(tmp_path: Path) -> None:
    """Nginx splits by weight and offers a cookie that would pin a voter: nobody keeps it."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx on PATH")
    with (
        serving("voteapp", "--hash", STABLE) as stable,
        serving("voteapp", "--hash", CANARY) as canary,
    ):
        for weight in (20, 50, 100):
            with _ingress(nginx, tmp_path, stable=stable, canary=canary, weight=weight) as url:
                document = result_of(
                    "--target", url, "--host-header", "vote.example.test", "--rate", "500",
                    "--duration", "4s", "--voters", "returning:20",
                )  # fmt: skip
                wrong_host = votegen("--target", url, "--rate", "20", "--duration", "1s")
            reconcile(document)
            hashes = document["targets"]["default"]["hashes"]
            share = hashes.get(CANARY, {"requests": 0})["requests"] / 2000
            assert share == pytest.approx(weight / 100, abs=0.02)
            assert document["targets"]["default"]["ok"] == 2000
            # Without the right Host the ingress has no such site.
            assert wrong_host.returncode == 5


def test_https_and_ipv6(tmp_path: Path) -> None:
    """A certificate that is not trusted is a connect error; one that is, is no matter."""
    certificate = _certificate(tmp_path)
    for host in ("127.0.0.1", "::1"):
        with _tls_server(certificate, host) as port:
            url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
            flags = ("--target", url, "--rate", "50", "--duration", "1s")
            document = result_of(*flags, "--ca", str(certificate))
            refused = votegen(*flags, "--output", "json")
            unchecked = result_of(*flags, "--insecure")
        assert document["targets"]["default"]["ok"] == 50
        assert unchecked["targets"]["default"]["ok"] == 50
        assert refused.returncode == 5
        assert json.loads(refused.stdout)["targets"]["default"]["errors"]["connect"] == 50


def test_memory_is_flat_and_bounded(app: str) -> None:
    """A long closed loop, and a dead target under load, end with less than 120 MB."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for flags in (
            ("--target", app, "--rate", "max", "--duration", "20s"),
            ("--target", dead, "--rate", "5000", "--duration", "6s", "--timeout", "2s"),
        ):
            peaks = []
            for duration in ("3s", flags[-1] if flags[-2] == "--duration" else flags[5]):
                changed = [*flags]
                changed[5] = duration
                peaks.append(_peak_of(*changed))
            assert peaks[1] < 120e6
            assert peaks[1] - peaks[0] < 25e6


def _peak_of(*flags: str) -> float:
    """Return the peak of a run's resident memory in bytes."""
    code = (
        "import resource, subprocess, sys;"
        "subprocess.run([sys.executable, '-m', 'votegen', 'run', *sys.argv[1:]],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *flags], capture_output=True, text=True, check=True
    )
    return float(done.stdout) * 1024


def _requests(http: httpx.Client) -> dict[str, int]:
    targets = http.get("/v1/status").json()["result"]["targets"]
    return {name: target["requests"] for name, target in targets.items()}


def _wait_for_traffic(url: str) -> None:
    """Return when somebody has connected to the port of a URL."""
    local = f":{httpx.URL(url).port:04X}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if any(fields[1].endswith(local) and fields[3] == "01" for fields in lines):
            return
        time.sleep(0.02)
    raise AssertionError(f"nobody came to {url}")


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A Redis on a free port; skips where there is none."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no redis-server on PATH")
    port = _free_port()
    with subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    ) as process:
        _wait_for(port)
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()


def _list_of(url: str) -> list[str]:
    from redis import Redis  # noqa: PLC0415 - only here

    with Redis.from_url(url, decode_responses=True) as client:
        return list(client.lrange("votes", 0, -1))  # type: ignore[arg-type]


@contextmanager
def _ingress(nginx: str, folder: Path, *, stable: str, canary: str, weight: int) -> Iterator[str]:
    """An nginx that splits by weight, with a cookie that wins over it, as ingress-nginx does."""
    port = _free_port()
    places = "\n".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    arms = {"stable": (stable, 100 - weight), "canary": (canary, weight)}
    addresses = {name: httpx.URL(url).netloc.decode() for name, (url, _) in arms.items()}
    split = " ".join(
        f"server {addresses[name]} weight={share};" for name, (_, share) in arms.items() if share
    )
    config = folder / f"nginx-{weight}.conf"
    config.write_text(
        f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; {places}
  upstream stable {{ server {addresses["stable"]}; }}
  upstream canary {{ server {addresses["canary"]}; }}
  upstream split {{ {split} }}
  map $cookie_SERVERID $arm {{
    {addresses["stable"]} stable; {addresses["canary"]} canary; default split;
  }}
  server {{
    listen 127.0.0.1:{port}; server_name vote.example.test;
    location / {{
      proxy_pass http://$arm; add_header Set-Cookie "SERVERID=$upstream_addr; Path=/";
    }}
  }}
  server {{ listen 127.0.0.1:{port} default_server; return 404; }}
}}
"""
    )
    with subprocess.Popen([nginx, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        _wait_for(port)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _certificate(folder: Path) -> Path:
    """Write a certificate for loopback, with its key in the same file."""
    path = folder / "loopback.pem"
    key = folder / "loopback.key"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
            "-keyout", str(key), "-out", str(path),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + key.read_text())
    return path


@contextmanager
def _tls_server(certificate: Path, host: str) -> Iterator[int]:
    """A small HTTPS server that answers every vote."""
    code = (
        "import http.server, ssl, sys, socket\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    protocol_version = 'HTTP/1.1'\n"
        "    def do_POST(self):\n"
        "        self.rfile.read(int(self.headers['content-length']))\n"
        "        self.send_response(200)\n"
        "        self.send_header('content-length', '0')\n"
        "        self.end_headers()\n"
        "    def log_message(self, *_): pass\n"
        "class Server(http.server.ThreadingHTTPServer):\n"
        "    address_family = socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET\n"
        "server = Server((sys.argv[2], 0), Handler)\n"
        "context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)\n"
        "context.load_cert_chain(sys.argv[1])\n"
        "server.socket = context.wrap_socket(server.socket, server_side=True)\n"
        "print(server.server_address[1], flush=True)\n"
        "server.serve_forever()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(certificate), host],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
