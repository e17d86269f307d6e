# memory.sh
#	The groups of make check-memory: the same tests, where a read or write out
#	of bounds, a leak, or what C leaves undefined, is told.
#
# To be sourced by check.sh.  The server is a copy of the installed one below
# "scratch", so that nothing with sanitizers takes the place of what is
# installed.  AddressSanitizer is in the courier and in the unit tests, UBSan
# also in the extension; Debian's server does not start with
# AddressSanitizer's library preloaded.  Reports are files, since nobody reads
# what a courier prints: any that is there after a group is a failure.

memory_groups=(instrument unit-sanitized unit-valgrind regress-sanitized
	isolation-sanitized tap-sanitized tap-valgrind)

# What the server starts with sanitizers: each thing that a courier does, and
# each that the worker does with it.
sanitized_files() {
	printf 'test/t/%s.pl ' 001_start 020_shutdown 030_one_charge 031_retry \
		060_cancel 070_keys 103_sealing_key 110_edit 111_stream 112_google \
		113_xai 114_urls 115_bad_answers 120_store_filesystem \
		121_store_supabase 122_links 131_echo 141_rotation 165_stripe \
		170_redis 171_redis_trouble 172_redis_login 180_archive 183_erasure
}

# A selection of it for valgrind, which sees what is read before it is written.
valgrind_files() {
	printf 'test/t/%s.pl ' 001_start 070_keys 110_edit 111_stream \
		120_store_filesystem 170_redis 180_archive
}

sanitizers='-O1 -g -fno-omit-frame-pointer -fsanitize=undefined'

# memcheck REPORTS SUPPRESSIONS
#	The command.  A file of a process without a fault stays empty.  A program
#	that a unit test starts is not followed: tests know how long a courier
#	takes, and what memory.
memcheck() {
	echo "$(command -v valgrind) -q --vgdb=no" \
		"--child-silent-after-fork=no --error-exitcode=99" \
		"--leak-check=full --show-leak-kinds=definite" \
		"--errors-for-leak-kinds=definite" \
		"--suppressions=$2" \
		"--log-file=$1/process.%p"
}

# memory_installation DIR
#	Copies the server below DIR, and prints the copy's pg_config.  It finds its
#	files from where its programs lie.
memory_installation() {
	local what path
	for what in bindir pkglibdir sharedir
	do
		path=$("$PG_CONFIG" "--$what")
		mkdir -p "$1$path"
		cp -R "$path/." "$1$path"
	done
	path=$("$PG_CONFIG" --includedir-server)
	mkdir -p "$1${path%/*}"
	ln -s "$path" "$1$path"
	echo "$1$(bindir)/pg_config"
}

# A folder for reports that the server can write to.
make_reports() {
	mkdir -p "$1"
	if [ "$(id -u)" = 0 ]
	then
		chown postgres: "$1"
	fi
}

# result STATUS NAME
result() {
	number=$((${number:-0} + 1))
	if [ "$1" = 0 ]
	then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
	fi
}

# no_reports NAME...
#	The results of a group: of each folder of reports, whether it is empty.
no_reports() {
	local name file bad=0 status
	for name in "$@"
	do
		status=0
		for file in "$scratch/reports/$name"/*.*
		do
			if [ -s "$file" ]
			then
				status=1
				echo "# ... ${file##*/}:"
				sed -n '1,60s/^/# /p' "$file"
			fi
		done
		result "$status" "no report of $name"
		bad=$((bad + status))
	done
	return "$bad"
}

