# BambiCluster.pm
#	A server with bambi, its mock provider, and users, for tests of their life.
#
#	my $bambi = BambiCluster->start('name', conf => "...", mock => [...]);
#	$bambi->sign_up('alice');
#	$bambi->add_key('alice');
#	my $id = $bambi->generate('alice', 'a fawn in the snow');
#	$bambi->wait_for_status($id, 'succeeded');
#
# A user's name is its login role too, tied to the user by bambi.user_id.  The
# provider "openai" is the mock, and others are after point_to_mock(); "sandbox"
# is itself.  A process is held at a labelled point by hold(), and goes on after
# release():
#
#	$bambi->hold('claim-committed');
#	my $id = $bambi->generate('alice', 'a fawn');
#	kill 'KILL', $bambi->wait_held('claim-committed');
#
# Environment: BAMBI_MOCK and BAMBI_COURIER are programs; BAMBI_SANITIZED is set
# where the server starts a courier with sanitizers.

package BambiCluster;

use strict;
use warnings;

use Carp;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Symbol qw(gensym);
use Test::More;
use Time::HiRes qw(time usleep);

my $database = 'bambi';
my $patience = $PostgreSQL::Test::Utils::timeout_default;

# Where the mock is which provider, and how a key begins that it takes.
my %base = (
	openai => '/v1',
	xai => '/xai/v1',
	google => '/google/v1',
	vertex => '/vertex');
my %key_prefix = (
	openai => 'sk-test-',
	xai => 'xai-test-',
	google => 'AIza-test-',
	vertex => 'AIza-test-');

