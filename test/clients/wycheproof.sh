#!/usr/bin/env bash
#
# wycheproof.sh
#	What opens keys judges the vectors of Wycheproof as their authors do.

set -euo pipefail

exec test/clients/build/wycheproof "$VECTORS"
