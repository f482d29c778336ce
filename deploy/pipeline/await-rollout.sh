#!/usr/bin/env bash
# Wait until a Rollout has carried out what git says, and say how that ended.
#
#   await-rollout.sh NAMESPACE ROLLOUT TAG [WANTED_PHASE]
#
# WANTED_PHASE is Healthy (default), or Paused where a person promotes. What counts is a Rollout that
# has seen its own spec (observedGeneration) and runs TAG: the phase of the version before is none.
# Exit codes: 0 reached, 3 aborted (Degraded), 4 paused although nobody wanted that, 5 no answer in time.
set -euo pipefail

namespace=$1 rollout=$2 tag=$3 wanted=${4:-Healthy}
tries=${AWAIT_TRIES:-480}
interval=${AWAIT_INTERVAL:-5}
template='{.metadata.generation}|{.status.observedGeneration}|{.spec.template.spec.containers[0].image}|{.status.phase}|{.status.message}'

last=''
for ((try = 0; try < tries; try++)); do
  state=$(kubectl --namespace "$namespace" get rollout "$rollout" --output "jsonpath=$template") || state='||||'
  IFS='|' read -r generation observed image phase message <<<"$state"
  if [[ $state != "$last" ]]; then
    echo "$rollout: ${phase:-unknown} ${message}" >&2
    last=$state
  fi
  if [[ -n $generation && $generation == "$observed" && $image == *":$tag"* ]]; then
    case $phase in
      "$wanted") exit 0 ;;
      Degraded) exit 3 ;;
      # BlueGreenPause and CanaryPauseStep end by themselves or by promotion; an inconclusive
      # analysis needs a person.
      Paused) [[ $message != *Inconclusive* ]] || exit 4 ;;
    esac
  fi
  sleep "$interval"
done
echo "$rollout did not become $wanted in $tries looks, $interval s apart; last: ${last:-no answer}" >&2
exit 5
