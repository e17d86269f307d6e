#!/usr/bin/env bash
#
# sdk_openai.sh
#	The official client of OpenAI against the mock provider.

set -euo pipefail

export MOCK=$PWD/test/mock/bambi-mock
export FIXTURES=$PWD/test/fixtures/error-fixtures.json
cd "$PEERS"
exec node sdk_openai.mjs
