#!/usr/bin/env bash
# `cosign verify` passes an image that nobody has signed, if there is any attestation by the key.
#
# Cosign 3.1.3 (Go module github.com/sigstore/cosign/v3), its default format of 2026, no transparency
# log. Seen on 2026-11-29: a report of vulnerabilities, attested with the key that signs images, makes
# `cosign verify --key` succeed for an image without a signature. It also says that the claims were
# found in the transparency log, where there is none. In the older format, which
# docs/app-pipeline.md uses, such an image is refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${registry:-}" 2>/dev/null || true; chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'MOD'
module attestations

go 1.26.0

require (
	github.com/google/go-containerregistry v0.21.7
	github.com/sigstore/cosign/v3 v3.1.3
)
MOD
cat >main.go <<'GO'
// A registry in memory with two images; prints its address.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	server := httptest.NewServer(registry.New(quiet, registry.WithReferrersSupport(true)))
	for _, tag := range []string{"new", "old"} {
		image, err := random.Image(64, 1)
		if err != nil {
			log.Fatal(err)
		}
		place, err := name.ParseReference(server.Listener.Addr().String() + "/app:" + tag)
		if err != nil {
			log.Fatal(err)
		}
		if err := remote.Write(place, image); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(server.Listener.Addr())
	select {}
}
GO
export GOFLAGS=-mod=mod CGO_ENABLED=0
# Without debug information, in minutes.
go build -gcflags=all=-dwarf=false -o cosign github.com/sigstore/cosign/v3/cmd/cosign 2>log
go build -gcflags=all=-dwarf=false -o registry . 2>log
mkfifo address
./registry >address &
registry=$!
read -r host <address

export COSIGN_PASSWORD=example
./cosign generate-key-pair 2>log
echo '{"CRITICAL": 3}' >report.json

verify() { # verify WHEN TAG
  code=0
  ./cosign verify --insecure-ignore-tlog --key cosign.pub "$host/app:$2" >out 2>said || code=$?
  echo "$1: $code; $(grep -o 'no signatures found$' said | head -n 1)$(grep -o 'Existence.*' said || true)"
}

attest() { # attest TAG OPTION ...
  ./cosign attest --yes --key cosign.key --use-signing-config=false --tlog-upload=false \
    --type custom --predicate report.json "${@:2}" "$host/app:$1" 2>log
}

{
  verify 'as pushed' new
  attest new
  verify 'with a report, by default' new
  attest old --new-bundle-format=false
  verify 'with a report, in the older format' old
} | tee seen
diff - seen <<'SEEN' && echo "Still so."
as pushed: 10; no signatures found
with a report, by default: 0; Existence of the claims in the transparency log was verified offline
with a report, in the older format: 10; no signatures found
SEEN
