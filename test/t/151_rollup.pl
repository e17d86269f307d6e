# Usage is added up once, whoever adds it up, however many do so at a time, and
# whoever dies in between: at the end the sums are the events, by every
# dimension and granularity, and whoever looks meanwhile sees the same.
#
#	ROUNDS	of the random kills, tenfold (default 2)

use strict;
use warnings;

use BambiCluster;
use IPC::Run;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{ROUNDS} || 2;
my $seed = $ENV{SEED} || time;
srand $seed;
note "SEED=$seed ROUNDS=$rounds";

my @users = qw(alice bob carol);
my $bambi = BambiCluster->start('rollup');
$bambi->sign_up($_) foreach @users;
$bambi->lift_quota;
$bambi->add_key($_) foreach @users;

# ---- what must hold, at any moment

# Rolled up and fresh together, in one snapshot: everything, once.
my $is_exact = q{
	SELECT (SELECT concat_ws(' ', sum(request_count), sum(images), sum(cost))
			  FROM bambi_usage)
		 = (SELECT concat_ws(' ', count(*), sum(images), sum(cost))
			  FROM bambi.usage_events)};

# Sums that are not those of the marked events, by all that they are kept by.
my $wrong = q{
	WITH events AS (
		SELECT e.user_id, g.granularity,
			   date_trunc(g.granularity, e.created_at, 'UTC') AS start,
			   e.provider_id, e.configuration_id, e.request_type, e.model_id,
			   e.currency, count(*)::int AS calls, sum(e.images)::int AS images,
			   coalesce(sum(e.tokens_used), 0)::bigint AS tokens,
			   coalesce(sum(e.cost), 0) AS cost,
			   (count(*) - count(e.cost))::int AS unknown_costs,
			   bool_or(e.is_estimate) AS is_estimate
		  FROM bambi.usage_events e,
			   unnest('{hour, day, month}'::text[]) g (granularity)
		 WHERE e.is_rolled_up
		 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
	sums AS (
		SELECT user_id, granularity, period_start, provider_id,
			   configuration_id, request_type, model_id, currency,
			   request_count, images, tokens_used, cost_estimate,
			   unknown_costs, is_estimate
		  FROM bambi.api_usage)
	SELECT (SELECT count(*) FROM (TABLE events EXCEPT ALL TABLE sums) e),
		   (SELECT count(*) FROM (TABLE sums EXCEPT ALL TABLE events) s)};

sub holds
{
	my ($says) = @_;

	is($bambi->sql($is_exact), 't', "$says: the views are exact");
	is($bambi->sql($wrong), '0|0', "$says: the sums are the marked events");
	return;
}

sub fresh
{
	return $bambi->sql(
		'SELECT count(*) FROM bambi.usage_events WHERE NOT is_rolled_up');
}

# Events as calls would leave them: users, keys, models, hours, and costs that
# are not known.
sub book
{
	my ($count) = @_;

	$bambi->sql("INSERT INTO bambi.usage_events (user_id, configuration_id,
			provider_id, model_id, request_type, images, tokens_used, cost,
			is_estimate, charged, created_at)
		SELECT c.user_id, CASE WHEN n % 3 > 0 THEN c.id END, c.provider_id,
			CASE WHEN n % 7 > 0 THEN m.id END,
			CASE WHEN n % 7 = 0 THEN 'validate' WHEN n % 5 = 0 THEN 'edit'
			ELSE 'generate' END, n % 4, CASE WHEN n % 2 = 0 THEN n END,
			CASE WHEN n % 11 > 0 THEN n * 0.000001 END, n % 13 = 0, 'yes',
			now() - n % 100 * interval '17 hours'
		  FROM generate_series(1, $count) n
		  JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS place
				  FROM bambi.api_configurations) c ON c.place = n % 3
		  CROSS JOIN LATERAL (SELECT id FROM bambi.models
				WHERE provider_id = c.provider_id
				ORDER BY id OFFSET n % 2 LIMIT 1) m");
	return;
}

