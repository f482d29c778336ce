"""A path, or texts -> `Manifests`: every object that a rollout may refer to, validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rollout_runner.manifests.analysis import AnalysisTemplate, ClusterAnalysisTemplate
from rollout_runner.manifests.core import ConfigMap, Ingress, Secret, Service
from rollout_runner.manifests.deployment import Deployment
from rollout_runner.manifests.documents import Document, items_of_list, read_documents
from rollout_runner.manifests.kinds import Header, read_header
from rollout_runner.manifests.render import read_sources
from rollout_runner.manifests.rollout import Rollout
from rollout_runner.manifests.schema import read_object
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rollout_runner.manifests.model import KubeObject
    from rollout_runner.manifests.render import Source

T = TypeVar("T", bound="KubeObject | Unread")

_MODELS: tuple[type[KubeObject], ...] = (
    Rollout,
    AnalysisTemplate,
    ClusterAnalysisTemplate,
    Service,
    Ingress,
    ConfigMap,
    Secret,
    Deployment,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An object of a kind that nobody here knows, for a caller to mention."""

    place: str
    header: Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """Everything that was read, by kind, in the order of the text."""

    rollouts: tuple[Rollout, ...] = ()
    analysis_templates: tuple[AnalysisTemplate, ...] = ()
    cluster_analysis_templates: tuple[ClusterAnalysisTemplate, ...] = ()
    services: tuple[Service, ...] = ()
    ingresses: tuple[Ingress, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    secrets: tuple[Secret, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    unread: tuple[Unread, ...] = ()


def load_manifests(path: Path) -> Manifests:
    """Read a kustomize overlay, a folder or a file.

    Raises:
        InvalidInput: the path, the YAML or a field is wrong; the detail names file and line.
        Unavailable: kustomize does not come back.
    """
    manifests = read_manifests(read_sources(path))
    if manifests == Manifests():
        raise InvalidInput(
            f"{path}: there is no object in it that a rollout needs",
            hint="a Rollout and its AnalysisTemplates, Services and Ingress are looked for",
        )
    return manifests


def read_manifests(sources: Iterable[Source]) -> Manifests:
    """Read texts; raises InvalidInput as `load_manifests` does."""
    found = [
        each
        for source in sources
        for document in read_documents(source)
        for each in _objects(document)
    ]
    _refuse_twins(found)
    return Manifests(
        rollouts=_of(Rollout, found),
        analysis_templates=_of(AnalysisTemplate, found),
        cluster_analysis_templates=_of(ClusterAnalysisTemplate, found),
        services=_of(Service, found),
        ingresses=_of(Ingress, found),
        config_maps=_of(ConfigMap, found),
        secrets=_of(Secret, found),
        deployments=_of(Deployment, found),
        unread=_of(Unread, found),
    )


def _of(kind: type[T], found: Iterable[KubeObject | Unread]) -> tuple[T, ...]:
    return tuple(each for each in found if isinstance(each, kind))


def _objects(document: Document) -> Iterator[KubeObject | Unread]:
    if document.value.get("kind") == "List":
        for item in items_of_list(document):
            yield from _objects(item)
        return
    header = read_header(document)
    for model in _MODELS:
        if header.kind == model.__name__ and header.api_version == model.api_group_version:
            yield read_object(document, model)
            return
    if not header.expected:
        yield Unread(place=document.place(), header=header)


def _refuse_twins(found: Iterable[KubeObject | Unread]) -> None:
    """Refuse two objects of one name: which of them would win is nobody's to guess."""
    seen: dict[tuple[str, str, str], KubeObject] = {}
    for each in found:
        if isinstance(each, Unread):
            continue
        earlier = seen.setdefault((each.kind, each.namespace, each.name), each)
        if earlier is not each:
            raise InvalidInput(
                f"{each.place()}: {each.kind}/{each.name} is there twice in namespace "
                f"{each.namespace}; the other one is at {earlier.place()}",
                hint="remove one of them, or give a kustomize overlay instead of its folder",
            )
