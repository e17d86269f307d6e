#!/usr/bin/env bash
#
# kms.sh
#	Master keys in an AWS KMS that others wrote, asked through a proxy that
#	checks every signature and goes wrong.
#
# moto's Decrypt knows symmetric keys only, so this is local-kms.  Prints TAP.
# SCRATCH is a folder of its own; PEERS outlives it, and there the server is
# built once (in half a minute).

set -euo pipefail
cd "$(dirname "$0")/../.."
. test/harness/cluster.sh
. test/clients/go.bash

version=v0.0.0-20260228092603-2a5e92d09ab6
kms=$PEERS/local-kms-${version##*-}/local-kms
export PROGRAM=$PWD/test/clients/build/keyservice

[ -x "$kms" ] ||
	GOBIN=${kms%/*} GOFLAGS='' "$(find_go)" install \
		"github.com/nsmithuk/local-kms@$version" >&2
make -s -C test/clients build/keyservice >&2
test/clients/certificates.pl "$SCRATCH"

KMS_PORT=$(free_port)
export KMS_PORT
PORT=$KMS_PORT KMS_REGION=eu-central-1 KMS_ACCOUNT_ID=111122223333 \
	KMS_DATA_PATH=$SCRATCH/kms KMS_SEED_PATH=$SCRATCH/none \
	"$kms" >"$SCRATCH/kms.log" 2>&1 &
kms_pid=$!
trap 'kill "$kms_pid" 2>/dev/null || true' EXIT
curl --silent --output /dev/null --retry 100 --retry-delay 0 \
	--retry-max-time 30 --retry-connrefused "http://127.0.0.1:$KMS_PORT/"

cd "$PEERS"
node kms.mjs
