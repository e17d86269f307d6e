#!/usr/bin/env bash
#
# selftest.sh
#	Proves that the judges of make check can say no.  Prints TAP.

set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

number=0
bad=0
is() {
	number=$((number + 1))
	if [ "$1" = "$2" ]
	then
		echo "ok $number - $3"
	else
		echo "not ok $number - $3"
		printf '#   got %s, expected %s\n' "$1" "$2"
		bad=1
	fi
}

# ---- counting: log, exit status, expected

count() {
	printf "$1" | awk -v status="$2" -f test/harness/count.awk
}

is "$(count 'ok 1 - a\nok 2 - b\n1..2\n' 0)" '2 0' 'two passed tests count'
is "$(count 'ok 1\nnot ok 2 - b\n1..2\n' 1)" '1 1' 'a failed test counts'
is "$(count 'ok 1\nok 2 # SKIP no network\n1..2\n' 0)" '1 1' \
	'a skipped test counts as failed'
is "$(count '1..0 # SKIP not here\n' 0)" '0 1' \
	'a skipped file counts as failed'
is "$(count '1..3\nok 1\n' 0)" '1 2' 'tests that a plan promised are missed'
is "$(count '' 0)" '0 1' 'silence counts as failed'
is "$(count 'ok 1\n1..1\n' 7)" '1 1' 'a bad end counts as failed'
is "$(count '    ok 1 - inner\nok 1 - outer\n1..1\n' 0)" '1 0' \
	'a subtest is part of its test'
is "$(count 'test a ... ok  12 ms\ntest b ... FAILED  3 ms\n' 1)" '1 1' \
	'results of pg_regress count'
is "$(count 'test a ... failed (ignored)  3 ms\n' 0)" '0 1' \
	'a failure that pg_regress ignores counts'

# ---- reports

printf 'ok 1\n# counted: 3 things\n# 4 others\n1..1\n' >"$scratch/log"
is "$(. test/harness/report.sh && report_group x "$scratch/log" 0 1 |
	sed 's/  */ /g')" $'x 1 ok 0 not ok 1 s\n 3 things' \
	'what a group has counted is told with it'

is "$(. test/harness/report.sh
	failed=1
	report_rest build 3 || echo "$failed")" $'nothing else can run\n4' \
	'what a failed build leaves undone counts as failed'

# ---- sizes

is "$(. test/harness/sizes.sh; unset KEYS; set_sizes whole; echo "$KEYS")" \
	100000 'a whole run is as large as the table says'
is "$(. test/harness/sizes.sh; KEYS=7; set_sizes sample; echo "$KEYS")" 7 \
	'or as somebody wants it'

# ---- layers: a small tree, and one sin after the other

tree=$scratch/tree
innocent() {
	rm -rf "$tree"
	mkdir -p "$tree"/src/{protocol,extension} \
		"$tree"/src/courier/{providers,stores,keyservices}
	echo 'int frame_x(void) { return 1; }' >"$tree/src/protocol/frame.c"
	echo 'int bambi_x(void) { return 1; }' >"$tree/src/extension/bambi.c"
	echo 'int main(void) { return 0; }' >"$tree/src/courier/main.c"
	: >"$tree/src/courier/exchange.h"
	: >"$tree/src/courier/engine.h"
	: >"$tree/src/courier/stores/store.h"
	: >"$tree/src/extension/shmem.h"
	echo '#include "../exchange.h"' >"$tree/src/courier/providers/provider.h"
	printf '%s\n' '#include "provider.h"' 'int acme(void) { return 1; }' \
		>"$tree/src/courier/providers/acme.c"
}

# the rules that a file breaks, by their text; the file gets one more line
sin() {
	innocent
	echo "$2" >>"$tree/$1"
	judge
}

judge() {
	local file
	while read -r file
	do
		gcc -w -c -I"$tree/src/courier" -o "${file%.c}.o" "$file" \
			2>>"$scratch/gcc" || gcc -w -c -o "${file%.c}.o" -x c /dev/null
	done < <(find "$tree/src" -name '*.c')
	test/lint/layers.pl "$tree" | sed -n 's/^not ok [0-9]* - //p' | paste -sd'|'
}

innocent
is "$(judge)" '' 'an innocent tree breaks no floor'
is "$(sin src/courier/providers/acme.c '#include "../engine.h"')" \
	'adapters of providers include only their family and pure files' \
	'an adapter that includes the engine is found'
is "$(sin src/courier/providers/acme.c '#include "../stores/store.h"')" \
	'adapters of providers include only their family and pure files' \
	'an adapter that includes another family is found'
is "$(sin src/courier/main.c '#include "../extension/shmem.h"')" \
	'courier never includes the extension' \
	'a courier that includes the extension is found'
is "$(sin src/extension/bambi.c '#include "../courier/exchange.h"')" \
	'extension never includes the courier' \
	'an extension that includes the courier is found'
is "$(sin src/courier/main.c '#include "postgres.h"')" \
	'courier includes no header of the server' \
	'a courier that includes the server is found'
is "$(sin src/courier/main.c '#include <curl/curl.h>')" \
	'only the engine and url.c include libcurl' \
	'libcurl outside the engine is found'
is "$(sin src/protocol/frame.c '#include "../courier/exchange.h"')" \
	'protocol includes nothing of ours but protocol' \
	'a protocol that includes the courier is found'
is "$(sin src/courier/providers/acme.c \
	'long time(long *); long now(void) { return time(0); }')" \
	'adapters need no network, clock or file descriptor' \
	'an adapter that asks the clock is found by its symbols'
is "$(sin src/courier/main.c 'int bambi_x(void); int y(void) { return bambi_x(); }')" \
	'courier needs no symbol of extension' \
	'a courier that needs the extension is found by its symbols'
is "$(sin src/protocol/frame.c 'void *palloc(long); void *y(void) { return palloc(1); }')" \
	'protocol needs no symbol of extension, courier or server' \
	'a protocol that needs the server is found by its symbols'

# ---- indent

printf 'int\nf(void)\n{\n    return 1;\n}\n' >"$scratch/spaces.c"
printf 'int\nf(void)\n{\n\treturn 1;\n}\n' >"$scratch/tabs.c"
verdict() {
	test/lint/indent.sh "$1" 2>&1 | grep "ok .* $1" | sed 's/ [0-9]* - .*//'
}
is "$(verdict "$scratch/spaces.c" || true)" 'not ok' 'spaces are found'
is "$(verdict "$scratch/tabs.c" || true)" 'ok' 'tabs are fine'

echo "1..$number"
exit $bad
