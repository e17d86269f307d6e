#!/usr/bin/env bash
#
# bench.sh
#	What bambi does against what the machine can do, in a private cluster.
#
# Usage: bench.sh [throughput] [latency] [enqueue]	(all three without)
# ROUNDS=5, SECONDS_EACH=4 and GENERATIONS=20000 may be set.
#
# Only ratios of things that were measured in turn count: figures of one
# machine swing two- or threefold.  A round whose bound was measured twofold
# apart before and after it is void.  The mock provider has core 1, the raw
# client core 0; server, worker and courier run where they like.

set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/../.."
. test/harness/cluster.sh

rounds=${ROUNDS:-5}
seconds_each=${SECONDS_EACH:-4}
generations=${GENERATIONS:-20000}
users=8
batch=50
parts=("$@")
if [ $# = 0 ]
then
	parts=(throughput latency enqueue)
fi

model='openai/gpt-image-2.6-flare'
parameters='{"size": "1024x1024", "quality": "low"}'
prompt='a fawn in the snow, in the morning light'
generate="SELECT bambi_generate('$prompt', '$model', '$parameters')"

say() {
	printf '\n%s\n' "$*"
}

value() {
	psql -X -At -q -v ON_ERROR_STOP=1 -c "$1"
}

as_root() {
	if [ "$(id -u)" = 0 ]
	then
		"$@"
	else
		sudo "$@"
	fi
}

# ---- numbers

# percentile P FILE: of the first column
percentile() {
	sort -n "$2" | awk -v p="$1" '{ v[NR] = $1 } END {
		i = int(NR * p / 100 + 0.999999); if (i < 1) i = 1
		print NR ? v[i] : "nan" }'
}

median() {
	printf '%s\n' "$@" >"$scratch/numbers"
	percentile 50 "$scratch/numbers"
}

calc() {
	awk "BEGIN { printf \"${2:-%.2f}\", $1 }"
}

is_true() {
	awk "BEGIN { exit !($1) }"
}

# field NAME LINE: of "name=value name=value"
field() {
	tr ' ' '\n' <<<"$2" | sed -n "s/^$1=//p"
}

# ---- the table that is printed at the end

results=()
result() {
	results+=("$(printf '%-46s | %9s | %9s | %9s | %s' "$1" "$2" "$3" "$4" "$5")")
}

# against MEASURED FLOOR: a word for the table
at_least() {
	if is_true "$1 >= $2"; then echo 'reached'; else echo 'BELOW THE FLOOR'; fi
}

at_most() {
	if is_true "$1 <= $2"; then echo 'reached'; else echo 'ABOVE THE LIMIT'; fi
}

# ---- set-up

mock() {
	perl -MHTTP::Tiny -e '
		my $http = HTTP::Tiny->new(timeout => 60);
		my ($method, $url) = @ARGV;
		my $answer = $http->request($method, $url);
		die "mock: $answer->{status}\n" unless $answer->{success};
		print $answer->{content}' "$1" "$mock_url/_mock/$2"
}

start_mock() {
	mkfifo "$scratch/mock.in"
	taskset -c 1 test/mock/bambi-mock --quiet --until-eof \
		--picture-bytes 1024 --port-file "$scratch/mock.port" \
		--ledger "$scratch/ledger" <"$scratch/mock.in" &
	exec 9>"$scratch/mock.in"	# its life ends with ours
	wait_until 10 test -s "$scratch/mock.port"
	mock_url=http://127.0.0.1:$(cat "$scratch/mock.port")
}

