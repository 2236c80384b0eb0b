#!/usr/bin/env bash
# With several files in KUBECONFIG, the Python client uses the last current context, kubectl the first.
#
# kubernetes 36.0.3 (PyPI) against k8s.io/client-go v0.36.1, which is kubectl's own reader. Seen on
# 2026-11-29 with two files, each with its own context. A tool that uses the Python client talks to
# a different cluster than kubectl in the same shell; clients/kubeconfig.py reads the context itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check kubernetes==36.0.3
cat >go.mod <<'MOD'
module contexts

go 1.26.0

require k8s.io/client-go v0.36.1
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		panic(err)
	}
	fmt.Println("client-go:", config.Host)
}
GO
go mod tidy >/dev/null 2>&1
go build -o reader .

for name in first second; do
  cat >"$name" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: $name, cluster: {server: "https://$name.example.com"}}]
contexts: [{name: $name, context: {cluster: $name, user: $name}}]
users: [{name: $name, user: {}}]
current-context: $name
YAML
done
export KUBECONFIG=$folder/first:$folder/second
{
  ./reader
  python/bin/python -c '
from kubernetes import client, config
config.load_kube_config()
print("Python client:", client.Configuration.get_default_copy().host)'
} | tee seen
diff - seen <<'SEEN' && echo "Still so."
client-go: https://first.example.com
Python client: https://second.example.com
SEEN
