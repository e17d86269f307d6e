# What is tried again by itself, what only by its owner, and what by nobody:
# answers that prove that nothing was produced; what may have cost money;
# what killed the courier twice; what stayed uncertain for a day.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('retry');
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');

sub calls_of { my ($id) = @_; return grep { $_->{generation} eq $id } $bambi->ledger }
sub retry { return $bambi->sql_as('alice', "SELECT bambi_retry('$_[0]')") }

# ---- refused for now: again by itself

my $before = $bambi->sql('SELECT clock_timestamp()');
my $id = $bambi->generate('alice',
	'[[mock fault=openai-429-rate_limit_exceeded times=1]] a fawn');
$bambi->poll("SELECT not_before IS NOT NULL FROM bambi_internal.queue
	WHERE id = '$id'");
is( $bambi->sql("SELECT q.not_before BETWEEN timestamptz '$before' + '12 s'
			AND clock_timestamp() + '12 s', q.tries
		FROM bambi_internal.queue q WHERE id = '$id'"),
	't|1',
	'429 with Retry-After waits as long as it says');
is($bambi->status_of($id), 'queued', 'in the queue');
$bambi->sql(
	"UPDATE bambi_internal.queue SET not_before = now() WHERE id = '$id'",
	'SELECT bambi_internal.wake_worker()');
$bambi->wait_for_status($id, 'succeeded', 'and succeeds the next time');
is_deeply([ map { "$_->{attempt} $_->{charged}" } calls_of($id) ],
	[ '1 0', '2 1' ], 'two calls, one charged');

$id = $bambi->generate('alice',
	'[[mock fault=openai-429-no-retry-hint times=2]] a fawn');
$bambi->wait_for_status($id, 'succeeded',
	'429 without a hint is tried again by itself');
is(scalar calls_of($id), 3, 'as often as need be');

# ---- but not for ever

my $used = $bambi->sql('SELECT usage_count FROM bambi.users');
$id = $bambi->generate('alice',
	'[[mock fault=openai-429-no-retry-hint]] a fawn');
$bambi->wait_for_status($id, 'failed', 'who is always refused fails');
is($bambi->column_of($id, 'error_code'), 'rate_limited', 'with the reason');
is(scalar calls_of($id), 5, 'after five tries');
is($bambi->sql('SELECT usage_count FROM bambi.users'),
	$used, 'and gets the place in the quota back');

# ---- refused for good

$id = $bambi->generate('alice', '[[mock fault=openai-400-bad_request]] a fawn');
$bambi->wait_for_status($id, 'failed', 'a bad request fails');
is(scalar calls_of($id), 1, 'at once');

# ---- may have cost money: the owner decides

$id = $bambi->generate('alice',
	'[[mock fault=openai-500-server_error times=1]] a fawn');
$bambi->wait_for_status($id, 'uncertain', 'an error 500 is uncertain');
is(scalar $bambi->charges_of($id), 1, 'the provider may have charged it');
is(retry($id), $id, 'its owner tries it again');
$bambi->wait_for_status($id, 'succeeded', 'and it succeeds');
is_deeply([ map { $_->{attempt} } $bambi->charges_of($id) ],
	[ 1, 2 ], 'both attempts were charged, which the owner has decided');
is( $bambi->sql("SELECT string_agg(attempt || ' ' || charged, ', '
			ORDER BY attempt)
		FROM bambi.usage_events WHERE generation_id = '$id'"),
	'1 unknown, 2 yes',
	'and both are booked');
is((($bambi->try_as('alice', "SELECT bambi_retry('$id')"))[0] != 0),
	1, 'what has succeeded cannot be tried again');

# ---- two deaths of the courier

sub die_over
{
	my ($id) = @_;

	$bambi->wait_in_flight(1);
	$bambi->kill9($bambi->courier_pid);
	$bambi->wait_in_flight(0);
	return;
}

$id = $bambi->generate('alice', '[[mock hold times=2]] a deadly fawn');
die_over($id);
$bambi->wait_for_status($id, 'uncertain',
	'a call whose courier dies is uncertain');
is($bambi->column_of($id, 'error_code'), 'courier_died', 'with the reason');
retry($id);
die_over($id);
$bambi->wait_for_status($id, 'held', 'after a second death it is held');
isnt($bambi->column_of($id, 'held_reason'), '', 'with the reason');
retry($id);
$bambi->wait_for_status($id, 'succeeded', 'until its owner tries once more');
is(scalar calls_of($id), 3, 'three calls in all');

# ---- uncertain for a day

$used = $bambi->sql('SELECT usage_count FROM bambi.users');
$id = $bambi->generate('alice', '[[mock reset=after]] a fawn of yesterday');
$bambi->wait_for_status($id, 'uncertain', 'a lost answer is uncertain');
is($bambi->sql('SELECT usage_count FROM bambi.users'),
	$used + 1, 'and keeps its place in the quota');
$bambi->sql("UPDATE bambi.image_generations
	SET finished_at = finished_at - interval '23 hours' WHERE id = '$id'");
$bambi->node->restart;
my $other = $bambi->generate('alice', 'a fawn after the restart');
$bambi->wait_for_status($other, 'succeeded');
is($bambi->status_of($id), 'uncertain', 'for a day');
$bambi->sql("UPDATE bambi.image_generations
	SET finished_at = finished_at - interval '1 hour' WHERE id = '$id'");
$bambi->node->restart;
$bambi->wait_for_status($id, 'failed', 'then it is written off');
is($bambi->column_of($id, 'error_code, cost = cost_estimate'),
	'written_off|t', 'at the price that was estimated');
is($bambi->sql('SELECT usage_count FROM bambi.users'),
	$used + 1, 'and gives its place in the quota back');

# ---- or written off by its owner

$id = $bambi->generate('alice', '[[mock reset=after]] a fawn of today');
$bambi->wait_for_status($id, 'uncertain');
is($bambi->sql_as('alice', "SELECT bambi_cancel('$id')"),
	'failed', 'its owner may write it off before');

$bambi->stop;
done_testing();
