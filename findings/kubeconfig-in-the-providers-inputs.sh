#!/usr/bin/env bash
# Pulumi's Kubernetes SDK writes the text of KUBECONFIG into the provider's inputs, unasked.
#
# pulumi 3.272.0, pulumi-kubernetes 4.34.2. Seen on 2026-11-28: a provider that gets only a
# context registers `kubeconfig` with the variable's value on the machine that ran it. Inputs are
# part of the state, so the next machine, where the file is elsewhere, starts from the wrong path.
# An empty string prevents this: the provider plugin then reads KUBECONFIG by itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0 pulumi-kubernetes==4.34.2
cat >program.py <<'PYTHON'
import pulumi
from pulumi.runtime import Mocks, set_mocks

class Seen(Mocks):
    def call(self, args):
        return {}

    def new_resource(self, args):
        print(f"{args.name}: {args.inputs.get('kubeconfig')!r}")
        return args.name, args.inputs

set_mocks(Seen())

import pulumi_kubernetes

@pulumi.runtime.test
def program():
    pulumi_kubernetes.Provider("context alone", context="production")
    pulumi_kubernetes.Provider("empty kubeconfig", context="production", kubeconfig="")

program()
PYTHON
KUBECONFIG=/home/somebody/.kube/config python/bin/python program.py | sort | tee seen
diff - seen <<'SEEN' && echo "Still so."
context alone: '/home/somebody/.kube/config'
empty kubeconfig: ''
SEEN
