#!/usr/bin/env bash
#
# chromium.sh
#	A browser seals a key with the lines of docs/security.md; the server never
#	sees it, and the provider gets it.
#
# Installs bambi, and runs it in a cluster of its own that logs all it can.

set -euo pipefail
. test/harness/cluster.sh

export MOCK=$PWD/test/mock/bambi-mock
export FIXTURES=$PWD/test/fixtures/error-fixtures.json
export SECURITY=$PWD/docs/security.md
export CLUSTER=$SCRATCH/cluster

make -s -j"$(nproc)" all >&2
as_root make -s install PG_CONFIG="$PG_CONFIG" >&2

trap 'cluster_stop "$CLUSTER"' EXIT
cluster_make "$CLUSTER" bambi "bambi.shutdown_grace = '1s'" \
	"log_statement = all" "log_min_duration_statement = 0" \
	"log_parameter_max_length = -1" "log_parameter_max_length_on_error = -1"
cluster_start "$CLUSTER"
createdb bambi
export PGDATABASE=bambi
cd "$PEERS"
node chromium.mjs
