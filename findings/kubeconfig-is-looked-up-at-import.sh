#!/usr/bin/env bash
# The Kubernetes project's Python client looks KUBECONFIG up once, when it is imported.
#
# kubernetes 36.0.3 (PyPI). Seen on 2026-11-29: `load_kube_config()` reads the file that the variable
# named at import, whatever it names later. A program that sets KUBECONFIG, or a test that changes
# it, still talks to the former cluster. clients/kubernetes.py passes the path itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check kubernetes==36.0.3
for name in first second; do
  cat >"$name" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$name.example.com"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
YAML
done
KUBECONFIG=$folder/first python/bin/python -c '
import os, sys
from kubernetes import client, config
os.environ["KUBECONFIG"] = sys.argv[1]
config.load_kube_config()
print(client.Configuration.get_default_copy().host)' "$folder/second" | tee seen
diff - seen <<'SEEN' && echo "Still so."
https://first.example.com
SEEN