# A psql of its own; its rows end in the scalar.
sub in_background
{
	my ($name, $out, @statements) = @_;

	return IPC::Run::start(
		[
			$bambi->node->installed_command('psql'), '-XAtq',
			'-d', $bambi->node->connstr('bambi'), '-U', $name,
			map { ('-c', $_) } @statements
		],
		'<', \undef, '>', $out, '2>', \my $error);
}

sub roll_up_pid
{
	my ($waits) = @_;
	my $condition = $waits ? "AND wait_event_type = 'Lock'" : '';

	return (split /\n/, $bambi->sql("SELECT pid FROM pg_stat_activity
		WHERE query LIKE 'SELECT bambi_rollup_usage(%' $condition"))[0];
}

# ---- four at a time, while others look

my $events = 4000 * $rounds;
book($events);
my $fresh = fresh();
holds('before');
my $looker = <<"SQL";
DO \$\$
DECLARE
	is_exact boolean;
	looks int := 0;
BEGIN
	WHILE EXISTS (SELECT FROM bambi.usage_events WHERE NOT is_rolled_up)
	LOOP
		EXECUTE \$q\$$is_exact\$q\$ INTO is_exact;
		IF NOT is_exact THEN
			RAISE EXCEPTION 'not exact';
		END IF;
		looks := looks + 1;
		COMMIT;
	END LOOP;
	PERFORM set_config('bambi_test.looks', looks::text, false);
END
\$\$
SQL
my $own = "SELECT DISTINCT sum(request_count) FROM bambi_usage";
my ($looks, @seen, @moved) = '';
my $of_alice = $bambi->sql_as('alice', $own);
my $looking = in_background('postgres', \$looks, $looker,
	"SELECT current_setting('bambi_test.looks')");
my $alice = in_background('alice', \$seen[0], ($own) x 50);
my @rolling = map {
	$moved[$_] = '';
	in_background('postgres', \$moved[$_],
		('SELECT bambi_rollup_usage(100)') x ($fresh / 100))
} 0 .. 3;
$_->finish foreach @rolling, $alice;
$bambi->sql('SELECT bambi_rollup_usage()');
$looking->finish;
is($looking->result(0), 0, 'whoever looks meanwhile sees it exact');
cmp_ok($looks, '>', 0, 'and has looked');
is(join(',', sort { $a <=> $b } keys %{ { map { $_ => 1 }
				split /\n/, $seen[0] } }), $of_alice,
	'a user sees no change');
my $by_four = 0;
$by_four += $_ foreach map { split /\n/ } @moved;
cmp_ok($by_four, '<=', $fresh, 'four at a time move nothing twice');
cmp_ok($by_four, '>', 0, 'and they move something');
is(fresh(), 0, 'nothing is left');
holds('by four at a time');

# ---- two in the same sums, of which the first is undone, or not

foreach my $end (qw(ROLLBACK COMMIT))
{
	book(100);
	my $first = $bambi->session('postgres');
	my $second = '';

	is($first->query_safe('BEGIN; SELECT bambi_rollup_usage(60)'),
		60, 'the first takes some');
	my $rolling = in_background('postgres', \$second,
		'SELECT bambi_rollup_usage(1000)');
	$bambi->wait_until('another that waits', sub { return roll_up_pid(1) });
	$first->query_safe($end);
	$first->quit;
	$rolling->finish;
	is($second + 0, 40, 'the second takes the others');
	is(fresh(), $end eq 'COMMIT' ? 0 : 60, "$end: as many are left");
	holds("$end of the first of two");
	$bambi->sql('SELECT bambi_rollup_usage()');
}

# ---- whoever is added up may be deleted at the same time

$bambi->sign_up('dave');
$bambi->add_key('dave');
$bambi->generate('dave', 'a fawn', 'sandbox');
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)');
my $session = $bambi->session('postgres');
$session->query_safe("BEGIN; DELETE FROM bambi.users
	WHERE id = '$bambi->{user}{dave}'");
is($bambi->sql('SELECT bambi_rollup_usage()'),
	0, 'a user who is just being deleted is passed by');
$session->query_safe('ROLLBACK');
cmp_ok($bambi->sql('SELECT bambi_rollup_usage()'),
	'>', 0, 'and added up if that did not happen');
$session->query_safe("BEGIN; SELECT bambi_rollup_usage()");
$session->query_safe("DELETE FROM bambi.users
	WHERE id = '$bambi->{user}{dave}'");
$session->query_safe('COMMIT');
$session->quit;
holds('without the deleted user');

# ---- death in the midst of it: marked, and not added yet

my $kills = 0;

foreach my $death (qw(backend postmaster everything))
{
	book(100);
	my $before = fresh();
	my $blocker = $bambi->session('postgres');
	my $rows;

	# the sums that it comes to are locked, all of them
	$blocker->query_safe('BEGIN; SELECT count(*) FROM (
		SELECT FROM bambi.api_usage FOR UPDATE) l');
	my $rolling = in_background('postgres', \$rows,
		'SELECT bambi_rollup_usage(1000)');
	my $pid;
	$bambi->wait_until('a roll-up that waits',
		sub { return $pid = roll_up_pid(1) });
	$kills++;
	$bambi->kill9($pid) if $death eq 'backend';
	$bambi->kill9_postmaster if $death eq 'postmaster';
	$bambi->kill9_everything if $death eq 'everything';
	eval { $rolling->finish };
	eval { $blocker->quit };
	$bambi->bring_back;
	is(fresh(), $before, "killed in between ($death): nothing is marked");
	holds("killed in between ($death)");
}

# ---- at random, while generations run

foreach my $round (1 .. 10 * $rounds)
{
	my ($ids, $errors, @rows) = ('', '');
	book(500);
	my $asking = $bambi->generate_in_background($users[ rand @users ],
		[ map { "fawn $round.$_" } 1 .. 5 ], \$ids, \$errors, 'sandbox');
	my @rolling = map {
		in_background('postgres', \$rows[$_],
			('SELECT bambi_rollup_usage(37)') x 50)
	} 0, 1;
	my $refreshing = in_background('postgres', \my $nothing,
		('SELECT bambi_refresh_reports()') x 2);
	my $pid;
	$bambi->wait_until('a roll-up', sub {
			return ($pid = roll_up_pid(0))
			  || !grep { $_->pumpable } @rolling;
		});
	usleep(rand 20_000);
	if ($round % 5 == 0)
	{
		$bambi->kill9_postmaster;
	}
	elsif ($pid)
	{
		kill 'KILL', $pid;
	}
	$kills++;
	foreach my $run (@rolling, $asking, $refreshing)
	{
		eval { $run->finish };
	}
	$bambi->bring_back;
	is($bambi->sql($wrong), '0|0', "killed at random, $round: exact");
}
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)');
holds('after all of it');
cmp_ok($bambi->sql('SELECT bambi_rollup_usage()'), '>', 0,
	'the rest is added up');
is(fresh(), 0, 'and nothing is left');
holds('at the end');
$bambi->sql('SELECT bambi_refresh_reports()');
is( $bambi->sql('SELECT sum(request_count), sum(cost), sum(unknown_costs)
		FROM bambi_report_spend'),
	$bambi->sql('SELECT count(*), sum(cost), count(*) - count(cost)
		FROM bambi.usage_events'),
	'the report of spend is the events');
is( $bambi->sql('SELECT sum(generations) FROM bambi_report_failures
		WHERE error_code IS NULL'),
	$bambi->sql("SELECT count(*) FROM bambi.image_generations
		WHERE status IN ('succeeded', 'failed')"),
	'that of failures, and that of latency, the generations');
is($bambi->sql('SELECT sum(generations) FROM bambi_report_latency'),
	$bambi->sql("SELECT count(*) FROM bambi.image_generations
		WHERE status = 'succeeded'"), 'of which some succeeded');

note sprintf 'counted: %d events in %d sums, %d kills, %d looks meanwhile',
  split(/\|/, $bambi->sql('SELECT (SELECT count(*) FROM bambi.usage_events),
	(SELECT count(*) FROM bambi.api_usage)')), $kills, $looks;

$bambi->stop;
done_testing();
