#!/usr/bin/env bash
# Pulumi's Python SDK sends the engine debug messages for each resource, whether or not anyone
# wants them.
#
# pulumi 3.272.0 (PyPI), pulumi.log. Seen on 2026-11-30: each resource costs four messages of level
# debug. Each is a request to the engine, and the program waits for its answer. A program cannot
# know whether the engine runs with `--debug`, so it sends them in every run; without it the engine
# drops them. components/host.py leaves them out unless asked for them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0
cat >program.py <<'PY'
import logging
import sys

import pulumi
from pulumi.runtime import mocks


class Mocks(mocks.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs

    def call(self, args):
        return {}


class Counted(logging.Handler):
    requests = 0

    def emit(self, record):
        self.requests += record.levelno == logging.DEBUG


counted = Counted()
engine = logging.getLogger("engine")
engine.addHandler(counted)
engine.setLevel(logging.DEBUG)
mocks.set_mocks(Mocks(), logger=engine)


@pulumi.runtime.test
def program():
    for number in range(int(sys.argv[1])):
        pulumi.CustomResource("a:index:Thing", f"thing-{number}", {})


program()
print(f"{sys.argv[1]} resources: {counted.requests} debug messages")
PY
for resources in 0 1 10; do
  python/bin/python program.py "$resources"
done | tee seen
diff - seen <<'SEEN' && echo "Still so."
0 resources: 11 debug messages
1 resources: 15 debug messages
10 resources: 51 debug messages
SEEN
