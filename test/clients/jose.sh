#!/usr/bin/env bash
#
# jose.sh
#	A JOSE library seals keys that open here, and opens what is sealed here.

set -euo pipefail

export SEAL=$PWD/test/clients/build/seal
export COURIER=$PWD/src/courier/bambi-courier
[ -x "$COURIER" ] || make -s -C src/courier
cd "$PEERS"
exec node jose.mjs