has_sealing_key() {
	[ "$(value 'SELECT count(*) FROM bambi.encryption_keys
		WHERE is_current')" = 1 ]
}

set_up() {
	cluster_make "$scratch/cluster" bench 'shared_buffers = 512MB' \
		'max_wal_size = 8GB' 'checkpoint_timeout = 1h' 'max_connections = 60'
	cluster_start "$scratch/cluster" 9>&-
	createdb bench
	export PGDATABASE=bench
	value 'CREATE EXTENSION bambi CASCADE'
	value 'SELECT bambi_setup()' >/dev/null
	value "UPDATE bambi.api_providers
		SET api_base_url = '$mock_url/v1', allowed_networks = '{127.0.0.1/32}'
		WHERE slug = 'openai'"
	value 'UPDATE bambi.plans SET generations_per_period = NULL,
		generations_per_minute = NULL, max_in_flight = NULL'
	value 'CREATE TABLE public.bench_commit (n integer)'
	wait_until 60 has_sealing_key

	local i id
	for i in $(seq $users)
	do
		id=$(value "SELECT bambi_sign_up('bench$i@example.com',
			'correct horse battery')")
		value "CREATE ROLE bench$i LOGIN IN ROLE bambi_user"
		value "ALTER ROLE bench$i SET bambi.user_id = '$id'"
		PGUSER=bench$i value "SELECT bambi_add_key('openai',
			'sk-bench-000000000000000$i', 'bench')" >/dev/null
	done
}

leave() {
	exec 9>&-
	cluster_stop "$scratch/cluster" || true
	wait || true
	if [ "${finished:-no}" = yes ]
	then
		rm -rf "$scratch"
	else
		echo "what was measured is in $scratch" >&2
	fi
}

# ---- processes

worker_pid() {
	value "SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'bambi worker' AND datname = 'bench'"
}

courier_pids() {
	local pid
	for pid in /proc/[0-9]*
	do
		if grep -qsz '^bambi-courier: bench' "$pid/cmdline" &&
			[ "$(awk '/^PPid/ { print $2 }' "$pid/status")" != 0 ]
		then
			echo "${pid#/proc/}"
		fi
	done
}

