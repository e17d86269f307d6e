#!/usr/bin/env bash
#
# sdk_ai.sh
#	The AI SDK against the mock provider.

set -euo pipefail

export MOCK=$PWD/test/mock/bambi-mock
export FIXTURES=$PWD/test/fixtures/error-fixtures.json
cd "$PEERS"
exec node sdk_ai.mjs
