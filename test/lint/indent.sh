#!/usr/bin/env bash
#
# indent.sh
#	Proves that every C file has PostgreSQL's layout, or gives it to them.
#
# Usage: indent.sh [--write] [FILE]...
#
# Prints a TAP line a file, and what pg_bsd_indent would change.

set -euo pipefail
cd "$(dirname "$0")/../.."

options=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79
	-lp -lpl -nip -npro -sac -tpg -ts4)
typedefs=test/lint/typedefs.list

write=no
if [ "${1:-}" = --write ]
then
	write=yes
	shift
fi
if [ $# -gt 0 ]
then
	# others may be named by a glob or by git; they are not C
	mapfile -t files < <(printf '%s\n' "$@" | grep '\.[ch]$')
else
	mapfile -t files < <(find src test -name '*.[ch]' -not -path '*/build/*' |
		LC_ALL=C sort)
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

number=0
bad=0
report() {
	number=$((number + 1))
	if [ "$1" = ok ]
	then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		bad=$((bad + 1))
	fi
}

# Names that this tree defines as types.
own_typedefs() {
	perl -0777 -ne '
		s{/\*.*?\*/}{}gs;
		print "$1\n" while /^typedef\s+(?:struct|enum|union)\s+\w+\s+\**(\w+)\s*;/mg;
		print "$1\n" while /^\}\s*(\w+)\s*;/mg;
		print "$1\n" while /^typedef\b[^;{]*\(\s*\*\s*(\w+)\s*\)\s*\(/mg;
	' $(find src test -name '*.[ch]' -not -path '*/build/*') | LC_ALL=C sort -u
}

# The list needs them all, or their pointers are laid out as products.
LC_ALL=C sort -u "$typedefs" <(own_typedefs) >"$scratch/typedefs"
if [ "$write" = yes ]
then
	cmp -s "$scratch/typedefs" "$typedefs" ||
		cat "$scratch/typedefs" >"$typedefs"
fi
if cmp -s "$scratch/typedefs" "$typedefs"
then
	report ok "$typedefs is sorted and has the types of this tree"
else
	report bad "$typedefs is sorted and has the types of this tree"
	diff -u "$typedefs" "$scratch/typedefs" | sed 's/^/# /' || true
fi

# As pgindent does it: the types, then what pg_bsd_indent gets wrong (dash-
# protected comments, functions that return a pointer).  In the extension
# "text" is a type, in the courier a good name for a variable.
layout() {
	local file=$1 new=$2 more=()

	if [[ $file == src/extension/* ]]
	then
		more=(-Ttext)
	fi
	sed -E 's!/\* +---!/*---X_X!g' "$file" >"$scratch/old.c"
	pg_bsd_indent "$scratch/old.c" "$scratch/raw.c" "${options[@]}" \
		-U"$typedefs" "${more[@]}" >"$scratch/messages" 2>&1 || return 1
	sed -E -e 's!/\*---X_X!/* ---!g' \
		-e 's!^([A-Za-z_][^[:space:]]*)[ \t]+\*$!\1 *!' "$scratch/raw.c" >"$new"
}

for file in "${files[@]}"
do
	new=$scratch/new.c
	if ! layout "$file" "$new"
	then
		report bad "$file can be read by pg_bsd_indent"
		sed 's/^/# /' "$scratch/messages"
	elif cmp -s "$file" "$new"
	then
		report ok "$file"
	elif [ "$write" = yes ]
	then
		cat "$new" >"$file"
		report ok "$file was laid out"
	else
		report bad "$file is laid out as make indent would"
		diff -u "$file" "$new" | sed 's/^/# /' || true
	fi
done

echo "1..$number"
[ "$bad" = 0 ]
