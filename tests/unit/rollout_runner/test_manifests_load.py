from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from rollout_runner.manifests import load_manifests
from rollout_runner.manifests.load import Manifests, read_manifests
from rollout_runner.manifests.render import Source
from svckit.errors import InvalidInput

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def load(*texts: str) -> Manifests:
    """Read texts called `f0.yaml`, `f1.yaml` and so on."""
    return read_manifests(
        Source(name=f"f{index}.yaml", text=text) for index, text in enumerate(texts)
    )


def head(kind: str, api_version: str = "v1", name: str = "x") -> str:
    """Return the beginning of a manifest."""
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}}}\n"


class TestOurOwn:
    """The manifests of this repository."""

    def test_rendered_qa_overlay_loads(self) -> None:
        """Every object of the QA environment is read."""
        found = load_manifests(DEPLOY / "rendered" / "qa.yaml")
        assert [each.name for each in found.rollouts] == ["vote", "result", "worker"]
        assert {each.name for each in found.analysis_templates} == {
            "voting01-canary-analysis",
            "voting01-health-check",
        }
        assert {each.name for each in found.services} >= {"vote", "vote-canary"}
        assert [each.name for each in found.ingresses] == ["voting01-ingress"]
        assert [each.name for each in found.config_maps] == ["voting01-config"]
        keys = {each.name: each.values for each in found.secrets}
        assert keys["newrelic-api-key"] == {"api-key": "test-key"}
        assert found.unread == ()

    @pytest.mark.deploy
    def test_overlay_is_the_same_as_its_rendering(self) -> None:
        """The overlay loads to what the committed manifests load to."""
        if shutil.which("kubectl") is None:
            pytest.skip("kubectl is not installed")
        overlay = load_manifests(DEPLOY / "overlays" / "qa")
        rendered = load_manifests(DEPLOY / "rendered" / "qa.yaml")
        for kind in ("rollouts", "analysis_templates", "services", "ingresses", "config_maps"):
            assert [each.raw for each in getattr(overlay, kind)] == [
                each.raw for each in getattr(rendered, kind)
            ]

    def test_without_kubectl_the_overlay_still_loads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine that has neither kubectl nor kustomize runs the committed rendering."""
        monkeypatch.setenv("PATH", "")
        found = load_manifests(DEPLOY / "overlays" / "qa")
        assert found.rollouts[0].place().startswith(str(DEPLOY / "rendered" / "qa.yaml"))


class TestKinds:
    """What is read, passed over, mentioned and refused."""

    def test_objects_come_from_every_text(self) -> None:
        """Files are read in order, each document of them, lists included."""
        listed = "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: ConfigMap, "
        found = load(
            head("ConfigMap", name="a") + "---\n" + head("ConfigMap", name="b"),
            listed + "metadata: {name: c}}\n",
        )
        assert [each.name for each in found.config_maps] == ["a", "b", "c"]
        assert [each.place() for each in found.config_maps] == [
            "f0.yaml:1",
            "f0.yaml:5",
            "f1.yaml:4",
        ]

    @pytest.mark.parametrize(
        ("kind", "api_version"),
        [
            ("Namespace", "v1"),
            ("ServiceAccount", "v1"),
            ("StatefulSet", "apps/v1"),
            ("NetworkPolicy", "networking.k8s.io/v1"),
            ("Experiment", "argoproj.io/v1alpha1"),
            ("HorizontalPodAutoscaler", "autoscaling/v2"),
        ],
    )
    def test_known_kind_is_passed_over(self, kind: str, api_version: str) -> None:
        """Kinds that say nothing about a rollout are left out without a word."""
        assert load(head(kind, api_version) + "whatever: 1\n") == Manifests()

    @pytest.mark.parametrize(
        ("kind", "api_version"),
        [
            ("ServiceMonitor", "monitoring.coreos.com/v1"),
            ("Service", "serving.knative.dev/v1"),
            ("Ingress", "config.openshift.io/v1"),
        ],
    )
    def test_foreign_kind_is_mentioned(self, kind: str, api_version: str) -> None:
        """A kind of somebody else's group is listed, with its place and name."""
        (unread,) = load(head(kind, api_version)).unread
        assert (unread.header.kind, unread.header.name) == (kind, "x")
        assert unread.place == "f0.yaml:1"

    @pytest.mark.parametrize(
        ("text", "said", "hint"),
        [
            pytest.param(
                head("AnalysisTemplat", "argoproj.io/v1alpha1"),
                "f0.yaml:2: there is no kind 'AnalysisTemplat' in argoproj.io/v1alpha1",
                "did you mean AnalysisTemplate?",
                id="misspelt",
            ),
            pytest.param(
                head("Rollout", "apps/v1"),
                "f0.yaml:2: there is no kind 'Rollout' in apps/v1",
                "Rollout belongs to apiVersion argoproj.io/v1alpha1",
                id="wrong-group",
            ),
            pytest.param(
                head("Zebra"),
                "f0.yaml:2: there is no kind 'Zebra' in v1",
                "known kinds: ConfigMap",
                id="nothing-close",
            ),
            pytest.param(
                head("Rollout", "argoproj.io/v1"),
                "f0.yaml:1: Rollout: apiVersion argoproj.io/v1 is not supported",
                "expected argoproj.io/v1alpha1",
                id="wrong-version",
            ),
            pytest.param(
                head("Ingress", "networking.k8s.io/v1beta1"),
                "f0.yaml:1: Ingress: apiVersion networking.k8s.io/v1beta1 is not supported",
                "expected networking.k8s.io/v1",
                id="old-version",
            ),
            pytest.param(
                "kind: Service\n",
                "f0.yaml:1: not a Kubernetes object: `apiVersion` is missing",
                "a manifest begins with",
                id="no-version",
            ),
            pytest.param(
                "apiVersion: v1\nkind: 3\n",
                "f0.yaml:2: not a Kubernetes object: `kind` is missing",
                "a manifest begins with",
                id="kind-is-a-number",
            ),
            pytest.param(
                "image:\n  tag: 1.2\n",
                "f0.yaml:1: not a Kubernetes object: `apiVersion` is missing",
                "a manifest begins with",
                id="helm-values",
            ),
            pytest.param(
                "apiVersion: v1\nkind: ConfigMap\n",
                "f0.yaml:1: ConfigMap/?: metadata: required field is missing",
                "add `metadata` to the document",
                id="no-metadata",
            ),
            pytest.param(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: x\n",
                "f0.yaml:3: ConfigMap/?: metadata: expected a mapping, got the text 'x'",
                "the API server would refuse it too",
                id="metadata-is-text",
            ),
            pytest.param(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {port: 6379}\n",
                "f0.yaml:4: ConfigMap/a: data.port: expected text, got the number 6379",
                'put it in quotes: "6379"',
                id="config-number",
            ),
            pytest.param(
                head("Service") + "spec: {selektor: {app: vote}}\n",
                "f0.yaml:4: Service/x: spec.selektor: unknown field",
                "did you mean `selector`?",
                id="service-field",
            ),
            pytest.param(
                head("Ingress", "networking.k8s.io/v1")
                + "spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: "
                "{serviceName: vote}}]}}]}\n",
                "f0.yaml:4: Ingress/x: spec.rules[0].http.paths[0].backend.serviceName: "
                "unknown field",
                "did you mean `service`?",
                id="ingress-field",
            ),
        ],
    )
    def test_refused(self, text: str, said: str, hint: str) -> None:
        """A mistake in the head or the body of an object is named with its line."""
        with pytest.raises(InvalidInput) as caught:
            load(text)
        assert caught.value.detail.startswith(said)
        assert caught.value.hint.startswith(hint)
        assert bool(caught.value.hint) == bool(hint)

    def test_one_name_twice(self) -> None:
        """Two objects of one kind, name and namespace are refused, with both places."""
        with pytest.raises(InvalidInput) as caught:
            load(head("ConfigMap"), head("Secret") + "---\n" + head("ConfigMap"))
        assert caught.value.detail == (
            "f1.yaml:5: ConfigMap/x is there twice in namespace default; "
            "the other one is at f0.yaml:1"
        )

    def test_one_name_in_two_namespaces(self) -> None:
        """The same name elsewhere is another object."""
        other = head("ConfigMap").replace("name: x", "name: x, namespace: other")
        assert len(load(head("ConfigMap"), other).config_maps) == 2

    def test_nothing_to_run(self, tmp_path: Path) -> None:
        """A file without any object of use is an error with the path in it."""
        (tmp_path / "a.yaml").write_text("# nothing\n")
        with pytest.raises(InvalidInput, match="there is no object in it"):
            load_manifests(tmp_path / "a.yaml")


