#!/usr/bin/env bash
# The Kubernetes project's Python client accepts quantities that the API server rejects.
#
# kubernetes 36.0.3 (PyPI), `kubernetes.utils.quantity.parse_quantity`, against the parser of the
# API server, k8s.io/apimachinery v0.36.1. Seen on 2026-11-28: "1K", "1 Gi", "1_000", "1e3Ki" and
# even "NaN" are amounts to the first and errors to the second. A tool that checks resources with
# the client passes what the server then refuses, so specs/quantity.py has its own grammar.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check kubernetes==36.0.3
cat >go.mod <<'MOD'
module quantities

go 1.26.0

require k8s.io/apimachinery v0.36.1
MOD
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/api/resource"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		_, err := resource.ParseQuantity(lines.Text())
		fmt.Println(err == nil)
	}
}
GO
go mod tidy >/dev/null 2>&1
go build -o server-side .

printf '%s\n' '1K' '1 Gi' '1_000' '1e3Ki' 'NaN' '1Ki' '1500m' >amounts
./server-side <amounts >server
python/bin/python -c '
import sys
from kubernetes.utils.quantity import parse_quantity
for line in sys.stdin:
    try:
        parse_quantity(line.rstrip("\n"))
        print("true")
    except ValueError:
        print("false")' <amounts >client

paste -d '|' amounts client server | sed 's/|/: client /; s/|/, server /' | tee seen
diff - seen <<'SEEN' && echo "Still so."
1K: client true, server false
1 Gi: client true, server false
1_000: client true, server false
1e3Ki: client true, server false
NaN: client true, server false
1Ki: client true, server true
1500m: client true, server true
SEEN
