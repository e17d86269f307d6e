# A fast shutdown, or an immediate one, does not wait for calls that run, and
# loses none of them: the courier ends them, and the next worker has the
# pictures.  A courier that is told to stop too ends within its grace.

use strict;
use warnings;

use BambiCluster;
use Test::More;
use Time::HiRes qw(time);

my $bambi =
  BambiCluster->start('shutdown', conf => "bambi.shutdown_grace = '5s'\n");
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');

# Three calls that run, and one stop of the server.
sub stop_over_calls
{
	my ($mode) = @_;
	my @ids = map { $bambi->generate('alice', "[[mock hold]] $mode $_") } 1 .. 3;

	$bambi->wait_in_flight(3);
	my $courier = $bambi->courier_pid;
	my $begin = time;
	$bambi->stop($mode);
	note sprintf '%s shutdown took %.0f ms', $mode, 1000 * (time - $begin);
	is($bambi->mock_stats->{in_flight},
		3, "$mode shutdown returns while the calls still run");
	ok($bambi->is_alive($courier), 'the courier lives on');
	return ($courier, @ids);
}

sub all_succeed
{
	my ($says, @ids) = @_;

	$bambi->wait_for_status($_, 'succeeded', $says) foreach @ids;
	is(scalar $bambi->charges_of($_), 1, 'charged once') foreach @ids;
	is($bambi->column_of($_, 'attempts'), 1, 'with one attempt')
	  foreach @ids;
	$bambi->ledger_is_equal;
	return;
}

foreach my $mode (qw(fast immediate))
{
	# the answers come while there is no server
	my ($courier, @ids) = stop_over_calls($mode);
	$bambi->mock('release');
	$bambi->wait_until('the courier to leave',
		sub { !$bambi->is_alive($courier) });
	$bambi->node->start;
	all_succeed("$mode shutdown: the picture is there after the next start",
		@ids);

	# the answers come when the next server runs
	($courier, @ids) = stop_over_calls($mode);
	$bambi->node->start;
	my $other = $bambi->generate('alice', 'a fawn meanwhile');
	$bambi->wait_for_status($other, 'succeeded',
		'the next worker works while the old courier does');
	is($bambi->status_of($_), 'queued', 'what still runs is waited for')
	  foreach @ids;
	$bambi->mock('release');
	all_succeed("$mode shutdown: the next worker gets the late picture",
		@ids);
}

# told to stop: what ends within the grace is there, what does not is uncertain
my $accepted = $bambi->mock_stats->{accepted};
my $late = $bambi->generate('alice', '[[mock hold]] too late');
my $early = $bambi->generate('alice', '[[mock delay=200]] in time');
$bambi->wait_until('both calls',
	sub { $bambi->mock_stats->{accepted} == $accepted + 2 });
my $courier = $bambi->courier_pid;
kill 'TERM', $courier;
$bambi->wait_until('the courier to leave',
	sub { !$bambi->is_alive($courier) });
$bambi->wait_for_status($early, 'succeeded',
	'a call that ends within the grace of a stopped courier succeeds');
$bambi->wait_for_status($late, 'uncertain',
	'a call that does not is uncertain');
$bambi->mock('release');

my $next = $bambi->generate('alice', 'a fawn after the courier');
$bambi->wait_for_status($next, 'succeeded', 'there is a new courier then');
is(scalar(glob $bambi->spool . '/*/*/*.answer'),
	undef, 'nothing is left in the spool');
$bambi->ledger_is_equal;

$bambi->stop;
done_testing();
