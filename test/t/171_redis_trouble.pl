# Redis absent, dying, slow, flushed, full, switched off, or another one:
# generations go on, nothing waits for it, the outbox stays small, and what is
# read afterwards is what the tables say.

use strict;
use warnings;

use BambiCluster;
use BambiRedis;
use Test::More;

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $bambi = BambiCluster->start('redis_trouble', conf => <<"CONF");
bambi.redis_url = 'redis://127.0.0.1:$port'
bambi.redis_networks = '127.0.0.1/32'
CONF
my $redis;
my $generations = 0;
my $checked = 0;

$bambi->lift_quota;
$bambi->sign_up($_) foreach qw(alice bob);
my $alice = "user:$bambi->{user}{alice}";
my $bob = "user:$bambi->{user}{bob}";

sub go_on_generating
{
	my ($says) = @_;

	foreach my $i (1 .. 5)
	{
		my $id = $bambi->generate('alice', "$says $i", 'sandbox');
		$bambi->wait_for_status($id, 'succeeded', "$says: generation $i");
		$generations++;
	}
	return;
}

sub outbox { return $bambi->sql('SELECT count(*) FROM bambi_internal.cache_outbox') }

sub is_away
{
	my ($says) = @_;

	ok($bambi->poll('SELECT NOT bambi_internal.cache_is_on()
		AND NOT EXISTS (SELECT FROM bambi_internal.cache_outbox)'),
		"$says: nothing is noted, and the outbox is empty");
	return;
}

# What a gateway reads, after it has asked for what it did not find.
sub all_is_true
{
	my ($says) = @_;

	ok($bambi->poll('SELECT bambi_internal.cache_is_on()'),
		"$says: it is written to");
	foreach my $key ($alice, $bob, 'provider:openai', 'model:openai/gpt-image-2')
	{
		$bambi->sql("SELECT bambi_cache_value('$key')")
		  if $redis->value($key) eq '';
		$redis->becomes_true($bambi, $key, "$says: $key is as in the tables");
		$checked++;
	}
	return;
}

# Without a trace of it in Redis, so that a lost change would show.
sub change_bob
{
	return $bambi->sql("UPDATE bambi.users SET usage_count = usage_count + 1,
		reset_date = now() + interval '1 day'
		WHERE id = '$bambi->{user}{bob}'");
}

# ---- absent from the start

go_on_generating('Redis is absent');
is_away('absent');
like($bambi->sql('SELECT last_error FROM bambi_status()'),
	qr/Redis cannot be connected/, 'bambi_status() tells why');

$redis = BambiRedis->start("$bambi->{dir}/redis", port => $port);
all_is_true('it comes');

# ---- dying, in the middle of it

sub dies_while_they_generate
{
	my ($round) = @_;
	my ($ids, $errors) = ('', '');
	my $others = $bambi->generate_in_background('alice',
		[ map { "round $round, $_" } 1 .. 10 ], \$ids, \$errors, 'sandbox');

	$redis->kill9;
	$others->finish or diag($errors);
	my @ids = split /\n/, $ids;
	is(@ids, 10, "round $round: Redis dies, and ten are queued");
	$bambi->wait_for_status($_, 'succeeded', "round $round: $_") foreach @ids;
	$generations += @ids;
	is_away("round $round");
	change_bob();
	$redis->bring_back;
	all_is_true("round $round: it is back");
	return;
}

dies_while_they_generate($_) foreach 1 .. 3;

# ---- back with what it knew long ago

$redis->cmd('SAVE');
change_bob();
$redis->becomes_true($bambi, $bob, 'a change after its last snapshot');
my $epoch = $redis->epoch;
$redis->kill9;
change_bob();
$redis->bring_back;
$bambi->wait_until('another epoch', sub { $redis->epoch > $epoch });
is($redis->value($bob), '', 'what an old snapshot brought back is void');
all_is_true('an old snapshot');
unlink "$bambi->{dir}/redis/dump.rdb";

# ---- slow

change_bob();
$redis->becomes_true($bambi, $bob, 'a change before it is slow');
$redis->stop_answering;
change_bob();
go_on_generating('Redis is slow');
is_away('slow');
change_bob();
$redis->go_on;
all_is_true('it answers again');

# ---- away while somebody is erased

my $carol = $bambi->sign_up('carol');

$redis->becomes_true($bambi, "user:$carol", 'it knows a user');
$redis->stop_answering;
change_bob();
is_away('away again');
$bambi->sql("SELECT bambi_erase_user('$carol')");
ok( $bambi->poll("SELECT state = 'outside'
		AND (report #>> '{cache,remaining}')::integer = 1
		FROM bambi_erasure WHERE user_id = '$carol'"),
	'an erasure waits for it');
$redis->go_on;
ok( $bambi->poll("SELECT state = 'done' FROM bambi_erasure
		WHERE user_id = '$carol'"),
	'and ends when it is there');
ok(!defined(($redis->raw("user:$carol") // {})->{value}),
	'with nothing of the user');
all_is_true('it is back from an erasure');

# ---- flushed

$redis->cmd('FLUSHALL');
is($redis->value($bob), '', 'after a flush there is nothing');
go_on_generating('Redis was flushed');
$redis->becomes_true($bambi, 'provider:google',
	'the catalogue comes again by itself');
all_is_true('flushed');

# ---- full, and it does not evict

$redis->becomes_true($bambi, $alice, 'before it is full');
$redis->cmd('CONFIG', 'SET', 'maxmemory', '1');
change_bob();
$bambi->wait_until('the end of the old value',
	sub { return !defined $redis->cmd('GET', $redis->key($bob)) });
pass('a full Redis keeps no old value');
go_on_generating('Redis is full');
is($redis->value($alice), '', 'nor the one of whoever generates');
$redis->cmd('CONFIG', 'SET', 'maxmemory', '0');
change_bob();
all_is_true('it has room again');

# ---- more changes than it can be told of

$bambi->hold('cache-before-commit');
change_bob();
$bambi->wait_held('cache-before-commit');
$bambi->sql("INSERT INTO bambi_internal.cache_outbox
	SELECT 'user', gen_random_uuid(), true FROM generate_series(1, 30000)");
change_bob();
$epoch = $redis->epoch;
$bambi->release('cache-before-commit');
$bambi->wait_until('another epoch', sub { $redis->epoch > $epoch });
pass('too many changes begin another epoch');
ok($bambi->poll('SELECT count(*) < 1000 FROM bambi_internal.cache_outbox'),
	'and leave the outbox');
all_is_true('after too many');

# ---- somebody else's epoch

$redis->cmd('SET', $redis->key('epoch'), '9007199254740991');
change_bob();
ok( $bambi->poll("SELECT last_error LIKE 'another server%' FROM bambi_status()"),
	'a higher epoch is of somebody else');
$redis->cmd('DEL', $redis->key('epoch'));
all_is_true('alone again');

# ---- switched off and on, with a transaction that has seen neither

my $session = $bambi->session('postgres');
$bambi->set('bambi.redis_url' => '');
is_away('switched off');
change_bob();
$session->query_safe("BEGIN; UPDATE bambi.users SET usage_count = 77,
	reset_date = now() + interval '1 day'
	WHERE id = '$bambi->{user}{bob}'");
is(outbox(), 0, 'what changes meanwhile is not noted');
$redis->connect_to($bambi, redis_url => "redis://127.0.0.1:$port");
ok($bambi->poll('SELECT bambi_internal.cache_is_on()'), 'switched on');
$bambi->sql("SELECT bambi_cache_value('$bob')");
my %looks;
$bambi->wait_until('ten looks of the worker', sub {
		$looks{ $bambi->sql("SELECT state_change FROM pg_stat_activity
			WHERE backend_type = 'bambi worker'") } = 1;
		return keys %looks > 10;
	});
is($redis->value($bob), '',
	'nothing is written while somebody has not seen that it is on');
is(outbox(), 1, 'it waits in the outbox');
$session->query_safe('COMMIT');
$session->quit;
all_is_true('when that has ended');
like($redis->value($bob), qr/"generations_used":77/, 'its change is there');

# ---- paused, and a copy, send nothing

$bambi->sql('SELECT bambi_pause()');
is_away('paused');
change_bob();
$bambi->sql('SELECT bambi_resume()');
all_is_true('resumed');

note "counted: $generations generations through 9 kinds of trouble, "
  . "$checked values equal to the tables afterwards";
done_testing();
