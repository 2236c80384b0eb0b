#!/usr/bin/env bash
# On a full disk, an update of Pulumi leaves a lock that no later run can read.
#
# Pulumi 3.259.0 (Go module), file backend. Seen on 2026-11-30: an update writes its lock under a
# temporary name in the folder of the stack's locks, and renames it. If there is no room, the update
# ends with "no space left on device", and the temporary file stays, empty. Later runs read every
# file in that folder as a lock: once there is room again, each fails with "unexpected end of JSON
# input", which names neither a file nor a remedy. `pulumi cancel` removes it. `./sre fleet`
# recognises the error and names that command.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'MOD'
module log

go 1.26.0

tool github.com/pulumi/pulumi/pkg/v3/cmd/pulumi

require github.com/pulumi/pulumi/pkg/v3 v3.259.0
MOD
go mod tidy >/dev/null 2>&1
CGO_ENABLED=0 go build -o pulumi github.com/pulumi/pulumi/pkg/v3/cmd/pulumi
printf 'name: empty\nruntime: yaml\n' >Pulumi.yaml

export PULUMI_HOME=$folder/home PULUMI_SKIP_UPDATE_CHECK=true PULUMI_CONFIG_PASSPHRASE=example
export PULUMI_BACKEND_URL=file://$folder/small
# In a namespace of its own, any user may mount a small file system.
unshare --map-root-user --mount bash -euo pipefail <<'SH'
mkdir small
mount -t tmpfs -o size=256k tmpfs small
./pulumi stack init one --non-interactive >/dev/null 2>&1
head -c 1000000 /dev/zero >small/filler 2>/dev/null || true

./pulumi refresh --yes --stack one --non-interactive >first 2>&1 && code=0 || code=$?
echo "exit code $code with a full disk: $(grep -o 'no space left on device' first | head -n 1)"
find small/.pulumi/locks -type f -printf 'left: %f, %s bytes\n' | sed 's/[0-9a-f-]\{36\}.*tmp,/ID.tmp,/' | tee left
rm small/filler
./pulumi refresh --yes --stack one --non-interactive >second 2>&1 && code=0 || code=$?
echo "exit code $code with room: $(cat second)"
./pulumi cancel --yes --stack one --non-interactive >/dev/null 2>&1
./pulumi refresh --yes --stack one --non-interactive >third 2>&1 && code=0 || code=$?
echo "exit code $code after pulumi cancel"

grep -q 'no space left on device' first
[ "$(cat left)" = 'left: ID.tmp, 0 bytes' ]
grep -q 'unexpected end of JSON input' second
[ "$code" = 0 ]
SH
