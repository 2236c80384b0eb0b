#!/bin/sh
set -eu
curl -fsS -X POST "$RESCAN_URL"
