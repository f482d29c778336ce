"""The images, built for real and run: no Docker engine, no registry, and no network in the build.

The base image of the Dockerfile is on a registry. Its place takes a root file system made of
Debian's packages, under the same contract (Python and pip). That proves the Dockerfile's steps and
the images' behaviour; it does not prove the named base image.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deploy_manifests import DEPLOY, ROOT

pytestmark = [pytest.mark.external, pytest.mark.slow, pytest.mark.timeout(900)]

IMAGES = DEPLOY / "images"
TARGETS = ("mock-newrelic", "canary-analyzer", "votegen", "voteapp")
PORTS = {"mock-newrelic": 8080, "canary-analyzer": 8081, "votegen": 8082, "voteapp": 8083}
VOLUMES = {
    "mock-newrelic": {"/data", "/tmp"},  # noqa: S108 - paths inside of an image
    "canary-analyzer": {"/state", "/tmp"},  # noqa: S108
    "votegen": {"/tmp"},  # noqa: S108
    "voteapp": {"/tmp"},  # noqa: S108
}
USER = 10001
POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}'
TOOLS = ("buildah", "mmdebstrap", "unshare", "nsenter", "setpriv", "chroot")
ISOLATED = ("unshare", "--net", "--mount")
# A read-only root, volumes that can be written, loopback and nothing else, no privilege to gain.
START = """
set -eu
root=$1; volumes=$2; shift 2
ip link set lo up
mount --bind "$root" "$root"
for volume in $volumes; do
  mount -t tmpfs -o mode=0755,uid=10001,gid=10001 tmpfs "$root$volume"