class TestSecrets:
    """What a Secret holds."""

    def test_both_forms_are_decoded(self) -> None:
        """`data` is base64, wrapped lines included; `stringData` is text and wins."""
        encoded = base64.b64encode(b"first" * 20).decode()
        body = (
            "data:\n"
            f"  a: {base64.b64encode(b'one').decode()}\n"
            f"  b: {base64.b64encode(b'two').decode()}\n"
            f"  c: |\n    {encoded[:60]}\n    {encoded[60:]}\n"
            "stringData: {b: three}\n"
        )
        (secret,) = load(head("Secret") + body).secrets
        assert secret.values == {"a": "one", "b": "three", "c": "first" * 20}

    def test_bytes_survive(self) -> None:
        """A value that is no UTF-8 can be turned back into its bytes."""
        body = f"data: {{k: {base64.b64encode(bytes([255, 0, 65])).decode()}}}\n"
        (secret,) = load(head("Secret") + body).secrets
        assert secret.values["k"].encode("utf-8", "surrogateescape") == bytes([255, 0, 65])

    def test_values_are_not_printed(self) -> None:
        """Neither the object nor what holds it shows a value."""
        found = load(head("Secret") + "stringData: {k: pa55}\n")
        assert "pa55" not in repr(found)
        assert "pa55" not in str(found.secrets[0])
        assert "pa55" not in repr(found.secrets[0]._document)
