# What comes with the calendar is run by pg_cron, the real one: registered from
# the database that has it, or by the statements that are given elsewhere; each
# job runs, as a role that is no superuser, and what it is for has happened.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('jobs', conf => <<'CONF');
shared_preload_libraries = 'pg_cron,bambi'
cron.database_name = 'postgres'
cron.max_running_jobs = 0
bambi.databases = 'bambi,postgres'
CONF
my $node = $bambi->node;
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\n");
$node->restart;

# In the database that has pg_cron; the last statement's rows.
sub at_cron
{
	my $rows;

	$rows = $node->safe_psql('postgres', $_) foreach @_;
	return $rows;
}

at_cron(
	'CREATE EXTENSION pg_cron',
	'CREATE EXTENSION bambi CASCADE',
	'SELECT bambi_setup()',
	'CREATE ROLE jobs LOGIN IN ROLE bambi_admin',
	'CREATE ROLE stranger LOGIN');

my @jobs = qw(maintain refresh-reports reset-quotas revalidate-keys
  rollup-usage);
my $all = 'SELECT jobname, username, database, jobid FROM cron.job
	ORDER BY jobname';

sub names
{
	return sort map { /^([^|]*)/ } split /\n/, $_[0];
}

# ---- in another database: statements

my $statements = "SELECT statement FROM bambi_schedule_jobs('jobs')";
my ($status, $rows, $notice);

