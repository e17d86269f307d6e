# Two years of months are dumped and restored, by psql and by pg_restore in one
# transaction that ends with the first error, into a cluster that has the roles
# and into one that knows none: data, policies, grants and all else are equal,
# and a copy sends nothing before bambi_adopt().

use strict;
use warnings;

use BambiCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $months = 25;
my $per_month = 40;

my $bambi = BambiCluster->start('original');
my $node = $bambi->node;
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
$bambi->checked($bambi->add_key('alice'));
$bambi->wait_for_status($bambi->generate('alice', 'a fawn'), 'succeeded');

# ---- two years

# What the worker would have made when they were present.
ok( $bambi->poll(<<"SQL"), 'two years of months are made');
SELECT bool_and(bambi_internal.has_month(parent, month)
		OR bambi_internal.make_month(parent, month, settings))
  FROM bambi_internal.monthly_tables(), generate_series(
		date_trunc('month', now() AT TIME ZONE 'UTC')
			- $months * interval '1 month',
		date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month',
		'1 month') month
SQL

# Rows as a user has them: a generation, its picture with bytes, its event and a
# change of the settings, each in its month.
$bambi->sql(<<"SQL");
CREATE FUNCTION pg_temp.id_in(month timestamp, n int) RETURNS uuid
LANGUAGE sql RETURN overlay(
	bambi_uuid_floor(month AT TIME ZONE 'UTC' + n * interval '1 minute')::text
	PLACING substr(gen_random_uuid()::text, 15) FROM 15)::uuid;
CREATE TEMPORARY TABLE made AS
SELECT pg_temp.id_in(m, n) AS id, pg_temp.id_in(m, n) AS image, u.id AS user_id,
       m AT TIME ZONE 'UTC' + n * interval '1 minute' AS made_at, n
  FROM generate_series(
		date_trunc('month', now() AT TIME ZONE 'UTC')
			- $months * interval '1 month',
		date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month',
		'1 month') m,
	generate_series(1, $per_month) n
	JOIN bambi.users u ON u.email LIKE
		CASE WHEN n % 2 = 0 THEN 'alice%' ELSE 'bob%' END;
INSERT INTO bambi.image_generations
       (id, user_id, model_id, prompt, parameters, status, updated_at,
        started_at, finished_at, cost, error_code, error_message)
SELECT d.id, d.user_id, m.id,
       E'a fawn no. ' || n || E', "quoted", \\\\ and ' || chr(10) || U&'\\2603',
       jsonb_build_object('n', n, 'f', 1.50), 'succeeded', d.made_at,
       d.made_at, d.made_at + interval '1.234567 s', n * 0.000001, NULL, NULL
  FROM made d, (SELECT id FROM bambi.models LIMIT 1) m;
INSERT INTO bambi.images (id, generation_id, user_id, width, height, format,
       created_at, bytes, sha256)
SELECT image, id, user_id, 1024, 1024, 'png', made_at, 32,
       encode(sha256(uuid_send(image)), 'hex') FROM made;
INSERT INTO bambi.image_data (image_id, user_id, data)
SELECT image, user_id, sha256(uuid_send(image)) FROM made;
INSERT INTO bambi.usage_events (id, user_id, generation_id, created_at, cost,
       cost_source, charged, images)
SELECT image, user_id, id, made_at, n * 0.000001, 'table', 'yes', 1 FROM made;
INSERT INTO bambi.change_log (id, user_id, table_name, row_key, operation,
       columns, old_values, new_values, changed_by, session_role, role)
SELECT image, user_id, 'bambi.users', jsonb_build_object('id', user_id),
       'update', '{is_active}', '{"is_active": true}', '{"is_active": false}',
       user_id, 'alice', 'bambi_user' FROM made;
SQL
$bambi->sql('SELECT bambi_rollup_usage(1)', 'SELECT bambi_refresh_reports()',
	'SELECT bambi_pause()');
my $queued = $bambi->generate('alice', 'queued while it is dumped', 'sandbox');
my $calls = $bambi->mock_stats->{calls};

# ---- what a database says of itself

