# BambiLeaks.pm
#	Every way to pass a key, under every way to log, and every place where it
#	could be found afterwards.
#
#	BambiLeaks->prove('name', 'bambi,pgaudit', looks => 5000, rounds => 1);
#
# A cell is one way under one set-up.  Each cell has a key of its own, by
# which a finding is told apart: two marks around the cell's number.  Most
# keys look like no provider's, so that only the guard can know them; those
# of the ways that have "token" do.
#
# What the places are searched for is found there, too, where nothing guards
# it: the control cells, which every place has to show.

package BambiLeaks;

use strict;
use warnings;

use BambiCluster;
use BambiWire;
use File::Find;
use PostgreSQL::Test::Utils;
use Test::More;

my $provider = 'openai';

# ---- set-ups: settings of the role that runs the cells

my %auto_explain = (
	'auto_explain.log_min_duration' => 0,
	'auto_explain.log_analyze' => 'on',
	'auto_explain.log_verbose' => 'on',
	'auto_explain.log_nested_statements' => 'on');
my %trees = map { ("debug_print_$_" => 'on') } qw(parse rewritten plan);
my %errors = (
	log_parameter_max_length_on_error => -1,
	log_min_error_statement => 'debug5',
	log_error_verbosity => 'verbose');
my %pgaudit = (
	'pgaudit.log' => 'all',
	'pgaudit.log_parameter' => 'on',
	'pgaudit.log_statement' => 'on',
	'pgaudit.log_relation' => 'on');
my %setups = (
	defaults => {},
	statements => { log_statement => 'all' },
	durations => { log_min_duration_statement => 0 },
	auto_explain => \%auto_explain,
	trees => \%trees,
	errors => \%errors,
	pgaudit => \%pgaudit,
	quiet => { log_min_messages => 'panic', log_min_error_statement => 'panic' },
	debug => { log_min_messages => 'debug5', log_duration => 'on' },
	everything => {
		log_statement => 'all',
		log_min_duration_statement => 0,
		log_min_messages => 'debug2',
		%auto_explain, %trees, %errors, %pgaudit });

# ---- ways: messages that a client sends, one after the other

# A call with the key as a literal.
sub call
{
	my ($cell) = @_;

	return "bambi_add_key('$provider', '$cell->{key}', '$cell->{name}')";
}

# Of a simple query, or several; the last error.
sub simple
{
	my ($cell, @texts) = @_;
	my $error;

	foreach my $text (@texts)
	{
		(undef, my $new) = $cell->{wire}->query($text);
		$error = $new if $new;
	}
	return $error;
}

sub bound
{
	my ($cell, $text, @values) = @_;

	return ($cell->{wire}->bound($text, @values))[1];
}

my $by_parameters = 'SELECT bambi_add_key($1, $2, $3)';

# As PostgREST asks: arguments in one JSON document.
my $as_postgrest = q{WITH pgrst_source AS (
	SELECT pgrst_call.pgrst_scalar FROM (SELECT $1::json AS json_data)
		pgrst_payload, LATERAL (SELECT * FROM json_to_record(
			pgrst_payload.json_data) AS _("provider" text, "api_key" text,
				"name" text) LIMIT 1) pgrst_body,
		LATERAL (SELECT "public"."bambi_add_key"(
			"provider" := pgrst_body."provider",
			"api_key" := pgrst_body."api_key", "name" := pgrst_body."name")
				pgrst_scalar) pgrst_call)
	SELECT * FROM pgrst_source};

sub execute_often
{
	my ($cell) = @_;
	my $wire = $cell->{wire};
	my $error;

	$wire->prepare("often $cell->{number}", $by_parameters);
	foreach my $time (1 .. 7)
	{
		(undef, my $new) = $wire->execute("often $cell->{number}", $provider,
			$cell->{key}, "$cell->{name} $time");
		$error //= $new;
	}
	return $error;
}

