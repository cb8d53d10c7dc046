#!/bin/sh
# Request every page of a running instance: tests/support/smoke.sh http://127.0.0.1:8089
set -eu
base=${1:?usage: tests/support/smoke.sh BASE_URL}
failed=0
while read -r path; do
    if curl --fail --silent --show-error --max-time 20 --output /dev/null "$base$path"; then
        echo "ok      $path"
    else
        echo "FAILED  $path"
        failed=1
    fi
done <<PATHS
/
/api/config
/api/runs
/api/runs.csv
/api/runs.ndjson
/api/filters
/api/wall
/api/health
/ci_observer
/ci_observer/runs.csv?_stream=1
/ci_observer.json?sql=select+count(*)+from+runs
/-/dashboards/ci-observer
PATHS
exit "$failed"
