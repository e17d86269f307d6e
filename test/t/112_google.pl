# Google by all three ways in: an API key, the same for Vertex, and a service
# account, whose token is kept, and renewed when it is refused; several
# pictures are several calls of one generation; and blocks come as successes.

use strict;
use warnings;

use BambiCluster;
use IO::Socket::INET;
use JSON::PP;
use Test::More;

my $bambi = BambiCluster->start('google');
$bambi->sign_up($_) foreach qw(alice bob carol);
$bambi->lift_quota;
$bambi->point_to_mock(qw(google vertex));
my $gemini = 'gemini-nano-banana-2.1';

sub count_lines { return scalar(my @lines = $bambi->ledger) }

# Generates, and gives the id and what the provider saw of it.
sub run
{
	my ($name, $status, $prompt, $provider, $parameters) = @_;
	my $before = count_lines();
	my $id = $bambi->generate($name, $prompt, "$provider/$gemini", $parameters);

	$bambi->wait_for_status($id, $status, "$prompt: $status");
	return ($id, $bambi->ledger_since($before));
}

# ---- an API key

$bambi->add_key('alice', undef, 'google');
my ($id, @calls) = run('alice', 'succeeded', 'one fawn', 'google');
is("@{[ map { $_->{provider} } @calls ]}", 'google', 'is one call');
is($bambi->column_of($id, 'tokens_used'), 1122, 'with its tokens');
is($bambi->column_of($id, 'cost'), '0.033603',
	'and what they cost by the list');
