"""The job template of the deployment report, as printed there: what a careful reader would object.

It reads the error rate with curl and takes 0 where it gets no number.
"""

from __future__ import annotations

import pytest

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint import Finding, Severity, lint
from rollout_runner.manifests.render import Source

TEMPLATE = r"""
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: voting01-canary-analysis
  namespace: voting01-qa
spec:
  args:
    - name: service-name      # e.g., "vote-canary"
    - name: namespace         # e.g., "voting01-qa"
    - name: app-name          # e.g., "voting01-vote-qa"
    - name: error-threshold
      value: "2"              # 2% error rate threshold

  metrics:
    # METRIC 1: HTTP Health Check
    - name: http-health
      count: 3                # Run 3 times
      interval: 30s           # Every 30 seconds
      failureLimit: 1         # Fail if 1 check fails
      successCondition: result == "healthy"
      provider:
        job:
          spec:
            template:
              spec:
                containers:
                  - name: health-check
                    image: curlimages/curl:latest
                    command: ["/bin/sh", "-c"]
                    args:
                      - |
                        HTTP_CODE=$(curl -s -o /dev/null -w "%{http_code}" \
                          "http://{{args.service-name}}.{{args.namespace}}.svc.cluster.local/" \
                          --max-time 10)
                        if [ "$HTTP_CODE" = "200" ]; then
                          echo "healthy"
                          exit 0
                        else
                          echo "unhealthy: HTTP $HTTP_CODE"
                          exit 1
                        fi

    # METRIC 2: New Relic Error Rate
    - name: error-rate
      count: 2                # Run 2 times
      interval: 60s           # Every 60 seconds
      failureLimit: 1         # Fail if 1 check fails
      successCondition: result.errorRate < {{args.error-threshold}}
      provider:
        job:
          spec:
            template:
              spec:
                containers:
                  - name: newrelic-check
                    image: curlimages/curl:latest
                    env:
                      - name: NEW_RELIC_HOST
                        valueFrom:
                          configMapKeyRef:
                            name: voting01-config
                            key: NEW_RELIC_HOST
                            optional: true
                    command: ["/bin/sh", "-c"]
                    args:
                      - |
                        APP_NAME="{{args.app-name}}"
                        THRESHOLD={{args.error-threshold}}
                        NR_HOST="${NEW_RELIC_HOST:-opsera-opsera-newrelic-dev.agent.opsera.dev}"

                        # Query New Relic API
                        RESPONSE=$(curl -s --max-time 30 \
                          "https://${NR_HOST}/v1/metrics?app=${APP_NAME}&metric=errorRate&window=5m")

                        # Parse error rate
                        ERROR_RATE=$(echo "$RESPONSE" | grep -oE '"errorRate"[[:space:]]*:[[:space:]]*[0-9.]+' \
                          | grep -oE '[0-9.]+$' || echo "0")

                        echo "Error Rate: ${ERROR_RATE}% (threshold: ${THRESHOLD}%)"

                        # Compare against threshold
                        RESULT=$(awk -v rate="$ERROR_RATE" -v threshold="$THRESHOLD" \
                          'BEGIN { if (rate < threshold) print "PASS"; else print "FAIL" }')

                        if [ "$RESULT" = "PASS" ]; then
                          echo '{"errorRate": '"$ERROR_RATE"'}'
                          exit 0
                        else
                          echo "❌ Error rate exceeds threshold - triggering rollback"
                          exit 1
                        fi
"""  # noqa: E501 - as it was printed


@pytest.fixture(name="findings", scope="module")
def _findings() -> tuple[Finding, ...]:
    return lint([Source(name="gate.yaml", text=TEMPLATE)], version=ArgoVersion.V1_9)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("GL704", """| grep -oE '[0-9.]+$' || echo "0")"""),
        ("GL708", """awk -v rate="$ERROR_RATE" """),
        ("GL710", "RESPONSE=$(curl -s --max-time 30"),
        ("GL701", "spec:"),
        ("GL702", "spec:"),
        ("GL703", "spec:"),
        ("GL412", 'successCondition: result == "healthy"'),
        ("GL412", "successCondition: result.errorRate < {{args.error-threshold}}"),
        ("GL714", "image: curlimages/curl:latest"),
        ("GL715", 'APP_NAME="{{args.app-name}}"'),
        ("GL709", 'APP_NAME="{{args.app-name}}"'),
    ],
)
def test_each_flaw_is_found_on_its_line(
    findings: tuple[Finding, ...], code: str, line: str
) -> None:
    """The finding points at the line that a person would point at."""
    lines = TEMPLATE.splitlines()
    marked = [lines[each.place.line - 1] for each in findings if each.code == code]
    assert any(line in text for text in marked), marked


def test_it_fails_open_and_would_not_even_start(findings: tuple[Finding, ...]) -> None:
    """The worst are errors: no data passes, and Kubernetes refuses the Job as printed."""
    errors = {each.code for each in findings if each.severity is Severity.ERROR}
    assert errors == {"GL701", "GL704", "GL710"}


def test_what_is_right_is_not_found(findings: tuple[Finding, ...]) -> None:
    """The health check looks at the status itself, so its curl needs no -f."""
    first = TEMPLATE.splitlines().index("    # METRIC 2: New Relic Error Rate")
    assert not [each for each in findings if each.code == "GL710" and each.place.line <= first]
