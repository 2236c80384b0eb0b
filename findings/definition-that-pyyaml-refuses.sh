#!/usr/bin/env bash
# PyYAML cannot read a definition that the Prometheus Operator publishes.
#
# PyYAML 6.0.3 (PyPI) and example/prometheus-operator-crd of
# github.com/prometheus-operator/prometheus-operator v0.85.0. Seen on 2026-11-29: an unquoted = is a
# string to Kubernetes and in YAML 1.2, and the definition of AlertmanagerConfig lists one among the
# kinds of a match. PyYAML gives it a type of YAML 1.1 of its own, and has nothing that makes such a
# value. specs/readers.py reads it as the text that it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check PyYAML==6.0.3
export GOMODCACHE=$folder/modules
go mod download -json github.com/prometheus-operator/prometheus-operator@v0.85.0 >module
cat >read.py <<'PY'
import json
from pathlib import Path

import yaml

crds = Path(json.loads(Path("module").read_text())["Dir"], "example/prometheus-operator-crd")
for file in sorted(crds.glob("*.yaml")):
    try:
        yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        print(f"{file.stem.partition('_')[2]}: {error.problem}")
    else:
        print(f"{file.stem.partition('_')[2]}: read")
PY
python/bin/python read.py | tee seen
diff -w - seen <<'SEEN' && echo "Still so."
alertmanagerconfigs: could not determine a constructor for the tag 'tag:yaml.org,2002:value'
alertmanagers: read
podmonitors: read
probes: read
prometheusagents: read
prometheuses: read
prometheusrules: read
scrapeconfigs: read
servicemonitors: read
thanosrulers: read
SEEN