$node->psql('bambi', "SELECT count(*), bool_or(is_registered)
	FROM bambi_schedule_jobs('jobs')", stdout => \$rows, stderr => \$notice);
is($rows, '5|f', 'where pg_cron is not, nothing is registered');
like($notice, qr/pg_cron is not in this database.*cron\.database_name/s,
	'which is said');
is(at_cron('SELECT count(*) FROM cron.job'), 0, 'and true');

at_cron($bambi->sql($statements));
my $there = at_cron($all);
is_deeply([ names($there) ], [ map { "bambi-$_:bambi" } @jobs ],
	'the statements register them where it is');
is( at_cron("SELECT DISTINCT username || ' ' || database FROM cron.job"),
	'jobs bambi', 'for that database, as that role');
at_cron($bambi->sql($statements));
is(at_cron($all), $there, 'once more replaces them');

# ---- in the database that has it

is( at_cron("SELECT count(*), bool_and(is_registered)
		FROM bambi_schedule_jobs('jobs')"),
	'5|t', 'where pg_cron is, they are registered');
my $both = at_cron($all);
is_deeply(
	[ names($both) ],
	[ sort map { ("bambi-$_:bambi", "bambi-$_:postgres") } @jobs ],
	'beside those of another database');
at_cron("SELECT bambi_schedule_jobs('jobs')");
is(at_cron($all), $both, 'once more replaces them');
at_cron('SELECT bambi_schedule_jobs()');
is( at_cron("SELECT username, count(*) FROM cron.job
		GROUP BY username ORDER BY username"),
	"jobs|5\npostgres|5", 'another role, too, takes their place');
at_cron("SELECT bambi_schedule_jobs('jobs')");
is(at_cron('SELECT count(*) FROM cron.job'), 10, 'and none is there twice');

# ---- who may not

foreach my $case (
	[ 'postgres', 'bambi_owner', qr/role cannot run the jobs/ ],
	[ 'postgres', 'stranger', qr/role cannot run the jobs/ ],
	[ 'postgres', 'nobody', qr/role cannot run the jobs/ ],
	[ 'jobs', 'jobs', qr/permission denied for (schema|function|table)/ ],
	[ 'stranger', 'jobs', qr/permission denied for function/ ])
{
	my ($who, $username, $error) = @$case;

	$status = $node->psql('postgres',
		"SELECT bambi_schedule_jobs('$username')",
		stderr => \$notice, extra_params => [ '-U', $who ]);
	isnt($status, 0, "$who cannot have them run as $username");
	like($notice, $error, 'and is told why');
}
is(at_cron($all =~ s/, jobid//r), at_cron($all) =~ s/\|\d+$//mgr,
	'nothing has changed');

# ---- they run, and what they are for has happened

# not yet: some are due each minute, and until now none was let run
at_cron('SELECT cron.alter_job(jobid, active => false) FROM cron.job');
is(at_cron('SELECT count(*) FROM cron.job_run_details'), 0, 'nothing has run');
$node->append_conf('postgresql.conf', "cron.max_running_jobs = 32\n");
$node->restart;
$bambi->sign_up('alice');
my $key = $bambi->add_key('alice');
$bambi->checked($key);
my $id = $bambi->generate('alice', '[[mock reset=after]] a fawn');
$bambi->wait_for_status($id, 'uncertain', 'a generation is uncertain');
$bambi->sql(
	"UPDATE bambi.image_generations
		SET finished_at = now() - interval '25 hours' WHERE id = '$id'",
	"UPDATE bambi.users SET reset_date = now() - interval '1 day'",
	"UPDATE bambi.api_configurations
		SET last_validated_at = now() - interval '30 days'");
at_cron(
	"INSERT INTO bambi.users (email, usage_count, reset_date)
		VALUES ('carol\@example.com', 5, now() - interval '1 day')",
	'INSERT INTO bambi.usage_events (user_id, provider_id, cost)
		SELECT u.id, p.id, 1 FROM bambi.users u, bambi.api_providers p');
my $checks = $bambi->mock_stats->{key_checks};
my $effects = <<'SQL';
SELECT (SELECT sum(request_count) FROM bambi.api_usage
		WHERE granularity = 'day'),
	(SELECT bool_and(usage_count = 0 AND reset_date > now()) FROM bambi.users),
	(SELECT count(*) > 0 FROM bambi_report_spend)
SQL
is($bambi->sql($effects), '|f|f', 'nothing of it has happened before');
is(at_cron($effects), '|f|f', 'in neither database');

# all of them at the next minute; their own times have been seen above
is( at_cron("SELECT count(*) FROM cron.job
		WHERE schedule = '* * * * *' AND jobname LIKE 'bambi-rollup-%'"),
	2, 'the roll-up runs each minute');
at_cron("SELECT cron.alter_job(jobid, schedule => '* * * * *', active => true)
	FROM cron.job");
my $have_run = "SELECT count(DISTINCT jobid) FROM cron.job_run_details
	WHERE status = 'succeeded'";
ok( $node->poll_query_until('postgres', "$have_run", '10'),
	'all of them run')
  or diag(at_cron("SELECT command, database, status, return_message
	FROM cron.job_run_details"));
is( at_cron("SELECT DISTINCT username FROM cron.job_run_details"),
	'jobs', 'as that role');
is( at_cron("SELECT count(*) FROM cron.job_run_details
		WHERE status = 'failed'"),
	0, 'and none fails');

ok($bambi->poll("SELECT status = 'failed' AND error_code = 'written_off'
		FROM bambi.image_generations WHERE id = '$id'"),
	'what was uncertain is written off');
$bambi->wait_until('a check of a key',
	sub { return $bambi->mock_stats->{key_checks} > $checks });
is($bambi->checked($key), 'valid', 'the key is checked anew');
ok($bambi->poll("SELECT NOT EXISTS (SELECT FROM bambi.usage_events
		WHERE NOT is_rolled_up)"),
	'usage is added up');
like($bambi->sql($effects), qr/^[1-9]\d*\|t\|/, 'and the quota begun anew');
foreach my $database ('bambi', 'postgres')
{
	ok($node->poll_query_until($database,
			'SELECT count(*) > 0 FROM bambi_report_spend'),
		"reports of $database are filled");
}
like(at_cron($effects), qr/^[1-9]\d*\|t\|t$/,
	'so it is in the database that has pg_cron');
my $runs = at_cron('SELECT count(*) FROM cron.job_run_details');

# ---- taken back

my $backwards = $bambi->sql('SELECT statement FROM bambi_unschedule_jobs()');
is($bambi->sql('SELECT count(*), count(is_registered)
		FROM bambi_unschedule_jobs()'),
	'5|0', 'where pg_cron is not, nobody knows');
at_cron($backwards);
is(at_cron("SELECT DISTINCT database, count(*) FROM cron.job GROUP BY 1"),
	'postgres|5', 'the statements take back those of their database');
is( at_cron('SELECT count(*), bool_or(is_registered)
		FROM bambi_unschedule_jobs()'),
	'5|f', 'and the others are taken back where it is');
is(at_cron('SELECT count(*) FROM cron.job'), 0, 'so that none is left');
at_cron($backwards);
is( at_cron('SELECT bool_or(is_registered) FROM bambi_unschedule_jobs()'),
	'f', 'once more is no error');

# ---- without a login, by background workers

$node->append_conf('postgresql.conf', "cron.use_background_workers = on\n"
	  . "cron.host = '/nowhere'\n");
my $registering = $bambi->sql($statements);
at_cron('DELETE FROM cron.job_run_details',
	"BEGIN; $registering
	SELECT cron.alter_job(jobid, schedule => '\@reboot') FROM cron.job;
	COMMIT");
$node->restart;
ok( $node->poll_query_until('postgres', "$have_run AND database = 'bambi'",
		'5'),
	'background workers run them, too')
  or diag(at_cron('SELECT status, return_message FROM cron.job_run_details'));

note sprintf 'counted: %d jobs in two databases, %d runs', 2 * @jobs, $runs;
$bambi->stop;
done_testing();
