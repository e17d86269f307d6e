#!/usr/bin/env bash
#
# check.sh
#	Builds bambi, installs it and runs every test.
#
# Usage: check.sh [GROUP]...	(all groups without an argument)
#        check.sh --memory [GROUP]...	the groups of memory.sh, likewise
#        check.sh --torture		the long runs alone; told line by line
#
# Ends with "N passed, N failed" and fails if anything failed.  What cannot
# run counts as failed: a group without results, a test that skips, a plan
# that was not fulfilled, a command that ends badly.  The log of each group is
# kept when something failed.

set -euo pipefail

self=$(readlink -f "$0")
top=${self%/test/harness/check.sh}
cd "$top"
. test/harness/cluster.sh
. test/harness/report.sh
. test/harness/sizes.sh
. test/harness/memory.sh

# in this order; a later one may need what an earlier one made
all_groups=(harness unit fuzz mock layers reference indent warnings regress isolation tap torture)

jobs=$(nproc)

# ---- groups; each prints results as TAP or as pg_regress does

group_build() {
	make -j"$jobs" all
	make -j"$jobs" -C test/mock all
	as_root make install PG_CONFIG="$PG_CONFIG"
	echo 'ok 1 - builds and installs'
	echo '1..1'
}

group_harness() {
	test/harness/selftest.sh
}

group_unit() {
	make -C test/unit check
}

# A sample of what make check-fuzz does for longer.
group_fuzz() {
	make -s -j"$jobs" -C test/fuzz all
	make -s -C test/fuzz check RUNS=20000 FUZZ_SECONDS=2
}

group_mock() {
	make -C test/mock check
}

group_layers() {
	test/lint/layers.pl
}

group_reference() {
	test/lint/reference.pl
}

group_indent() {
	test/lint/indent.sh
}

# copy_sources TREE
#	For a build of its own, so that the objects of the first one stay.
copy_sources() {
	mkdir "$1"
	tar -c --exclude='*.o' --exclude='*.d' --exclude='*.so' \
		--exclude='*.a' --exclude=build --exclude=bambi-courier \
		--exclude=bambi-mock \
		bambi.control Makefile src sql test | tar -x -C "$1"
}

group_warnings() {
	local number=0 failed=0 compiler part
	for compiler in gcc clang
	do
		local tree=$scratch/warnings-$compiler
		copy_sources "$tree"
		for part in src/extension src/courier test/mock test/unit test/bench \
			test/clients
		do
			number=$((number + 1))
			if make -k -j"$jobs" -C "$tree/$part" CC="$compiler" COPT=-Werror \
				all
			then
				echo "ok $number - $part has no warning of $compiler"
			else
				echo "not ok $number - $part has no warning of $compiler"
				failed=1
			fi
		done
	done
	echo "1..$number"
	return $failed
}

# One cluster for pg_regress and isolation tests, made when first needed.
need_cluster() {
	local dir=$scratch/cluster
	if [ ! -d "$dir" ]
	then
		cluster_make "$dir" 'contrib_regression,isolation_regression' \
			'fsync = off' "bambi.shutdown_grace = '1s'"
	fi
	if [ ! -f "$dir/data/postmaster.pid" ]
	then
		cluster_start "$dir"
	fi
	PGHOST=$dir/socket
	PGPORT=$(sed -n 4p "$dir/data/postmaster.pid")
	PGUSER=postgres
	export PGHOST PGPORT PGUSER
}

group_regress() {
	need_cluster
	make -C src/extension installcheck ISOLATION= ||
		{ cat regression.diffs; return 1; }
}

group_isolation() {
	need_cluster
	make -C src/extension installcheck REGRESS= ||
		{ cat output_iso/regression.diffs; return 1; }
}

# How run_perl runs the files $2 with the modules in $1; prove holds back what
# they say.
by_prove='exec prove -v --merge -I "$1" -I test/t/lib $2'
line_by_line='for file in $2
	do
		perl -I "$1" -I test/t/lib "$file" || failed=1
	done
	exit ${failed:-0}'

