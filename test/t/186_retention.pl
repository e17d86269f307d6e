# What is past its time goes, and nothing else: content by the days of plans,
# pictures as files, too, whoever dies or holds locks meanwhile; and prompts, if
# the operator keeps none, when their generation ends.

use strict;
use warnings;

use BambiCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $many = 250;			# old generations, more than one transaction removes

my $pictures = PostgreSQL::Test::Utils::tempdir('pictures');
my $bambi = BambiCluster->start('retention', mock => ['--legacy'], conf => <<"CONF");
bambi.store_directory = '$pictures'
CONF
$bambi->sign_up($_) foreach qw(alice dave bob zoe);
$bambi->sql("UPDATE bambi.plans SET generations_per_period = NULL,
		generations_per_minute = NULL, max_pictures = NULL",
	"INSERT INTO bambi.plans (plan_type, name, store, retention_days)
		VALUES ('files', 'Files', 'filesystem', 30),
			('bytes', 'Bytes', 'database', 30),
			('long', 'Long', 'filesystem', NULL)");
my %plan = (alice => 'files', dave => 'bytes', bob => 'long', zoe => 'bytes');
$bambi->sql(map { "SELECT bambi_set_plan('$bambi->{user}{$_}', '$plan{$_}')" }
	sort keys %plan);
$bambi->add_key($_) foreach qw(alice dave bob);

# Makes a generation older: as if it had been asked for then.
ok( $bambi->poll(
		"SELECT bool_and(bambi_internal.has_month('bambi.image_generations', month)
			OR bambi_internal.make_month('bambi.image_generations', month, NULL))
	   FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC')
			- interval '2 months', now() AT TIME ZONE 'UTC', '1 month') month"),
	'there are months for what is older');
$bambi->sql(<<'SQL');
CREATE FUNCTION age(young uuid, days int) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	old uuid := (left(bambi_uuid_floor(now() - make_interval(days => days))
		::text, 24) || right(young::text, 12))::uuid;
BEGIN
	INSERT INTO bambi.image_generations (id, user_id, configuration_id,
		model_id, prompt, parameters, status, error_message, held_reason,
		cost_estimate, cost, cost_source, quota_period, finished_at)
	SELECT old, user_id, configuration_id, model_id, prompt, parameters, status,
		error_message, held_reason, cost_estimate, cost, cost_source,
		quota_period, finished_at
	  FROM bambi.image_generations WHERE id = young;
	UPDATE bambi.images SET generation_id = old WHERE generation_id = young;
	UPDATE bambi.generation_inputs SET generation_id = old
	 WHERE generation_id = young;
	UPDATE bambi_internal.queue SET id = old WHERE id = young;
	DELETE FROM bambi.image_generations WHERE id = young;
	RETURN old;
END
$$
SQL

sub aged
{
	my ($id, $days) = @_;

	$days //= 40;
	# nobody has looked there yet
	$bambi->sql('DELETE FROM bambi_internal.content_removals');
	return $bambi->sql("SELECT age('$id', $days)");
}

# Until the worker has gone through all users, in a round that began after what
# was done before: zoe is the last of them.  The first round may have begun
# earlier.
sub rounds
{
	foreach my $round (1, 2)
	{
		$bambi->sql(
			"DELETE FROM bambi_internal.content_removals
				WHERE user_id = '$bambi->{user}{zoe}'",
			'SELECT bambi_maintain()');
		$bambi->poll("SELECT EXISTS (SELECT
			FROM bambi_internal.content_removals
			WHERE user_id = '$bambi->{user}{zoe}')")
		  or die 'the worker has not gone round';
	}
	return;
}

sub file_of { return "$pictures/" . $bambi->image_of($_[0], 'storage_path') }

# What of a generation is there.
sub content_of
{
	my ($id) = @_;

	return $bambi->sql("SELECT concat_ws(', ', nullif(prompt, ''),
			CASE WHEN parameters <> '{}' THEN 'parameters' END,
			(SELECT 'picture' FROM bambi.images WHERE generation_id = g.id),
			(SELECT 'bytes' FROM bambi.image_data JOIN bambi.images i
				ON i.id = image_id WHERE generation_id = g.id),
			(SELECT 'input' FROM bambi.generation_inputs
				WHERE generation_id = g.id))
		FROM bambi.image_generations g WHERE id = '$id'");
}

# ---- a plan's days

sub drawn
{
	my ($name, $prompt) = @_;
	my $id = $bambi->generate($name, $prompt);

	$bambi->wait_for_status($id, 'succeeded', "$name: $prompt");
	return $id;
}

