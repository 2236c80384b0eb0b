#!/usr/bin/env bash
# Without an exact version, pip installs Grafana's SDK for the oldest Grafana that it was made for.
#
# grafana-foundation-sdk (PyPI). Seen on 2026-11-29: releases named after a version of Grafana have an
# epoch before it (PEP 440), the time of their release in seconds, and an epoch comes before all
# else. Each round of releases began with the newest Grafana and ended with the oldest, so the
# greatest version of all is the one for Grafana 10.1. What came later has no epoch: 0.0.21 is less,
# and a requirement such as >=0.0.20 does not get it. requirements.txt names the exact version, and
# updates of it are not proposed by a robot.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
chosen() { # chosen REQUIREMENT
  python/bin/pip install --quiet --disable-pip-version-check --dry-run --no-deps --report report \
    "grafana-foundation-sdk$1"
  python/bin/python -c '
import json
(one,) = json.load(open("report"))["install"]
print(one["metadata"]["version"])'
}

{
  echo ">=0.0.20: $(chosen '>=0.0.20')"
  echo ">=11: $(chosen '>=11')"
  echo "==0.0.21: $(chosen '==0.0.21')"
} | tee seen
diff -w - seen <<'SEEN' && echo "Still so."
>=0.0.20: 1769699998!10.1.0
>=11: 1769699998!10.1.0
==0.0.21: v0.0.21
SEEN
