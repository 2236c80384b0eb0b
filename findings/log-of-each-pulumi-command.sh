#!/usr/bin/env bash
# Every command of Pulumi's CLI writes a verbose log of everything it does; no option disables that.
#
# github.com/pulumi/pulumi/pkg/v3 v3.259.0, built from the Go module proxy. Seen on 2026-11-29: even
# `pulumi version` leaves a file in PULUMI_HOME/logs, although no option asked for one; profiled, an
# `up` of 110 unchanged resources spends a third of its CPU time there. If `logs` is not a
# folder, the command continues without a log: sandbox/checkout.py makes it an empty file.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'MOD'
module log

go 1.26.0

tool github.com/pulumi/pulumi/pkg/v3/cmd/pulumi

require github.com/pulumi/pulumi/pkg/v3 v3.259.0
MOD
go mod tidy >/dev/null 2>&1
CGO_ENABLED=0 go build -o pulumi github.com/pulumi/pulumi/pkg/v3/cmd/pulumi

export PULUMI_SKIP_UPDATE_CHECK=true
mkdir usual other
touch other/logs
{
  PULUMI_HOME=$folder/usual ./pulumi version >/dev/null
  echo "usual: $(find usual/logs -name '*-version.log' | wc -l) log"
  PULUMI_HOME=$folder/other ./pulumi version >/dev/null
  echo "logs is a file: exit code $?, $(wc -c <other/logs) bytes"
} | tee seen
diff - seen <<'SEEN' && echo "Still so."
usual: 1 log
logs is a file: exit code 0, 0 bytes
SEEN
