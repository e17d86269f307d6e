# report.sh
#	What came of the groups of tests: counted, told, added up.
#
# To be sourced, from the top of the tree; adds to "passed" and "failed".

passed=0
failed=0

show_failure() {
	local log=$1
	grep -nE '^not ok|# *[Ss][Kk][Ii][Pp]|\.\.\. FAILED|: (fatal )?error:|: \*\*\*|^(ERROR|FATAL)' "$log" |
		head -n 40 || true
	echo "    ... the end of $log:"
	tail -n 40 "$log" | sed 's/^/    /'
}

# report_group NAME LOG STATUS SECONDS
#	Of a group that has ended with this status.  A line "# counted: N ..." of
#	its log is told with it.
report_group() {
	local good bad
	read -r good bad < <(awk -v status="$3" -f test/harness/count.awk "$2")
	printf '%-10s %5d ok %5d not ok  %4d s\n' "$1" "$good" "$bad" "$4"
	sed -n -e 's/^[0-9]* lost, [0-9]* paid twice$/           &/p' \
		-e 's/^# counted: /           /p' "$2"
	passed=$((passed + good))
	failed=$((failed + bad))
	if [ "$bad" -gt 0 ]
	then
		show_failure "$2"
	fi
}

# report_rest GROUP COUNT
#	After a group: fails if nothing of the COUNT that were to come can run,
#	which counts as failed.
report_rest() {
	if [ "$1" = build ] && [ "$failed" -gt 0 ]
	then
		echo "nothing else can run"
		failed=$((failed + $2))
		return 1
	fi
}

# report_total FOLDER
#	Where the logs are, if they are kept, how long the script ran, and the last
#	line, which says it all; fails if anything did.
report_total() {
	if [ "$failed" -gt 0 ]
	then
		echo "logs are in $1"
	fi
	echo "took $SECONDS s"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
