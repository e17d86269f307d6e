# sizes.sh
#	How large the long runs of test/torture are, and how long they may take.
#
# To be sourced, from the top of the tree.

# The variable that a run reads, its size in the sample that make check takes,
# its whole size, milliseconds that one may take, and the file of test/torture
# that make check-services runs whole, or -.
long_runs() {
	cat <<'TABLE'
ROUNDS      2     20      120000  -
KEYS        2000  100000  40      rotation.pl
QUOTA_RUNS  2     20      120000  quota.pl
SEQUENCES   300   10000   500     quota.pl
ROLLUPS     10    200     12000   rollup.pl
THOUSANDS   200   2000    600     growth.pl
ARCHIVE_KILLS 1   10      300000  archive.pl
TABLE
}

# set_sizes sample|whole
#	Exports the variables; those that are set already stay as they are.
set_sizes() {
	local name sample whole ms file
	while read -r name sample whole ms file
	do
		export "$name=${!name:-${!1}}"
	done < <(long_runs)
}

# The files that make check-services runs.
whole_files() {
	long_runs | awk '$5 != "-" { print "test/torture/" $5 }' | sort -u
}

# seconds_for sample|whole
#	What the runs of a sample, or those that are run whole, may take.
seconds_for() (
	needed=0
	set_sizes "$1"
	while read -r name sample whole ms file
	do
		if [ "$1" = sample ] || [ "$file" != - ]
		then
			needed=$((needed + ${!name} * ms))
		fi
	done < <(long_runs)
	echo $((300 + needed / 1000))
)
