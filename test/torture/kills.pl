# Kills at every labelled point of a generation's way, in random order and by
# every way to die, while several users work and the provider misbehaves: no
# accepted generation is lost, none is paid twice, and the provider's ledger
# says what the database says.
#
#	ROUNDS	how often all points are visited (default 2)
#	SEED	of everything random; printed, to repeat a run
#
# A line for each round; ends with "N lost, N paid twice", and fails unless
# both are 0 and everything else holds.

use strict;
use warnings;

use BambiCluster;
use BambiKills qw(@points %holder @deaths);
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{ROUNDS} || 2;
my $seed = $ENV{SEED} || time;
srand $seed;
note "SEED=$seed ROUNDS=$rounds";

my @users = qw(alice bob carol dave);
my $bambi =
  BambiCluster->start('torture', conf => "bambi.shutdown_grace = '2s'\n");
$bambi->sign_up($_) foreach @users;
$bambi->lift_quota;
$bambi->add_key($_) foreach @users;

my $kills = BambiKills->new($bambi, @users);
my $number = 0;

# What may become of a call; most of them are nothing special.
my @fates = (
	('') x 6,
	'[[mock delay=50]]',
	'[[mock delay=300]]',
	'[[mock bytes=200000]]',
	'[[mock stale]]',
	'[[mock stale=idle]]',
	'[[mock reset=after]]',
	'[[mock reset=body]]',
	'[[mock fault=openai-429-no-retry-hint times=1]]',
	'[[mock fault=openai-503-overloaded times=1]]',
	'[[mock fault=openai-500-server_error]]',
	'[[mock fault=openai-400-bad_request]]');

sub random_prompt
{
	return $fates[ rand @fates ] . ' fawn ' . ++$number;
}

sub work
{
	$kills->ask($_, map { random_prompt() } 1 .. 1 + rand 4) foreach @users;
	return;
}

# One of the generations that a client knows of, in whatever state it is.
sub cancel_one
{
	my @known = sort keys %{ $kills->{accepted} };

	return unless @known;
	my $id = $known[ rand @known ];
	$bambi->try_as($_, "SELECT bambi_cancel('$id')") foreach @users;
	return;
}

# Has a call run until the mock is told to release it.  One that falls on a
# connection that is about to die ends at once, and another one is tried.
sub keep_a_call
{
	my $runs = 0;

	until ($runs)
	{
		my $id = $bambi->generate($users[ rand @users ],
			'[[mock hold]] fawn ' . ++$number);

		$kills->{accepted}{$id} = 1;
		$bambi->wait_until('a call that runs', sub {
				$runs = grep { $_->{generation} eq $id && $_->{status} }
				  $bambi->ledger;
				return $runs || $bambi->status_of($id) ne 'queued';
			});
	}
	return;
}

# Kills somebody at that point; the others go on working.
sub die_at_work
{
	my ($point, $death) = @_;

	work();
	if (BambiKills::is_after_death($point))
	{
		keep_a_call();
		$bambi->hold($point);
		$kills->{kills}++;
		$bambi->kill9($bambi->worker_pid);
		$bambi->mock('release');
	}
	else
	{
		$bambi->hold($point);
		$kills->ask($_, 'fawn ' . ++$number) foreach @users;
	}
	my $pid = $bambi->wait_held($point);

	usleep(int rand 20_000);
	$kills->kill_holder($pid, $point, $death);
	$kills->hear;
	$bambi->bring_back;
	cancel_one() if rand() < 0.3;
	return;
}

# Kills somebody at whatever point he is.
sub die_anywhere
{
	my @victims = (
		sub { $bambi->kill9($bambi->worker_pid) },
		sub { $bambi->kill9($bambi->courier_pid) },
		sub { $bambi->kill9_postmaster },
		sub { $bambi->kill9_everything },
		sub { $bambi->stop('immediate') },
		sub { $bambi->stop('fast') });

	work();
	usleep(int rand 200_000);
	$kills->{kills}++;
	$victims[ rand @victims ]->();
	$kills->hear;
	$bambi->bring_back;
	return;
}

my ($lost, $twice) = (0, 0);
foreach my $round (1 .. $rounds)
{
	my $before = $kills->{kills};

	foreach my $point (shuffle @points)
	{
		die_at_work($point, $deaths[ rand @deaths ]);
		die_anywhere() if rand() < 0.2;
	}
	my @wrong = $kills->conclude;

	($lost, $twice) = ($kills->{lost}, $kills->{twice});
	ok(!@wrong, sprintf 'round %d: %d kills, %s, %d lost, %d paid twice',
		$round, $kills->{kills} - $before, $kills->states, $lost, $twice)
	  or diag(join "\n", @wrong);
}

$bambi->stop;
done_testing();
print { Test::More->builder->output } "$lost lost, $twice paid twice\n";
