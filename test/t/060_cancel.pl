# Cancelling: what was not sent is cancelled and costs nothing, what was sent
# runs to its end; also where the worker is in the middle of a claim or of a
# settlement.

use strict;
use warnings;

use BambiCluster;
use IO::Socket::INET;
use Test::More;

my $bambi = BambiCluster->start('cancel');
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');

# Cancels in a session of its own, and waits until it waits for the worker.
sub cancel_behind_worker
{
	my ($id) = @_;
	my ($answer, $error) = ('', '');
	my $run = IPC::Run::start(
		[
			$bambi->node->installed_command('psql'), '-XAtq',
			'-d', $bambi->node->connstr('bambi'), '-U', 'alice',
			'-c', "SELECT bambi_cancel('$id')"
		],
		'<', \undef, '>', \$answer, '2>', \$error);

	ok($bambi->poll("SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE usename = 'alice' AND wait_event_type = 'Lock')"),
		'cancel waits for the worker');
	return sub {
		$run->finish;
		chomp $answer;
		return $answer || $error;
	};
}

sub cancel { return $bambi->sql_as('alice', "SELECT bambi_cancel('$_[0]')") }

# never claimed
$bambi->sql('SELECT bambi_pause()');
my $used = $bambi->sql('SELECT usage_count FROM bambi.users');
my $id = $bambi->generate('alice', 'never claimed');
is(cancel($id), 'cancelled', 'what waits in the queue is cancelled at once');
is($bambi->sql('SELECT usage_count FROM bambi.users'),
	$used, 'and its place in the quota is free again');
is(cancel($id), 'cancelled', 'a second time too');
$bambi->sql('SELECT bambi_resume()');

# while the worker claims it
$bambi->hold('claim-before-commit', 'before-send');
$id = $bambi->generate('alice', 'cancelled while it is claimed');
$bambi->wait_held('claim-before-commit');
my $end = cancel_behind_worker($id);
$bambi->release('claim-before-commit');
is($end->(), 'running', 'cancel against claim: it is running');
$bambi->release('before-send');
$bambi->poll("SELECT status IN ('cancelled', 'succeeded')
	FROM bambi.image_generations WHERE id = '$id'");
is( scalar $bambi->charges_of($id),
	$bambi->status_of($id) eq 'succeeded' ? 1 : 0,
	'and ends as what it cost');

# after the claim, before the jobs go
$bambi->hold('claim-committed');
$id = $bambi->generate('alice', 'cancelled after the claim');
$bambi->wait_held('claim-committed');
is(cancel($id), 'running', 'what is claimed is running');
$bambi->release('claim-committed');
$bambi->poll("SELECT status IN ('cancelled', 'succeeded')
	FROM bambi.image_generations WHERE id = '$id'");
is( scalar $bambi->charges_of($id),
	$bambi->status_of($id) eq 'succeeded' ? 1 : 0,
	'and ends as what it cost');

# while the worker settles it
$bambi->hold('settle-before-commit');
$id = $bambi->generate('alice', 'cancelled while it is settled');
$bambi->wait_held('settle-before-commit');
$end = cancel_behind_worker($id);
$bambi->release('settle-before-commit');
like($end->(), qr/generation has already ended/,
	'cancel against settle: it has ended');
$bambi->wait_for_status($id, 'succeeded', 'and succeeded');
is(scalar $bambi->charges_of($id), 1, 'and cost one call');

# after the settlement, before the courier knows
$bambi->hold('settle-committed');
$id = $bambi->generate('alice', 'cancelled after it was settled');
$bambi->wait_held('settle-committed');
my ($status, $rows, $error) =
  $bambi->try_as('alice', "SELECT bambi_cancel('$id')");
like($error, qr/generation has already ended/,
	'what is settled cannot be cancelled');
$bambi->release('settle-committed');

# sent
$id = $bambi->generate('alice', '[[mock hold]] cancelled after it was sent');
$bambi->wait_in_flight(1);
is(cancel($id), 'running', 'what was sent is running');
is(cancel($id), 'running', 'however often');
is($bambi->column_of($id, 'cancel_requested_at IS NOT NULL'),
	't', 'and the wish is noted');
my $other = $bambi->generate('alice', 'another one');
$bambi->wait_for_status($other, 'succeeded', 'another one goes on');
is($bambi->mock_stats->{in_flight}, 1, 'the call was not aborted');
$bambi->mock('release');
$bambi->wait_for_status($id, 'succeeded', 'what was sent runs to its end');
is(scalar $bambi->charges_of($id), 1, 'and cost one call');

# sent and refused, so that it would be tried again
$id = $bambi->generate('alice',
	'[[mock hold fault=openai-429-no-retry-hint]] cancelled, then refused');
$bambi->wait_in_flight(1);
is(cancel($id), 'running', 'what was sent is running');
$bambi->mock('release');
$bambi->wait_for_status($id, 'cancelled',
	'what the provider refused for now is not tried again');
is(scalar(grep { $_->{generation} eq $id } $bambi->ledger),
	1, 'and was sent once');

# on its way, but not sent: the other side never answers the TLS handshake
my $wall = IO::Socket::INET->new(
	Listen => 8,
	LocalAddr => '127.0.0.1',
	LocalPort => 0) or die "cannot listen: $!";
$bambi->sql("UPDATE bambi.api_providers
	SET api_base_url = 'https://127.0.0.1:@{[ $wall->sockport ]}/v1'
	WHERE slug = 'openai'");
$used = $bambi->sql('SELECT usage_count FROM bambi.users');
$id = $bambi->generate('alice', 'cancelled while it connects');
my $caller = $wall->accept;
ok($caller, 'the courier connects');
is(cancel($id), 'running', 'what connects is running');
$bambi->wait_for_status($id, 'cancelled',
	'what was not sent yet is aborted and cancelled');
is($bambi->sql('SELECT usage_count FROM bambi.users'),
	$used, 'and its place in the quota is free again');
$bambi->point_openai_to_mock;

$id = $bambi->generate('alice', 'a fawn at the end');
$bambi->wait_for_status($id, 'succeeded', 'afterwards all is well');
$bambi->ledger_is_equal;

$bambi->stop;
done_testing();
