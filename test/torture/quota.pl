# Many clients want the last places of a quota: as many get one as there are,
# whether a period or a minute has so many.  And random sequences of reserving,
# settling, giving back, dying, new periods and other plans, in which the count
# is after each step what a plain model says.
#
#	QUOTA_RUNS	of the race (default 2); from 20 on 64 clients want places of
#				50 users, 200 times each, and otherwise 16 of 10 users, 50 times
#	SEQUENCES	(default 300)
#	SEED		of everything random; printed, to repeat a run
#
# Ends with "N wrong", and fails unless that is 0.

use strict;
use warnings;

use BambiCluster;
use BambiQuota;
use BambiQuotaRace;
use Test::More;

my $runs = $ENV{QUOTA_RUNS} || 2;
my $sequences = $ENV{SEQUENCES} || 300;
my $seed = $ENV{SEED} || time;
my %race = $runs < 20
  ? (clients => 16, tries => 50, users => 10, limit => 10)
  : (clients => 64, tries => 200, users => 50, limit => 10);
srand $seed;
note "SEED=$seed QUOTA_RUNS=$runs SEQUENCES=$sequences";

my $bambi = BambiCluster->start('quota',
	conf => "max_connections = 120\nbambi.shutdown_grace = '2s'\n");
my $quota = BambiQuota->new($bambi);
my $wrong = 0;

sub judge
{
	my ($says, @wrong) = @_;

	$wrong += @wrong;
	ok(!@wrong, $says) or diag(join "\n", splice @wrong, 0, 20);
	return;
}

$bambi->sql('SELECT bambi_pause()');
foreach my $of ('period', 'minute')
{
	foreach my $key ('none', 'own', 'shared')
	{
		my @wrong = map { BambiQuotaRace::race($quota, %race, of => $of, key => $key) }
		  1 .. ($key eq 'none' ? $runs : ($runs + 3) / 4);

		judge("a $of has $race{limit} places, and $race{clients} clients "
			  . "get just those; idempotency keys: $key", @wrong);
	}
}
note 'counted: ' . $quota->counted('tries', 'places') . ", $wrong wrong";
$bambi->sql('DELETE FROM bambi_internal.queue', 'SELECT bambi_resume()');

judge("$sequences sequences", $quota->sequences($sequences, steps => 12));
my @operations = qw(reserve once repeat rollback settle cancel retry advance
  subscribe change downgrade ends lose renew past_due paid);
note 'counted: ' . $quota->counted('sequences', 'checks', 'refused',
	'kills', 'asked again')
  . ", $wrong wrong";
note $quota->counted(@operations);

$bambi->stop;
done_testing();
print { Test::More->builder->output } "$wrong wrong\n";