# Makes and starts all of it; conf is added to postgresql.conf, mock are
# options of bambi-mock, install_path is that of another PostgreSQL.
sub start
{
	my ($class, $name, %with) = @_;

	my $node = PostgreSQL::Test::Cluster->new($name,
		install_path => $with{install_path});
	my $dir = $node->basedir;
	my $self = bless { node => $node, dir => $dir, user => {} }, $class;

	$self->start_mock(@{ $with{mock} // [] });

	$node->init(extra => [ '-U', 'postgres', '-E', 'UTF8', '--no-locale' ]);
	mkdir "$dir/$_", 0700 foreach qw(spool points);
	system_or_bail($ENV{BAMBI_COURIER}, '--make-key', "$dir/master.pem");
	$node->append_conf(
		'postgresql.conf', <<"CONF" . ($with{conf} // ''));
shared_preload_libraries = 'bambi'
restart_after_crash = on
log_statement = none
max_worker_processes = 16
bambi.databases = '$database'
bambi.key_service = 'file'
bambi.key_file = '$dir/master.pem'
bambi.spool_directory = '$dir/spool'
bambi.debug_points = '$dir/points'
CONF
	$ENV{PGUSER} = 'postgres';
	$node->start;
	$self->install unless $with{empty};
	return $self;
}

# CREATE EXTENSION and bambi_setup() in a new database, the mock as openai.
sub install
{
	my ($self) = @_;

	$self->{node}->safe_psql('postgres', "CREATE DATABASE $database");
	$self->sql(
		'CREATE EXTENSION bambi CASCADE',
		'SELECT bambi_setup()',
		'UPDATE bambi.plans
			SET key_checks_per_minute = NULL, key_checks_per_hour = NULL,
				max_in_flight = NULL');
	$self->point_openai_to_mock;
	return;
}

sub point_openai_to_mock { return $_[0]->point_to_mock('openai') }

# Providers by their slugs.  Vertex may have its tokens from the mock, too.
sub point_to_mock
{
	my ($self, @slugs) = @_;

	foreach my $slug (@slugs)
	{
		my $at = $self->mock_address($base{$slug});
		my $settings = $slug eq 'vertex'
		  ? encode_json({ token_uri => "$at/token" }) : '{}';

		$self->sql("UPDATE bambi.api_providers
			SET api_base_url = '$at', settings = settings || '$settings',
				allowed_networks = '{127.0.0.1/32}'
			WHERE slug = '$slug'");
	}
	return;
}

sub mock_address
{
	my ($self, $path) = @_;

	return "http://127.0.0.1:$self->{mock_port}" . ($path // '');
}

sub node { return $_[0]{node} }
sub spool { return "$_[0]{dir}/spool" }

# ---- SQL

# As the operator, each statement by itself; the last one's rows.
sub sql
{
	my ($self, @statements) = @_;
	my $rows;

	$rows = $self->{node}->safe_psql($database, $_) foreach @statements;
	return $rows;
}

# As a user who signed up; dies with the error if there is one.
sub sql_as
{
	my ($self, $name, $statement) = @_;

	return $self->{node}
	  ->safe_psql($database, $statement, extra_params => [ '-U', $name ]);
}

# The same, for what should fail: (exit status, rows, error text).
sub try_as
{
	my ($self, $name, $statement) = @_;
	my ($rows, $error);

	my $status = $self->{node}->psql(
		$database, $statement,
		stdout => \$rows,
		stderr => \$error,
		extra_params => [ '-U', $name ]);
	return ($status, $rows, $error);
}

# A session that stays open: ->query_safe($sql), ->quit.
sub session
{
	my ($self, $name) = @_;

	return $self->{node}
	  ->background_psql($database, extra_params => [ '-U', $name ]);
}

# ---- users and generations

# A user with a login role of the same name; its id.
sub sign_up
{
	my ($self, $name) = @_;
	my $id = $self->sql(
		"SELECT bambi_sign_up('$name\@example.com', 'correct horse')");

	$self->sql(
		"CREATE ROLE $name LOGIN IN ROLE bambi_user",
		"ALTER ROLE $name SET bambi.user_id = '$id'");
	return $self->{user}{$name} = $id;
}

# As many generations as a test likes.
sub lift_quota
{
	my ($self) = @_;

	$self->sql('UPDATE bambi.plans SET generations_per_period = NULL,
		generations_per_minute = NULL, max_pictures = NULL');
	return;
}

# The courier's public key is there once it runs, which adding a key needs.
sub add_key
{
	my ($self, $name, $key, $provider, $settings) = @_;

	$provider //= 'openai';
	$key //= $key_prefix{$provider} . $name;
	$settings //= '{}';
	my $called = ($provider eq 'openai' ? '' : "$provider ") . "key of $name";
	$self->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)')
	  or croak 'there is no sealing key';
	return $self->sql_as($name,
		"SELECT bambi_add_key('$provider', \$k\$$key\$k\$,
			'$called', '$settings')");
}

# Until the provider has been asked about a key; its status then.
sub checked
{
	my ($self, $configuration) = @_;

	$self->poll("SELECT NOT EXISTS (SELECT FROM bambi_internal.outbox
		WHERE errand->>'configuration' = '$configuration')")
	  or croak "nobody has checked $configuration";
	return $self->key_column($configuration, 'status');
}

# A column of a configuration's row, or an expression of several.
sub key_column
{
	my ($self, $configuration, $column) = @_;

	return $self->sql("SELECT $column FROM bambi.api_configurations
		WHERE id = '$configuration'");
}

# Queues one and returns its id.
sub generate
{
	my ($self, $name, $prompt, $model, $parameters) = @_;

	$model //= 'openai/gpt-image-2';
	$parameters //= '{"quality": "low", "size": "1024x1024"}'
	  if $model =~ /^openai/;
	$parameters //= '{}';
	return $self->sql_as($name,
		"SELECT bambi_generate(\$p\$$prompt\$p\$, '$model', '$parameters')");
}

# A call of bambi_edit as SQL, for sql_as and try_as.  images and mask are
# expressions of type bytea, see bytea(); sources are ids.
sub edit_call
{
	my ($self, $prompt, %with) = @_;
	my @arguments = "prompt => \$p\$$prompt\$p\$";

	$with{model} //= 'openai/gpt-image-2';
	$with{parameters} //= '{"quality": "low"}' if $with{model} =~ /^openai/;
	push @arguments, "images => ARRAY[" . join(', ', @{ $with{images} }) . ']'
	  if $with{images};
	push @arguments, "mask => $with{mask}" if $with{mask};
	push @arguments,
	  "sources => '{" . join(', ', @{ $with{sources} }) . "}'"
	  if $with{sources};
	push @arguments, "$_ => '$with{$_}'"
	  foreach grep { defined $with{$_} } qw(model parameters idempotency_key);
	return 'SELECT bambi_edit(' . join(', ', @arguments) . ')';
}

# Queues an edit and returns its id.
sub edit
{
	my ($self, $name, $prompt, %with) = @_;

	return $self->sql_as($name, $self->edit_call($prompt, %with));
}

# Bytes as an SQL expression.
sub bytea { return "'\\x" . unpack('H*', $_[1]) . "'::bytea" }

# A picture of a generation, as bytes.
sub picture_of
{
	my ($self, $name, $id, $position) = @_;

	$position //= 1;
	return pack 'H*', $self->sql_as($name,
		"SELECT encode(bambi_image('$id', $position), 'hex')");
}

# As it counts for the quota.
sub usage_of
{
	my ($self, $name) = @_;

	return $self->sql("SELECT usage_count FROM bambi.users
		WHERE id = '$self->{user}{$name}'");
}

# One after the other in a psql of its own, whose output ends in the scalars
# that are given; ->finish waits for it.
sub generate_in_background
{
	my ($self, $name, $prompts, $ids, $errors, $model, $parameters) = @_;

	$model //= 'openai/gpt-image-2';
	$parameters //= $model =~ /^openai/
	  ? '{"quality": "low", "size": "1024x1024"}' : '{}';
	return IPC::Run::start(
		[
			$self->{node}->installed_command('psql'), '-XAtq',
			'-d', $self->{node}->connstr($database), '-U', $name,
			map { ('-c', "SELECT bambi_generate(\$p\$$_\$p\$,
				'$model', '$parameters')") } @$prompts
		],
		'<', \undef, '>', $ids, '2>', $errors);
}

sub status_of
{
	my ($self, $id) = @_;

	return $self->sql(
		"SELECT status FROM bambi.image_generations WHERE id = '$id'");
}

# A column of its row, or an expression of several.
sub column_of
{
	my ($self, $id, $column) = @_;

	return $self->sql(
		"SELECT $column FROM bambi.image_generations g WHERE id = '$id'");
}

# Until a query says t.
sub poll
{
	my ($self, $query) = @_;

	return $self->{node}->poll_query_until($database, $query);
}

# A test of its own: that the generation gets there.
sub wait_for_status
{
	my ($self, $id, $status, $says) = @_;

	my $reached = $self->poll("SELECT status = '$status'
		FROM bambi.image_generations WHERE id = '$id'");
	ok($reached, $says // "generation is $status")
	  or diag($self->sql("SELECT status, error_code, error_message
		FROM bambi.image_generations WHERE id = '$id'"));
	return $reached;
}

# A picture of the sandbox: its generation, which has succeeded.
sub draw
{
	my ($self, $name, $prompt) = @_;
	my $id = $self->generate($name, $prompt, 'sandbox');

	$self->poll("SELECT status = 'succeeded'
		FROM bambi.image_generations WHERE id = '$id'")
	  or die "$prompt has not succeeded";
	return $id;
}

# Of the pictures of a generation.
sub image_of
{
	my ($self, $id, $column) = @_;

	return $self->sql(
		"SELECT $column FROM bambi.images WHERE generation_id = '$id'");
}

# A test of its own: the users' counters.
sub quota_adds_up
{
	my ($self) = @_;

	return is(
		$self->sql('SELECT count(*) FROM bambi.users u WHERE usage_count <> (
			SELECT count(*) FROM bambi.image_generations g
			 WHERE g.user_id = u.id AND g.quota_period = u.reset_date)'),
		0,
		'every place in a quota belongs to a generation');
}

# ---- processes

# Waits for a condition of this process's own, given as code.
sub wait_until
{
	my ($self, $what, $code) = @_;
	my $end = time + $patience;

	until ($code->())
	{
		croak "waited in vain for $what" if time > $end;
		usleep(10_000);
	}
	return;
}

sub worker_pid
{
	my ($self) = @_;
	my $pid;

	$self->wait_until('the worker', sub {
			$pid = $self->sql("SELECT pid FROM pg_stat_activity
				WHERE backend_type = 'bambi worker'
					AND datname = '$database'");
			return $pid ne '';
		});
	return $pid;
}

# Couriers of this cluster, living ones.  Each writes its process id into the
# lock of its spool directory; its parent, the keeper, lives in that directory.
sub couriers
{
	my ($self) = @_;
	my %pids;

	foreach my $lock (glob $self->spool . '/*/*/lock')
	{
		open my $in, '<', $lock or next;
		my $pid = <$in> // '';
		close $in;
		chomp $pid;
		$pids{$pid} = 1 if $pid =~ /^\d+$/ && $self->is_courier($pid);
	}
	return sort { $a <=> $b } keys %pids;
}

# And not who else may have got its number.
sub is_courier
{
	my ($self, $pid) = @_;
	my $stat = slurp_stat($pid);

	return unless defined $stat && $stat->{state} ne 'Z';
	my $where = readlink "/proc/$stat->{parent}/cwd";
	return defined $where && index($where, $self->spool . '/') == 0;
}

sub slurp_stat
{
	my ($pid) = @_;

	open my $in, '<', "/proc/$pid/stat" or return;
	my $line = <$in> // '';
	close $in;
	return unless $line =~ /^\d+ \(.*\) (\S) (\d+)/s;
	return { state => $1, parent => $2 };
}

sub courier_pid
{
	my ($self) = @_;
	my @pids;

	$self->wait_until('the courier',
		sub { @pids = $self->couriers; return @pids > 0 });
	return $pids[-1];
}

sub is_alive
{
	my ($self, $pid) = @_;
	my $stat = slurp_stat($pid);

	return defined $stat && $stat->{state} ne 'Z';
}

# kill -9 of one process, until it is gone.
sub kill9
{
	my ($self, $pid) = @_;

	kill 'KILL', $pid;
	$self->wait_until("the end of $pid", sub { !$self->is_alive($pid) });
	return;
}

# kill -9 of the postmaster, until its children have noticed; one that is held
# at a point cannot, so these points are released.
sub kill9_postmaster
{
	my ($self, @points) = @_;

	$self->{node}->kill9;
	$self->release(@points);
	$self->wait_until('the end of the server',
		sub { return !$self->server_processes });
	$self->remove_lock_files;
	return;
}

# A dead postmaster's lock files name a process that init may not have reaped
# yet, and the next one would believe in it.
sub remove_lock_files
{
	my ($self) = @_;
	my $node = $self->{node};

	unlink $node->data_dir . '/postmaster.pid',
	  $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	return;
}

# kill -9 of everything at once, couriers too, as when the machine loses power.
sub kill9_everything
{
	my ($self) = @_;

	# stopped first, so that nobody sees another one die
	my @pids = ($self->server_processes, $self->couriers);
	kill 'STOP', @pids;
	kill 'KILL', @pids;
	$self->{node}->kill9;
	$self->wait_until('the end of everything', sub {
			# who was just being started
			@pids = ($self->server_processes, $self->couriers);
			kill 'KILL', @pids;
			return !@pids;
		});
	$self->remove_lock_files;
	return;
}

sub server_processes
{
	my ($self) = @_;
	my $data = $self->{node}->data_dir;

	return map { substr $_, length '/proc/' }
	  grep { (readlink("$_/cwd") // '') eq $data } glob '/proc/[0-9]*';
}

# Starts the server again if it does not run, and waits until it is there.
sub bring_back
{
	my ($self) = @_;

	$self->{node}->start unless defined $self->{node}{_pid};
	$self->wait_for_server;
	return;
}

# After a crash of a backend or worker, the server lets nobody in for a moment.
sub wait_for_server
{
	my ($self) = @_;

	$self->wait_until('the server', sub {
			# who is refused may not even take the query
			return eval {
				$self->{node}->psql($database, 'SELECT 1') == 0;
			};
		});
	return;
}

# ---- labelled points

sub hold
{
	my ($self, @points) = @_;

	foreach my $point (@points)
	{
		unlink "$self->{dir}/points/$point.reached";
		append_to_file("$self->{dir}/points/$point", '');
	}
	return;
}

# Waits until somebody is held there; its pid.
sub wait_held
{
	my ($self, $point) = @_;
	my $file = "$self->{dir}/points/$point.reached";

	$self->wait_until("somebody at $point", sub { -s $file });
	my $pid = slurp_file($file);
	$pid =~ s/\s//g;
	return $pid;
}

# Waits for that or for something else to be so; false then.
sub held_or
{
	my ($self, $point, $is_over) = @_;

	$self->wait_until("somebody at $point, or the end",
		sub { return $self->was_reached($point) || $is_over->() });
	return $self->was_reached($point) && $self->wait_held($point);
}

# Lets whoever is held there go on, to be held the next time.
sub step
{
	my ($self, $point) = @_;

	unlink "$self->{dir}/points/$point.reached";
	return;
}

sub was_reached
{
	my ($self, $point) = @_;

	return -s "$self->{dir}/points/$point.reached" ? 1 : 0;
}

sub release
{
	my ($self, @points) = @_;

	unlink "$self->{dir}/points/$_" foreach @points;
	return;
}

# ---- the mock provider

sub start_mock
{
	my ($self, @options) = @_;
	my $port_file = "$self->{dir}/mock.port";

	unlink $port_file;
	$self->{mock_in} = gensym;
	$self->{mock} = IPC::Run::start(
		[
			$ENV{BAMBI_MOCK}, '--quiet', '--until-eof',
			'--port-file', $port_file,
			'--port', $self->{mock_port} // 0,
			'--ledger', "$self->{dir}/ledger", @options
		],
		'<pipe', $self->{mock_in},
		'>', "$self->{dir}/mock.out",
		'2>', "$self->{dir}/mock.err");
	$self->wait_until('the mock', sub { -s $port_file });
	chomp($self->{mock_port} = slurp_file($port_file));
	return;
}

sub stop_mock
{
	my ($self) = @_;

	return unless $self->{mock};
	close $self->{mock_in};
	$self->{mock}->kill_kill;
	delete $self->{mock};
	return;
}

# POST /_mock/WHAT: faults (a hash, or an array of them), release, reset.
sub mock
{
	my ($self, $what, $wish) = @_;

	my $answer = HTTP::Tiny->new->post(
		"http://127.0.0.1:$self->{mock_port}/_mock/$what",
		{ content => defined $wish ? encode_json($wish) : '' });
	croak "mock: $answer->{content}" unless $answer->{success};
	return;
}

sub mock_stats
{
	my ($self) = @_;

	return decode_json(HTTP::Tiny->new->get(
			"http://127.0.0.1:$self->{mock_port}/_mock/stats")->{content});
}

# A picture as the mock draws it for whoever asks it directly; not in its
# ledger afterwards, nor in its counters.
sub drawn
{
	my ($self, $wish) = @_;
	my $answer = HTTP::Tiny->new->post(
		$self->mock_address('/v1/images/generations'),
		{
			headers => { authorization => 'Bearer sk-test' },
			content => encode_json(
				{ model => 'gpt-image-2', prompt => 'x', quality => 'low',
					%$wish })
		});
	croak "mock: $answer->{content}" unless $answer->{success};
	$self->mock('reset');
	return decode_base64(decode_json($answer->{content})->{data}[0]{b64_json});
}

# When calls began and ended there, in order: their numbers in the ledger,
# negative at the end.
sub flights
{
	my ($self) = @_;

	return split /\n/,
	  HTTP::Tiny->new->get($self->mock_address('/_mock/flights'))->{content};
}

# Until the mock holds so many calls unanswered.
sub wait_in_flight
{
	my ($self, $count) = @_;

	$self->wait_until("$count calls that run",
		sub { return $self->mock_stats->{in_flight} == $count });
	return;
}

# What the provider saw: a hash per call, in order.
sub ledger
{
	my ($self) = @_;
	my $file = "$self->{dir}/ledger";

	return -e $file ? map { decode_json($_) } split /\n/, slurp_file($file) : ();
}

# Calls that it took money for.
sub charges
{
	my ($self) = @_;

	return grep { $_->{charged} } $self->ledger;
}

# A test of its own, and the one that matters: what the provider charged is
# what succeeded or is uncertain, and no generation was charged twice.
sub ledger_is_equal
{
	my ($self, $says) = @_;
	$says //= 'ledger and database agree';
	my %charged;

	foreach my $call ($self->charges)
	{
		$charged{ $call->{generation} || 'a call without an id' }++;
	}
	my @wrong = map { "$_ was charged $charged{$_} times" }
	  grep { $charged{$_} > 1 } sort keys %charged;

	foreach my $row (split /\n/, $self->sql(
			"SELECT g.id, g.status FROM bambi.image_generations g
			  JOIN bambi.models m ON m.id = g.model_id
			  JOIN bambi.api_providers p ON p.id = m.provider_id
			 WHERE p.slug = 'openai' ORDER BY g.id"))
	{
		my ($id, $status) = split /\|/, $row;
		my $was_charged = delete $charged{$id} // 0;

		push @wrong, "$id is $status but was charged"
		  if $was_charged && $status !~ /^(succeeded|uncertain)$/;
		push @wrong, "$id is $status but was not charged"
		  if !$was_charged && $status eq 'succeeded';
	}
	push @wrong, map { "$_ was charged and is not in the database" }
	  sort keys %charged;
	return ok(!@wrong, $says) || diag(join "\n", @wrong);
}

# The calls that were charged for one generation.
sub charges_of
{
	my ($self, $id) = @_;

	return grep { $_->{generation} eq $id } $self->charges;
}

# Those since the ledger had so many: not every provider is told the
# generation's id.
sub ledger_since
{
	my ($self, $count) = @_;
	my @entries = $self->ledger;

	return @entries[ $count .. $#entries ];
}

sub stop
{
	my ($self, $mode) = @_;

	$self->{node}->stop($mode);
	return;
}

sub DESTROY
{
	my ($self) = @_;

	local $?;
	$self->stop_mock;
	return;
}

1;
