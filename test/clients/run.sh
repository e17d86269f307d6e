#!/usr/bin/env bash
#
# run.sh
#	Tries bambi against clients and servers that others wrote.
#
# Usage: run.sh [GROUP]...	(all groups without an argument)
#
# A group is a script NAME.sh beside this one that prints TAP.  It runs from
# the top of the tree, with what it starts on 127.0.0.1 only, and finds
#	$SCRATCH			a folder of its own
#	$PEERS				the folder with node_modules, as package-lock.json says,
#						and with the *.mjs of this folder
#	$CONTRACTS			documents of others that are not in this tree:
#						$BAMBI_SHARED/contracts, where BAMBI_SHARED is ../shared
#						unless it is set
#	$VECTORS			test vectors of others, likewise
#	node in its PATH	the version in package.json
# What a group has left running is ended with it.
#
# Ends with "N passed, N failed" and fails if anything failed; what cannot run
# counts as failed.

set -euo pipefail

self=$(readlink -f "$0")
top=${self%/test/clients/run.sh}
cd "$top"
. test/harness/report.sh
. test/harness/sizes.sh

export PEERS=$top/test/clients/build
shared=${BAMBI_SHARED:-$top/../shared}
export CONTRACTS=$shared/contracts
export VECTORS=$shared/vectors

# No script of a package runs: none is needed, and some report home.
install_peers() {
	mkdir -p "$PEERS"
	if ! cmp -s test/clients/package-lock.json "$PEERS/installed.json"
	then
		cp test/clients/package.json test/clients/package-lock.json "$PEERS"
		npm ci --prefix "$PEERS" --ignore-scripts --no-audit --no-fund \
			--loglevel=error
		cp test/clients/package-lock.json "$PEERS/installed.json"
	fi
	cp test/clients/*.mjs "$PEERS"
}

# Everything that the groups need.
group_build() {
	install_peers
	echo 'ok 1 - the peers are installed'
	make -j"$(nproc)" -C test/mock all
	make -j"$(nproc)" -C test/clients all
	echo 'ok 2 - the mock provider and the programs of this folder are built'
	echo '1..2'
}

# Seconds that a group may take.
limit_of() {
	case $1 in
		whole) seconds_for whole ;;
		*) echo 1200 ;;
	esac
}

if [ "${1:-}" = --group ]
then
	if [ "$2" = build ]
	then
		group_build
	else
		PATH=$(echo "$PEERS"/node_modules/node-linux-*/bin):$PATH
		exec "test/clients/$2.sh"
	fi
	exit
fi

if ! test/harness/packages.sh services
then
	echo '0 passed, 1 failed'
	exit 1
fi

if [ $# -gt 0 ]
then
	groups=(build "$@")
else
	mapfile -t groups < <(cd test/clients && echo build &&
		printf '%s\n' *.sh | grep -vx run.sh | sed 's/\.sh$//')
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/bambi-services.XXXXXX")
chmod 755 "$scratch"

# The group in a session of its own, so that its end is the end of all of it.
session=
end_session() {
	if [ -n "$session" ]
	then
		kill -KILL -- "-$session" 2>/dev/null || true
	fi
	session=
}

leave() {
	end_session
	if [ "$passed" -gt 0 ] && [ "$failed" = 0 ]
	then
		rm -rf "$scratch"
	fi
}
trap leave EXIT

for group in "${groups[@]}"
do
	log=$scratch/$group.log
	since=$SECONDS
	status=0
	mkdir "$scratch/$group"
	SCRATCH=$scratch/$group setsid timeout -k 10 "$(limit_of "$group")" \
		"$self" --group "$group" >"$log" 2>&1 </dev/null &
	session=$!
	wait "$session" || status=$?
	end_session
	report_group "$group" "$log" "$status" $((SECONDS - since))
	report_rest "$group" $((${#groups[@]} - 1)) || break
done
report_total "$scratch"
