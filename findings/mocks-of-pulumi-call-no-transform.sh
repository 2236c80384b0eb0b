#!/usr/bin/env bash
# Pulumi's mocks accept transforms but never call them; they do call transformations.
#
# pulumi 3.272.0 (PyPI), pulumi.runtime.mocks. Seen on 2026-11-29: under mocks a stack transform
# that renames a tag leaves every resource unchanged, and nothing says so; the same change as a
# stack transformation, which transforms are to replace, is applied. A unit test of a transform
# passes or fails regardless of the transform. components/adoption.py, which our unit tests
# cover, uses a transformation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0
cat >program.py <<'PY'
import sys

import pulumi
from pulumi.runtime import mocks


class Mocks(mocks.Mocks):
    def new_resource(self, args):
        print(f"{sys.argv[1]}: tag {args.inputs['tag']!r}")
        return args.name, args.inputs

    def call(self, args):
        return {}


def changed(props):
    return {**props, "tag": "changed"}


mocks.set_mocks(Mocks())
@pulumi.runtime.test
def program():
    if sys.argv[1] == "transform":
        pulumi.runtime.register_resource_transform(
            lambda args: pulumi.ResourceTransformResult(changed(args.props), args.opts)
        )
    else:
        pulumi.runtime.register_stack_transformation(
            lambda args: pulumi.ResourceTransformationResult(changed(args.props), args.opts)
        )
    pulumi.CustomResource("a:index:Thing", "thing", {"tag": "as written"})


program()
PY
for kind in transform transformation; do
  python/bin/python program.py "$kind"
done | tee seen
diff - seen <<'SEEN' && echo "Still so."
transform: tag 'as written'
transformation: tag 'changed'
SEEN
