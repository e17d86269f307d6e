#!/usr/bin/env bash
#
# prism.sh
#	What the adapters ask for is what the providers' own documents allow.

set -euo pipefail

export GOOGLE=$PWD/test/fixtures/openapi/google-images.openapi.json
requests=$PWD/test/clients/build/requests
cd "$PEERS"
exec node prism.mjs "$requests"