# cpu_us PID...: microseconds so far, all threads
cpu_us() {
	local pid task total=0 ns
	for pid in "$@"
	do
		for task in /proc/"$pid"/task/*/schedstat
		do
			read -r ns _ <"$task" && total=$((total + ns / 1000))
		done
	done
	echo $total
}

# on_all_users DIR SCRIPT OPTION...: a pgbench for each user; prints tps in all
on_all_users() {
	local dir=$1 file=$2 i pids=()
	shift 2
	mkdir -p "$dir"
	for i in $(seq $users)
	do
		PGUSER=${as_user:-bench$i} pgbench -n -c 1 "$@" -f "${file//%/$i}" \
			>"$dir/$i.out" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"
	do
		wait "$i" || { cat "$dir"/*.out >&2; return 1; }
	done
	sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$dir"/*.out |
		awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# ---- 1: durable generations per second

raw_round() {
	mock POST reset >/dev/null
	taskset -c 0 test/bench/raw --url "$mock_url/v1/images/generations" \
		--in-flight 256 --total $((generations * 2))
}

enqueue_bulk() {
	echo "SELECT count(bambi_generate('$prompt', '$model', '$parameters'))
		FROM generate_series(1, $batch)" | tr '\n' ' ' >"$scratch/bulk.sql"
	on_all_users "$scratch/bulk" "$scratch/bulk.sql" \
		-t $((generations / batch / users)) >/dev/null
}

throughput() {
	local round raw_before raw_after line bound seconds rate ratio
	local worker couriers worker_cpu courier_cpu cpu ratios=() rates=() bounds=() cpus=()
	local count=$((generations / batch / users * batch * users))

	say "Durable generations per second, 1 KB pictures, $count a round"
	line=$(raw_round)
	raw_before=$(field rate "$line")
	for round in $(seq "$rounds")
	do
		value 'SELECT bambi_pause()' >/dev/null
		enqueue_bulk
		mock POST reset >/dev/null
		value 'CHECKPOINT'
		worker=$(worker_pid)
		couriers=$(courier_pids)
		worker_cpu=$(cpu_us $worker)
		courier_cpu=$(cpu_us $couriers)
		seconds=$(test/bench/client drain \
			--init 'SET enable_seqscan = off; SET enable_sort = off' \
			--sql 'SELECT bambi_resume()' \
			--until 'SELECT (SELECT turn FROM bambi_internal.queue
				ORDER BY turn DESC LIMIT 1) IS NULL')
		worker_cpu=$(calc "($(cpu_us $worker) - $worker_cpu) / $count" %.0f)
		courier_cpu=$(calc "($(cpu_us $couriers) - $courier_cpu) / $count" %.0f)
		cpu=$((worker_cpu + courier_cpu))
		line=$(raw_round)
		raw_after=$(field rate "$line")

		rate=$(calc "$count / $seconds" %.0f)
		bound=$(calc "($raw_before + $raw_after) / 2" %.0f)
		ratio=$(calc "100 * $rate / $bound" %.1f)
		printf 'round %d: %6s/s, worker %s + courier %s us CPU; raw %6s and %6s/s, %s us; %5s %%' \
			"$round" "$rate" "$worker_cpu" "$courier_cpu" "$raw_before" "$raw_after" \
			"$(field cpu_us "$line")" "$ratio"
		if is_true "$raw_before > 2 * $raw_after || $raw_after > 2 * $raw_before"
		then
			echo '  VOID'
		else
			echo
			ratios+=("$ratio")
			rates+=("$rate")
			bounds+=("$bound")
			cpus+=("$cpu")
		fi
		raw_before=$raw_after
	done

	local bad
	bad=$(value "SELECT count(*) FROM bambi.image_generations
		WHERE status <> 'succeeded'")
	if [ "$bad" != 0 ]
	then
		echo "$bad generations did not succeed" >&2
		value "SELECT status, error_code, error_message, count(*)
			FROM bambi.image_generations GROUP BY 1, 2, 3" >&2
		return 1
	fi
	if [ ${#ratios[@]} = 0 ]
	then
		result '1 generations/s against raw libcurl' 'void' '>= 25 %' '40 %' ''
		return
	fi
	ratio=$(median "${ratios[@]}")
	result '1 generations/s against raw libcurl' "$ratio %" '>= 25 %' '40 %' \
		"$(at_least "$ratio" 25); $(median "${rates[@]}") of \
$(median "${bounds[@]}")/s, $(median "${cpus[@]}") us CPU"
}

# ---- 2: from commit to the wire

# Milliseconds from the acknowledged commit to the provider's first byte.
wire_times() {
	local acknowledged=$1 count=$2
	wait_until 60 has_lines "$count"
	awk -v wanted="$count" '
		FNR == NR { stamp[$3] = $1; next }
		match($0, /"arrived":[0-9]+/) {
			arrived = substr($0, RSTART + 10, RLENGTH - 10)
			match($0, /"generation":"[^"]*"/)
			id = substr($0, RSTART + 14, RLENGTH - 15)
			if (id in stamp)
				printf "%.3f\n", (arrived - stamp[id]) / 1000
		}' "$acknowledged" "$scratch/ledger"
}

has_lines() {
	[ "$(wc -l <"$scratch/ledger")" -ge "$1" ]
}

# Milliseconds of a commit at a pace: a disk and a processor that rest between
# two of them take longer.
commit_time() {
	test/bench/client pace --count 60 --every-us "$1" \
		--sql 'INSERT INTO public.bench_commit VALUES (1)' |
		awk '{ print $2 / 1000 }' >"$scratch/commits"
	percentile 50 "$scratch/commits"
}

# condition NAME EVERY_US COUNT [SLOW]
condition() {
	local name=$1 every=$2 count=$3 slow=${4:-} extra=0
	local before after commit p50 p99 limit
	before=$(commit_time "$every")
	mock POST reset >/dev/null
	if [ -n "$slow" ]
	then
		PGUSER=bench2 value "SELECT bambi_generate(
			'[[mock delay=5000]] a slow fawn', '$model',
			'$parameters')" >/dev/null
		wait_until 10 has_lines 1
		extra=1
	fi
	PGUSER=bench1 test/bench/client pace --count "$count" \
		--every-us "$every" --sql "$generate" >"$scratch/acknowledged"
	wire_times "$scratch/acknowledged" $((count + extra)) >"$scratch/wire"
	p50=$(percentile 50 "$scratch/wire")
	p99=$(percentile 99 "$scratch/wire")
	wait_until 60 is_settled
	after=$(commit_time "$every")
	commit=$(calc "($before + $after) / 2" %.3f)
	limit=$(calc "$commit + 0.3")
	printf '%-24s p50 %6s ms, p99 %6s ms; a commit %6s and %6s ms' \
		"$name" "$p50" "$p99" "$before" "$after"
	if is_true "$before > 2 * $after || $after > 2 * $before"
	then
		echo '  VOID'
		result "2 commit to wire, $name" 'void' '' '' \
			'the disk was not the same before and after'
		return
	fi
	echo
	result "2 commit to wire, $name: p50" "$p50 ms" "<= $limit" '' \
		"$(at_most "$p50" "$limit"); one commit $commit ms"
	result "2 commit to wire, $name: p99" "$p99 ms" '<= 10' '' \
		"$(at_most "$p99" 10)"
}

is_settled() {
	[ "$(value 'SELECT count(*) FROM bambi_internal.queue')" = 0 ]
}

latency() {
	say 'From the acknowledged commit to the first byte at the provider'
	value 'SELECT bambi_resume()' >/dev/null
	wait_until 120 is_settled
	condition 'idle' 150000 120
	condition '20/s' 50000 300
	condition '200/s' 5000 2000
	condition '50/s behind a 5 s call' 20000 200 slow
}

# ---- 5: enqueue

insert_scripts() {
	local i
	for i in $(seq $users)
	do
		value "SELECT format('INSERT INTO bambi.image_generations
				(user_id, configuration_id, model_id, prompt, parameters,
				 cost_estimate, quota_period)
				VALUES (%L, %L, %L, %L, %L, 0.006, %L)',
				u.id, c.id, m.id, '$prompt', '$parameters', u.reset_date)
			FROM bambi.users u
			JOIN bambi.api_configurations c ON c.user_id = u.id
			JOIN bambi.models m ON m.model_id = '${model#*/}'
			WHERE u.email = 'bench$i@example.com'" |
			tr '\n' ' ' >"$scratch/insert$i.sql"
	done
}

