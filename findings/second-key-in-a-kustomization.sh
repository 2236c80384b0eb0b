#!/usr/bin/env bash
# kustomize accepts a duplicate key, and only the last one counts.
#
# sigs.k8s.io/kustomize/kustomize/v5 v5.8.1. Seen on 2026-11-28: of two `patches` lists in one
# kustomization the first is dropped without an error or a warning, so a merge that leaves both
# loses a patch that someone relied on. A repeated key in a patched object is an error. An import
# therefore reads each kustomization itself before it builds it, and rejects one with a duplicate key.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'MOD'
module keys

go 1.26.0

require sigs.k8s.io/kustomize/kustomize/v5 v5.8.1

tool sigs.k8s.io/kustomize/kustomize/v5
MOD
go mod tidy >/dev/null 2>&1
go build -o kustomize sigs.k8s.io/kustomize/kustomize/v5

mkdir tree
cat >tree/quota.yaml <<'YAML'
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota}
spec: {hard: {pods: "20", services: "10"}}
YAML
cat >tree/kustomization.yaml <<'YAML'
resources: [quota.yaml]
patches:
  - patch: '{apiVersion: v1, kind: ResourceQuota, metadata: {name: quota}, spec: {hard: {pods: "5"}}}'
patches:
  - patch: '{apiVersion: v1, kind: ResourceQuota, metadata: {name: quota}, spec: {hard: {services: "1"}}}'
YAML

{
  ./kustomize build tree 2>warnings | grep -E 'pods|services'
  echo "exit ${PIPESTATUS[0]}, $(wc -c <warnings) bytes of warnings"
} | tee seen
diff -w - seen <<'SEEN' && echo "Still so."
    pods: "20"
    services: "1"
exit 0, 0 bytes of warnings
SEEN
