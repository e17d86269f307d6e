# Values in Redis: after every kind of change what the tables say, told to
# subscribers, with a life that ends; nothing is written when nothing changed,
# and an old version never replaces a newer one.

use strict;
use warnings;

use BambiCluster;
use BambiRedis;
use JSON::PP;
use Test::More;

my $bambi = BambiCluster->start('redis');
my $redis = BambiRedis->start("$bambi->{dir}/redis");
my $messages = 0;
my $values = 0;

$bambi->sign_up($_) foreach qw(alice bob);
my $alice = "user:$bambi->{user}{alice}";
my $bob = "user:$bambi->{user}{bob}";

is($bambi->sql('SELECT bambi_internal.cache_is_on()'),
	'f', 'without bambi.redis_url nothing is noted');
is($bambi->sql('SELECT count(*) FROM bambi_internal.cache_outbox'),
	0, 'and the outbox is empty');
$redis->connect_to($bambi);
$redis->wait_until_written($bambi);

# ---- the catalogue is there by itself

foreach my $key (
	split /\n/, $bambi->sql(
		"SELECT 'provider:' || slug FROM bambi_providers
		 UNION ALL SELECT 'model:' || model FROM bambi_models"))
{
	$redis->becomes_true($bambi, $key, "$key is there");
	$values++;
}
is($redis->value($alice), '', 'users are written when something happens');

# ---- what subscribers hear

my $ear = $redis->open;
$ear->send('SUBSCRIBE', 'bambi:bambi:changes');
$ear->receive;

# A test of its own: that the next message is of this key.
sub hears
{
	my ($key, $says) = @_;
	my $heard = $ear->receive;
	my $message = decode_json($heard->[2]);

	is($message->{key}, $key, "$says: a message tells");
	cmp_ok($message->{version}, '<=', $redis->envelope($key)->{version},
		"$says: and its value is there, or a newer one")
	  unless $key eq '*';
	$messages++;
	return;
}

# ---- every kind of change of a user

sub after
{
	my ($says, $key, @statements) = @_;

	$bambi->sql(@statements);
	hears($key, $says);
	$redis->becomes_true($bambi, $key, $says);
	$values++;
	return $redis->envelope($key)->{value};
}

my $id = $bambi->generate('alice', 'a secret fawn', 'sandbox');
hears($alice, 'a generation');
$redis->becomes_true($bambi, $alice, 'a generation counts');
is($redis->envelope($alice)->{value}{generations_left},
	9, 'nine are left of ten');
$bambi->wait_for_status($id, 'succeeded');

$bambi->sql_as('alice', "BEGIN; SELECT bambi_generate('x', 'sandbox'); ROLLBACK");
is( after(
		'another plan', $alice,
		"UPDATE bambi.subscriptions SET plan_type = 'premium'
		  WHERE user_id = '$bambi->{user}{alice}'")->{generations_left},
	999,
	'of another plan more is left, and what was rolled back was not told');
is( after(
		'a missing payment', $alice,
		"UPDATE bambi.subscriptions
		    SET status = 'unpaid'
		  WHERE user_id = '$bambi->{user}{alice}'")->{plan_type},
	'free',
	'without payment the plan is free');
is( after(
		'a deleted subscription', $alice,
		"DELETE FROM bambi.subscriptions
		  WHERE user_id = '$bambi->{user}{alice}'")->{subscription},
	undef,
	'then there is none');
after(
	'a new subscription', $alice,
	"INSERT INTO bambi.subscriptions (user_id, plan_type)
	 VALUES ('$bambi->{user}{alice}', 'premium')");
is( after(
		'a locked user', $alice,
		"UPDATE bambi.users SET is_active = false
		  WHERE id = '$bambi->{user}{alice}'")->{is_active},
	JSON::PP::false,
	'a locked user is not active');

my $carol = "user:" . $bambi->sign_up('carol');
hears($carol, 'a sign-up');
$redis->becomes_true($bambi, $carol, 'a new user is there');
$bambi->sql("DELETE FROM bambi.users WHERE id = '$bambi->{user}{carol}'");
hears($carol, 'a deletion');
$redis->becomes_true($bambi, $carol, 'of a deleted one nothing is told');
is($redis->value($carol), 'none', 'but that there is no such user');

# ---- of the catalogue

my @of_xai = ('provider:xai', map { "model:$_" } split /\n/,
	$bambi->sql("SELECT model FROM bambi_models WHERE model LIKE 'xai/%'"));
$bambi->sql(
	"UPDATE bambi.api_providers SET is_active = false WHERE slug = 'xai'");
is_deeply(
	[ sort map { decode_json($ear->receive->[2])->{key} } @of_xai ],
	[ sort @of_xai ],
	'a provider that is off: it is told, and so are its models');
foreach my $key (@of_xai)
{
	$redis->becomes_true($bambi, $key, "$key follows");
	is($redis->envelope($key)->{value}{is_active},
		JSON::PP::false, 'and is off');
	$messages++;
	$values++;
}

$bambi->sql("UPDATE bambi.models SET model_id = 'box' WHERE model_id = 'sandbox'");
is_deeply(
	[ sort map { decode_json($ear->receive->[2])->{key} } 1 .. 2 ],
	[ 'model:sandbox/box', 'model:sandbox/sandbox' ],
	'a model with another name is told of by both');
$redis->becomes_true($bambi, 'model:sandbox/box', 'the new name is there');
$redis->becomes_true($bambi, 'model:sandbox/sandbox', 'the old one is not');
is($redis->value('model:sandbox/sandbox'), 'none', 'nothing stands there');

my $epoch = $redis->epoch;
$bambi->sql("UPDATE bambi.plans SET generations_per_period = 20
	WHERE plan_type = 'free'");
hears('*', 'a plan');
cmp_ok($redis->epoch, '>', $epoch, 'a plan concerns everybody: a new epoch');
is($redis->value($alice), '', 'in which values of before are void');
$redis->becomes_true($bambi, 'provider:openai', 'the catalogue comes again');

# ---- asking for what is not there

is( $redis->canonical_of($bambi->sql("SELECT bambi_cache_value('$bob')")),
	$redis->truth($bambi, $bob),
	'whoever misses a value asks the database');
$redis->becomes_true($bambi, $bob, 'and it is there for the next one');
is( $redis->envelope($bob)->{value}{generations_limit},
	20, 'with the plan of now');
is($bambi->sql("SELECT bambi_cache_value('user:$bambi->{user}{carol}') IS NULL"),
	't', 'what does not exist is null');
my ($status, $rows, $error) =
  $bambi->try_as('alice', "SELECT bambi_cache_value('$bob')");
like($error, qr/permission denied/, 'users may not ask');

# ---- the life of a value

my $ttl = $redis->cmd('PTTL', $redis->key($bob));
cmp_ok($ttl, '>', 0, 'a value has a life');
cmp_ok($ttl, '<=', 300_000, 'no longer than bambi.redis_ttl');
is( scalar(grep { $redis->cmd('PTTL', $_) <= 0 } @{ $redis->cmd('KEYS', '*') }),
	0, 'so has every key');
$bambi->sql("UPDATE bambi.users SET reset_date = now() + interval '30 s'
	WHERE id = '$bambi->{user}{bob}'");
hears($bob, 'a period that ends soon');
$redis->becomes_true($bambi, $bob, 'the end of the period is told');
cmp_ok($redis->cmd('PTTL', $redis->key($bob)),
	'<=', 30_000, 'and no value outlives it');

# ---- nothing is written when nothing changed

my $monitor = $redis->open;
$monitor->send('MONITOR');
$monitor->receive;
$bambi->sql(
	"UPDATE bambi.users SET last_login_at = now()",
	"UPDATE bambi.users SET usage_count = usage_count",
	"UPDATE bambi.subscriptions SET stripe_price_id = 'price_1'",
	"UPDATE bambi.api_providers SET is_active = is_active",
	"UPDATE bambi.models SET name = name",
	"UPDATE bambi.plans SET weight = weight",
	"UPDATE bambi.users SET usage_count = 7
	  WHERE id = '$bambi->{user}{bob}'");
my @evals;
until (@evals)
{
	my $line = $monitor->line;
	push @evals, $line if $line =~ /"EVAL"/;
}
$redis->cmd('ECHO', 'the end');
for (;;)
{
	my $line = $monitor->line;
	last if $line =~ /"the end"/;
	push @evals, $line if $line =~ /"EVAL"/;
}
is(@evals, 1, 'after changes that are none, only the one that is one is written');
is_deeply([ $evals[0] =~ /"bambi:bambi:(\w+:[^"]*)"/g ],
	[$bob], 'and only its value');
hears($bob, 'it');
$redis->becomes_true($bambi, $bob, 'as the tables say');

# ---- two writers

# MONITOR escapes as C does.
sub words_of
{
	my ($line) = @_;
	my %plain = (n => "\n", r => "\r", t => "\t", a => "\a", b => "\b");

	return map { s/\\(?:x(..)|(.))/defined $1 ? chr hex $1 : $plain{$2} \/\/ $2/ger }
	  $line =~ /"((?:[^"\\]|\\.)*)"/g;
}

$bambi->sql("UPDATE bambi.users SET usage_count = 8
	WHERE id = '$bambi->{user}{bob}'");
hears($bob, 'a newer value');
$redis->becomes_true($bambi, $bob, 'a newer value is written');
my $newer = $redis->raw($bob);
is($redis->cmd(words_of($evals[0])), 0, 'the older one comes once more');
is_deeply($redis->raw($bob), $newer, 'and replaces nothing');

# a worker that was stopped in the middle of a batch of the epoch before
my @words = words_of($evals[0]);
$bambi->sql("UPDATE bambi.plans SET generations_per_period = 21
	WHERE plan_type = 'free'");
hears('*', 'another epoch');
is($redis->cmd(@words), -1, 'in which the writer of another has no say');
is($redis->raw($bob)->{version}, $newer->{version}, 'nothing was replaced');

# ---- a worker that comes anew goes on above

$epoch = $redis->epoch;
$bambi->kill9($bambi->courier_pid);
$redis->wait_until_written($bambi);
cmp_ok($redis->epoch, '>', $epoch, 'another courier begins another epoch');
$epoch = $redis->epoch;
$bambi->node->restart;
$bambi->wait_for_server;
$redis->wait_until_written($bambi);
cmp_ok($redis->epoch, '>', $epoch, 'and so does another server');

# ---- libcurl has other connections, too, which come and go

$epoch = $redis->epoch;
$bambi->add_key('bob');
$bambi->lift_quota;
$bambi->wait_until('another epoch', sub { $redis->epoch > $epoch });
$epoch = $redis->epoch;
foreach my $i (1 .. 12)
{
	$bambi->wait_for_status($bambi->generate('bob', "fawn $i"), 'succeeded');
	$redis->becomes_true($bambi, $bob, 'a call to a provider, and a value');
	$values++;
}
is($redis->epoch, $epoch, 'the connection to Redis was not ended by them');

# ---- what must not be there

my $all = join "\n", map { $redis->cmd('GET', $_) } @{ $redis->cmd('KEYS', '*') };
cmp_ok(length $all, '>', 1000, 'there are values to look at');
foreach my $secret ('example.com', 'secret fawn', 'correct horse', 'api_base_url', $bambi->mock_address)
{
	unlike($all, qr/\Q$secret\E/, "Redis does not hold \"$secret\"");
}

note "counted: $values values after a change equal to the tables, "
  . "$messages messages, " . @evals . ' write where one row of seven changed';
done_testing();