# The user who runs the server may not be able to read this tree.
run_perl() {
	local dir=$scratch/perl-$1 pgxs
	shift
	mkdir "$dir"
	tar -c test/t test/torture test/fixtures test/mock/bambi-mock \
		test/clients/*.pl | tar -x -C "$dir"
	if [ "$(id -u)" = 0 ]
	then
		chown -R postgres: "$dir"
	fi
	pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/../..
	as_server env TESTDIR="$dir" TESTDATADIR="$dir" TESTLOGDIR="$dir/log" \
		PATH="$(bindir):$PATH" PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
		BAMBI_MOCK="$dir/test/mock/bambi-mock" \
		BAMBI_COURIER="$(bindir)/bambi-courier" \
		sh -c "cd \"\$TESTDIR\" || exit; ${HOW_TO_RUN:-$by_prove}" \
		sh "$pgxs/src/test/perl" "$*" ||
		{ show_perl_logs "$dir"; return 1; }
}

# PostgreSQL's modules keep the reason why a test died to themselves.
show_perl_logs() {
	local file
	for file in "$1"/tmp_check/log/regress_log_*
	do
		if grep -q '\bnot ok ' "$file" || ! grep -q '\b1\.\.[0-9]' "$file"
		then
			echo "# ... the end of $file:"
			tail -n 15 "$file" | sed 's/^/# /'
		fi
	done
}

group_tap() {
	run_perl tap 'test/t/*.pl'
}

group_torture() {
	set_sizes sample
	run_perl torture 'test/torture/*.pl'
}

# The part of it that make check-services runs, in its whole size.
group_whole() {
	set_sizes whole
	run_perl whole "$(whole_files)"
}

# Likewise, with the server that it says.
group_archive_s3() {
	run_perl archive_s3 test/clients/archive_s3.pl
}

# Seconds that a group may take.
limit_of() {
	case $1 in
		torture) seconds_for sample ;;
		whole) seconds_for whole ;;
		tap) echo 2400 ;;
		*-sanitized | *-valgrind) echo 5400 ;;
		*) echo 1200 ;;
	esac
}

# ---- main

if [ "${1:-}" = --group ]
then
	scratch=$3
	"group_$2"
	exit
fi

packages=check
if [ "${1:-}" = --memory ]
then
	shift
	packages=memory
	all_groups=("${memory_groups[@]}")
fi

if ! test/harness/packages.sh "$packages"
then
	echo '0 passed, 1 failed'
	exit 1
fi

# The last line says what came of it; logs are kept if that is not good.
if [ "${1:-}" = --torture ]
then
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/bambi-torture.XXXXXX")
	chmod 755 "$scratch"
	"$self" --group build "$scratch" >"$scratch/build.log" 2>&1 ||
		{ show_failure "$scratch/build.log"; exit 1; }
	set_sizes whole
	HOW_TO_RUN=$line_by_line "$self" --group torture "$scratch" </dev/null ||
		{ echo "logs are in $scratch" >&2; exit 1; }
	rm -rf "$scratch"
	exit 0
fi

if [ $# -gt 0 ]
then
	groups=(build "$@")
else
	groups=(build "${all_groups[@]}")
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/bambi-check.XXXXXX")
chmod 755 "$scratch"

# Then every group has the copy, and what is installed stays as it is.
if [ "$packages" = memory ]
then
	PG_CONFIG=$(memory_installation "$scratch/installation")
	# it is the patience of the tests, which take longer so
	PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-600}
	export PG_CONFIG PG_TEST_TIMEOUT_DEFAULT
fi

leave() {
	cluster_stop "$scratch/cluster" || true
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
	timeout -k 10 "$(limit_of "$group")" \
		"$self" --group "$group" "$scratch" >"$log" 2>&1 </dev/null || status=$?
	report_group "$group" "$log" "$status" $((SECONDS - since))
	report_rest "$group" $((${#groups[@]} - 1)) || break
done
report_total "$scratch"
