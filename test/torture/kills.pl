# Kills at every labelled point of a generation's way: no accepted generation
# is lost, none is paid twice, and the provider's ledger says what the
# database says.
#
# ROUNDS rounds; each visits every point, with one of the ways to die in turn,
# so that three rounds have seen all of them.  Then some kills at any moment.

use strict;
use warnings;

use BambiCluster;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{ROUNDS} // 1;
my $seed = $ENV{SEED} // time;
srand $seed;
note "SEED=$seed";

my $bambi = BambiCluster->start('torture',
	conf => "bambi.shutdown_grace = '2s'\n");
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');

my %accepted;    # ids that a client was given
my $kills = 0;

# ---- ways to die

sub kill_it
{
	my ($pid) = @_;
	$bambi->kill9($pid);
	return;
}

sub kill_postmaster
{
	my ($pid, $point) = @_;
	$bambi->kill9_postmaster($point);
	return;
}

sub stop_immediately
{
	$bambi->stop('immediate');
	return;
}

my @deaths = (
	[ 'is killed', \&kill_it ],
	[ 'and postmaster is killed', \&kill_postmaster ],
	[ 'and server is stopped at once', \&stop_immediately ]);

# ---- what holds after each

# Brings the server back, waits until nothing is pending, and compares.
sub settle_and_compare
{
	my ($says) = @_;

	$bambi->node->start unless defined $bambi->node->{_pid};
	$bambi->wait_for_server;
	$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)')
	  or diag($bambi->sql('SELECT * FROM bambi_internal.queue'));

	my %there = map { $_ => 1 } split /\n/,
	  $bambi->sql("SELECT id FROM bambi.image_generations
		WHERE status IN ('succeeded', 'failed', 'cancelled', 'uncertain')");
	my @lost = grep { !$there{$_} } sort keys %accepted;
	is("@lost", '', "$says: nothing is lost");
	$bambi->ledger_is_equal("$says: ledger is equal");
	return;
}

# Queues one in a session of its own, which may die; what it says is accepted.
sub ask
{
	my ($prompt) = @_;
	my $asker = {};

	$asker->{run} = $bambi->generate_in_background('alice', $prompt,
		\$asker->{id}, \$asker->{error});
	return $asker;
}

sub answer_of
{
	my ($asker) = @_;

	eval { $asker->{run}->finish };
	my $id = $asker->{id} // '';
	chomp $id;
	$accepted{$id} = 1 if $id =~ /^[0-9a-f-]{36}$/;
	return;
}

# ---- a point that any generation passes

sub die_at
{
	my ($point, $death) = @_;
	my ($how, $kill) = @$death;
	my $says = "who is at $point $how";

	$bambi->hold($point);
	my @askers = map { ask("a fawn at $point, number $_") } 1 .. 3;
	my $pid = $bambi->wait_held($point);
	ok($bambi->is_alive($pid), "$says: point is reached");
	$kill->($pid, $point);
	$kills++;
	$bambi->release($point);
	answer_of($_) foreach @askers;
	settle_and_compare($says);
	return;
}

# ---- points that only a worker's death leads to: its courier spools, the
# next worker adopts

sub die_after_worker_at
{
	my ($point, $death) = @_;
	my ($how, $kill) = @$death;
	my $says = "after a worker's death, who is at $point $how";

	my @askers = map { ask("[[mock hold]] a fawn at $point, number $_") } 1 .. 3;
	answer_of($_) foreach @askers;
	$bambi->wait_until('calls in flight',
		sub { $bambi->mock_stats->{in_flight} == 3 });
	$bambi->hold($point);
	$bambi->kill9($bambi->worker_pid);
	$bambi->mock('release');
	my $pid = $bambi->wait_held($point);
	ok($bambi->is_alive($pid), "$says: point is reached");
	$kill->($pid, $point);
	$kills += 2;
	$bambi->release($point);
	settle_and_compare($says);
	return;
}

# ---- any moment

sub die_at_random
{
	my ($round) = @_;
	my @victims = (
		[ 'worker', sub { kill_it($bambi->worker_pid) } ],
		[ 'courier', sub { kill_it($bambi->courier_pid) } ],
		[ 'postmaster', sub { $bambi->kill9_postmaster } ],
		[ 'server', \&stop_immediately ]);
	my ($who, $kill) = @{ $victims[ rand @victims ] };
	my @askers = map { ask("[[mock delay=50]] fawn $_ of round $round") }
	  1 .. 12;

	usleep(int rand 400_000);
	$kill->();
	$kills++;
	answer_of($_) foreach @askers;
	settle_and_compare("$who dies at some moment of round $round");
	return;
}

my @way = qw(enqueue-before-commit enqueue-committed
  claim-before-commit claim-committed jobs-sent
  job-received key-opened before-send request-written answer-received
  outcome-sent outcome-received settle-before-commit settle-committed);
my @after_death = qw(spool-before-rename spool-renamed
  adopt-before-commit adopt-committed);

foreach my $round (1 .. $rounds)
{
	my $turn = $round;

	die_at($_, $deaths[ $turn++ % @deaths ]) foreach @way;
	die_after_worker_at($_, $deaths[ $turn++ % @deaths ])
	  foreach @after_death;
	die_at_random($round) foreach 1 .. 2;
}

my ($lost, $twice) = $bambi->totals(keys %accepted);
is($lost, 0, 'nothing was lost at the end');
is($twice, 0, 'nothing was paid twice at the end');
diag "torture: $rounds rounds, $kills kills, "
  . scalar(keys %accepted)
  . " accepted generations, $lost lost and $twice paid twice";

$bambi->stop;
done_testing();