my %file;
my $young = drawn('alice', 'a young fawn');
my $old = aged(drawn('alice', 'an old fawn'));
my $twin = drawn('alice', 'twins');
my $old_twin = aged(drawn('alice', 'twins'));
my $daves = aged(drawn('dave', 'an old hare'));
my $bobs = aged(drawn('bob', 'an old fox'));
my $held = $bambi->draw('alice', 'held');
$bambi->sql("UPDATE bambi.image_generations SET status = 'held',
	held_reason = 'decide' WHERE id = '$held'");
$held = aged($held);
$file{$_} = file_of($_) foreach $young, $old, $twin, $bobs;
is(file_of($old_twin), $file{$twin}, 'equal pictures of hers are one file');
is(content_of($daves), 'an old hare, parameters, picture, bytes',
	'the picture of dave is in the database');
ok(-e $file{$old}, 'that of alice is a file');

rounds();
is(content_of($old), '', 'what is older than the plan keeps it is gone');
is(content_of($daves), '', 'from the database, too');
is($bambi->column_of($old, "status || ' ' || (cost IS NOT NULL)"),
	'succeeded true', 'what it was and what it cost stays');
is( $bambi->sql('SELECT count(*) FROM bambi.image_data'), 0,
	'no bytes are left');
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.outbox)');
ok(!-e $file{$old}, 'nor is the file');
is(content_of($young), 'a young fawn, parameters, picture',
	'what is younger stays');
ok(-e $file{$young}, 'with its file');
is(content_of($old_twin), '', 'one of the twins is gone');
ok(-e $file{$twin}, 'their file is there for the other one');
is(content_of($bobs), 'an old fox, parameters, picture',
	'who has another plan keeps all');
ok(-e $file{$bobs}, 'as a file');
is(content_of($held), 'held, picture', 'what is to be decided stays');

my ($status, $rows, $error) = $bambi->try_as('alice',
	"SELECT bambi_retry('$old')");
like($error, qr/generation cannot be retried/, 'it cannot be made again');

# ---- what waits and what runs, however old

$bambi->sql("SELECT bambi_pause('test')");
my $waiting = $bambi->generate('alice', 'an old one that waits');
my $running = $bambi->generate('alice', '[[mock hold]] an old one that runs');
$_ = aged($_) foreach $waiting, $running;
$bambi->sql("UPDATE bambi_internal.queue
		SET not_before = now() + interval '1 day' WHERE id = '$waiting'",
	'SELECT bambi_resume()');
$bambi->wait_in_flight(1);
rounds();
is(content_of($waiting), 'an old one that waits, parameters',
	'what waits is left alone');
is(content_of($running), '[[mock hold]] an old one that runs, parameters',
	'and so is what runs');
$bambi->mock('release');
$bambi->wait_for_status($running, 'succeeded', 'which ends');
$file{$running} = file_of($running);
ok(-e $file{$running}, 'with a picture');
rounds();
is(content_of($running), '', 'then it is old');
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.outbox)');
ok(!-e $file{$running}, 'as a file, too');

# ---- what somebody holds

