# A dump restores into a fresh cluster that knows none of the roles, and the
# restored database sends nothing before bambi_adopt().

use strict;
use warnings;

use BambiCluster;
use Test::More;
use PostgreSQL::Test::Utils;

my $bambi = BambiCluster->start('original');
$bambi->sign_up('alice');
$bambi->sign_up('bob');
$bambi->lift_quota;
$bambi->checked($bambi->add_key('alice'));
$bambi->wait_for_status($bambi->generate('alice', 'a fawn'), 'succeeded');
$bambi->sql('SELECT bambi_rollup_usage(1)', 'SELECT bambi_refresh_reports()',
	'SELECT bambi_pause()');
my $queued = $bambi->generate('alice', 'queued while it is dumped', 'sandbox');

my $dump = $bambi->node->basedir . '/dump';
$bambi->node->command_ok(
	[ 'pg_dump', '-Fc', '-f', $dump, $bambi->node->connstr('bambi') ],
	'pg_dump');

my $other = BambiCluster->start('fresh', empty => 1);
my $node = $other->node;
$node->safe_psql('postgres', 'CREATE DATABASE bambi');
$node->command_ok(
	[
		'pg_restore', '-1', '--exit-on-error', '-d', $node->connstr('bambi'),
		$dump
	],
	'pg_restore in one transaction');

is($other->sql('SELECT bambi_setup()'),
	'The tables are those of bambi 1.0 already; brought months and grants up to date.',
	'bambi_setup() finds all in place');

my $rows = 'SELECT (SELECT count(*) FROM bambi.users),
	(SELECT count(*) FROM bambi.models), (SELECT count(*) FROM bambi.images),
	(SELECT md5(string_agg(data, NULL)) FROM bambi.image_data),
	(SELECT string_agg(g::text, $$ $$ ORDER BY id)
	   FROM bambi.image_generations g)';
is($other->sql($rows), $bambi->sql($rows), 'all rows are there');
my $usage = 'SELECT (SELECT string_agg(u::text, $$ $$ ORDER BY u)
		FROM bambi_usage u),
	(SELECT count(*) FROM bambi.api_usage),
	(SELECT count(*) FROM bambi.usage_events WHERE NOT is_rolled_up),
	(SELECT string_agg(r::text, $$ $$ ORDER BY r) FROM bambi_report_spend r),
	(SELECT string_agg(r::text, $$ $$ ORDER BY r) FROM bambi_report_latency r)';
is($other->sql($usage), $bambi->sql($usage),
	'usage is there, rolled up, fresh and reported');
isnt($other->sql('SELECT bambi_rollup_usage()'),
	0, 'what was fresh is rolled up there');
is($other->sql($usage =~ s/,\n\t\(SELECT count.*//sr),
	$bambi->sql($usage =~ s/,\n\t\(SELECT count.*//sr), 'and counted once');
is($other->sql('SELECT bambi_refresh_reports()'), '',
	'the reports can be brought up to date');
my $guards = "SELECT string_agg(concat_ws(' ', c.oid::regclass,
			c.relowner::regrole, c.relrowsecurity,
			coalesce(c.relacl, acldefault('r', c.relowner)),
			(SELECT string_agg(l.polname || pg_get_expr(l.polqual, l.polrelid)
				|| l.polroles::regrole[]::text, ' ' ORDER BY l.polname)
			   FROM pg_policy l WHERE l.polrelid = c.oid)),
		E'\\n' ORDER BY c.oid::regclass::text)
	FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm')
		AND (c.relnamespace IN ('bambi'::regnamespace,
			'bambi_internal'::regnamespace) OR c.relname LIKE 'bambi%')";
is($other->sql($guards), $bambi->sql($guards),
	'with owners, grants, row-level security and policies');

$other->sql("CREATE ROLE $_ LOGIN IN ROLE bambi_user",
	"ALTER ROLE $_ SET bambi.user_id = '$bambi->{user}{$_}'")
  foreach qw(alice bob);
is($other->sql_as('alice', 'SELECT count(*) FROM bambi_generations'),
	2, 'a user sees her own');
is($other->sql_as('bob', 'SELECT count(*) FROM bambi_generations'),
	0, 'and nobody else does');

$other->sql('SELECT bambi_resume()');
ok( $other->poll("SELECT s.worker = 'paused' FROM bambi_status() s"),
	'its worker pauses');
like(slurp_file($node->logfile), qr/this database is a copy/, 'and says why');
is($other->status_of($queued), 'queued', 'what was queued is not sent');
is($other->sql('SELECT bambi_adopt()'), 1, 'bambi_adopt() holds it');
is($other->status_of($queued), 'held', 'it is held');
is($other->sql_as('alice', "SELECT bambi_retry('$queued')"),
	$queued, 'its owner decides');
$other->wait_for_status($queued, 'succeeded', 'and then it is sent');

# ---- a schema that is somebody's

foreach my $case (
	[ 'CREATE SCHEMA bambi; CREATE TABLE bambi.t ()', 'with a table' ],
	[ 'CREATE SCHEMA bambi; GRANT CREATE ON SCHEMA bambi TO bob',
		'with a grant' ],
	[ 'CREATE SCHEMA bambi AUTHORIZATION bob', 'of no superuser' ])
{
	my ($made, $says) = @$case;

	$node->safe_psql('postgres', 'CREATE DATABASE another');
	$node->safe_psql('another', $made);
	my ($status, undef, $message) =
	  $node->psql('another', 'CREATE EXTENSION bambi CASCADE');
	like($message, qr/schema "bambi" exists and belongs to/,
		"a schema $says is not taken over");
	$node->safe_psql('postgres', 'DROP DATABASE another');
}

$other->stop;
$bambi->stop;
done_testing();
