"""Provider blocks of a metric.

web, prometheus, newRelic and job have a type for every field; the others are free form, so that a
valid template loads. Which providers can be run is not decided here.
Source: Argo Rollouts' custom resource definitions (argoproj.io/v1alpha1).
"""

from __future__ import annotations

from pydantic import Field

from rollout_runner.manifests.model import Fields, FreeForm, Int32, Int64, ListOf, TextMap


class Header(Fields):
    """One header of a request."""

    key: str
    value: str


class BasicAuth(Fields):
    """User and password."""

    username: str | None = None
    password: str | None = Field(default=None, repr=False)


class OAuth2(Fields):
    """Client credentials grant."""

    token_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False)
    scopes: ListOf[str]


class SigV4(Fields):
    """AWS signature."""

    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None


class Authentication(Fields):
    """How requests are signed."""

    basic_auth: BasicAuth | None = None
    oauth2: OAuth2 | None = None
    sigv4: SigV4 | None = None


class WebMetric(Fields):
    """A request whose JSON answer is the value."""

    url: str
    method: str | None = None
    headers: ListOf[Header]
    body: str | None = None
    json_body: FreeForm | None = None
    json_path: str | None = None
    timeout_seconds: Int64 | None = None
    insecure: bool = False
    authentication: Authentication | None = None


class RangeQuery(Fields):
    """A query over time; each field is an expression."""

    start: str | None = None
    end: str | None = None
    step: str | None = None


class PrometheusMetric(Fields):
    """A PromQL query."""

    address: str | None = None
    query: str | None = None
    timeout: Int64 | None = None
    insecure: bool = False
    headers: ListOf[Header]
    range_query: RangeQuery | None = None
    authentication: Authentication | None = None


class NewRelicMetric(Fields):
    """An NRQL query through NerdGraph."""

    query: str
    profile: str | None = None
    timeout: Int64 | None = None


class JobMetadata(Fields):
    """Labels and annotations of the Job that a measurement creates."""

    labels: TextMap
    annotations: TextMap


class JobSpec(Fields):
    """`spec` of a batch/v1 Job; the pod template is free form."""

    template: FreeForm
    active_deadline_seconds: Int64 | None = None
    backoff_limit: Int32 | None = None
    backoff_limit_per_index: Int32 | None = None
    completion_mode: str | None = None
    completions: Int32 | None = None
    managed_by: str | None = None
    manual_selector: bool | None = None
    max_failed_indexes: Int32 | None = None
    parallelism: Int32 | None = None
    pod_failure_policy: FreeForm | None = None
    pod_replacement_policy: str | None = None
    selector: FreeForm | None = None
    success_policy: FreeForm | None = None
    suspend: bool | None = None
    ttl_seconds_after_finished: Int32 | None = None


class JobMetric(Fields):
    """A Kubernetes Job whose success is the measurement."""

    spec: JobSpec
    metadata: JobMetadata | None = None


class MetricProvider(Fields):
    """The source of a metric; exactly one block is meant to be there."""

    web: WebMetric | None = None
    prometheus: PrometheusMetric | None = None
    new_relic: NewRelicMetric | None = None
    job: JobMetric | None = None
    cloud_watch: FreeForm | None = None
    datadog: FreeForm | None = None
    graphite: FreeForm | None = None
    influxdb: FreeForm | None = None
    kayenta: FreeForm | None = None
    plugin: FreeForm | None = None
    skywalking: FreeForm | None = None
    wavefront: FreeForm | None = None