# Rows of every table and partition: how many, and a hash.
sub rows_of
{
	my ($server, $database) = @_;
	my %rows;

	foreach my $table (split /\n/, $server->safe_psql(
			$database, "SELECT oid::regclass FROM pg_class
				WHERE relkind IN ('r', 'm') AND relnamespace IN
					('bambi'::regnamespace, 'bambi_internal'::regnamespace)"))
	{
		$rows{$table} = $server->safe_psql($database,
			"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n'
				ORDER BY t::text COLLATE \"C\")), '') FROM $table t");
	}
	return \%rows;
}

# All that pg_dump says of tables, views, policies, grants and comments; but for
# parentheses, since what is restored has "a AND b AND c" without any, and for
# the order of a policy's roles, which is that of their making.
sub schema_of
{
	my ($server, $database) = @_;
	my ($out, $error) = run_command(
		[ $server->installed_command('pg_dump'), '--schema-only', '-d',
			$server->connstr($database) ]);

	is($error, '', 'the schema can be dumped');
	return [ map { s/ TO \K(\w+(, \w+)+)(?= USING)/join ', ', sort split m{, }, $1/er }
		  map { tr/()//dr }
		  grep { !/^(--|\\(un)?restrict |$)/ } split /\n/, $out ];
}

# What pg_dump leaves to the extension: rights on its functions, and their text.
sub functions_of
{
	my ($server, $database) = @_;

	return $server->safe_psql(
		$database, "SELECT p.oid::regprocedure, p.proowner::regrole, p.proacl,
				md5(pg_get_functiondef(p.oid)),
				obj_description(p.oid, 'pg_proc')
			FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid
				AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
			WHERE d.refobjid = (SELECT oid FROM pg_extension
				WHERE extname = 'bambi')
			ORDER BY p.oid::regprocedure::text COLLATE \"C\"");
}

my ($rows, $schema, $functions) = map { $_->($node, 'bambi') }
  (\&rows_of, \&schema_of, \&functions_of);
my $leaves = grep { /_\d{4}_\d\d$/ } keys %$rows;
cmp_ok($leaves, '>=', 3 * $months, 'there are two years of months');
is($bambi->sql('SELECT count(*) FROM bambi.image_generations'),
	$months * $per_month + 2, 'with rows in each');

# ---- dump and restore

my $dump = $node->basedir . '/dump';
$node->command_ok(
	[ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('bambi') ],
	'pg_dump in its own format');
$node->command_ok(
	[ 'pg_dump', '-f', "$dump.sql", $node->connstr('bambi') ],
	'pg_dump as SQL');
$node->command_ok(
	[ 'pg_dumpall', '--roles-only', '-f', "$dump.roles",
		'-d', $node->connstr('postgres') ],
	'pg_dumpall of the roles');

# The statements that failed.
sub restore
{
	my ($server, $database, @command) = @_;
	my ($out, $error);

	$server->safe_psql('postgres', "CREATE DATABASE $database");
	my $program = shift @command;
	IPC::Run::run(
		[
			$server->installed_command($program), '-d',
			$server->connstr($database), @command
		],
		'>', \$out, '2>', \$error);
	diag($error) if $? != 0;
	return ($?, $error =~ /ERROR:  (.*)/g);
}

my $copies = 0;

sub is_equal
{
	my ($server, $database, $says) = @_;

	is_deeply(rows_of($server, $database), $rows, "$says: all rows");
	is_deeply(schema_of($server, $database), $schema,
		"$says: tables, policies, grants and comments");
	is(functions_of($server, $database), $functions,
		"$says: functions and who may call them");
	$copies++;
	return;
}

my $with = BambiCluster->start('with_roles', empty => 1, conf => <<'CONF');
bambi.databases = ''
CONF
$with->node->command_ok(
	[ 'psql', '-X', '-f', "$dump.roles", '-d',
		$with->node->connstr('postgres') ],
	'the roles are restored');
is_deeply([ restore($with->node, 'by_psql', 'psql', '-Xq', '-v',
		'ON_ERROR_STOP=1', '-1', '-f', "$dump.sql") ],
	[0], 'pg_dump | psql');
is_equal($with->node, 'by_psql', 'by psql');
is_deeply([ restore($with->node, 'by_pg_restore', 'pg_restore', '-1',
		'--exit-on-error', $dump) ],
	[0], 'pg_restore -1 --exit-on-error');
is_equal($with->node, 'by_pg_restore', 'by pg_restore');

# into a cluster that knows none of the roles
my $without = BambiCluster->start('without_roles', empty => 1);
is_deeply([ restore($without->node, 'bambi', 'pg_restore', '-1',
		'--exit-on-error', $dump) ],
	[0], 'pg_restore -1 --exit-on-error without the roles');
is_equal($without->node, 'bambi', 'without the roles');
$without->node->safe_psql('postgres', $_)
  foreach ('DROP DATABASE bambi',
	'DROP ROLE bambi_owner, bambi_user, bambi_service, bambi_admin');
is_deeply([ restore($without->node, 'bambi', 'psql', '-Xq', '-v',
		'ON_ERROR_STOP=1', '-f', "$dump.sql") ],
	[0], 'psql without the roles, while the worker looks on');
is_equal($without->node, 'bambi', 'without the roles, by psql');

# ---- nothing is sent by a copy

$without->sql('SELECT bambi_resume()');
ok($without->poll("SELECT s.worker = 'paused' FROM bambi_status() s"),
	'the worker of a copy pauses');
is($without->status_of($queued), 'queued', 'what was queued waits');
is($without->sql('SELECT bambi_adopt()'), 1, 'until it is adopted');
is($without->status_of($queued), 'held', 'and is held then');
is($bambi->mock_stats->{calls}, $calls, 'no copy has called the provider');

note("counted: $leaves months restored $copies times, "
	  . scalar(@$schema) . ' lines of schema and '
	  . ($functions =~ tr/\n// + 1) . ' functions equal');

$_->stop foreach $with, $without, $bambi;
done_testing();
