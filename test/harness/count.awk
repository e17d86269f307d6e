# count.awk
#	"passed failed" of a log with results in TAP or as pg_regress prints them.
#
# -v status=N is the exit status of what wrote the log.  Nothing is passed in
# silence: a skipped test, a test that a plan promised, an empty log and a bad
# end that no failed test explains all count as failed.

/^not ok( |$)/                      { bad++; seen++; next }
/^ok [0-9]+.*# *[Ss][Kk][Ii][Pp]/   { bad++; seen++; next }
/^ok [0-9]+/                        { good++; seen++; next }
/^1\.\.0/                           { bad++; next }
/^1\.\.[0-9]+/                      { plan += substr($1, 4); next }
/^Bail out!/                        { bad++; next }

# pg_regress up to PostgreSQL 15
/^(test|    ) +[^ ]+ +\.\.\. ok/    { good++; next }
/^(test|    ) +[^ ]+ +\.\.\. [Ff][Aa][Ii][Ll][Ee][Dd]/ { bad++; next }

END {
	if (plan > seen)
		bad += plan - seen
	if (good + bad == 0 || (status != 0 && bad == 0))
		bad++
	print good + 0, bad + 0
}
