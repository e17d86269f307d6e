# place.sh
#	Where the demo lives, and how it is stopped.  To be sourced, after
#	cluster.sh.

demo=${TMPDIR:-/tmp}/bambi-demo-$(id -u)

# The name is known beforehand, so that demo-stop finds it: nobody else's
# folder or link may stand there.
demo_place_is_ours() {
	if [ -L "$demo" ] || { [ -e "$demo" ] && [ ! -O "$demo" ]; }
	then
		echo "$demo belongs to somebody else" >&2
		exit 1
	fi
}

# mock_control WHAT BODY
#	One POST to the mock; there may be no curl here.
mock_control() {
	perl -MHTTP::Tiny -e '
		my $answer = HTTP::Tiny->new->post("http://$ARGV[0]/_mock/$ARGV[1]",
			{ content => $ARGV[2] });
		die "mock: $answer->{status} $answer->{content}\n"
			unless $answer->{success}' "$mock" "$1" "$2"
}

# Stops cluster and mock, if there are any, and removes all but the pictures.
demo_stop() {
	local pid

	cluster_stop "$demo"
	if [ -s "$demo/mock/pid" ]
	then
		pid=$(cat "$demo/mock/pid")
		if [ "$(readlink "/proc/$pid/exe")" = "$demo/mock/bambi-mock" ]
		then
			as_server sh -c 'kill "$0"' "$pid"	# Debian's kill is not always there
		fi
	fi
	if [ -d "$demo" ]
	then
		find "$demo" -mindepth 1 -maxdepth 1 ! -name pictures \
			-exec rm -rf {} +
	fi
}
