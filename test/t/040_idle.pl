# An idle system does not wake up: worker, launcher, courier and its keeper
# sleep until somebody wants something.

use strict;
use warnings;

use BambiCluster;
use Test::More;
use Time::HiRes qw(time);

my $window = 4;    # seconds to watch

my $bambi = BambiCluster->start('idle', conf => "autovacuum = off\n");
$bambi->sign_up('alice');
$bambi->add_key('alice');
$bambi->wait_for_status($bambi->generate('alice', 'a fawn'), 'succeeded');
$bambi->wait_for_status(
	$bambi->generate('alice', 'a fawn', 'sandbox'), 'succeeded');

my %pid = (
	worker => $bambi->worker_pid,
	courier => $bambi->courier_pid,
	launcher => $bambi->sql("SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'bambi launcher'"));
$pid{keeper} = BambiProcesses::slurp_stat($pid{courier})->{parent};

sub switches
{
	my ($pid) = @_;
	my $status = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status");
	my $sum = 0;

	$sum += $1 while $status =~ /^(?:non)?voluntary_ctxt_switches:\s+(\d+)/mg;
	return $sum;
}

sub switches_of_all
{
	return { map { $_ => switches($pid{$_}) } sort keys %pid };
}

# What happens in the time of a window is what is asked, so time must pass.
sub watch
{
	my ($seconds) = @_;
	my $before = switches_of_all();
	my $end = time + $seconds;

	select undef, undef, undef, $end - time while time < $end;
	my $after = switches_of_all();
	return { map { $_ => $after->{$_} - $before->{$_} } keys %pid };
}

sub sum { my $sum = 0; $sum += $_ foreach @_; return $sum }

# what the last generation left to do is done first, which may take its time
my $tries = 10;
my $seen;
do { $seen = watch($window) } until sum(values %$seen) == 0 || --$tries == 0;
is($seen->{$_}, 0, "$_ makes no wake-up in $window s") foreach sort keys %pid;
ok($bambi->is_alive($pid{$_}), "$_ lives") foreach sort keys %pid;

# and it was no deep sleep
$bambi->wait_for_status($bambi->generate('alice', 'a fawn wakes'),
	'succeeded', 'a generation wakes them');
cmp_ok(watch(0)->{worker} + switches($pid{worker}), '>', 0,
	'switches are counted at all');

$bambi->stop;
done_testing();
