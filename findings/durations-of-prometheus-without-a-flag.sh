#!/usr/bin/env bash
# Prometheus reads arithmetic in durations, `a[5m + 5m]`, even with all feature flags off.
#
# github.com/prometheus/prometheus v0.316.0 (Prometheus 3.16). Duration expressions and the modifiers
# `anchored` and `smoothed` were introduced behind flags (promql-duration-expr, promql-extended-range-selectors)
# that this version still accepts but ignores; names with dots and `fill` do need theirs.
# Seen on 2026-11-29 with the parser that promtool uses. A check of alerts that trusts the names of
# the flags rejects valid rules; specs/promql_grammar.py accepts them.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'MOD'
module durations

go 1.26.0

require github.com/prometheus/prometheus v0.316.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	for _, text := range []string{
		"rate(a[5m + 5m])", "a offset (2 * 5m)", "rate(a[step()])", "increase(a[5m] anchored)",
		"rate(a[5m] smoothed)", "a + fill(0) b",
	} {
		_, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		fmt.Printf("%s: %t\n", text, err == nil)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee seen
diff - seen <<'SEEN' && echo "Still so."
rate(a[5m + 5m]): true
a offset (2 * 5m): true
rate(a[step()]): true
increase(a[5m] anchored): true
rate(a[5m] smoothed): true
a + fill(0) b: false
SEEN