enqueue() {
	local round before after tps bound ratio ratios=() rates=() bounds=()

	say "Enqueue by $users clients, each its own user, against a bare INSERT"
	value 'SELECT bambi_pause()' >/dev/null
	insert_scripts
	echo "$generate" >"$scratch/generate.sql"
	before=$(as_user=postgres on_all_users "$scratch/insert" \
		"$scratch/insert%.sql" -M prepared -T "$seconds_each")
	for round in $(seq "$rounds")
	do
		tps=$(on_all_users "$scratch/generate" "$scratch/generate.sql" \
			-M prepared -T "$seconds_each")
		after=$(as_user=postgres on_all_users "$scratch/insert" \
			"$scratch/insert%.sql" -M prepared -T "$seconds_each")
		bound=$(calc "($before + $after) / 2" %.0f)
		ratio=$(calc "$tps / $bound")
		printf 'round %d: %6s/s; bare %6s and %6s/s; %5s' "$round" "$tps" \
			"$before" "$after" "$ratio"
		if is_true "$before > 2 * $after || $after > 2 * $before"
		then
			echo '  VOID'
		else
			echo
			ratios+=("$ratio")
			rates+=("$tps")
			bounds+=("$bound")
		fi
		before=$after
	done
	if [ ${#ratios[@]} = 0 ]
	then
		result '5 enqueue against a bare INSERT' 'void' '>= 0.5' '' ''
		return
	fi
	ratio=$(median "${ratios[@]}")
	result '5 enqueue against a bare INSERT' "$ratio" '>= 0.5' '' \
		"$(at_least "$ratio" 0.5); $(median "${rates[@]}") of $(median "${bounds[@]}")/s"
}

# ---- main

test/harness/packages.sh check
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bambi-bench.XXXXXX")
chmod 755 "$scratch"
trap leave EXIT
{
	make -j"$(nproc)" all
	make -j"$(nproc)" -C test/mock all
	make -j"$(nproc)" -C test/bench all
	as_root make install PG_CONFIG="$PG_CONFIG"
} >"$scratch/build.log" 2>&1 || { tail -n 40 "$scratch/build.log"; exit 1; }

start_mock
set_up
for part in "${parts[@]}"
do
	"$part"
done

say "$(printf '%-46s | %9s | %9s | %9s |' 'what' \
	measured floor goal)"
printf '%s\n' "${results[@]}"
finished=yes
