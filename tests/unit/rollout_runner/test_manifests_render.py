from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout_runner.manifests import render as render_module
from rollout_runner.manifests.render import read_sources, render
from svckit.errors import InvalidInput, NotFound, Unavailable

Tool = Callable[[str, str], None]


@pytest.fixture(name="tool")
def _tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Return a function that installs a program; nothing else is on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name: str, script: str) -> None:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return install


@pytest.fixture(name="overlay")
def _overlay(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy" / "overlays" / "qa"
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (folder / "a.yaml").write_text("kind: Source\n")
    return folder


class TestFiles:
    """A file, or a folder of files."""

    def test_file_is_its_text(self, tmp_path: Path) -> None:
        """A file renders to what is in it."""
        (tmp_path / "a.yaml").write_text("a: 1\n")
        assert render(tmp_path / "a.yaml") == "a: 1\n"

    def test_byte_order_mark_is_dropped(self, tmp_path: Path) -> None:
        """Some editors put one; YAML does not need it."""
        (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
        assert render(tmp_path / "a.yaml") == "a: 1\n"

    def test_folder_is_its_files_in_order(self, tmp_path: Path) -> None:
        """All manifests of a folder, by name; other files and folders are left alone."""
        for name in ("b.yml", "a.yaml", "c.json", "README.md"):
            (tmp_path / name).write_text(f'"{name}"')
        (tmp_path / "d.yaml").mkdir()
        sources = read_sources(tmp_path)
        assert [Path(each.name).name for each in sources] == ["a.yaml", "b.yml", "c.json"]
        assert render(tmp_path) == '"a.yaml"\n---\n"b.yml"\n---\n"c.json"'

    def test_missing_path_lists_what_is_there(self, tmp_path: Path) -> None:
        """A typing mistake is answered with the names there are."""
        for name in ("qa", "dev", ".hidden"):
            (tmp_path / name).mkdir()
        with pytest.raises(NotFound, match="no such file or folder") as caught:
            render(tmp_path / "q")
        assert caught.value.hint.endswith("holds: dev, qa")

    def test_missing_parent(self, tmp_path: Path) -> None:
        """Nor does the folder exist in which it would be."""
        with pytest.raises(NotFound) as caught:
            render(tmp_path / "no" / "where")
        assert caught.value.hint.endswith("does not exist either")

    def test_folder_without_manifests(self, tmp_path: Path) -> None:
        """A folder of overlays is an error that lists them, not an empty run."""
        (tmp_path / "qa").mkdir()
        with pytest.raises(InvalidInput, match="holds no manifest") as caught:
            render(tmp_path)
        assert caught.value.hint.endswith("holds: qa")

    def test_pipe_is_read(self, tmp_path: Path) -> None:
        """What another program writes can be read without a file."""
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("a: 1\n",))
        writer.start()
        assert render(tmp_path / "pipe") == "a: 1\n"
        writer.join()

    def test_file_that_is_not_text(self, tmp_path: Path) -> None:
        """Bytes that are no UTF-8 are refused with their position."""
        (tmp_path / "a.yaml").write_bytes(b"a: \xff\n")
        with pytest.raises(InvalidInput, match=r"a\.yaml: not UTF-8 text \(byte 3\)"):
            render(tmp_path / "a.yaml")

    def test_file_that_cannot_be_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The system's reason is passed on."""
        (tmp_path / "a.yaml").write_text("a: 1\n")

        def refuse(*_: object, **__: object) -> str:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_text", refuse)
        with pytest.raises(InvalidInput, match="cannot be read: Permission denied"):
            render(tmp_path / "a.yaml")


class TestKustomize:
    """A folder with a kustomization."""

    def test_kubectl_renders(self, tool: Tool, overlay: Path) -> None:
        """The first choice, kubectl, gets the folder's absolute path."""
        tool("kubectl", 'echo "$@"')
        tool("kustomize", "exit 1")
        (source,) = read_sources(overlay)
        assert source.text == f"kustomize {overlay}\n"
        assert source.name == f"{overlay} (rendered)"

    def test_kustomize_renders_without_kubectl(self, tool: Tool, overlay: Path) -> None:
        """The program kustomize does as well."""
        tool("kustomize", 'echo "$@"')
        assert render(overlay) == f"build {overlay}\n"

    def test_kustomization_file_means_its_folder(self, tool: Tool, overlay: Path) -> None:
        """Naming the file is as good as naming the folder."""
        tool("kubectl", "echo rendered")
        assert render(overlay / "kustomization.yaml") == "rendered\n"

    def test_relative_path(
        self, tool: Tool, overlay: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A path that begins with a dash is never taken for an option."""
        dashed = overlay.rename(overlay.parent / "-h")
        monkeypatch.chdir(dashed.parent)
        tool("kubectl", 'echo "$2"')
        assert render(Path("-h")) == f"{dashed}\n"

    def test_errors_of_kustomize_are_passed_on(self, tool: Tool, overlay: Path) -> None:
        """What it says on stderr is in the error, on one line."""
        tool("kubectl", "echo 'error: no such' >&2; echo '  resource' >&2; exit 1")
        with pytest.raises(InvalidInput) as caught:
            render(overlay)
        assert caught.value.detail.endswith("kustomize refuses it: no such resource")

    def test_program_that_cannot_be_started(self, tool: Tool, overlay: Path) -> None:
        """A broken installation is not a broken manifest."""
        tool("kubectl", "")
        program = Path(os.environ["PATH"]) / "kubectl"
        program.write_text("#!/no/such/interpreter\n")
        with pytest.raises(Unavailable, match="cannot be started"):
            render(overlay)

    def test_program_that_hangs(
        self, tool: Tool, overlay: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rendering has a time limit."""
        tool("kubectl", "while :; do :; done")
        monkeypatch.setattr(render_module, "_TIMEOUT_SECONDS", 0.05)
        with pytest.raises(Unavailable, match="did not finish"):
            render(overlay)

    @pytest.mark.usefixtures("tool")
    def test_rendered_earlier(self, overlay: Path) -> None:
        """Without either program, the committed text is taken, under its own name."""
        rendered = overlay.parents[1] / "rendered"
        rendered.mkdir()
        (rendered / "qa.yaml").write_text("kind: Rendered\n")
        (source,) = read_sources(overlay)
        assert source.text == "kind: Rendered\n"
        assert source.name == str(rendered / "qa.yaml")

    @pytest.mark.usefixtures("tool")
    def test_nothing_to_render_with(self, overlay: Path) -> None:
        """Without a program and without a text, the error says what to install."""
        with pytest.raises(InvalidInput, match="neither kubectl nor kustomize") as caught:
            render(overlay)
        assert "kubectl" in caught.value.hint