done
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot \\
  chroot --userspec=10001:10001 --groups= "$root" "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Buildah:
    """buildah with a store of its own, which ends with the tests."""

    folder: Path

    def __call__(self, *arguments: str, offline: bool = False) -> str:
        """Run one command and return what it printed."""
        command = [
            *(["unshare", "--net"] if offline else []),
            "buildah",
            f"--root={self.folder / 'store'}",
            f"--runroot={self.folder / 'run'}",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    def build(self, target: str, tag: str, *, cache: bool = True) -> dict[str, Any]:
        """Build a target offline and return its layers and configuration."""
        self(
            "bud",
            "--isolation=chroot",
            "--layers",
            *([] if cache else ["--no-cache"]),
            f"--signature-policy={self.folder / 'policy.json'}",
            "--pull-never",
            "--format=docker",
            "--timestamp=0",
            "--build-arg=PYTHON_IMAGE=localhost/python-base",
            "--build-arg=PIP_NO_INDEX=1",
            "--build-arg=PIP_FIND_LINKS=/wheels",
            "--build-arg=VERSION=1.2.3",
            "--build-arg=REVISION=e3e1a9b",
            f"--volume={self.folder / 'wheels'}:/wheels:ro",
            f"--file={self.folder / 'context/deploy/images/Dockerfile'}",
            f"--target={target}",
            f"--tag={tag}",
            str(self.folder / "context"),
            offline=True,
        )
        image = self.inspect(tag)["OCIv1"]
        return {"layers": image["rootfs"]["diff_ids"], "config": image["config"]}

    def inspect(self, tag: str) -> dict[str, Any]:
        """Return what buildah knows of an image."""
        return json.loads(self("inspect", "--type=image", tag))


def _debian_mirror() -> str:
    """Return the mirror that this machine is set up with."""
    for path in sorted(Path("/etc/apt").rglob("*.sources")):
        found = re.search(r"^URIs:\s*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1]
    pytest.skip("no Debian mirror is configured in /etc/apt/sources.list.d")


def _context(folder: Path) -> None:
    """Copy what the Dockerfile copies: the tree may change while the images are built."""
    for name in ("services", "deploy", "scenarios"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)


def _wheels(folder: Path) -> None:
    """Fetch the pinned wheels; Debian's Python is older than a marker of the lock expects."""
    for name in ("runtime.txt", "build.txt"):
        text = (IMAGES / name).read_text(encoding="utf-8")
        pins = folder / name
        pins.write_text(re.sub(r" ; python_full_version < '3\.11\.3'", "", text))
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
        command += ["--only-binary=:all:", "--dest", str(folder / "wheels"), "-r", str(pins)]
        subprocess.run(command, check=True)


@pytest.fixture(name="buildah", scope="session")
def _buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """Return buildah with `localhost/python-base` and all four images in its store."""
    missing = [each for each in TOOLS if shutil.which(each) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"building images needs root and {', '.join(TOOLS)}; missing: {missing}")
    folder = tmp_path_factory.mktemp("images")
    (folder / "policy.json").write_text(POLICY)
    _context(folder / "context")
    _wheels(folder)
    buildah = Buildah(folder=folder)
    base = folder / "base.tar"
    packages = "python3-minimal,python3-pip,ca-certificates"
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={packages}"]
    subprocess.run([*command, "bookworm", str(base), _debian_mirror()], check=True)
    policy = f"--signature-policy={folder / 'policy.json'}"
    container = buildah("from", policy, "scratch")
    buildah("add", container, str(base), "/")
    link = ["ln", "-s", "/usr/bin/python3", "/usr/local/bin/python"]
    buildah("run", "--isolation=chroot", container, "--", *link)
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    buildah("config", f"--env={path}", container)
    buildah("commit", policy, "--quiet", "--rm", container, "localhost/python-base")
    for target in TARGETS:
        buildah.build(target, f"localhost/{target}")
    yield buildah
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")


@dataclass(kw_only=True)
class Running:
    """A process in the root file system of an image, in network and mount namespaces of its own."""

    process: subprocess.Popen[str]
    ready_after: float

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the process: same root, same network, same user."""
        enter = ["nsenter", f"--target={self.process.pid}", "--net", "--mount", "--root", "--wd"]
        enter += [f"--setuid={USER}", f"--setgid={USER}"]
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, check=False, env={"PATH": PATH}
        )

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run a line of Python beside the process."""
        return self.inside("/usr/local/bin/python", "-c", code)


PATH = "/usr/local/bin:/usr/bin:/bin"
Start = Callable[[str], Running]


@pytest.fixture(name="start")
def _start(buildah: Buildah) -> Iterator[Start]:
    """Return a function that runs an image as its own configuration says."""
    started: list[tuple[str, subprocess.Popen[str]]] = []

    def start(target: str) -> Running:
        policy = f"--signature-policy={buildah.folder / 'policy.json'}"
        container = buildah("from", policy, "--pull-never", f"localhost/{target}")
        root = Path(buildah("mount", container))
        # What the image adds to its base: the base here is not the one of the Dockerfile.
        note(target, own_megabytes=round(size(root / "opt" / "gatelab") / 1e6, 1))
        # Nothing may need a shell: there is none left.
        for shell in ("sh", "bash", "dash"):
            for folder in ("bin", "usr/bin"):
                (root / folder / shell).unlink(missing_ok=True)
        config = configuration(buildah, target)
        command = [*config["Entrypoint"], *arguments(target)]
        environment = dict(each.split("=", 1) for each in config["Env"])
        begin = time.monotonic()
        volumes = " ".join(sorted(VOLUMES[target]))
        log = buildah.folder / f"{target}.log"
        with log.open("w", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                [*ISOLATED, "sh", "-c", START, "sh", str(root), volumes, *command],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment | {"PATH": f"{environment['PATH']}:{os.environ['PATH']}"},
            )
        started.append((container, process))
        assert process.stdout is not None
        line = process.stdout.readline()
        assert '"ready"' in line, f"{target} did not start: {line}{log.read_text()[-3000:]}"
        return Running(process=process, ready_after=time.monotonic() - begin)

    yield start
    for container, process in started:
        process.kill()
        process.communicate()
        buildah("rm", container)


def configuration(buildah: Buildah, target: str) -> dict[str, Any]:
    """Return the configuration that a container of the image would run with."""
    return buildah.inspect(f"localhost/{target}")["Docker"]["config"]


def note(target: str, **measured: float) -> None:
    """Keep what was measured in .gatelab/images.json, for docs/guides/scale-out.md."""
    path = ROOT / ".gatelab" / "images.json"
    path.parent.mkdir(exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known.setdefault(target, {}).update(measured)
    path.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(
        each.lstat().st_size
        for each in folder.rglob("*")
        if each.is_file() and not each.is_symlink()
    )


def arguments(target: str) -> list[str]:
    """Return what the image runs when nothing else is said."""
    text = (IMAGES / "Dockerfile").read_text(encoding="utf-8")
    _, _, stage = text.partition(f"FROM runtime AS {target}\n")
    found = re.search(r"^CMD (\[.*\])$", stage, re.MULTILINE)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("target", TARGETS)
def test_configuration(buildah: Buildah, target: str) -> None:
    """User, entry point, health check, volumes and labels are what a cluster and a person need."""
    config = configuration(buildah, target)
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["python", "-m", target.replace("canary-", "").replace("-", "_")]
    assert config["Cmd"] == arguments(target)
    kind, program, *_, probe = config["Healthcheck"]["Test"]
    assert (kind, program) == ("CMD", "python")
    assert f"http://127.0.0.1:{PORTS[target]}/readyz" in probe
    assert set(config["Volumes"]) == VOLUMES[target]
    assert f"{PORTS[target]}/tcp" in config["ExposedPorts"]
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels.keys() >= {"title", "description", "licenses", "source", "vendor"}
    assert (labels["version"], labels["revision"]) == ("1.2.3", "e3e1a9b")


@pytest.mark.parametrize("target", TARGETS)
def test_run(buildah: Buildah, start: Start, target: str) -> None:
    """It starts from a read-only root without a shell, unprivileged, and ends on SIGTERM."""
    running = start(target)
    note(target, ready_after_seconds=round(running.ready_after, 2))
    assert running.ready_after < 10

    probe = configuration(buildah, target)["Healthcheck"]["Test"][1:]
    health = running.inside(f"/usr/local/bin/{probe[0]}", *probe[1:])
    assert health.returncode == 0, health.stderr

    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == [str(USER)] * 4
    assert facts["Gid"].split() == [str(USER)] * 4
    assert int(facts["CapEff"], 16) == 0
    assert facts["NoNewPrivs"] == "1"

    for place in ("/x", "/opt/gatelab/app/x", "/usr/x", "/etc/x", "/var/x"):
        refused = running.python(f"open({place!r}, 'w')")
        assert "OSError" in refused.stderr or "PermissionError" in refused.stderr, place
    for volume in VOLUMES[target]:
        written = running.python(f"open('{volume}/x', 'w').write('x')")
        assert written.returncode == 0, written.stderr

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=10) == 0


def test_the_same_sources_give_the_same_image(buildah: Buildah) -> None:
    """Built again without a cache, every layer and the configuration are the same bytes."""
    first = buildah.build("mock-newrelic", "localhost/mock-newrelic")
    assert buildah.build("mock-newrelic", "localhost/again", cache=False) == first
