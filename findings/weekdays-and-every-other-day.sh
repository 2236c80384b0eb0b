#!/usr/bin/env bash
# "*/2" for the day of month makes Kubernetes run a job on Mondays too, where cron requires both.
#
# github.com/robfig/cron/v3 v3.0.1, which the CronJob controller uses, against cronsim 2.7 (PyPI),
# which follows Debian's cron. Seen on 2026-11-29 with "0 3 */2 * 1": cron runs on a Monday that is
# an odd day of its month, 7 times in the first quarter of 2027; Kubernetes runs on every odd day and
# on every Monday, 52 times. With "*" or "*/1" both agree. specs/cron.py counts runs as the
# controller does.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check cronsim==2.7
cat >go.mod <<'MOD'
module weekdays

go 1.26.0

require github.com/robfig/cron/v3 v3.0.1
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	for _, schedule := range os.Args[1:] {
		parsed, err := cron.ParseStandard(schedule)
		if err != nil {
			panic(err)
		}
		runs, end := 0, time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
		for at := parsed.Next(time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)); at.Before(end); runs++ {
			at = parsed.Next(at)
		}
		fmt.Printf("%s: %d runs\n", schedule, runs)
	}
}
GO
go mod tidy >/dev/null 2>&1

schedules=('0 3 */2 * 1' '0 3 */1 * 1' '0 3 * * 1' '0 3 */2 * *')
go run . "${schedules[@]}" >kubernetes
python/bin/python - "${schedules[@]}" >cron <<'PY'
import sys
from datetime import datetime
from itertools import takewhile

from cronsim import CronSim

for schedule in sys.argv[1:]:
    times = CronSim(schedule, datetime(2026, 12, 31, 23, 59))
    runs = sum(1 for _ in takewhile(lambda at: at < datetime(2027, 4, 1), times))
    print(f"{schedule}: {runs} runs")
PY
paste -d '|' kubernetes cron | sed 's/: \(.*\)|.*: \(.*\)/: Kubernetes \1, cron \2/' | tee seen
diff - seen <<'SEEN' && echo "Still so."
0 3 */2 * 1: Kubernetes 52 runs, cron 7 runs
0 3 */1 * 1: Kubernetes 13 runs, cron 13 runs
0 3 * * 1: Kubernetes 13 runs, cron 13 runs
0 3 */2 * *: Kubernetes 46 runs, cron 46 runs
SEEN
