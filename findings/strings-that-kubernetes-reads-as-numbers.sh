#!/usr/bin/env bash
# What a YAML library writes as a plain string, Kubernetes reads as a number.
#
# PyYAML 6.0.3 quotes a string only if its own reading of YAML 1.1 would see something else in it.
# sigs.k8s.io/yaml v1.6.0, with which kubectl reads manifests, reads more strings as
# numbers. Seen on 2026-11-28: the strings below are written bare and come back as float64, so an
# environment variable of "-.5" is refused by the API server ("cannot unmarshal number into Go
# struct field EnvVar.value of type string"). We quote every string that any of the readers
# would read as something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check PyYAML==6.0.3
cat >go.mod <<'MOD'
module numbers

go 1.26.0

require sigs.k8s.io/yaml v1.6.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var values []any
	if err := yaml.Unmarshal(text, &values); err != nil {
		panic(err)
	}
	for _, value := range values {
		fmt.Printf("%T %v\n", value, value)
	}
}
GO
go mod tidy >/dev/null 2>&1

printf '%s\n' -.5 08 0o7 1e3 -_5 plain >strings
python/bin/python -c '
import sys, yaml
strings = [line.rstrip("\n") for line in sys.stdin]
text = yaml.safe_dump(strings)
assert yaml.safe_load(text) == strings  # its own reader gets them back
print(text, end="")' <strings >written
go run . <written >read

paste -d '|' written read | sed 's/^- //; s/|/ -> /' | tee seen
diff - seen <<'SEEN' && echo "Still so."
-.5 -> float64 -0.5
08 -> float64 8
0o7 -> float64 7
1e3 -> float64 1000
-_5 -> float64 -5
plain -> string plain
SEEN