is($bambi->sql("SELECT format FROM bambi.images
	WHERE generation_id = '$id'"), 'jpeg', 'and a picture');

($id, @calls) = run('alice', 'succeeded', 'three fawns', 'google', '{"n": 3}');
is(scalar(grep { $_->{charged} && $_->{n} == 1 } @calls), 3,
	'three pictures are three calls');
is($bambi->sql("SELECT string_agg(position::text, ' ' ORDER BY position)
	FROM bambi.images WHERE generation_id = '$id'"), '1 2 3',
	'of one generation with three images');
is($bambi->column_of($id, 'tokens_used, attempts'), 3 * 1123 . '|1',
	'in one attempt, with the tokens of all');
is($bambi->sql("SELECT count(*), max(images), max(tokens_used)
	FROM bambi.usage_events WHERE generation_id = '$id'"),
	'1|3|' . 3 * 1123, 'booked once');

# ---- a call that fails after others have brought pictures

foreach my $fault ('fault=google-400-bad_request', 'reset=after',
	'block=SAFETY')
{
	my ($word, $what) = split /=/, $fault;

	$bambi->mock('faults', { hold => JSON::PP::true, times => 1 });
	$id = $bambi->generate('alice', "two fawns, then $fault",
		"google/$gemini", '{"n": 2}');
	$bambi->wait_in_flight(1);
	$bambi->mock('faults', { $word => $what });
	$bambi->mock('release');
	$bambi->wait_for_status($id, 'succeeded',
		"$fault later: what is there is kept");
	is($bambi->sql("SELECT count(*) FROM bambi.images
		WHERE generation_id = '$id'"), 1, 'one picture');
	isnt($bambi->column_of($id, 'error_message'), '', 'with a note');
	$bambi->mock('faults', { clear => JSON::PP::true });
}

# ---- blocks

my $used = $bambi->usage_of('alice');
foreach my $block ('block=SAFETY', 'block=PROHIBITED_CONTENT',
	'finish=IMAGE_SAFETY', 'finish=NO_IMAGE')
{
	($id, @calls) = run('alice', 'failed', "[[mock $block]] no", 'google');
	is($bambi->column_of($id, 'error_code'),
		'content_blocked', 'its content is blocked');
	is(scalar @calls, 1, 'at once');
}
is($bambi->usage_of('alice'), $used,
	'what was blocked gives its places in the quota back');
($id) = run('alice', 'succeeded', '[[mock thought]] a fawn', 'google');
is($bambi->sql("SELECT count(*) FROM bambi.images
	WHERE generation_id = '$id'"), 1, 'an interim picture is none');
($id) = run('alice', 'succeeded',
	'[[mock fault=google-503-unavailable times=1]] a fawn', 'google');
is($bambi->column_of($id, 'attempts'), 2, 'an overload is tried again');

# a key that is refused
$bambi->checked($bambi->add_key('bob', undef, 'google'));
($id, @calls) = run('bob', 'held',
	'[[mock fault=google-400-api_key_invalid]] a fawn of bob', 'google');
is($bambi->column_of($id, 'error_code'), 'invalid_key', 'a wrong key');
is($bambi->sql_as('bob', 'SELECT status FROM bambi_configurations'),
	'dead', 'is marked');

# ---- Vertex with an API key

$bambi->add_key('bob', undef, 'vertex');
($id, @calls) = run('bob', 'succeeded', 'an express fawn', 'vertex',
	'{"output_format": "png"}');
is("@{[ map { $_->{provider} } @calls ]}", 'vertex', 'is one call');
is($bambi->sql("SELECT format FROM bambi.images
	WHERE generation_id = '$id'"), 'png', 'in the format that Vertex can');
is($bambi->mock_stats->{token_exchanges}, 0, 'without a token');

# ---- with a service account

my $email = 'painter@p1.iam.gserviceaccount.com';
my $token_uri = $bambi->mock_address('/vertex/token');
my ($private, $public);
IPC::Run::run([qw(openssl genrsa -traditional 2048)], '>', \$private,
	'2>', '/dev/null') or die 'openssl failed';
IPC::Run::run([qw(openssl rsa -pubout)], '<', \$private, '>', \$public,
	'2>', '/dev/null') or die 'openssl failed';

sub account
{
	my (%with) = @_;

	return encode_json(
		{
			type => 'service_account',
			client_email => $email,
			private_key_id => 'k1',
			private_key => $private,
			token_uri => $token_uri,
			%with
		});
}

sub exchanges { return $bambi->mock_stats->{token_exchanges} }

my $key = $bambi->add_key('alice', account(project_id => 'p1'), 'vertex');
is($bambi->checked($key), 'rejected', 'an account that nobody knows');
is(exchanges(), 0, 'may ask for nothing');
$bambi->mock('service-account',
	{ client_email => $email, public_key => $public, project_id => 'p1' });
$bambi->sql_as('alice', "SELECT bambi_replace_key('$key', \$k\$"
	  . account(project_id => 'p1') . '$k$)');
is($bambi->checked($key), 'valid', 'one that is known');
is(exchanges(), 1, 'has its key exchanged for a token');
($id) = run('alice', 'succeeded', 'a fawn of the account', 'vertex');
is(exchanges(), 1, 'which is good for its generations');
($id, @calls) = run('alice', 'succeeded', 'three of the account', 'vertex',
	'{"n": 3}');
is(scalar @calls, 3, 'three more calls');
is(exchanges(), 1, 'go with the same token');

$bambi->mock('tokens', { revoke => JSON::PP::true });
($id) = run('alice', 'succeeded', 'a fawn with an old token', 'vertex');
is(exchanges(), 2, 'a token that is refused is renewed');
is($bambi->column_of($id, 'attempts'), 1, 'in the same attempt');
$bambi->mock('tokens', { revoke => JSON::PP::true, life => 0 });
$used = $bambi->usage_of('alice');
($id, @calls) = run('alice', 'held', 'a fawn with no token', 'vertex');
is($bambi->column_of($id, 'error_code'), 'invalid_key',
	'when the new one is refused too, it is held');
is(exchanges(), 3, 'after one exchange');
is($bambi->usage_of('alice'), $used + 1, 'and keeps its place');
is(scalar(grep { $_->{charged} } @calls), 0, 'uncharged');
$bambi->mock('tokens', { life => 3599 });
$bambi->sql_as('alice', "SELECT bambi_replace_key('$key', \$k\$"
	  . account(project_id => 'p1') . '$k$)');
$bambi->wait_for_status($id, 'succeeded', 'until there is a key that works');

# ---- where

sub with_settings
{
	my ($name, $settings, $document) = @_;
	my $configuration = $bambi->add_key($name, $document, 'vertex', $settings);

	if ($bambi->checked($configuration) eq 'rejected')
	{
		my $why = $bambi->key_column($configuration, 'last_error');
		$bambi->sql_as($name, "SELECT bambi_remove_key('$configuration')");
		return "rejected|$why";
	}
	my ($id) = $bambi->sql_as($name, "SELECT bambi_generate('a fawn',
		'vertex/$gemini', configuration => '$configuration')");

	$bambi->poll("SELECT status IN ('succeeded', 'failed')
		FROM bambi.image_generations WHERE id = '$id'");
	$bambi->sql_as($name, "SELECT bambi_remove_key('$configuration')");
	return $bambi->column_of($id, "status, error_code, error_message");
}

like(with_settings('carol', '{}', account()),
	qr/^failed\|bad_request\|.*there must be a project/,
	'a document without a project needs the setting');
like(with_settings('carol', '{"project": "p1"}', account()),
	qr/^succeeded/, 'project may be set');
like(with_settings('carol', '{"project": "p2", "location": "eu"}',
		account(project_id => 'p1')),
	qr{^rejected\|.*projects/p2/locations/eu/},
	'and is what is asked for, as is the location');
like(with_settings('carol', '{"project": "p1", "location": "europe-west4"}',
		account(project_id => 'p2')),
	qr/^succeeded/, 'over the one of the document');
like(with_settings('carol', '{"location": "../x"}',
		account(project_id => 'p1')),
	qr/^failed\|bad_request\|.*must be plain names/,
	'no other path can be had that way');
my $wall = IO::Socket::INET->new(
	Listen => 4,
	LocalAddr => '127.0.0.1',
	LocalPort => 0,
	Blocking => 0) or die "cannot listen: $!";
my $elsewhere = 'http://127.0.0.1:' . $wall->sockport . '/token';
like(with_settings('carol', '{}',
		account(project_id => 'p1', token_uri => $elsewhere)),
	qr/^failed\|bad_request\|.*token_uri/, 'nor another token endpoint');
like(with_settings('carol', qq({"token_uri": "$elsewhere"}),
		account(project_id => 'p1', token_uri => $elsewhere)),
	qr/^failed\|bad_request\|.*token_uri/, 'by the user\'s own settings');
is($wall->accept, undef, 'where nobody has called');

is(index(PostgreSQL::Test::Utils::slurp_file($bambi->node->logfile),
		substr $private, 100, 40),
	-1, 'the account\'s key is not in the log');
$bambi->stop;
done_testing();
