#!/usr/bin/env bash
# RE2 accepts regular expressions that Go's regexp package, which follows RE2, rejects.
#
# google-re2 1.1.20251105 (PyPI) against the regexp package of Go 1.26. Both state the same syntax.
# Seen on 2026-11-29: `\C` (a byte) and non-ASCII group names are valid in RE2 and errors in
# Go. Prometheus parses matchers in alerts with a fork of Go's, so specs/promql_grammar.py, which asks
# RE2, refuses these itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check google-re2==1.1.20251105
cat >go.mod <<'MOD'
module expressions

go 1.26.0
MOD
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		_, err := regexp.Compile(lines.Text())
		fmt.Println(err == nil)
	}
}
GO
go build -o go-regexp .

printf '%s\n' 'a\C' '(?P<größe>a)' '(?P<size>a)' 'a{1000}' 'a{1001}' '(?x)a' '\pL' >expressions
./go-regexp <expressions >go
python/bin/python -c '
import sys
import re2
options = re2.Options()
options.log_errors = False
for line in sys.stdin:
    try:
        re2.compile(line.rstrip("\n"), options)
        print("true")
    except re2.error:
        print("false")' <expressions >re2

paste -d '|' expressions re2 go | sed 's/|/: RE2 /; s/|/, Go /' | tee seen
diff - seen <<'SEEN' && echo "Still so."
a\C: RE2 true, Go false
(?P<größe>a): RE2 true, Go false
(?P<size>a): RE2 true, Go true
a{1000}: RE2 true, Go true
a{1001}: RE2 false, Go false
(?x)a: RE2 false, Go false
\pL: RE2 true, Go true
SEEN
