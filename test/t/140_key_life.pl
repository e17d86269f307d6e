# The life of a key: each provider is asked for nothing whether it takes it,
# what it answers is what counts, once, and only for the key that was asked
# about; what a refused key stops is held, and goes on with the next one.

use strict;
use warnings;

use BambiCluster;
use JSON::PP;
use Test::More;

my $bambi = BambiCluster->start('key_life', conf => "autovacuum = off\n");
$bambi->point_to_mock(qw(google xai vertex));
$bambi->lift_quota;

my $users = 0;

# Somebody new, for whom no other key is in the way.
sub somebody
{
	my $name = 'user' . ++$users;

	$bambi->sign_up($name);
	return $name;
}

sub checks { return $bambi->mock_stats->{key_checks} }

sub events
{
	my ($configuration) = @_;

	return $bambi->sql("SELECT count(*) FROM bambi.usage_events
		WHERE configuration_id = '$configuration'
			AND request_type = 'validate' AND cost = 0 AND charged = 'no'");
}

sub replace
{
	my ($name, $configuration, $key) = @_;

	$bambi->sql_as($name, "SELECT bambi_replace_key('$configuration', '$key')");
	return;
}

# Asks for what is due, also if it was put off.
sub hurry
{
	$bambi->sql('UPDATE bambi_internal.outbox SET not_before = NULL',
		'SELECT pg_reload_conf()');
	return;
}

# ---- what each provider says

sub answers
{
	my ($provider, $key, $status, $is_valid, $says) = @_;
	my $before = checks();
	my $id = $bambi->add_key(somebody(), $key, $provider);

	is($bambi->checked($id), $status, "$provider: $says: $status");
	is(checks(), $before + 1, "$provider: $says: by one call");
	is($bambi->key_column($id, 'is_valid, last_validated_at IS NOT NULL'),
		"$is_valid|t", "$provider: $says: and says so");
	is(events($id), 1, "$provider: $says: booked, for nothing");
	return $id;
}

answers('openai', 'sk-test-0123456789', 'valid', 't', 'a good key');
answers('openai', 'sk-invalid-0123456789', 'rejected', 'f', 'a wrong key');
my $id = answers('openai', 'sk-noscope-0123456789', 'unknown', '',
	'a key that may not list models');
like($bambi->key_column($id, 'last_error'), qr/Missing scopes/,
	'with the reason');
answers('google', 'AIza-test-0123456789', 'valid', 't', 'a good key');
$id = answers('google', 'AIza-invalid-0123456789', 'rejected', 'f',
	'a wrong key');
like($bambi->key_column($id, 'last_error'), qr/API key not valid/,
	'with the reason');
answers('google', 'AQ.invalid-0123456789', 'rejected', 'f', 'a new wrong key');
answers('vertex', 'AIza-test-0123456789', 'valid', 't', 'a good key');
answers('vertex', 'AIza-invalid-0123456789', 'rejected', 'f', 'a wrong key');
answers('xai', 'xai-test-0123456789', 'valid', 't', 'a good key');
answers('xai', 'xai-invalid-0123456789', 'rejected', 'f', 'a wrong key');
$id = answers('xai', 'xai-blocked-0123456789', 'rejected', 'f', 'a blocked key');
# a word of the key is kept from it
like($bambi->key_column($id, 'last_error'), qr/^the provider has \S+ the key$/,
	'with the reason');
is(scalar(my @calls = $bambi->ledger), 0, 'no picture was made for it');

# a service account, which logs in first
my ($private, $public);
IPC::Run::run([qw(openssl genrsa -traditional 2048)], '>', \$private,
	'2>', '/dev/null') or die 'openssl failed';
IPC::Run::run([qw(openssl rsa -pubout)], '<', \$private, '>', \$public,
	'2>', '/dev/null') or die 'openssl failed';
my $account = encode_json(
	{
		type => 'service_account',
		client_email => 'painter@p1.example',
		private_key => $private,
		project_id => 'p1',
		token_uri => $bambi->mock_address('/vertex/token')
	});
my $painter = somebody();
$id = $bambi->add_key($painter, $account, 'vertex');
is($bambi->checked($id), 'rejected', 'an account that nobody knows: rejected');
$bambi->mock('service-account',
	{ client_email => 'painter@p1.example', public_key => $public,
		project_id => 'p1' });
$bambi->sql_as($painter, "SELECT bambi_validate_key('$id')");
is($bambi->checked($id), 'valid', 'and once it is known: valid');
$bambi->sql_as($painter, "SELECT bambi_remove_key('$id')");
$id = $bambi->add_key($painter, $account, 'vertex', '{"project": "p2"}');
is($bambi->checked($id), 'rejected',
	'in a project where it has no role: rejected');

# a server that speaks the protocol and has no such list
$bambi->sql("UPDATE bambi.api_providers
	SET api_base_url = '" . $bambi->mock_address('/nowhere') . "'
	WHERE slug = 'openai'");
$id = $bambi->add_key(somebody(), 'sk-test-0123456789');
is($bambi->checked($id), 'unknown', 'a server without a list: unknown');
$bambi->point_openai_to_mock;

# ---- the provider is away for a while

my $ada = somebody();
$bambi->stop_mock;
my $key = $bambi->add_key($ada, 'sk-test-0123456789');
$bambi->poll("SELECT last_error IS NOT NULL FROM bambi_internal.outbox
	WHERE errand->>'configuration' = '$key'");
is($bambi->key_column($key, 'status, is_valid'), 'pending|',
	'nobody answers: nothing is said');
is(events($key), 0, 'nor booked');
$bambi->start_mock;
hurry();
is($bambi->checked($key), 'valid', 'it is asked again when somebody does');
is(events($key), 1, 'and booked once');
$bambi->stop_mock;
$bambi->sql_as($ada, "SELECT bambi_validate_key('$key')");
$bambi->sql("UPDATE bambi_internal.outbox SET attempts = 11");
hurry();
is($bambi->checked($key), 'valid',
	'a check that nobody could make takes nothing from a valid key');
my $new = $bambi->add_key(somebody(), 'sk-test-0123456789');
$bambi->sql("UPDATE bambi_internal.outbox SET attempts = 11");
hurry();
is($bambi->checked($new), 'unknown', 'but a new one is then unknown');
$bambi->start_mock;

# ---- limits, and what is due

$bambi->sql('UPDATE bambi.plans SET key_checks_per_minute = 2');
my $eve = somebody();
$bambi->add_key($eve, 'sk-test-stolen-1');
my ($status, undef, $error) = $bambi->try_as($eve,
	"SELECT bambi_add_key('openai', 'sk-test-stolen-2', 'b');
	 SELECT bambi_add_key('openai', 'sk-test-stolen-3', 'c')");
isnt($status, 0, 'whoever has many keys is stopped');
like($error, qr/too many keys to check/, 'with a reason');
$bambi->sql('UPDATE bambi.plans SET key_checks_per_minute = NULL');
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.outbox)');

my $before = checks();
$bambi->sql("UPDATE bambi.api_configurations
	SET last_validated_at = now() - interval '6 days' WHERE id = '$new'",
	"UPDATE bambi.api_configurations
	SET last_validated_at = now() - interval '8 days' WHERE id = '$key'",
	'SELECT pg_reload_conf()');
ok($bambi->poll("SELECT last_validated_at > now() - interval '1 day'
	FROM bambi.api_configurations WHERE id = '$key'"),
	'a key of which nothing was heard for a week is checked again');
is(checks(), $before + 1, 'no other one is');
$bambi->set('bambi.key_validation_days' => 0);

# ---- a refused key

sub prompt_once
{
	return "[[mock hold fault=openai-401-invalid_api_key times=1]] $_[0]";
}

# Queued while nobody may claim, so that it waits.
sub queue_some
{
	my ($name, @prompts) = @_;

	$bambi->sql("SELECT bambi_pause('test')");
	return map { $bambi->generate($name, $_) } @prompts;
}

sub go_on
{
	$bambi->sql('SELECT bambi_resume()');
	return;
}

my $bob = somebody();
my $bobs = $bambi->add_key($bob, 'sk-test-bob');
$bambi->checked($bobs);
my $used = $bambi->usage_of($bob);
my $refused = $bambi->generate($bob, prompt_once('a fawn that is refused'));
$bambi->wait_in_flight(1);
my $runs = $bambi->generate($bob, '[[mock hold]] a fawn that runs');
$bambi->wait_in_flight(2);
my @waiting = queue_some($bob, 'one that waits', 'another');
my $carol = somebody();
$bambi->add_key($carol, 'sk-test-carol');
my $others = $bambi->generate($carol, 'a fawn of somebody else');
$bambi->mock('release');

$bambi->wait_for_status($_, 'held', 'a refused key holds what needs it')
  foreach $refused, @waiting;
is($bambi->column_of($refused, 'error_code, attempts'), 'invalid_key|1',
	'after one attempt, with the reason');
is($bambi->column_of($waiting[0], 'error_code, attempts'), 'invalid_key|0',
	'those that waited after none');
like($bambi->column_of($_, 'held_reason'), qr/bambi_replace_key/,
	'with what to do') foreach $refused, @waiting;
is($bambi->sql_as($bob, "SELECT status, error_code
	FROM bambi_wait('$waiting[0]')"), 'held|invalid_key', 'and nobody waits');
$bambi->wait_for_status($runs, 'succeeded', 'what ran was left to end');
is($bambi->key_column($bobs, 'status, is_valid'), 'dead|f',
	'the key is dead all the same');
is($bambi->usage_of($bob), $used + 4, 'their places in the quota are kept');
($status, undef, $error) = $bambi->try_as($bob,
	"SELECT bambi_generate('a fawn', 'openai/gpt-image-2')");
isnt($status, 0, 'and it pays for nothing more');
go_on();
$bambi->wait_for_status($others, 'succeeded', 'other keys are not concerned');

$before = () = $bambi->charges;
replace($bob, $bobs, 'sk-invalid-bob');
is($bambi->checked($bobs), 'rejected', 'another one that is refused: rejected');
$bambi->wait_for_status($_, 'held', 'and it is held again')
  foreach $refused, @waiting;
is(scalar(() = $bambi->charges), $before, 'nothing was paid');
replace($bob, $bobs, 'sk-test-bob-again');
$bambi->wait_for_status($_, 'succeeded', 'a good one lets it go on')
  foreach $refused, @waiting;
is($bambi->checked($bobs), 'valid', 'and is valid');
is($bambi->usage_of($bob), $used + 4, 'each has counted once');

# refused by a check, taken by the next one: as if it had been replaced
@waiting = queue_some($bob, 'one for later');
$bambi->sql("UPDATE bambi_internal.queue SET not_before = now() + interval '1 h'",
	"UPDATE bambi.api_providers SET api_base_url = '"
	  . $bambi->mock_address('/google/v1') . "' WHERE slug = 'openai'");
go_on();
is($bambi->sql_as($bob, "SELECT bambi_validate_key('$bobs')"), 'valid',
	'a check gives the present state');
is($bambi->checked($bobs), 'dead', 'and may end it');
is($bambi->status_of($waiting[0]), 'held', 'with what waits');
$bambi->point_openai_to_mock;
$bambi->sql_as($bob, "SELECT bambi_validate_key('$bobs')");
is($bambi->checked($bobs), 'valid', 'the next one may give it back');
$bambi->wait_for_status($waiting[0], 'succeeded', 'with what waits');

# held and removed
my $dora = somebody();
my $doras = $bambi->add_key($dora, 'sk-test-dora');
$bambi->checked($doras);
$used = $bambi->usage_of($dora);
$refused = $bambi->generate($dora, prompt_once('a fawn of dora'));
$bambi->wait_in_flight(1);
$bambi->mock('release');
$bambi->wait_for_status($refused, 'held');
$bambi->sql_as($dora, "SELECT bambi_remove_key('$doras')");
is($bambi->column_of($refused, 'status, error_code'), 'failed|key_removed',
	'what is held fails with the key that is removed');
is($bambi->usage_of($dora), $used, 'and is not counted');

# held, and locked by somebody when the key is replaced
my $gerd = somebody();
my $gerds = $bambi->add_key($gerd, 'sk-test-gerd');
$bambi->checked($gerds);
$refused = $bambi->generate($gerd, prompt_once('a fawn of gerd'));
$bambi->wait_in_flight(1);
$bambi->mock('release');
$bambi->wait_for_status($refused, 'held');
my $undecided = $bambi->session($gerd);
$undecided->query_safe("BEGIN; SELECT bambi_cancel('$refused')");
replace($gerd, $gerds, 'sk-test-gerd-new');
is($bambi->checked($gerds), 'valid', 'another key is there');
is($bambi->status_of($refused), 'held', 'while its owner is still deciding');
$undecided->query_safe('ROLLBACK');
$undecided->quit;
$bambi->node->reload;
$bambi->wait_for_status($refused, 'succeeded',
	'what is left to it goes on all the same');

# ---- money

my $erna = somebody();
my $ernas = $bambi->add_key($erna, 'sk-test-erna');
$bambi->checked($ernas);
$bambi->wait_for_status(
	$bambi->generate($erna, '[[mock fault=openai-429-insufficient_quota]] x'),
	'failed', 'without money a generation fails');
is($bambi->key_column($ernas, 'status, is_valid, last_error IS NOT NULL'),
	'failing|t|t', 'and the key is failing');
$bambi->sql_as($erna, "SELECT bambi_validate_key('$ernas')");
is($bambi->checked($ernas), 'failing', 'which no free call clears');
$bambi->wait_for_status($bambi->generate($erna, 'a fawn'), 'succeeded');
is($bambi->key_column($ernas, 'status, last_error'), 'valid|',
	'but a picture does');

# ---- replaced, while the old one is asked about

$refused = $bambi->generate($erna, prompt_once('a fawn of erna'));
$bambi->wait_in_flight(1);
replace($erna, $ernas, 'sk-test-erna-new');
$bambi->mock('release');
$bambi->wait_for_status($refused, 'succeeded',
	'an answer about the old key ends nothing: the new one is used');
is($bambi->column_of($refused, 'attempts'), 2, 'for a second attempt');
is($bambi->checked($ernas), 'valid', 'and nothing is said against it');

# The courier has an answer about a key and tells it to nobody yet.
sub half_checked
{
	my ($name, $said, $point) = @_;

	$bambi->hold($point // 'errand-ended');
	my $id = $bambi->add_key($name, $said);
	$bambi->wait_held($point // 'errand-ended');
	return $id;
}

my $fred = somebody();
my $freds = half_checked($fred, 'sk-invalid-fred');
replace($fred, $freds, 'sk-test-fred');
$bambi->release('errand-ended');
is($bambi->checked($freds), 'valid',
	'a check of the old key says nothing either');
is(events($freds), 1, 'and is not booked beside the new one');
$freds = half_checked(somebody(), 'sk-test-fred');
$bambi->sql_as("user$users", "SELECT bambi_remove_key('$freds')");
$bambi->release('errand-ended');
is($bambi->checked($freds), 'revoked', 'nor of one that was removed');
is(events($freds), 1, 'booked it is, since the provider was asked');

# ---- who asks dies in between

my $gina = somebody();
my $ginas = half_checked($gina, 'sk-test-gina');
$bambi->kill9($bambi->courier_pid);
$bambi->release('errand-ended');
is($bambi->checked($ginas), 'valid',
	'the courier dies with the answer: it is asked again');
is(events($ginas), 1, 'and answered once');

foreach my $point ('errands-committed', 'errands-before-commit')
{
	if ($point eq 'errands-committed')
	{
		$ginas = half_checked(somebody(), 'sk-test-gina', $point);
	}
	else
	{
		$ginas = half_checked(somebody(), 'sk-test-gina');
		$bambi->hold($point);
		$bambi->release('errand-ended');
	}
	$bambi->kill9($bambi->wait_held($point));
	$bambi->release($point);
	$bambi->bring_back;
	$bambi->worker_pid;
	hurry();
	is($bambi->checked($ginas), 'valid',
		"the worker dies at $point: it is asked again");
	is(events($ginas), 1, 'and answered once');
}

# which key an answer in the spool is about, nobody knows any more
$id = $bambi->generate($erna, prompt_once('a fawn in the spool'));
$bambi->wait_in_flight(1);
$bambi->kill9($bambi->worker_pid);
$bambi->mock('release');
$bambi->bring_back;
$bambi->wait_for_status($id, 'succeeded',
	'a refusal in the spool is not believed');
is($bambi->column_of($id, 'attempts'), 2, 'the key is shown once more');
is($bambi->key_column($ernas, 'status'), 'valid', 'and stays valid');

$bambi->ledger_is_equal;
$bambi->stop;
done_testing();
