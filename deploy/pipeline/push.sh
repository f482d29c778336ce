#!/usr/bin/env bash
# Push the commit of a deployment, also when another environment's was pushed in the meantime.
#
#   push.sh REMOTE [BRANCH]
#
# REMOTE is a URL or a configured name. Exit codes: 0 pushed, 3 somebody changed the same environment
# (look at what they did, then run the workflow again), 5 the remote does not answer.
set -euo pipefail

remote=$1 branch=${2:-main}

for ((try = 0; try < 5; try++)); do
  if git push --quiet "$remote" "HEAD:refs/heads/$branch"; then
    exit 0
  fi
  git fetch --quiet "$remote" "$branch" || exit 5
  if ! git rebase --quiet FETCH_HEAD; then
    git rebase --abort
    echo "the same environment was changed on $branch in the meantime; nothing was pushed" >&2
    exit 3
  fi
done
echo "$branch moved five times while this was pushed" >&2
exit 5
