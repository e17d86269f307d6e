#!/usr/bin/env bash
#
# redis.sh
#	The gateway of docs/caching.md, with Redis, its client for Node.js, and the
#	ACL users that the page names.
#
# Installs bambi, and runs it in a cluster of its own.

set -euo pipefail
. test/harness/cluster.sh

export CACHING=$PWD/docs/caching.md
export CLUSTER=$SCRATCH/cluster
export REDIS=$SCRATCH/redis

as_root() {
	if [ "$(id -u)" = 0 ]
	then
		"$@"
	else
		sudo "$@"
	fi
}

make -s -j"$(nproc)" all >&2
as_root make -s install PG_CONFIG="$PG_CONFIG" >&2

# the server of the package redis-tools, by its other name
mkdir "$REDIS"
ln -s "$(command -v redis-check-rdb)" "$REDIS/redis-server"
REDIS_PORT=$(free_port)
export REDIS_PORT

trap 'cluster_stop "$CLUSTER"' EXIT
cluster_make "$CLUSTER" bambi "bambi.shutdown_grace = '1s'"
cluster_start "$CLUSTER"
createdb bambi
export PGDATABASE=bambi
as_root install -m 600 -o "$(stat -c %U "$CLUSTER/data")" /dev/stdin \
	"$CLUSTER/redis-password" <<<'PASSWORD'
cd "$PEERS"
node redis.mjs
