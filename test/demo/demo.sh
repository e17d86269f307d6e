#!/usr/bin/env bash
#
# demo.sh
#	bambi from nothing to four pictures, in a private cluster that stays.
#
# The provider is the mock of test/mock: everything goes over real HTTP, and
# nothing leaves this machine.  A second run replaces the first.

set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/../.."
. test/harness/cluster.sh
. test/demo/place.sh

say() {
	printf '\n\033[1m%s\033[0m\n' "$*" | plain_unless_tty
}

plain_unless_tty() {
	if [ -t 1 ]
	then
		cat
	else
		sed 's/\x1b\[[0-9;]*m//g'
	fi
}

# Quiet if all is well.
quietly() {
	if ! "$@" >"$build_log" 2>&1
	then
		tail -n 40 "$build_log" >&2
		exit 1
	fi
}

# Both show the statement first.
operator() {
	printf 'bambi=# %s\n' "$1"
	psql -X -q -v ON_ERROR_STOP=1 -d bambi -c "$1"
}

user() {
	printf 'bambi=> %s\n' "$1"
	psql -X -q -v ON_ERROR_STOP=1 -d bambi -U demo -c "$1"
}

# One value, shown to nobody.
value() {
	psql -X -At -q -v ON_ERROR_STOP=1 -d bambi -U "$1" -c "$2"
}

# ---- what is needed

say 'Installing what is missing, and building'
test/harness/packages.sh demo
build_log=$(mktemp)
trap 'rm -f "$build_log"' EXIT
quietly make -j"$(nproc)" all
quietly make -j"$(nproc)" -C test/mock all
quietly as_root make install PG_CONFIG="$PG_CONFIG"
echo "bambi is in $("$PG_CONFIG" --pkglibdir), its courier in $(bindir)"

demo_place_is_ours
demo_stop

# ---- a cluster and a provider

say "Starting a private cluster and a mock provider in $demo"
mkdir -m 755 -p "$demo"
cluster_make "$demo" bambi "bambi.shutdown_grace = '1s'"
cluster_start "$demo"

mkdir -m 755 "$demo/mock"
if [ "$(id -u)" = 0 ]
then
	chown postgres: "$demo/mock"
fi
as_server install -m 755 /dev/stdin "$demo/mock/bambi-mock" <test/mock/bambi-mock
as_server sh -c 'cd "$0" && setsid ./bambi-mock --quiet --port-file port \
	--ledger ledger >log 2>&1 </dev/null & echo $! >"$0/pid"' "$demo/mock"
wait_until 10 test -s "$demo/mock/port"
mock=127.0.0.1:$(cat "$demo/mock/port")
# as a provider would, it takes its time
mock_control faults '[{"delay": 700, "rate": 0.4, "seed": 4},
	{"delay": 1500, "rate": 0.6}, {"delay": 2300}]'
echo "server on 127.0.0.1:$PGPORT, provider on http://$mock/v1"

say 'Installing bambi in a database'
createdb bambi
operator 'CREATE EXTENSION bambi CASCADE'
operator 'SELECT bambi_setup()'

say 'Letting the provider "openai" be the mock'
operator "UPDATE bambi.api_providers
            SET api_base_url = 'http://$mock/v1', allowed_networks = '{127.0.0.1/32}'
          WHERE slug = 'openai'"

# ---- a user

say 'Signing a user up, who may log in as "demo"'
operator "SELECT bambi_sign_up('demo@example.com', 'correct horse battery') AS user_id" |
	tee "$demo/user"
user_id=$(grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "$demo/user")
operator 'CREATE ROLE demo LOGIN IN ROLE bambi_user'
operator "ALTER ROLE demo SET bambi.user_id = '$user_id'"

# the public key comes from the courier
is_ready() {
	[ "$(value postgres 'SELECT count(*) FROM bambi.encryption_keys
		WHERE is_current')" = 1 ]
}
wait_until 30 is_ready || {
	echo 'the courier does not offer its key:' >&2
	tail -n 20 "$demo/log" >&2
	exit 1
}

say 'As that user: adding a key, and asking for four pictures'
user "SELECT bambi_add_key('openai', 'sk-demo-0123456789', 'my key') AS key_id"

ids=()
ask() {
	local sql="SELECT bambi_generate('$1', 'openai/$2', '{\"size\": \"$3\", \"quality\": \"$4\"}')"
	printf 'bambi=> %s\n' "$sql"
	ids+=("$(value demo "$sql")")
}
ask 'a fawn in the snow' gpt-image-2 1024x1024 low
ask 'a fawn asleep under a fern' gpt-image-2.5-flare 1536x1024 medium
ask 'two fawns at a brook, at dawn' gpt-image-2.5-sunburst 1024x1536 low
ask 'a fawn looking at its own reflection' gpt-image-2.6-flare 1024x1024 high

# ---- waiting

say 'Waiting for them'
begun=$(date +%s%N)
shown=-1
while :
do
	read -r done_now failed_now < <(value demo "
		SELECT count(*) FILTER (WHERE status = 'succeeded'),
		       count(*) FILTER (WHERE status IN ('failed', 'cancelled', 'uncertain', 'held'))
		  FROM bambi_generations" | tr '|' ' ')
	seconds=$(awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN { printf "%.1f", ns / 1e9 }')
	bar=$(printf '%*s' $((done_now * 6)) '' | tr ' ' '#')
	line=$(printf '[%-24s] %d of 4 pictures, %s s' "$bar" "$done_now" "$seconds")
	if [ -t 1 ]
	then
		printf '\r%s' "$line"
	elif [ "$done_now" != "$shown" ]
	then
		echo "$line"
	fi
	shown=$done_now
	if [ $((done_now + failed_now)) -ge 4 ]
	then
		break
	fi
	if [ "${seconds%.*}" -ge 60 ]
	then
		printf '\nthis takes too long; see %s\n' "$demo/log" >&2
		exit 1
	fi
	sleep 0.1
done
if [ -t 1 ]
then
	echo
fi

# ---- what came of it

say 'What that user sees'
psql -X -q -U demo -d bambi -P pager=off -c "
	SELECT g.status, m.model_id AS model, i.width || 'x' || i.height AS size,
	       g.cost, round(extract(epoch FROM g.finished_at - g.created_at), 1) AS seconds,
	       g.prompt
	  FROM bambi_generations g
	  JOIN bambi_models m ON m.id = g.model_id
	  LEFT JOIN bambi_images i ON i.generation_id = g.id
	 ORDER BY g.id"

mkdir -p "$demo/pictures"
number=0
for id in "${ids[@]}"
do
	number=$((number + 1))
	file=$demo/pictures/fawn-$number.png
	value demo "SELECT encode(bambi_image('$id', 1), 'base64')" |
		base64 -d >"$file"
	if [ "$(head -c 8 "$file" | od -An -tx1 | tr -d ' ')" != 89504e470d0a1a0a ]
	then
		echo "$file is no PNG" >&2
		exit 1
	fi
	echo "$file  ($(stat -c %s "$file") bytes)"
done

cat <<TEXT

The cluster keeps running.  As the operator (user "demo" is the one above):
psql -h $demo/socket -p $PGPORT -U postgres bambi
To stop it:
make demo-stop
TEXT
