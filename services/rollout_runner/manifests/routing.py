"""Traffic routing of a canary. NGINX has its fields; routers of other makes are free form.

Source: Argo Rollouts' custom resource definitions (argoproj.io/v1alpha1).
"""

from __future__ import annotations

from rollout_runner.manifests.model import Fields, FreeForm, Int32, ListOf, MapOf, TextMap


class NginxTrafficRouting(Fields):
    """ingress-nginx: a second ingress with the canary annotations."""

    stable_ingress: str | None = None
    stable_ingresses: ListOf[str]
    annotation_prefix: str | None = None
    additional_ingress_annotations: TextMap
    canary_ingress_annotations: TextMap


class ManagedRoute(Fields):
    """A route that Argo may add and remove."""

    name: str


class TrafficRouting(Fields):
    """Which router splits the traffic."""

    nginx: NginxTrafficRouting | None = None
    max_traffic_weight: Int32 | None = None
    managed_routes: ListOf[ManagedRoute]
    alb: FreeForm | None = None
    ambassador: FreeForm | None = None
    apisix: FreeForm | None = None
    app_mesh: FreeForm | None = None
    istio: FreeForm | None = None
    plugins: FreeForm | None = None
    smi: FreeForm | None = None
    traefik: FreeForm | None = None


class StringMatch(Fields):
    """How a text is matched."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class HeaderMatch(Fields):
    """A header that sends a request to the canary."""

    header_name: str
    header_value: StringMatch


class HeaderRoute(Fields):
    """Step `setHeaderRoute`."""

    name: str | None = None
    match: ListOf[HeaderMatch]


class RouteMatch(Fields):
    """Requests that are mirrored."""

    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: MapOf[StringMatch]


class MirrorRoute(Fields):
    """Step `setMirrorRoute`."""

    name: str
    match: ListOf[RouteMatch]
    percentage: Int32 | None = None