# token: the key looks like one.  state: SQLSTATE of the error it ends with.
# told: the client is told the key.  kept: whoever does that stores it.
# limit: a set-up under which pg_stat_activity shows it, as is documented.
my %ways = (
	'literal' => { run => sub { simple($_[0], 'SELECT ' . call(@_)) } },
	'named notation' => {
		run => sub {
			simple($_[0], "SELECT bambi_add_key(api_key => '$_[0]{key}',
				provider => '$provider', name => '$_[0]{name}')");
		}
	},
	'literal, extended protocol' =>
	  { run => sub { bound($_[0], 'SELECT ' . call(@_)) } },
	'literal, after Bind' => {
		run => sub {
			my $cell = shift;
			$cell->{wire}->bound_so_far('SELECT ' . call($cell));
			$cell->{look}->();
			return ($cell->{wire}->execute_bound)[1];
		}
	},
	'bind' => {
		run => sub {
			bound($_[0], $by_parameters, $provider, $_[0]{key}, $_[0]{name});
		}
	},
	'bind, prepared, seven times' => { run => \&execute_often },
	'bind, as PostgREST' => {
		run => sub {
			bound($_[0], $as_postgrest, qq({"provider": "$provider",
				"api_key": "$_[0]{key}", "name": "$_[0]{name}"}));
		}
	},
	'bind, in a wrapper' => {
		token => 1,
		run => sub {
			bound($_[0], 'SELECT take_key($1, $2)', $_[0]{key}, $_[0]{name});
		}
	},
	'sealed' => {
		run => sub {
			bound($_[0], $by_parameters, $provider, $_[0]{sealed},
				$_[0]{name});
		}
	},
	'PREPARE, EXECUTE' => {
		run => sub {
			simple($_[0],
				"PREPARE p$_[0]{number}(text, text, text) AS $by_parameters",
				"EXECUTE p$_[0]{number}('$provider', '$_[0]{key}',
					'$_[0]{name}')");
		}
	},
	'PREPARE of a literal' => {
		run => sub {
			simple($_[0], "PREPARE p$_[0]{number} AS SELECT " . call(@_),
				"EXECUTE p$_[0]{number}");
		}
	},
	'DO' => {
		run => sub {
			simple($_[0], 'DO $$BEGIN PERFORM ' . call(@_) . '; END$$');
		}
	},
	'DO, dynamic, with a syntax error' => {
		state => '42601',
		run => sub {
			simple($_[0],
				'DO $do$BEGIN EXECUTE $$SELECT ' . call(@_) . ' +$$; END$do$');
		}
	},
	'CALL' =>
	  { run => sub { simple($_[0], 'CALL ignore(' . call(@_) . ')') } },
	'CALL of a wrapper' => {
		token => 1,
		run => sub {
			simple($_[0], "CALL keep_key('$_[0]{key}', '$_[0]{name}')");
		}
	},
	'EXPLAIN' => {
		run => sub { simple($_[0], 'EXPLAIN (VERBOSE) SELECT ' . call(@_)) }
	},
	'EXPLAIN, extended protocol' =>
	  { run => sub { bound($_[0], 'EXPLAIN SELECT ' . call(@_)) } },
	'EXPLAIN ANALYZE' => {
		run => sub {
			simple($_[0], 'EXPLAIN (ANALYZE, VERBOSE) SELECT ' . call(@_));
		}
	},
	'failing cast, bind' => {
		state => '22P02',
		told => 1,
		run => sub {
			bound($_[0], 'SELECT bambi_replace_key($1, $2)', $_[0]{key}, 'x');
		}
	},
	'failing cast, literal' => {
		state => '22P02',
		told => 1,
		run => sub {
			simple($_[0], "SELECT bambi_replace_key('$_[0]{key}', 'x')");
		}
	},
	'failing cast, in a DO' => {
		state => '22P02',
		told => 1,
		run => sub {
			simple($_[0], "DO \$\$BEGIN PERFORM bambi_replace_key(
				'$_[0]{key}'::text::uuid, 'x'); END\$\$");
		}
	},
	'wrong arity' => {
		state => '42883',
		run => sub {
			simple($_[0], "SELECT bambi_add_key('$provider', '$_[0]{key}',
				'$_[0]{name}', '{}', 5, 6)");
		}
	},
	'syntax error' => {
		state => '42601',
		run => sub { simple($_[0], 'SELECT ' . call(@_) . ' FROM WHERE') }
	},
	'unterminated string' => {
		state => '42601',
		told => 1,
		run => sub {
			simple($_[0], "SELECT bambi_add_key('$provider', '$_[0]{key}");
		}
	},
	'unique violation' => {
		state => 'PT409',
		run => sub { simple($_[0], ('SELECT ' . call(@_)) x 2) }
	},
	'comment' => {
		token => 1,
		run => sub { simple($_[0], "SELECT 1 /* $_[0]{key} */ AS one") }
	},
	'comment, extended protocol' => {
		token => 1,
		run => sub { bound($_[0], "SELECT 1 /* $_[0]{key} */ AS one") }
	},
	'comment on a call' => {
		run => sub {
			bound($_[0], "$by_parameters -- $_[0]{key}", $provider, 'x' x 20,
				$_[0]{name});
		}
	},
	'SET' => {
		token => 1,
		run => sub {
			my $cell = shift;
			simple($cell, "SET leak.key = '$cell->{key}'");
			$cell->{look}->();
			return simple($cell, "SELECT bambi_add_key('$provider',
				current_setting('leak.key'), '$cell->{name}')");
		}
	},
	'COPY TO' => {
		run => sub {
			simple($_[0], 'COPY (SELECT ' . call(@_) . ') TO STDOUT');
		}
	},
	'cursor' => {
		run => sub {
			simple($_[0], 'BEGIN',
				'DECLARE c CURSOR FOR SELECT ' . call(@_),
				'FETCH c', 'CLOSE c', 'COMMIT');
		}
	},
	'CREATE TABLE AS' => {
		run => sub {
			simple($_[0],
				"CREATE TEMP TABLE t$_[0]{number} AS SELECT " . call(@_));
		}
	},
	'escaped name' => {
		run => sub {
			simple($_[0], 'SELECT U&"bambi\005Fadd_key"(' .
				  "'$provider', '$_[0]{key}', '$_[0]{name}')");
		}
	},
	'after an error in the same message' => {
		state => '22012',
		run => sub { simple($_[0], 'SELECT 1/0; SELECT ' . call(@_)) }
	},
	'in a failed transaction' => {
		state => '25P02',
		limit => 'quiet',
		run => sub {
			my $cell = shift;
			simple($cell, 'BEGIN', 'SELECT 1/0');
			my $error = simple($cell, 'SELECT ' . call($cell));
			$cell->{look}->();
			simple($cell, 'ROLLBACK');
			return $error;
		}
	},
	'CREATE VIEW' => {
		kept => 1,
		run => sub {
			simple($_[0],
				"CREATE TEMP VIEW v$_[0]{number} AS SELECT " . call(@_));
		}
	},
	'CREATE FUNCTION' => {
		kept => 1,
		run => sub {
			simple($_[0], "CREATE FUNCTION pg_temp.f$_[0]{number}()
				RETURNS uuid LANGUAGE sql AS \$\$SELECT " . call(@_) . '$$');
		}
	});

my $procedures = <<'SQL';
CREATE PROCEDURE ignore(id uuid) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION take_key(key text, name text) RETURNS uuid LANGUAGE sql
	AS $$SELECT bambi_add_key('openai', key, name)$$;
CREATE PROCEDURE keep_key(key text, name text) LANGUAGE plpgsql
	AS $$BEGIN PERFORM take_key(key, name); END$$;
SQL

# Looks at what a process is said to do, until that was so often a running
# statement: all looks, these, and those with the text.
my $sampler = <<'SQL';
CREATE FUNCTION sample(of_pid int, head text, tail text, times int,
	OUT samples int, OUT busy int, OUT hits int) LANGUAGE plpgsql AS $$
DECLARE
	seen record;
BEGIN
	samples := 0; busy := 0; hits := 0;
	WHILE busy < times LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT state, query INTO seen FROM pg_stat_get_activity(of_pid);
		samples := samples + 1;
		IF seen.state = 'active' THEN busy := busy + 1; END IF;
		IF position(head || tail IN seen.query) > 0 THEN
			hits := hits + 1;
		END IF;
	END LOOP;
END
$$;
SQL

my $conf = <<'CONF';
logging_collector = on
log_destination = 'stderr,csvlog,jsonlog'
log_rotation_size = 0
log_connections = on
log_disconnections = on
pg_stat_statements.track = all
pg_stat_statements.track_planning = on
wal_level = logical
max_wal_senders = 4
max_replication_slots = 4
CONF

sub random_text
{
	return join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. 12;
}

# A server with these libraries, a user for every set-up, and no cell yet.
sub start
{
	my ($class, $name, $libraries) = @_;
	my $bambi = BambiCluster->start($name,
		conf => "$conf\nshared_preload_libraries = '$libraries'\n");
	my $self = bless {
		bambi => $bambi,
		order => $libraries,
		head => random_text(),
		tail => random_text(),
		cells => [],
		seen => {},
		wrong => [],
	}, $class;

	$bambi->sql('CREATE EXTENSION pg_stat_statements',
		'CREATE EXTENSION pgaudit', $procedures, $sampler,
		"SELECT pg_create_logical_replication_slot('leaks', 'test_decoding')");
	foreach my $setup (sort keys %setups)
	{
		$bambi->sign_up($setup);
		$bambi->sql("ALTER ROLE $setup SET $_ = '$setups{$setup}{$_}'")
		  foreach sort keys %{ $setups{$setup} };
	}
	$bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)');
	$self->{monitor} = BambiWire->new($bambi->node, 'bambi', 'postgres');
	return $self;
}

