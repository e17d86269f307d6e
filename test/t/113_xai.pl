# xAI says what it costs, and that is what is booked, also for a picture that
# its moderation took back; a deferred request is polled to its end.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('xai');
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->point_to_mock('xai');
$bambi->add_key('alice', undef, 'xai');
my $model = 'xai/grok-imagine-image-2.0';

sub xai
{
	my ($prompt, $parameters) = @_;

	return $bambi->generate('alice', $prompt, $model, $parameters);
}

# cost, charged and pictures of its events
sub booked
{
	return $bambi->sql("SELECT string_agg(concat_ws(' ', cost, charged,
				is_estimate, images), ', ' ORDER BY attempt)
		FROM bambi.usage_events WHERE generation_id = '$_[0]'");
}

# Deferred ones begin now, since they take their time.
my $deferred = xai('a fawn that takes its time', '{"deferred": true, "n": 2}');
my $hopeless = xai('[[mock pending=0 deferred=failed]] never',
	'{"deferred": true}');

# ---- what it costs

my $id = xai('a fawn');
$bambi->wait_for_status($id, 'succeeded', 'a fawn');
is($bambi->column_of($id, 'cost'), '0.040000', 'costs what the answer says');
is(booked($id), '0.040000 yes f 1', 'and is booked so, as no estimate');
is($bambi->sql_as('alice', "SELECT cost FROM bambi_generations
	WHERE id = '$id'"), '0.040000', 'and shown so');
is($bambi->column_of($id, "provider_request_id LIKE 'req_%'"),
	't', 'with the provider\'s name for it');

$id = xai('three fawns', '{"n": 3, "resolution": "2k", "quality": "medium"}');
$bambi->wait_for_status($id, 'succeeded', 'three large ones');
is($bambi->column_of($id, 'cost'), '0.240000', 'cost three times eight cents');
is(booked($id), '0.240000 yes f 3', 'booked once');

$id = $bambi->edit('alice', 'a hat', sources => [
		$bambi->sql("SELECT id FROM bambi.images
			WHERE generation_id = '$id' AND position = 1") ],
	model => $model);
$bambi->wait_for_status($id, 'succeeded', 'an edit');
is($bambi->column_of($id, 'cost'), '0.062000',
	'costs a picture and what it edits');
is(booked($id), '0.062000 yes f 1', 'which no list of prices knows');

# ---- moderated

my $used = $bambi->usage_of('alice');
foreach my $block (qw(output flag empty))
{
	$id = xai("[[mock block=$block]] a fawn");
	$bambi->wait_for_status($id, 'failed', "moderated ($block): failed");
	is($bambi->column_of($id, 'error_code, cost'),
		'content_blocked|0.040000', "moderated ($block): and paid");
	is(booked($id), '0.040000 yes f 0', "moderated ($block): and booked");
}
$id = xai('[[mock block=prompt]] a fawn');
$bambi->wait_for_status($id, 'failed', 'a prompt that is refused: failed');
is($bambi->column_of($id, 'error_code, cost'),
	'content_blocked|', 'is not paid');
is(booked($id), '', 'nor booked');
is($bambi->usage_of('alice'), $used, 'none of them counts for the quota');
is(scalar(grep { $_->{charged} && $_->{generation} eq $id } $bambi->ledger),
	0, 'the provider says the same');

# ---- tried again where that is safe

$id = xai('[[mock fault=xai-429-rate times=1]] a fawn');
$bambi->wait_for_status($id, 'succeeded', 'too many requests: tried again');
is($bambi->column_of($id, 'attempts'), 2, 'once');
is(booked($id), '0.040000 yes f 1', 'paid once');
$id = xai('[[mock reset=after]] a fawn');
$bambi->wait_for_status($id, 'uncertain', 'a lost answer is uncertain');

# ---- deferred

$bambi->wait_for_status($deferred, 'succeeded', 'a deferred one succeeds');
is($bambi->column_of($deferred, 'cost'), '0.080000', 'at what it cost');
is($bambi->sql("SELECT count(*) FROM bambi.images
	WHERE generation_id = '$deferred' AND format = 'jpeg'"),
	2, 'with its pictures');
is(scalar $bambi->charges_of($deferred), 1, 'of one call');
$bambi->wait_for_status($hopeless, 'uncertain',
	'one that the provider gives up does not');
is($bambi->column_of($hopeless, 'error_code, error_message'),
	'provider_unavailable|It went wrong.', 'and says why');
is($bambi->mock_stats->{credentials_leaked}, 0,
	'who has the pictures sees no key');

# Waits until somebody else has asked the mock for so many things.
sub wait_for_requests
{
	my ($count) = @_;
	my $own = 0;
	my $begin = $bambi->mock_stats->{requests};

	$bambi->wait_until('a poll', sub {
			return $bambi->mock_stats->{requests} - $begin - ++$own >= $count;
		});
	return;
}

$id = xai('[[mock pending=1000]] a long time', '{"deferred": true}');
wait_for_requests(2);
is(scalar $bambi->charges_of($id), 1, 'it was sent');
is($bambi->sql_as('alice', "SELECT bambi_cancel('$id')"),
	'running', 'what is polled cannot be cancelled any more');
$bambi->kill9($bambi->courier_pid);
$bambi->wait_for_status($id, 'uncertain',
	'one whose courier dies while it polls is uncertain');
is($bambi->column_of($id, 'error_code'), 'courier_died', 'and says why');
is(scalar $bambi->charges_of($id), 1, 'it is not sent again');

$bambi->set('bambi.call_timeout' => '2s');
$id = xai('[[mock pending=1000]] for ever', '{"deferred": true}');
$bambi->wait_for_status($id, 'uncertain', 'one that takes too long, too');
is($bambi->column_of($id, 'error_code'), 'timeout', 'for that reason');

$bambi->stop;
done_testing();
