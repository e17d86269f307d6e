# BambiLeakWays.pm
#	Every way to log, and every way to pass a key, for BambiLeaks.

package BambiLeakWays;

use strict;
use warnings;

use BambiWire;
use Exporter qw(import);

our @EXPORT = qw(%setups %ways $procedures $provider $by_parameters call
  call_messages);

our $provider = 'openai';

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
our %setups = (
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

our $by_parameters = 'SELECT bambi_add_key($1, $2, $3)';

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
our %ways = (
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

our $procedures = <<'SQL';
CREATE PROCEDURE ignore(id uuid) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION take_key(key text, name text) RETURNS uuid LANGUAGE sql
	AS $$SELECT bambi_add_key('openai', key, name)$$;
CREATE PROCEDURE keep_key(key text, name text) LANGUAGE plpgsql
	AS $$BEGIN PERFORM take_key(key, name); END$$;
SQL

# Messages of one call.
sub call_messages
{
	my ($kind, @arguments) = @_;

	return BambiWire::message('Q',
		"SELECT bambi_add_key('" . join("', '", @arguments) . "')\0")
	  if $kind eq 'literal';
	return BambiWire::bound_messages($by_parameters, @arguments);
}

1;
