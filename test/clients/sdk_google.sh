#!/usr/bin/env bash
#
# sdk_google.sh
#	The official client of Google against the mock provider.

set -euo pipefail

export MOCK=$PWD/test/mock/bambi-mock
export FIXTURES=$PWD/test/fixtures/error-fixtures.json
cd "$PEERS"
exec node sdk_google.mjs
