# Kills at random of those who add up usage, while generations run and reports
# are refreshed: what is added up is what was booked, after each kill and at the
# end.
#
#	ROLLUPS	kills (default 10)
#	SEED	of everything random; printed, to repeat a run

use strict;
use warnings;

use BambiCluster;
use BambiUsage;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{ROLLUPS} || 10;
my $seed = $ENV{SEED} || time;
srand $seed;
note "SEED=$seed ROLLUPS=$rounds";

my @users = qw(alice bob carol);
my $bambi = BambiCluster->start('rollups');
my $usage = BambiUsage->new($bambi);
$bambi->sign_up($_) foreach @users;
$bambi->lift_quota;
$bambi->add_key($_) foreach @users;
my $kills = 0;

foreach my $round (1 .. $rounds)
{
	my ($ids, $errors, @rows) = ('', '');
	$usage->book(500);
	my $asking = $bambi->generate_in_background($users[ rand @users ],
		[ map { "fawn $round.$_" } 1 .. 5 ], \$ids, \$errors, 'sandbox');
	my @rolling = map {
		$usage->psql('postgres', \$rows[$_],
			('SELECT bambi_rollup_usage(37)') x 50)
	} 0, 1;
	my $refreshing = $usage->psql('postgres', \my $nothing,
		('SELECT bambi_refresh_reports()') x 2);
	my $pid;
	$bambi->wait_until('a roll-up', sub {
			return ($pid = $usage->roll_up_pid(0))
			  || !grep { $_->pumpable } @rolling;
		});
	usleep(rand 20_000);
	if ($round % 5 == 0)
	{
		$bambi->kill9_postmaster;
	}
	elsif ($pid)
	{
		$bambi->kill9($pid);
	}
	$kills++;
	foreach my $run (@rolling, $asking, $refreshing)
	{
		eval { $run->finish };
	}
	$bambi->bring_back;
	is($usage->wrong, '', "killed at random, $round: the sums are exact");
}
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)');
$usage->holds('after all of it');
$usage->book(500);
cmp_ok($bambi->sql('SELECT bambi_rollup_usage()'), '>', 0,
	'the rest is added up');
is($usage->fresh, 0, 'and nothing is left');
$usage->holds('at the end');
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

note sprintf 'counted: %d events in %d sums, %d kills at random',
  split(/\|/, $bambi->sql('SELECT (SELECT count(*) FROM bambi.usage_events),
	(SELECT count(*) FROM bambi.api_usage)')), $kills;

$bambi->stop;
done_testing();