my ($locked, $free) = map { aged(drawn('dave', $_), 20) } 'locked', 'free';
$bambi->sql("UPDATE bambi.plans SET retention_days = 15
	WHERE plan_type = 'bytes'");
my $session = $bambi->session('dave');
$session->query_safe("BEGIN; SELECT bambi_delete('$locked')");
rounds();
is(content_of($free), '', 'others go');
$session->query_safe('ROLLBACK');
$session->quit;
is(content_of($locked), 'locked, parameters, picture, bytes',
	'what is held is passed by');
rounds();
is(content_of($locked), '', 'and goes later');

# ---- many, and a death between

my @last = map { drawn('bob', "one of many $_") } 1 .. 3;
my @files = map { file_of($_) } @last;
$_ = aged($_, 35) foreach @last;
$bambi->sql("INSERT INTO bambi.image_generations
		(id, user_id, model_id, prompt, status)
	SELECT (left(bambi_uuid_floor(now() - interval '38 days')::text, 24)
			|| lpad(to_hex(n), 12, '0'))::uuid,
		'$bambi->{user}{bob}', p.default_model_id, 'one of many', 'succeeded'
	  FROM bambi.plans p, generate_series(1, $many) n
	 WHERE p.plan_type = 'free'");
my $left = "SELECT count(*) FROM bambi.image_generations
	WHERE user_id = '$bambi->{user}{bob}' AND prompt <> ''";
my $all = $bambi->sql($left);
$bambi->hold('retention-before-commit');
$bambi->sql("SELECT bambi_set_plan('$bambi->{user}{bob}', 'files')",
	'SELECT bambi_maintain()');
$bambi->wait_held('retention-before-commit');
$bambi->kill9_everything;
$bambi->hold('retention-before-commit');
$bambi->bring_back;
is($bambi->sql($left), $all, 'a death before the commit takes nothing');
$bambi->wait_held('retention-before-commit');
$bambi->release('retention-before-commit');
ok($bambi->poll("SELECT ($left) = 0"), 'the next worker removes all');
rounds();
is( $bambi->sql("SELECT count(*) FROM bambi.images
		WHERE user_id = '$bambi->{user}{bob}'"),
	0, 'with the pictures');
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.outbox)');
is(scalar(grep { -e } @files, $file{$bobs}), 0, 'and their files');
is( $bambi->sql("SELECT count(*) FROM bambi.image_generations
		WHERE user_id = '$bambi->{user}{bob}'"),
	$all, 'the generations are there');

# ---- events of Stripe

$bambi->sql("INSERT INTO bambi.stripe_events
		(event_id, type, created, received_at, livemode, outcome)
	SELECT 'evt_' || years, 'ping', at, at, true, 'ignored'
	  FROM unnest('{1, 9, 11}'::int[]) years,
		LATERAL (SELECT now() - make_interval(years => years) AS at) t");
rounds();
ok($bambi->poll("SELECT string_agg(event_id, ' ' ORDER BY event_id)
		= 'evt_1 evt_9' FROM bambi.stripe_events"),
	'what Stripe told goes after ten years');

# ---- consents

$bambi->sql("INSERT INTO bambi.consents
		(id, user_id, purpose, granted, version, created_at)
	SELECT bambi_uuid_floor(t.at), '$bambi->{user}{alice}', 'news', true,
		years::text, t.at
	  FROM unnest('{1, 11, 12, 13}'::int[]) years,
		LATERAL (SELECT now() - make_interval(years => years) AS at) t");
rounds();
ok($bambi->poll("SELECT string_agg(version, ' ' ORDER BY version) = '1 11'
		FROM bambi.consents"),
	'a consent goes ten years after it was replaced');

# ---- while it pauses

my $paused = aged(drawn('dave', 'kept while paused'), 20);
$bambi->sql("SELECT bambi_pause('test')");

# In the same turn it has old keys checked, so that the second time tells that
# the first turn is over.
foreach my $time (1, 2)
{
	$bambi->sql("DELETE FROM bambi_internal.outbox",
		"UPDATE bambi.api_configurations SET status = 'valid',
			last_validated_at = now() - interval '1 year'",
		'SELECT bambi_maintain()');
	$bambi->poll('SELECT EXISTS (SELECT FROM bambi_internal.outbox)')
	  or die 'the worker has not looked';
}
is(content_of($paused), 'kept while paused, parameters, picture, bytes',
	'a worker that pauses removes nothing');
$bambi->sql('SELECT bambi_resume()');
ok( $bambi->poll("SELECT prompt = '' FROM bambi.image_generations
		WHERE id = '$paused'"), 'and does so when it goes on');

# ---- no prompts

# Rows of all tables that hold a word.
sub found
{
	my ($word) = @_;

	return $bambi->sql("SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY 1)
		FROM pg_class c
		WHERE relkind = 'r'
			AND relnamespace IN ('bambi'::regnamespace,
				'bambi_internal'::regnamespace)
			AND (xpath('//c/text()', query_to_xml(format(
				'SELECT count(*) AS c FROM %s t WHERE t::text LIKE %L',
				c.oid::regclass, '%$word%'), false, true, '')))[1]::text <> '0'");
}

is(found('a young fawn') =~ /image_generations_\d+_\d+/, 1,
	'a prompt that is kept is found');
$bambi->sql_as('bob', 'SELECT bambi_keep_prompts(false)');
my ($kept, $not_kept) = map { $bambi->draw($_, 'her own') } 'alice', 'bob';
is(content_of($kept), 'her own, picture', 'one user has prompts kept');
is(content_of($not_kept), 'picture', 'and another one not');
$bambi->sql_as('bob', 'SELECT bambi_keep_prompts(true)');
is(content_of($bambi->draw('bob', 'kept again')), 'kept again, picture',
	'who may change that');
my $png = $bambi->bytea($bambi->drawn({ prompt => 'one' }));
$bambi->sql("SELECT bambi_set_retention('content', NULL,
		keep_prompts => false)");
my $seen = () = $bambi->ledger;
my $revised = $bambi->generate('dave', 'canary revised',
	'openai/dall-e-3', '{}');
my $refused = $bambi->generate('dave',
	'[[mock fault=openai-400-bad_request]] canary refused');
my $edit = $bambi->edit('dave',
	'[[mock fault=openai-400-bad_request]] canary edit', images => [$png]);
my $good_edit = $bambi->edit('dave', 'canary edit', images => [$png]);
my $uncertain = $bambi->generate('dave',
	'[[mock reset=after times=1]] canary uncertain');
my $given_up = $bambi->generate('dave', '[[mock reset=after]] canary given up');
$bambi->wait_for_status($revised, 'succeeded');
$bambi->wait_for_status($refused, 'failed');
$bambi->wait_for_status($edit, 'failed');
$bambi->wait_for_status($good_edit, 'succeeded');
$bambi->wait_for_status($_, 'uncertain') foreach $uncertain, $given_up;
is(content_of($revised), 'picture, bytes', 'of what succeeded no prompt is kept');
is($bambi->image_of($revised, 'revised_prompt IS NULL'), 't',
	'nor what the provider made of it');
is($bambi->column_of($revised, 'cost'), '0.040000', 'it is billed as asked for');
is(content_of($refused), '', 'nor of what failed');
is($bambi->column_of($refused, "error_code || coalesce(error_message, '')"),
	'bad_request', 'nor what the provider says of it');
is( $bambi->sql("SELECT count(*), count(data) FROM bambi.generation_inputs
		WHERE generation_id IN ('$edit', '$good_edit')"),
	'2|0', 'nor pictures that were given to it');
is(content_of($uncertain),
	'[[mock reset=after times=1]] canary uncertain, parameters',
	'what is uncertain keeps its prompt');
is($bambi->sql_as('dave', "SELECT bambi_cancel('$given_up')"), 'failed',
	'until it is given up');
is(content_of($given_up), '', 'and then not');

my $written_off = $bambi->generate('dave',
	'[[mock reset=after]] canary written off');
$bambi->wait_for_status($written_off, 'uncertain');
$bambi->sql("UPDATE bambi.image_generations
		SET finished_at = now() - interval '2 days' WHERE id = '$written_off'",
	'SELECT bambi_maintain()');
$bambi->wait_for_status($written_off, 'failed', 'what is uncertain for a day ends');
is(content_of($written_off), '', 'without its prompt');

# as after its key was refused
my $key = $bambi->add_key('zoe');
is($bambi->checked($key), 'valid', 'a key');
$bambi->sql("SELECT bambi_pause('test')");
my $keyless = $bambi->edit('zoe', 'canary without a key', images => [$png]);
$bambi->sql(
	"DELETE FROM bambi_internal.queue WHERE id = '$keyless'",
	"UPDATE bambi.image_generations SET status = 'held',
		held_reason = 'its key', error_code = 'invalid_key'
		WHERE id = '$keyless'",
	"UPDATE bambi.api_configurations SET status = 'dead', is_valid = false
		WHERE id = '$key'",
	'SELECT bambi_resume()');
is(content_of($keyless), 'canary without a key, parameters, input',
	'what waits for a key keeps all');
$bambi->sql_as('zoe', "SELECT bambi_remove_key('$key')");
is($bambi->column_of($keyless, "status || ' ' || error_code"),
	'failed key_removed', 'until that is removed');
is( $bambi->sql("SELECT g.prompt, count(n.data) FROM bambi.image_generations g
		JOIN bambi.generation_inputs n ON n.generation_id = g.id
		WHERE g.id = '$keyless' GROUP BY 1"),
	'|0', 'and then nothing');

($status, $rows, $error) = $bambi->try_as('dave', "\\set VERBOSITY verbose
SELECT bambi_retry('$refused')");
like($error, qr/PT409: prompt was not kept/, 'it cannot be retried');
like($error, qr/Call bambi_generate with the prompt again/, 'with a hint');
$bambi->sql_as('dave', "SELECT bambi_retry('$uncertain')");
$bambi->wait_for_status($uncertain, 'succeeded', 'what is uncertain can be');
is(content_of($uncertain), 'picture, bytes', 'and leaves no prompt either');

$bambi->sql("SELECT bambi_pause('test')");
my @waiting = map { $bambi->generate('dave', "canary $_") } 1 .. 2;
$bambi->sql_as('dave', "SELECT bambi_cancel('$waiting[0]')");
is(content_of($waiting[0]), '', 'nor is one kept that was cancelled');
is(content_of($waiting[1]), 'canary 2, parameters', 'what waits has its own');
$bambi->sql('SELECT bambi_resume()');
$bambi->wait_for_status($waiting[1], 'succeeded');
is(found('canary'), '', 'no table has any of them');
my @calls = $bambi->ledger;
is(scalar(@calls) - $seen, 9, 'the provider had them all');
ok( $bambi->poll("SELECT status = 'failed' AND prompt = ''
		FROM bambi.image_generations WHERE id = '$refused'"),
	'what failed stays failed');

note("counted: " . ($many + 3) . " old generations in parts, "
	  . scalar(@files) . " files, " . (scalar(@calls) - $seen)
	  . " prompts that were not kept");
$bambi->stop;
done_testing();
