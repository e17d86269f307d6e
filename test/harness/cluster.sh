# cluster.sh
#	A private PostgreSQL cluster in a scratch folder, for demo, tests, bench.
#
# To be sourced.  Below the scratch folder: data, socket (the only way in
# without a password), spool, keys, points, log.  As root the server runs as
# the user postgres, otherwise as the caller.

PG_CONFIG=${PG_CONFIG:-pg_config}

as_root() {
	if [ "$(id -u)" = 0 ]
	then
		"$@"
	else
		sudo "$@"
	fi
}

# Runs a command as the user who runs the server, in a folder it can enter.
as_server() {
	if [ "$(id -u)" = 0 ]
	then
		(cd / && runuser -u postgres -- "$@")
	else
		(cd / && "$@")
	fi
}

server_user() {
	as_server id -un
}

bindir() {
	"$PG_CONFIG" --bindir
}

# One that the system gives to nobody who calls, so that it is still free when
# it is taken, and taken again.
free_port() {
	perl -MIO::Socket::INET -e '
		my $port;
		do { $port = 10_200 + int rand 22_000 }
		  until IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1",
			LocalPort => $port, ReuseAddr => 1);
		print $port'
}

# cluster_make DIR DATABASES [SETTING]...
#	Makes the cluster and its master key.  DATABASES get a worker each; a
#	SETTING is a line of postgresql.conf.
cluster_make() {
	local dir=$1 databases=$2
	shift 2

	mkdir -p "$dir"
	chmod 755 "$dir"
	local part
	for part in data socket spool keys points
	do
		mkdir -m 700 "$dir/$part"
	done
	touch "$dir/log"
	if [ "$(id -u)" = 0 ]
	then
		chown postgres: "$dir"/{data,socket,spool,keys,points,log}
	fi

	as_server "$(bindir)/initdb" -D "$dir/data" -U postgres -E UTF8 \
		--no-locale -N --auth-local=trust --auth-host=scram-sha-256 \
		>"$dir/initdb.log"
	as_server "$(bindir)/bambi-courier" --make-key "$dir/keys/master.pem"

	{
		cat <<-CONF
			listen_addresses = '127.0.0.1'
			unix_socket_directories = '$dir/socket'
			shared_preload_libraries = 'pg_cron,bambi'
			cron.database_name = 'postgres'
			cron.host = '$dir/socket'
			max_worker_processes = 16
			log_line_prefix = '%m [%p] %b '
			bambi.databases = '$databases'
			bambi.key_service = 'file'
			bambi.key_file = '$dir/keys/master.pem'
			bambi.spool_directory = '$dir/spool'
		CONF
		local setting
		for setting in "$@"
		do
			echo "$setting"
		done
	} | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
}

# cluster_start DIR
#	Starts it on a free port, and points libpq's programs to it.
cluster_start() {
	local dir=$1 try
	for try in 1 2 3 4 5
	do
		PGPORT=$(free_port)
		if as_server "$(bindir)/pg_ctl" start -s -w -t 60 -D "$dir/data" \
			-l "$dir/log" -o "-p $PGPORT"
		then
			export PGPORT PGHOST=$dir/socket PGUSER=postgres
			unset PGDATABASE PGOPTIONS PGSERVICE
			return 0
		fi
		# another program may have taken the port in between
		grep -q 'Address already in use' "$dir/log" || break
	done
	tail -n 20 "$dir/log" >&2
	return 1
}

# cluster_stop DIR
cluster_stop() {
	if [ -f "$1/data/postmaster.pid" ]
	then
		as_server "$(bindir)/pg_ctl" stop -s -w -m fast -D "$1/data"
	fi
}

# wait_until SECONDS COMMAND...
#	Repeats the command until it succeeds; fails when the time is over.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"
	do
		if [ "$SECONDS" -ge "$end" ]
		then
			return 1
		fi
		sleep 0.05
	done
}