sub bambi { return $_[0]{bambi} }

my @places = (
	'pg_stat_activity', 'pg_stat_statements', 'pg_stat_statements, running',
	'pg_stat_statements, stopped', 'log, stderr', 'log, csvlog',
	'log, jsonlog', 'log, before the collector', 'WAL', 'data directory',
	'base backup', 'WAL in the base backup', 'pg_dump', 'logical slot',
	'core file');

# ---- cells

# A new one, with its key.
sub cell
{
	my ($self, $way, $setup, $is_token) = @_;
	my $number = scalar @{ $self->{cells} };
	my $cell = {
		way => $way,
		setup => $setup,
		number => $number,
		name => "cell $number",
		key => ($is_token ? 'sk-' : '')
		  . $self->{head}
		  . sprintf('%05d', $number)
		  . $self->{tail},
	};

	push @{ $self->{cells} }, $cell;
	return $cell;
}

sub found
{
	my ($self, $place, $cell) = @_;

	$self->{seen}{$place}{ $cell->{number} }++;
	return;
}

# What the views say while the client does nothing.
sub look
{
	my ($self, $cell) = @_;
	my ($head, $tail) =
	  (substr($cell->{key}, 0, 12), substr($cell->{key}, 12));
	my ($rows, $error) = $self->{monitor}->query("SELECT
		(SELECT count(*) FROM pg_stat_activity
		  WHERE position('$head' || '$tail' IN query) > 0),
		(SELECT count(*) FROM pg_stat_statements
		  WHERE position('$head' || '$tail' IN query) > 0)");

	die $error->{M} if $error;
	$self->found('pg_stat_activity', $cell) if $rows->[0][0];
	$self->found('pg_stat_statements', $cell) if $rows->[0][1];
	return;
}

# What a way is to end with; complaints are kept.
sub check_end
{
	my ($self, $cell, $way, $error) = @_;
	my $state = $error ? $error->{C} : 'none';
	my @complaints;

	push @complaints, "ended with $state, $error->{M}"
	  if $error && $state ne ($way->{state} // '');
	push @complaints, "did not end with $way->{state}"
	  if $way->{state} && !$error;
	push @complaints, "told its client: $error->{M}"
	  if $error && $way->{told}
	  && index($error->{M}, $cell->{key}) < 0;
	push @complaints, "told its client: $error->{M}"
	  if $error && $error->{M} =~ /withheld/;
	push @{ $self->{wrong} },
	  map { "$cell->{way}, $cell->{setup}: $_" } @complaints;
	return;
}

# One key of the user, sealed as a client does it.
sub sealed_key
{
	my ($self, $setup, $wire) = @_;
	my $cell = $self->cell('bind', $setup);

	$wire->bound($by_parameters, $provider, $cell->{key}, $cell->{name});
	my ($rows) = $self->{monitor}->query("SELECT c.encrypted_api_key
		FROM bambi.api_configurations c
		WHERE name = '$cell->{name}'");
	return $rows->[0][0];
}

sub run_setup
{
	my ($self, $setup) = @_;
	my $wire = BambiWire->new($self->{bambi}->node, 'bambi', $setup);
	my $sealed = $self->sealed_key($setup, $wire);

	foreach my $name (sort keys %ways)
	{
		my $way = $ways{$name};
		my $cell = $self->cell($name, $setup, $way->{token});

		$cell->{kept} = $way->{kept};
		$cell->{is_limit} = ($way->{limit} // '') eq $setup;
		my $error = $way->{run}->({
				%$cell,
				wire => $wire,
				sealed => $sealed,
				look => sub { $self->look($cell) } });
		$self->check_end($cell, $way, $error);
		$self->look($cell);
	}
	$wire->close;
	return;
}

sub run_matrix
{
	my ($self) = @_;

	$self->run_setup($_) foreach sort keys %setups;
	return;
}

# What no one guards, and every place has to show.
sub run_control
{
	my ($self) = @_;
	my $wire = BambiWire->new($self->{bambi}->node, 'bambi', 'everything');
	my $cell = $self->{control} = $self->cell('control', 'everything');

	$self->{bambi}->sql('CREATE TABLE control (key text)',
		'GRANT ALL ON control TO bambi_user');
	$wire->query("INSERT INTO control /* $cell->{key} */
		VALUES ('$cell->{key}')");
	$self->look($cell);
	$wire->close;
	return;
}

# ---- the moment

# Messages of one call.
sub call_messages
{
	my ($kind, @arguments) = @_;

	return BambiWire::message('Q',
		"SELECT bambi_add_key('" . join("', '", @arguments) . "')\0")
	  if $kind eq 'literal';
	return BambiWire::bound_messages($by_parameters, @arguments);
}

# Has a session pass keys, without a pause, while another one looks so often
# at its activity: (looks, looks while it was active, hits, calls).
sub race
{
	my ($self, $kind, $times) = @_;
	my $wire = BambiWire->new($self->{bambi}->node, 'bambi', 'defaults');
	my $cell = $self->cell("race, $kind", 'defaults');
	my $key = $kind eq 'sealed'
	  ? $self->sealed_key('defaults', $wire) : $cell->{key};
	my $monitor = $self->{monitor};
	my $number = 0;

	$monitor->send_raw(BambiWire::message('Q',
			"SELECT * FROM sample(@{[ $wire->pid ]}, '$self->{head}',
				'" . substr($cell->{key}, 12) . "', $times)\0"));
	until ($monitor->has_answer)
	{
		my @calls = map { [ $provider, $key, "$kind $_" ] }
		  $number + 1 .. $number + 20;

		$number += @calls;
		$wire->send_raw(map { call_messages($kind, @$_) } @calls);
		foreach (@calls)
		{
			my (undef, $error) = $wire->answer;
			die $error->{M} if $error;
		}
	}
	my ($rows, $error) = $monitor->answer;
	die $error->{M} if $error;
	$wire->close;
	return (@{ $rows->[0] }, $number);
}

# ---- the places

# How a text may be written: as it is, as hexadecimal digits, and as the list
# of bytes that a dumped tree has.  Its lines may end in a number; so all spaces
# and line ends are taken out, in whatever way a log writes them.
my @encodings = (
	sub { $_[0] },
	sub { unpack 'H*', $_[0] },
	sub { uc unpack 'H*', $_[0] });
my $as_list = sub { join '', unpack 'C*', $_[0] };

# Numbers of the cells whose keys are in a text, whole or by half.
sub cells_in
{
	my ($self, $text) = @_;
	my %numbers;

	my $lists = $text =~ /constvalue/ ? $text =~ s/(?:\\n|\s)+//gr : '';

	foreach my $way (map({ [ $_, $text ] } @encodings), [ $as_list, $lists ])
	{
		my ($encode, $written) = @$way;
		my %digit = map { ($encode->($_) => $_) } 0 .. 9;
		my $digit = join '|', sort keys %digit;
		my $number = "(?:$digit){5}";

		foreach my $half ($self->{head}, $self->{tail})
		{
			my $mark = $encode->($half);
			my $is_head = $half eq $self->{head};

			# index is much faster than an expression
			for (my $at = 0; ($at = index $written, $mark, $at) >= 0; $at++)
			{
				my $near = $is_head
				  ? substr $written, $at + length $mark, 20
				  : substr $written, $at < 20 ? 0 : $at - 20,
				  $at < 20 ? $at : 20;
				my ($found) = $is_head
				  ? $near =~ /^($number)/ : $near =~ /($number)$/;

				next unless defined $found;
				$found =~ s/($digit)/$digit{$1}/g;
				$numbers{ 0 + $found } = 1;
			}
		}
	}
	return keys %numbers;
}

sub search_text
{
	my ($self, $place, $text) = @_;

	foreach my $number ($self->cells_in($text))
	{
		my $cell = $self->{cells}[$number];
		$self->found($place, $cell) if $cell;
	}
	return;
}

sub search_files
{
	my ($self, $place, @files) = @_;

	$self->search_text($place, slurp_file($_)) foreach grep { -f } @files;
	return;
}

sub files_below
{
	my ($dir) = @_;
	my @files;

	find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } }, $dir);
	return @files;
}

sub output_of
{
	my ($self, $program, @options) = @_;
	my ($output, $errors);

	IPC::Run::run([ $self->{bambi}->node->installed_command($program),
			@options ], '>', \$output, '2>', \$errors)
	  or die "$program: $errors";
	return $output;
}

# Everything there is outside of the server's memory; stops the server.
sub search
{
	my ($self) = @_;
	my $node = $self->{bambi}->node;
	my $data = $node->data_dir;
	my $backup = $node->basedir . '/leaks_backup';

	my ($rows, $error) = $self->{monitor}->query(
		"SELECT data FROM pg_logical_slot_get_changes('leaks', NULL, NULL)");
	die $error->{M} if $error;
	$self->search_text('logical slot', join "\n", map { $_->[0] } @$rows);
	$self->search_text('pg_dump',
		$self->output_of('pg_dump', '-d', $node->connstr('bambi')));
	$self->search_files('pg_stat_statements, running',
		glob "$data/pg_stat_tmp/*");
	$self->output_of('pg_basebackup', '-D', $backup, '-X', 'fetch', '-c',
		'fast', '-d', $node->connstr('postgres'));
	$self->{monitor}->close;
	$self->stop;

	my $is_known = qr{/(?:log|pg_stat|pg_wal|pg_stat_tmp)/};
	$self->search_logs;
	$self->search_files('pg_stat_statements, stopped',
		glob "$data/pg_stat/*");
	$self->search_files('WAL', glob "$data/pg_wal/*");
	$self->search_files('data directory',
		grep { $_ !~ $is_known } files_below($data));
	$self->search_files('base backup',
		grep { $_ !~ $is_known } files_below($backup));
	$self->search_files('WAL in the base backup', glob "$backup/pg_wal/*");
	return;
}

# Until all that was said is in the log, too: the logger is the last to leave.
sub stop
{
	my ($self) = @_;
	my $bambi = $self->{bambi};

	$bambi->stop;
	$bambi->wait_until('the end of the logger',
		sub { return !$bambi->server_processes });
	return;
}

sub search_logs
{
	my ($self) = @_;
	my $node = $self->{bambi}->node;
	my @logs = glob $node->data_dir . '/log/*';

	$self->search_files('log, stderr', grep { /\.log$/ } @logs);
	$self->search_files('log, csvlog', grep { /\.csv$/ } @logs);
	$self->search_files('log, jsonlog', grep { /\.json$/ } @logs);
	$self->search_files('log, before the collector', $node->logfile);
	return;
}

# What is logged so far, when the server has stopped.
sub log_text
{
	my ($self) = @_;

	return join '', map { slurp_file($_) }
	  glob $self->{bambi}->node->data_dir . '/log/*.log';
}

# ---- core files

# Kills a session in the middle of its messages; core files that it left.
sub die_of
{
	my ($self, @messages) = @_;
	my $bambi = $self->{bambi};
	my $wire = BambiWire->new($bambi->node, 'bambi', 'defaults');
	my $pid = $wire->pid;

	$wire->send_raw(@messages);
	$bambi->poll("SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE pid = $pid AND wait_event = 'PgSleep')");
	kill 'ABRT', $pid;
	$bambi->wait_gone($pid);
	$bambi->wait_for_server;
	return glob $bambi->node->data_dir . '/core*';
}

# Sessions that have a key die, on a running server.  Gives whether core files
# can be had here at all, and stops the server.
sub search_cores
{
	my ($self) = @_;
	my $bambi = $self->{bambi};
	my $sleep = BambiWire::message('Q', "SELECT pg_sleep(600)\0");
	my ($pid) = split /\n/, slurp_file($bambi->node->data_dir .
		  '/postmaster.pid');

	# as for whoever looks for a fault of the server
	system_or_bail('prlimit', '--core=unlimited', '--pid', $pid);
	my @cores = $self->die_of(
		BambiWire::message('Q', "SELECT '$self->{control}{key}'\0"), $sleep);
	$self->search_files('core file', @cores);
	unlink @cores;

	foreach my $way ('bind', 'literal', 'literal that runs')
	{
		my $cell = $self->cell("$way, then a crash", 'defaults');
		my @calls = $way eq 'literal that runs'
		  ? BambiWire::message('Q',
			'SELECT ' . call($cell) . ", pg_sleep(600)\0")
		  : (call_messages($way, $provider, $cell->{key}, $cell->{name}),
			$sleep);
		my @left = $self->die_of(@calls);

		$self->search_files('core file', @left);
		unlink @left;
	}
	$self->stop;
	$self->search_logs;
	return @cores > 0;
}

# ---- what came of it

# Places that keep what somebody stores on purpose.
sub is_storage
{
	my ($place) = @_;

	# a core file has the server's shared buffers in it
	return $place =~ /slot|dump|WAL|directory|backup|core/;
}

sub is_excused
{
	my ($place, $cell) = @_;

	return ($cell->{kept} && is_storage($place))
	  || ($cell->{is_limit} && $place eq 'pg_stat_activity')
	  || $cell->{way} eq 'control';
}

# Tests: every place has the control, and nothing else.
sub conclude
{
	my ($self) = @_;
	my $seen = $self->{seen};
	my $cells = grep { $_->{way} ne 'control' } @{ $self->{cells} };
	my $total = 0;
	my %leaky;

	is(join("\n", @{ $self->{wrong} }),
		'', 'every way ends as it should, and tells its client the truth');
	foreach my $place (@places)
	{
		my @found = grep { !is_excused($place, $_) }
		  map { $self->{cells}[$_] }
		  sort { $a <=> $b } keys %{ $seen->{$place} };

		ok($seen->{$place}{ $self->{control}{number} },
			"$place: the control is found")
		  unless $place =~ /collector|core|WAL in/;
		is(scalar @found, 0, "$place: no key of $cells cells")
		  or diag(join "\n", map { "$_->{way}, $_->{setup}" } @found);
		$total += @found;
		$leaky{ $_->{number} } = 1 foreach @found;
	}
	note "counted: $self->{order}: $cells cells, " . @places
	  . " places, $total findings in " . keys(%leaky) . ' cells';
	return;
}

# All of it, on one server: so many looks in each race.
sub prove
{
	my ($class, $name, $libraries, %sizes) = @_;
	my $self = $class->start($name, $libraries);

	note "preloaded: $libraries";
	$self->run_control;
	$self->run_matrix foreach 1 .. $sizes{rounds} // 1;
	foreach my $kind (qw(bind sealed literal))
	{
		my ($looks, $busy, $hits, $calls) = $self->race($kind, $sizes{looks});
		my $share = sprintf '%.2f %%', 100 * $hits / $busy;

		note "counted: pg_stat_activity, $kind: $looks looks, $busy of them while "
		  . "$calls calls ran, $hits with the key ($share)";
		if ($kind eq 'literal')
		{
			cmp_ok($hits, '<', $busy / 2, 'a literal is seen for a moment');
		}
		else
		{
			is($hits, 0, "$kind: no look sees the key");
		}
	}
	$self->search;
	$self->{bambi}->node->start;
	note 'core files cannot be had on this machine'
	  unless $self->search_cores;
	$self->conclude;
	return $self;
}

1;
