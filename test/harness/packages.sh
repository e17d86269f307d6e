#!/usr/bin/env bash
#
# packages.sh
#	Installs, from Debian, what is missing for building, the demo and the tests.
#
# Usage: packages.sh demo|fuzz|check|memory|services
#
# Asks dpkg first and leaves at once if nothing is missing.  Uses sudo unless
# it is root.  A server package that is installed here makes no cluster of its
# own, and none that exists is touched.

set -euo pipefail

# package, who needs it (demo needs less than fuzz, fuzz less than check, check
# less than memory and less than services), why
packages() {
	cat <<'TABLE'
gcc                     demo   the compiler
libc6-dev               demo   headers of the C library
pkg-config              demo   finds the libraries below
postgresql-15           demo   the server, and pgcrypto for password hashes
postgresql-server-dev-15 demo  headers, PGXS and pg_regress
postgresql-15-cron      demo   pg_cron, which runs schedules
libcurl4-openssl-dev    demo   libcurl: the courier's HTTP
ca-certificates         demo   the authorities by which providers are checked
libssl-dev              demo   libcrypto: sealing and opening keys, hashes
libjansson-dev          demo   libjansson: JSON in the courier
libhiredis-dev          demo   libhiredis: the protocol of Redis in the courier
libzstd-dev             demo   libzstd: compresses what the courier archives
libcairo2-dev           demo   cairo: draws the pictures of the provider "sandbox"
libpng-dev              demo   PNG pictures of the mock provider
libjpeg62-turbo-dev     demo   JPEG pictures of the mock provider
libwebp-dev             demo   WebP pictures of the mock provider
zlib1g-dev              demo   the mock provider's answer that inflates to a gibibyte
clang                   fuzz   fuzzing, and the second compiler that must not warn
libclang-rt-14-dev      fuzz   libFuzzer and the sanitizers of clang
libpq-dev               check  libpq: the client of the benchmark
pg-bsd-indent           check  PostgreSQL's layout of C
openssl                 check  a sealed key that nothing of bambi sealed
libipc-run-perl         check  PostgreSQL's TAP tests run programs with it
postgresql-15-pgtap     check  pgTAP, for tests in SQL
postgresql-15-pgaudit   check  pgaudit, which logs statements by itself
zstd                    check  unpacks what was archived, without bambi
redis-tools             check  Redis itself, which redis-check-rdb is by another name
valgrind                memory  finds what the unit tests and the courier read unset
chromium                services  a browser, which seals a key
npm                     services  installs the clients and servers of test/clients
python3-venv            services  installs those that are Python's
TABLE
}

missing() {
	local package group reason
	while read -r package group reason
	do
		case "$1 $group" in
			'demo fuzz' | 'demo check' | 'fuzz check' | \
				'demo memory' | 'fuzz memory' | 'check memory' | \
				'demo services' | 'fuzz services' | 'check services' | \
				'memory services' | 'services memory')
				continue
				;;
		esac
		# one that comes with another Node.js than Debian's is as good
		if [ "$package" = npm ] && command -v npm >/dev/null
		then
			continue
		fi
		dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed || echo "$package"
	done < <(packages)
}

as_root() {
	if [ "$(id -u)" = 0 ]
	then
		"$@"
	else
		sudo "$@"
	fi
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
		-o Dpkg::Use-Pty=0 "$@"
}

install_packages() {
	if ! apt install -y --no-install-recommends "$@" </dev/null >"$log" 2>&1
	then
		tail -n 20 "$log" >&2
		exit 1
	fi
}

# The package postgresql-15 makes and starts a cluster when it is new, unless
# this stands there.
no_cluster=/etc/postgresql-common/createcluster.d/bambi-install.conf

forbid_cluster() {
	as_root mkdir -p "${no_cluster%/*}"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
}

allow_cluster() {
	as_root rm -f "$no_cluster"
	as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"
}

group=${1:-check}
mapfile -t wanted < <(missing "$group")
if [ ${#wanted[@]} -eq 0 ]
then
	exit 0
fi

echo "installing from Debian: ${wanted[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! apt-get -qq --simulate install "${wanted[@]}" >/dev/null 2>&1
then
	apt update
fi
if [[ " ${wanted[*]} " == *" postgresql-15 "* ]]
then
	install_packages postgresql-common
	forbid_cluster
	trap 'rm -f "$log"; allow_cluster' EXIT
	install_packages "${wanted[@]}"
else
	install_packages "${wanted[@]}"
fi

mapfile -t wanted < <(missing "$group")
if [ ${#wanted[@]} -gt 0 ]
then
	echo "could not be installed: ${wanted[*]}" >&2
	exit 1
fi