# A courier tells of leaks when it ends, which may be after its server.
couriers_left() {
	[ -n "$(find /proc -maxdepth 2 -name exe \
		-lname "$scratch/*/bambi-courier" 2>/dev/null)" ] ||
		grep -qs "$scratch/valgrind/[b]ambi-courier" /proc/[0-9]*/cmdline
}

no_courier_left() {
	! couriers_left
}

# Whether all of them end soon when nobody wants them.
await_couriers() {
	local bad=0
	wait_until 120 no_courier_left || bad=1
	result "$bad" 'every courier has ended'
	return "$bad"
}

# starts_of NAME
starts_of() {
	cat "$scratch/reports/$1/starts" 2>/dev/null | wc -c
}

# some_ran NAME...
#	Silence of what did not run would be no result.
some_ran() {
	local name bad=0 status
	for name in "$@"
	do
		status=$(($(starts_of "$name") == 0))
		result "$status" "$name was started so"
		bad=$((bad + status))
	done
	return "$bad"
}

end_results() {
	echo "1..$number"
}

# ---- builds

# make_options FILE NAME FLAG...
#	options.o for what reports to the folder of that name.
make_options() {
	local file=$1 name=$2
	shift 2
	make_reports "$scratch/reports/$name"
	gcc -Wall -Wextra -Werror -O1 -g "$@" \
		-DREPORTS="\"$scratch/reports/$name\"" -c -o "$file" \
		test/memory/options.c
}

# build_part NAME VARIABLE...
build_part() {
	local name=$1
	shift
	make -j"$jobs" -C "$scratch/sources/src/$name" "$@" all
	as_root make -C "$scratch/sources/src/$name" "$@" \
		PG_CONFIG="$PG_CONFIG" install
}

# Two runtimes in libraries of their own would share one path for reports.
build_courier() {
	local flags="$sanitizers -fsanitize=address -fno-sanitize-recover"
	make_options "$scratch/sources/src/courier/options.o" courier $flags
	build_part courier CFLAGS="$flags" \
		LDFLAGS='options.o -static-libasan -static-libubsan'
}

# PostgreSQL compiles with -fwrapv, by which an overflow is defined; nothing of
# the extension is to rely on that.
build_extension() {
	local flags="$sanitizers -fno-wrapv"
	make_options "$scratch/sources/src/extension/options.o" extension \
		-fPIC $flags
	build_part extension COPT="$flags" SHLIB_LINK='-lcrypto options.o'
}

# One without sanitizers, which do not go together with valgrind, and what the
# server starts in its place.
build_courier_for_valgrind() {
	local dir=$scratch/valgrind
	mkdir "$dir"
	make_options "$dir/options.o" valgrind
	make -j"$jobs" -C "$dir" -f "$top/src/courier/Makefile" \
		CFLAGS='-O1 -g -DARENA_PIECES_APART' LDFLAGS=options.o all
	cp test/memory/valgrind.supp "$dir"
	cat >"$dir/courier" <<-WRAPPER
		#!/bin/sh
		exec $(memcheck "$scratch/reports/valgrind" "$dir/valgrind.supp") \\
			'$dir/bambi-courier' "\$@"
	WRAPPER
	chmod 755 "$dir/courier"
	echo "bambi.courier_path = '$dir/courier'" >"$dir/conf"
}

# planted NAME FAULT TEXT COMMAND...
#	Whether that fault at the start of the command is reported by that text.
planted() {
	local name=$1 fault=$2 text=$3 status=1
	shift 3
	printf %s "$fault" >"$scratch/reports/$name/plant"
	"$@" || true
	if grep -q "$text" "$scratch/reports/$name"/*.*
	then
		status=0
	fi
	rm -f "$scratch/reports/$name"/*
	result "$status" "a planted fault \"$fault\" of $name is reported"
	return "$status"
}

start_and_stop() {
	cluster_start "$scratch/planted" && cluster_stop "$scratch/planted"
}

group_instrument() {
	local bad=0
	local -a sanitized=(as_server env -i "$(bindir)/bambi-courier" --version)
	local -a checked=(as_server env -i "$scratch/valgrind/courier" --version)

	copy_sources "$scratch/sources"
	build_courier
	build_extension
	build_courier_for_valgrind

	planted courier heap 'heap-buffer-overflow' "${sanitized[@]}" || bad=1
	planted courier integer 'signed integer overflow' "${sanitized[@]}" ||
		bad=1
	planted courier leak 'detected memory leaks' "${sanitized[@]}" || bad=1
	planted valgrind heap 'Invalid write' "${checked[@]}" || bad=1
	planted valgrind unset 'uninitialised value' "${checked[@]}" || bad=1
	planted valgrind leak 'definitely lost' "${checked[@]}" || bad=1

	cluster_make "$scratch/planted" contrib_regression
	planted extension integer 'signed integer overflow' start_and_stop || bad=1
	end_results
	return "$bad"
}

# ---- unit tests

# Their couriers print to the same place.
group_unit-sanitized() {
	local log=$scratch/unit-sanitized.all bad=0
	make -C test/unit check SANITIZE=1 2>&1 | tee "$log" || bad=1
	if grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$log"
	then
		bad=1
	fi
	result "$bad" 'no report of the unit tests'
	echo "# counted: $(grep -c '^# [a-z0-9_]*$' "$log") programs under AddressSanitizer and UBSan"
	end_results
	return "$bad"
}

group_unit-valgrind() {
	local reports=$scratch/reports/unit-valgrind bad=0 count
	mkdir -p "$reports"
	make -C test/unit check RUN="$(memcheck "$reports" \
		"$top/test/memory/valgrind.supp")" ||
		bad=1
	no_reports unit-valgrind || bad=1
	count=$(find "$reports" -type f | wc -l)
	echo "# counted: $count processes under valgrind"
	result "$((count == 0))" 'some ran'
	end_results
	return "$bad"
}

# ---- servers

# sanitized_group FUNCTION
#	A group of check.sh, with the server that build_extension has changed.
sanitized_group() {
	local bad=0
	"$1" || bad=1
	cluster_stop "$scratch/cluster" || bad=1
	await_couriers || bad=1
	no_reports extension courier || bad=1
	echo "# counted: $(starts_of extension) servers, $(starts_of courier) couriers with sanitizers"
	some_ran extension courier || bad=1
	end_results
	rm -f "$scratch/reports"/{extension,courier}/*
	return "$bad"
}

group_regress-sanitized() {
	sanitized_group group_regress
}

group_isolation-sanitized() {
	sanitized_group group_isolation
}

run_sanitized_files() {
	BAMBI_SANITIZED=1 run_perl tap-sanitized "$(sanitized_files)"
}

group_tap-sanitized() {
	sanitized_group run_sanitized_files
}

group_tap-valgrind() {
	local bad=0
	TEMP_CONFIG=$scratch/valgrind/conf \
		run_perl tap-valgrind "$(valgrind_files)" || bad=1
	await_couriers || bad=1
	no_reports valgrind || bad=1
	echo "# counted: $(starts_of valgrind) couriers under valgrind"
	some_ran valgrind || bad=1
	end_results
	return "$bad"
}
