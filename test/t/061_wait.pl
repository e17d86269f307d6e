# Waiting: who sleeps is told when the generation has ended, and not before its
# commit; of PostgREST's sessions four may sleep, the others get the present
# state, until one of the four has ended, be it by an error.

use strict;
use warnings;

use BambiCluster;
use Test::More;
use Time::HiRes qw(time);

# An end that is told, since the longest wait of 30 s is not over.
my $told = 29;

my $bambi = BambiCluster->start('wait');
my $user = $bambi->sign_up('alice');
$bambi->sql(
	'CREATE ROLE authenticator LOGIN NOINHERIT',
	'CREATE ROLE web IN ROLE bambi_user',
	'GRANT web TO authenticator',
	"ALTER ROLE authenticator SET request.jwt.claims = '{\"sub\": \"$user\"}'",
	'SELECT bambi_pause()');

# A call of bambi_wait in a psql of its own: its output when it has ended.
sub start_wait
{
	my ($role, $id, $timeout) = @_;
	my ($answer, $error) = ('', '');
	my $prelude = $role eq 'authenticator' ? 'SET ROLE web;' : '';
	my $run = IPC::Run::start(
		[
			$bambi->node->installed_command('psql'), '-XAtq',
			'-d', $bambi->node->connstr('bambi'), '-U', $role,
			'-c', "$prelude SELECT status FROM bambi_wait('$id', '$timeout')"
		],
		'<', \undef, '>', \$answer, '2>', \$error);

	return sub {
		$run->finish;
		chomp $answer;
		return $answer || $error;
	};
}

sub are_asleep
{
	my ($count) = @_;

	return ok($bambi->poll("SELECT count(*) = $count FROM pg_stat_activity
			WHERE query LIKE '%bambi_wait(%' AND wait_event = 'Extension'
				AND pid <> pg_backend_pid()"),
		"$count asleep");
}

# a cancel, seen at its commit
my $id = $bambi->generate('alice', 'a', 'sandbox');
my $begun = time;
my $end = start_wait('alice', $id, '30 s');
are_asleep(1);
my $session = $bambi->session('alice');
$session->query_safe('BEGIN');
$session->query_safe("SELECT bambi_cancel('$id')");
are_asleep(1);
$session->query_safe('COMMIT');
is($end->(), 'cancelled', 'a cancel wakes who waits');
cmp_ok(time - $begun, '<', $told, 'at once');
$session->quit;

# a success, by the worker
$id = $bambi->generate('alice', 'b', 'sandbox');
my @ends = map { start_wait('alice', $id, '30 s') } 1 .. 5;
are_asleep(5);
$bambi->sql('SELECT bambi_resume()');
is_deeply(
	[ map { $_->() } @ends ],
	[ ('succeeded') x 5 ],
	'direct sessions wait, as many as there are, and see the end');
$bambi->sql('SELECT bambi_pause()');

# sessions of PostgREST
$id = $bambi->generate('alice', 'c', 'sandbox');
@ends = map { start_wait('authenticator', $id, '30 s') } 1 .. 4;
are_asleep(4);
$begun = time;
is(start_wait('authenticator', $id, '30 s')->(),
	'queued', 'a fifth gets the present state');
cmp_ok(time - $begun, '<', $told, 'at once');
$end = start_wait('alice', $id, '30 s');
are_asleep(5);

# one is cancelled and one killed: their places are free again
my @pids = split /\n/, $bambi->sql("SELECT pid FROM pg_stat_activity
	WHERE usename = 'authenticator' ORDER BY pid LIMIT 2");
$bambi->sql("SELECT pg_cancel_backend($pids[0])",
	"SELECT pg_terminate_backend($pids[1])");
are_asleep(3);
push @ends, map { start_wait('authenticator', $id, '30 s') } 1 .. 2;
are_asleep(5);
is(start_wait('authenticator', $id, '30 s')->(),
	'queued', 'and no more than these');
$bambi->sql_as('alice', "SELECT bambi_cancel('$id')");
is($end->(), 'cancelled', 'all others are told');
my @said = sort map { $_->() } @ends;
is(scalar(grep { $_ eq 'cancelled' } @said), 4, 'of PostgREST too');
is(scalar(grep { /canceling statement/ } @said), 1, 'one was interrupted');
is(scalar(grep { /terminating connection/ } @said), 1, 'one was ended');

# without a time-out of its own, PostgREST's session waits for five seconds
$id = $bambi->generate('alice', 'd', 'sandbox');
$begun = time;
is( $bambi->sql_as('authenticator',
		"SET ROLE web; SELECT status FROM bambi_wait('$id')"),
	'queued', 'nothing has happened');
my $seconds = time - $begun;
ok($seconds >= 5 && $seconds < $told, 'in five seconds') or diag($seconds);

$bambi->stop;
done_testing();
