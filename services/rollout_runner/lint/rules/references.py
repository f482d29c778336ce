"""GL1xx: does what is referred to exist, and does it fit?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import entries, mapping, text_of
from rollout_runner.lint.rule import Hit, canary, objects, rollout, rule, template
from rollout_runner.lint.world import BLUE_GREEN, CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.objects import Item
    from rollout_runner.lint.world import World
    from rollout_runner.manifests.documents import Path

_NGINX: Final[Path] = (*CANARY, "trafficRouting", "nginx")
_HASH_LABEL: Final = "rollouts-pod-template-hash"
_SERVICES: Final[tuple[tuple[Path, str], ...]] = (
    ((*CANARY, "stableService"), "stableMetadata"),
    ((*CANARY, "canaryService"), "canaryMetadata"),
    ((*CANARY, "pingPong", "pingService"), ""),
    ((*CANARY, "pingPong", "pongService"), ""),
    ((*BLUE_GREEN, "activeService"), "activeMetadata"),
    ((*BLUE_GREEN, "previewService"), "previewMetadata"),
)
_STEPS: Final = """
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis: {templates: [{templateName: gate}]}
"""
_ROUTED: Final = """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
"""


def _where_else(world: World, kind: str, name: str) -> str:
    for each in world.of(kind):
        if each.name == name:
            return f"; {each.document.place()} has one, but in namespace {each.namespace}"
    known = sorted({each.name for each in world.of(kind)})
    return f"; there are: {', '.join(known)}" if known else ""


@rule(
    "GL101",
    Severity.ERROR,
    "template that is not there",
    why="""A reference to an AnalysisTemplate that is not in the Rollout's namespace makes the
    Rollout InvalidSpec: nothing progresses.""",
    fix="correct the name, add the template, or set clusterScope for a ClusterAnalysisTemplate",
    bad=canary(_ROUTED + _STEPS.replace("templateName: gate", "templateName: gates")),
    good=canary(_ROUTED + _STEPS),
)
def no_template(world: World) -> Iterator[Hit]:
    """References of analyses and of templates."""
    for use in world.uses:
        yield from _missing(world, use.rollout, (*use.path, "templates"))
    for item in world.templates:
        yield from _missing(world, item, ("spec", "templates"))
    for item, path in _experiments(world):
        yield from _missing(world, item, path)


def _experiments(world: World) -> Iterator[tuple[Item, Path]]:
    """Yield where experiments, in steps and by themselves, refer to templates."""
    for item in world.rollouts:
        for index, step in entries(item.get(*CANARY, "steps")):
            if isinstance(step.get("experiment"), dict):
                yield item, (*CANARY, "steps", index, "experiment", "analyses")
    for item in world.of("Experiment"):
        yield item, ("spec", "analyses")


def _missing(world: World, item: Item, path: Path) -> Iterator[Hit]:
    for index, ref in entries(item.get(*path)):
        name = text_of(ref.get("templateName"))
        if world.template(ref, item) is None:
            cluster = ref.get("clusterScope") is True
            kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
            yield Hit(
                item=item,
                path=(*path, index, "templateName"),
                reason=f"{kind} {name!r} not found{_where_else(world, kind, name)}",
            )


@rule(
    "GL102",
    Severity.ERROR,
    "Service that is not there",
    why="A Rollout that names a Service that does not exist is InvalidSpec: nothing progresses.",
    fix="correct the name, or add the Service",
    bad=canary(_ROUTED.replace("vote-canary", "vote-carnary") + _STEPS),
    good=canary(_ROUTED + _STEPS),
)
def no_service(world: World) -> Iterator[Hit]:
    """Services of a strategy."""
    for item, path, name, _ in _named_services(world):
        if world.find("Service", name, item) is None:
            yield Hit(
                item=item,
                path=path,
                reason=f"service {name!r} not found{_where_else(world, 'Service', name)}",
            )


def _named_services(world: World) -> Iterator[tuple[Item, Path, str, dict[str, Any]]]:
    for item in world.rollouts:
        for path, metadata in _SERVICES:
            name = text_of(item.get(*path))
            if name:
                labels = mapping(item.get(*path[:3], metadata, "labels")) if metadata else {}
                yield item, path, name, labels


@rule(
    "GL103",
    Severity.ERROR,
    "Service that does not select the pods",
    why="""The selector of the Service asks for a label that the pod template does not have. Argo
    refuses the Rollout; traffic would reach nobody.""",
    fix="let selector and pod labels agree",
    bad=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: Rollout
    metadata: {name: vote}
    spec:
      selector: {matchLabels: {app: vote}}
      template:
        metadata: {labels: {app: vote}}
        spec:
          containers:
            - name: vote
              image: registry.example/vote:v17
              readinessProbe: {httpGet: {path: /, port: 80}}
      strategy:
        blueGreen: {activeService: vote, autoPromotionEnabled: false}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: vote}
    spec: {selector: {app: voting}, ports: [{port: 80}]}
    """),
    good=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: Rollout
    metadata: {name: vote}
    spec:
      selector: {matchLabels: {app: vote}}
      template:
        metadata: {labels: {app: vote}}
        spec:
          containers:
            - name: vote
              image: registry.example/vote:v17
              readinessProbe: {httpGet: {path: /, port: 80}}
      strategy:
        blueGreen: {activeService: vote, autoPromotionEnabled: false}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: vote}
    spec: {selector: {app: vote}, ports: [{port: 80}]}
    """),
)
def wrong_selector(world: World) -> Iterator[Hit]:
    """Selectors of Services against the labels of the pods."""
    for item, path, name, besides in _named_services(world):
        service = world.find("Service", name, item)
        pods = pod_template(world, item)
        if service is None or pods is None:
            continue
        labels = mapping(mapping(pods.get("metadata")).get("labels")) | besides
        for key, value in mapping(service.get("spec", "selector")).items():
            if key != _HASH_LABEL and labels.get(key) != value:
                yield Hit(
                    item=item,
                    path=path,
                    reason=f'Service "{name}" has unmatch label "{key}" in rollout: '
                    f"{service.document.place(('spec', 'selector', key))} selects {key}={value}, "
                    f"the pods have {labels.get(key, 'no such label')}",
                )


def pod_template(world: World, item: Item) -> dict[str, Any] | None:
    """Return the pod template of a Rollout, or of the Deployment that it refers to."""
    own = item.get("spec", "template")
    if isinstance(own, dict):
        return own
    reference = mapping(item.get("spec", "workloadRef"))
    workload = world.find(text_of(reference.get("kind")), text_of(reference.get("name")), item)
    found = workload.get("spec", "template") if workload is not None else None
    return found if isinstance(found, dict) else None


@rule(
    "GL104",
    Severity.ERROR,
    "one Service in both roles",
    why="""Stable and canary, or active and preview, need two Services: with one, all traffic goes
    to both versions, and nothing is split or held back. Argo refuses the Rollout.""",
    fix="give the new version a Service of its own",
    bad=canary(_ROUTED.replace("vote-canary", "vote") + _STEPS),
    good=canary(_ROUTED + _STEPS),
)
def same_service(world: World) -> Iterator[Hit]:
    """Pairs of Services that are one."""
    pairs = (
        (CANARY, "stableService", "canaryService"),
        (BLUE_GREEN, "activeService", "previewService"),
    )
    for item in world.rollouts:
        for base, first, second in pairs:
            name = item.get(*base, first)
            if name and name == item.get(*base, second):
                yield Hit(
                    item=item,
                    path=(*base, second),
                    reason=f"{first} and {second} are both {name!r}",
                )


@rule(
    "GL105",
    Severity.ERROR,
    "Ingress that is not there or does not lead to stable",
    why="""nginx traffic routing copies the rules of the stable Ingress whose backend is the
    stable Service. Without such a rule no traffic could be split, and Argo refuses the Rollout.""",
    fix="name an Ingress with a rule for the stable Service (a default backend does not count)",
    bad=canary(_ROUTED.replace("stableIngress: vote", "stableIngress: voting") + _STEPS),
    good=canary(_ROUTED + _STEPS),
)
def wrong_ingress(world: World) -> Iterator[Hit]:
    """Stable Ingresses of nginx."""
    for item in world.rollouts:
        nginx = mapping(item.get(*_NGINX))
        named: list[tuple[Path, str]] = [
            ((*_NGINX, "stableIngress"), nginx.get("stableIngress", ""))
        ]
        several = nginx.get("stableIngresses")
        if isinstance(several, list):
            named += [((*_NGINX, "stableIngresses", at), each) for at, each in enumerate(several)]
        stable = text_of(item.get(*CANARY, "stableService"))
        for path, name in named:
            if not isinstance(name, str) or not name:
                continue
            ingress = world.find("Ingress", name, item)
            if ingress is None:
                reason = f"ingress {name!r} not found{_where_else(world, 'Ingress', name)}"
            elif stable and stable not in _backends(ingress):
                reason = f"ingress `{name}` has no rules using service {stable} backend"
            else:
                continue
            yield Hit(item=item, path=path, reason=reason)


def _backends(ingress: Item) -> set[str]:
    return {
        text_of(mapping(mapping(path.get("backend")).get("service")).get("name"))
        for _, each in entries(ingress.get("spec", "rules"))
        for _, path in entries(mapping(each.get("http")).get("paths"))
    }


@rule(
    "GL106",
    Severity.ERROR,
    "traffic routing that is incomplete",
    why="""Traffic routing needs both Services, and nginx exactly one of stableIngress and
    stableIngresses. Argo refuses the Rollout.""",
    fix="name stableService, canaryService and one form of the Ingress",
    bad=canary(
        "stableService: vote\ntrafficRouting: {nginx: {stableIngress: vote}}\n"
        + "\n".join(line[4:] for line in _STEPS.strip("\n").splitlines())
    ),
    good=canary(_ROUTED + _STEPS),
)
def half_routing(world: World) -> Iterator[Hit]:
    """Parts that traffic routing needs."""
    for item in world.rollouts:
        routing = item.get(*CANARY, "trafficRouting")
        if not isinstance(routing, dict) or item.get(*CANARY, "pingPong") is not None:
            continue
        if mapping(routing.get("istio")).get("destinationRule"):
            continue  # subsets of one Service are split instead
        for field in ("stableService", "canaryService"):
            if not item.get(*CANARY, field):
                yield Hit(
                    item=item,
                    path=(*CANARY, field),
                    reason=f"{field} must be set to use traffic routing",
                )
        nginx = routing.get("nginx")
        if isinstance(nginx, dict):
            forms = [name for name in ("stableIngress", "stableIngresses") if nginx.get(name)]
            if len(forms) != 1:
                which = "both are" if forms else "neither is"
                yield Hit(
                    item=item,
                    path=_NGINX,
                    reason=f"one of stableIngress and stableIngresses is needed; {which} set",
                )


@rule(
    "GL107",
    Severity.WARNING,
    "Secret that is not among the manifests",
    why="""A Secret that does not exist in the namespace of the run ends the whole run in Error at
    once, and the rollout aborts. It is not retried. (Secrets often come from elsewhere; an
    ExternalSecret or SealedSecret of that name counts as one.)""",
    fix="add the Secret, or what makes it; or ignore this where it comes from elsewhere",
    bad=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: gate}
    spec:
      args:
        - {name: key, valueFrom: {secretKeyRef: {name: apm, key: key}}}
      metrics:
        - name: latency
          successCondition: result.p99 < 300
          provider:
            web:
              url: https://apm.example/v1/latency
              headers: [{key: Api-Key, value: "{{args.key}}"}]
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: apm-key}
    stringData: {key: filled-in-elsewhere}
    """),
    good=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: gate}
    spec:
      args:
        - {name: key, valueFrom: {secretKeyRef: {name: apm, key: key}}}
      metrics:
        - name: latency
          successCondition: result.p99 < 300
          provider:
            web:
              url: https://apm.example/v1/latency
              headers: [{key: Api-Key, value: "{{args.key}}"}]
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: apm}
    stringData: {key: filled-in-elsewhere}
    """),
)
def no_secret(world: World) -> Iterator[Hit]:
    """Secrets of arguments, where there are manifests that could hold them."""
    if not world.rollouts and not world.of("Secret", *_MAKERS):
        return  # templates alone: the Secrets are somebody else's
    for item, path, name, _ in _secret_refs(world):
        made = any(world.find(kind, name, item) is not None for kind in _MAKERS)
        if world.find("Secret", name, item) is None and not made:
            yield Hit(
                item=item,
                path=path,
                reason=f"secrets {name!r} not found{_where_else(world, 'Secret', name)}",
            )


_MAKERS: Final = ("ExternalSecret", "SealedSecret")


def _secret_refs(world: World) -> Iterator[tuple[Item, Path, str, str]]:
    for item in world.analyses:
        for index, arg in entries(item.get("spec", "args")):
            ref = mapping(mapping(arg.get("valueFrom")).get("secretKeyRef"))
            if ref.get("name"):
                path: Path = ("spec", "args", index, "valueFrom", "secretKeyRef")
                yield item, path, text_of(ref["name"]), text_of(ref.get("key"))


@rule(
    "GL108",
    Severity.ERROR,
    "Secret without the key",
    why="""The Secret is there and the key is not: the run ends in Error at once, with `key 'x'
    does not exist in secret 'y'`, and the rollout aborts.""",
    fix="correct the key, or add it to the Secret",
    bad=template(
        """
    args:
      - {name: key, valueFrom: {secretKeyRef: {name: apm, key: api-key}}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: https://apm.example/v1/latency
            headers: [{key: Api-Key, value: "{{args.key}}"}]
    """,
        """
    apiVersion: v1
    kind: Secret
    metadata: {name: apm}
    stringData: {key: filled-in-elsewhere}
    """,
    ),
    good=template(
        """
    args:
      - {name: key, valueFrom: {secretKeyRef: {name: apm, key: key}}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: https://apm.example/v1/latency
            headers: [{key: Api-Key, value: "{{args.key}}"}]
    """,
        """
    apiVersion: v1
    kind: Secret
    metadata: {name: apm}
    stringData: {key: filled-in-elsewhere}
    """,
    ),
)
def no_key(world: World) -> Iterator[Hit]:
    """Keys of Secrets that are among the manifests."""
    for item, path, name, key in _secret_refs(world):
        secret = world.find("Secret", name, item)
        if secret is None:
            continue
        held = {*mapping(secret.get("data")), *mapping(secret.get("stringData"))}
        if key not in held:
            yield Hit(
                item=item,
                path=(*path, "key"),
                reason=f"key {key!r} does not exist in secret {name!r}; it holds: "
                f"{', '.join(sorted(held)) or 'nothing'}",
            )


@rule(
    "GL109",
    Severity.ERROR,
    "Rollout without a strategy, or with two",
    why="""A Rollout is either a canary or blue-green. Without a strategy Argo refuses it, and
    with two as well.""",
    fix="give one of strategy.canary and strategy.blueGreen",
    bad=rollout("""
    selector: {matchLabels: {app: vote}}
    template:
      metadata: {labels: {app: vote}}
      spec: {containers: [{name: vote, image: "registry.example/vote:v17"}]}
    strategy: {}
    """),
    good=rollout("""
    selector: {matchLabels: {app: vote}}
    template:
      metadata: {labels: {app: vote}}
      spec:
        containers:
          - name: vote
            image: registry.example/vote:v17
            readinessProbe: {httpGet: {path: /, port: 80}}
    strategy:
      canary:
        steps:
          - setWeight: 50
          - pause: {duration: 2m}
          - analysis: {templates: [{templateName: gate}]}
    """),
)
def no_strategy(world: World) -> Iterator[Hit]:
    """Strategies that are none or too many."""
    for item in world.rollouts:
        strategy = mapping(item.get("spec", "strategy"))
        given = [name for name in ("canary", "blueGreen") if strategy.get(name) is not None]
        if len(given) != 1:
            yield Hit(
                item=item,
                path=("spec", "strategy"),
                reason="canary and blueGreen are both there" if given else "there is no strategy",
            )


@rule(
    "GL110",
    Severity.ERROR,
    "templates that include each other in a circle",
    why="""The controller follows `templates` without looking for circles: it recurses until it
    dies.""",
    fix="remove one of the references",
    bad=template("""
    templates: [{templateName: gate}]
    metrics:
      - name: verdict
        successCondition: result.verdict == "pass"
        provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
    good=template(
        "templates: [{templateName: other}]",
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: other}
    spec:
      metrics:
        - name: verdict
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
)
def circle(world: World) -> Iterator[Hit]:
    """Templates that lead back to themselves."""
    for item in world.templates:
        seen: list[Item] = []
        waiting = [item]
        while waiting:
            for _, ref in entries(waiting.pop().get("spec", "templates")):
                found = world.template(ref, item)
                if found is not None and found not in seen:
                    seen.append(found)
                    waiting.append(found)
        if item in seen:
            yield Hit(
                item=item,
                path=("spec", "templates"),
                reason=f"{item.name} leads back to itself",
            )


@rule(
    "GL111",
    Severity.NOTE,
    "template that no Rollout uses",
    why="A gate that nobody asks gates nothing. Perhaps the Rollout names another one.",
    fix="refer to it from a step, or remove it",
    bad=canary(
        _ROUTED + _STEPS,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: latency}
    spec:
      metrics:
        - name: latency
          successCondition: result.p99 < 300
          provider: {web: {url: https://apm.example/v1/latency}}
    """,
    ),
    good=canary(_ROUTED + _STEPS),
)
def unused_template(world: World) -> Iterator[Hit]:
    """Templates beside Rollouts that lead to none of them."""
    if not world.rollouts:
        return
    used = {id(template) for use in world.uses for template in use.templates}
    used |= {
        id(world.template(ref, item))
        for item, path in _experiments(world)
        for _, ref in entries(item.get(*path))
    }
    for item in world.templates:
        included = any(
            world.template(ref, other) is item
            for other in world.templates
            for _, ref in entries(other.get("spec", "templates"))
        )
        if id(item) not in used and not included:
            yield Hit(item=item, path=("metadata", "name"), reason=f"nobody asks {item.name!r}")


@rule(
    "GL112",
    Severity.ERROR,
    "no pod template, or two",
    why="""The pods come from `spec.template` or from the Deployment that `workloadRef` names, not
    from both. A Deployment that is not there leaves the Rollout without pods.""",
    fix="keep one of the two, and name a workload that exists",
    bad=rollout("""
    selector: {matchLabels: {app: vote}}
    workloadRef: {apiVersion: apps/v1, kind: Deployment, name: vote}
    strategy:
      canary:
        steps:
          - setWeight: 50
          - pause: {duration: 2m}
          - analysis: {templates: [{templateName: gate}]}
    """),
    good=rollout(
        """
    selector: {matchLabels: {app: vote}}
    workloadRef: {apiVersion: apps/v1, kind: Deployment, name: vote}
    strategy:
      canary:
        steps:
          - setWeight: 50
          - pause: {duration: 2m}
          - analysis: {templates: [{templateName: gate}]}
    """,
        """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: vote}
    spec:
      selector: {matchLabels: {app: vote}}
      template:
        metadata: {labels: {app: vote}}
        spec:
          containers:
            - name: vote
              image: registry.example/vote:v17
              readinessProbe: {httpGet: {path: /, port: 80}}
    """,
    ),
)
def pod_source(world: World) -> Iterator[Hit]:
    """Sources of the pod template."""
    for item in world.rollouts:
        own = item.get("spec", "template") is not None
        reference = mapping(item.get("spec", "workloadRef"))
        path: Path = ("spec", "workloadRef")
        if own and reference:
            yield Hit(item=item, path=path, reason="template and workloadRef are both there")
        elif not own and not reference:
            yield Hit(item=item, path=("spec",), reason="neither template nor workloadRef is there")
        elif reference and pod_template(world, item) is None:
            kind, name = text_of(reference.get("kind")), text_of(reference.get("name"))
            yield Hit(
                item=item,
                path=path,
                reason=f"{kind} {name!r} not found{_where_else(world, kind, name)}",
            )


@rule(
    "GL113",
    Severity.ERROR,
    "selector that the pods do not meet",
    why="The Rollout would not find its own pods; the API server refuses it.",
    fix="let spec.selector and the labels of the pod template agree",
    bad=rollout("""
    selector: {matchLabels: {app: voting}}
    template:
      metadata: {labels: {app: vote}}
      spec:
        containers:
          - name: vote
            image: registry.example/vote:v17
            readinessProbe: {httpGet: {path: /, port: 80}}
    strategy:
      canary:
        steps:
          - setWeight: 50
          - pause: {duration: 2m}
          - analysis: {templates: [{templateName: gate}]}
    """),
    good=rollout("""
    selector: {matchLabels: {app: vote}}
    template:
      metadata: {labels: {app: vote}}
      spec:
        containers:
          - name: vote
            image: registry.example/vote:v17
            readinessProbe: {httpGet: {path: /, port: 80}}
    strategy:
      canary:
        steps:
          - setWeight: 50
          - pause: {duration: 2m}
          - analysis: {templates: [{templateName: gate}]}
    """),
)
def own_selector(world: World) -> Iterator[Hit]:
    """Selectors of Rollouts against their own pods."""
    for item in world.rollouts:
        pods = pod_template(world, item)
        if pods is None:
            continue
        labels = mapping(mapping(pods.get("metadata")).get("labels"))
        for key, value in mapping(item.get("spec", "selector", "matchLabels")).items():
            if labels.get(key) != value:
                yield Hit(
                    item=item,
                    path=("spec", "selector", "matchLabels", key),
                    reason=f"selects {key}={value}; the pods have "
                    f"{labels.get(key, 'no such label')}",
                )
