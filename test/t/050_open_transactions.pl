# Transactions that clients leave open delay nobody else: twenty of each kind
# hold their rows locked, and the generations of others succeed meanwhile.
# Afterwards each ends as its commit or rollback says.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $each = 20;
my @kinds = qw(cancel_queued cancel_running generate remove_key retry);

my $bambi = BambiCluster->start('open', conf => <<'CONF');
max_connections = 160
bambi.max_in_flight = 100
CONF
$bambi->sign_up('bob');
$bambi->lift_quota;
$bambi->add_key('bob');

# A user for each transaction, since two of one user may well wait for each
# other.  They need no password; the operator speaks for them.
my %users;
foreach my $kind (@kinds)
{
	foreach my $number (1 .. $each)
	{
		push @{ $users{$kind} }, { name => "${kind}_$number", kind => $kind };
	}
}
my @all = map { @{ $users{$_} } } @kinds;
my $made = $bambi->sql(join "\n", map { <<"SQL" } @all);
WITH u AS (
    INSERT INTO bambi.users (email, password_hash)
    VALUES ('$_->{name}\@example.com', 'x') RETURNING id)
INSERT INTO bambi.subscriptions (user_id, plan_type, status)
SELECT id, 'free', 'active' FROM u RETURNING user_id;
CREATE ROLE $_->{name} LOGIN IN ROLE bambi_user;
SQL
my @ids = split /\n/, $made;
$_->{id} = shift @ids foreach @all;
my @keys = split /\n/, $bambi->sql(join "\n", map { <<"SQL" } @all);
ALTER ROLE $_->{name} SET bambi.user_id = '$_->{id}';
SET bambi.user_id = '$_->{id}';
SELECT bambi_add_key('openai', 'sk-test-$_->{name}');
SQL
$_->{key} = shift @keys foreach @all;

# Queues one for each of these users.
sub generate
{
	my ($prompt, @some) = @_;
	my @made = split /\n/, $bambi->sql(join "\n", map { <<"SQL" } @some);
SET bambi.user_id = '$_->{id}';
SELECT bambi_generate('$prompt', 'openai/gpt-image-2',
	'{"quality": "low", "size": "1024x1024"}');
SQL
	$_->{generation} = shift @made foreach @some;
	return;
}

sub count
{
	my ($status, @some) = @_;
	my $list = join ', ', map { "'$_->{generation}'" } @some;

	return $bambi->sql("SELECT count(*) FROM bambi.image_generations
		WHERE status = '$status' AND id IN ($list)");
}

sub all_become
{
	my ($status, $says, @some) = @_;
	my $list = join ', ', map { "'$_->{generation}'" } @some;

	$bambi->poll("SELECT count(*) = @{[ scalar @some ]}
		FROM bambi.image_generations
		WHERE status = '$status' AND id IN ($list)");
	is(count($status, @some), scalar @some, $says);
	return;
}

# Bob's, in the midst of all that.
sub bob_is_served
{
	my ($says) = @_;
	my @mine = map { { generation => $bambi->generate('bob', "bob's $_") } }
	  1 .. $each;

	all_become('succeeded', $says, @mine);
	return;
}

# ---- all of them, left open

# what a retry needs is a failure, what a cancel needs is not over
generate('[[mock fault=openai-400-bad_request times=20]] a fawn',
	@{ $users{retry} });
all_become('failed', 'those to be retried have failed', @{ $users{retry} });
generate('[[mock hold]] a fawn', @{ $users{cancel_running} });
$bambi->wait_in_flight($each);
$bambi->sql('SELECT bambi_pause()');
generate('a fawn', @{ $users{cancel_queued} }, @{ $users{remove_key} });

my %call = (
	cancel_queued => sub { "bambi_cancel('$_[0]{generation}')" },
	cancel_running => sub { "bambi_cancel('$_[0]{generation}')" },
	generate => sub { <<"SQL" },
bambi_generate('a fawn', 'openai/gpt-image-2',
	'{"quality": "low", "size": "1024x1024"}')
SQL
	remove_key => sub { "bambi_remove_key('$_[0]{key}')" },
	retry => sub { "bambi_retry('$_[0]{generation}')" });
foreach my $user (@all)
{
	$user->{session} = $bambi->session($user->{name});
	my $rows = $user->{session}
	  ->query_safe('BEGIN; SELECT ' . $call{ $user->{kind} }->($user));

	$user->{generation} = $rows if $user->{kind} eq 'generate';
}
is( $bambi->sql("SELECT count(*) FROM pg_stat_activity
		WHERE state = 'idle in transaction'"),
	scalar @all,
	scalar @all . ' transactions are left open');

# ---- meanwhile

$bambi->sql('SELECT bambi_resume()');
bob_is_served('others are served meanwhile');
$bambi->mock('release');
$bambi->wait_in_flight(0);
bob_is_served('also when answers come to generations that are held locked');
all_become('succeeded', 'a key that is being removed still serves',
	@{ $users{remove_key} });
is(count('queued', @{ $users{cancel_queued} }, @{ $users{cancel_running} }),
	2 * $each, 'what is held locked waits');
is( $bambi->sql("SELECT count(*) FROM pg_stat_activity
		WHERE state = 'idle in transaction'"),
	scalar @all,
	'and all are still open');

# ---- every other one is committed

foreach my $user (@all)
{
	$user->{commits} = ($user->{name} =~ /[02468]$/) ? 1 : 0;
	$user->{session}->query_safe($user->{commits} ? 'COMMIT' : 'ROLLBACK');
	$user->{session}->quit;
}

sub those
{
	my ($kind, $commits) = @_;

	return grep { $_->{commits} == $commits } @{ $users{$kind} };
}

all_become('cancelled', 'cancel, commit: cancelled',
	those('cancel_queued', 1));
all_become('succeeded', 'cancel, rollback: succeeded',
	those('cancel_queued', 0));
all_become('succeeded', 'cancel of what was sent, commit: succeeded',
	those('cancel_running', 1));
all_become('succeeded', 'cancel of what was sent, rollback: succeeded',
	those('cancel_running', 0));
all_become('succeeded', 'generate, commit: succeeded', those('generate', 1));
is( $bambi->sql('SELECT count(*) FROM bambi.image_generations WHERE id IN ('
		  . join(', ', map { "'$_->{generation}'" } those('generate', 0))
		  . ')'),
	0,
	'generate, rollback: nothing was there');
all_become('succeeded', 'retry, commit: succeeded', those('retry', 1));
all_become('failed', 'retry, rollback: failed', those('retry', 0));
is( $bambi->sql("SELECT count(*) FROM bambi.api_configurations
		WHERE status = 'revoked' AND encrypted_api_key = ''"),
	scalar those('remove_key', 1),
	'remove key, commit: removed');

# ---- one user with so many answers that wait for a lock as to crowd out all

$bambi->sign_up('carol');
$bambi->add_key('carol');
$bambi->sql('SELECT bambi_pause()');
$bambi->sql_as('carol', "SELECT count(bambi_generate(
		'[[mock hold fault=openai-400-bad_request times=1]] ' || n,
		'openai/gpt-image-2'))
	FROM generate_series(1, 400) n");
my $hers = "FROM bambi.image_generations
	WHERE user_id = '$bambi->{user}{carol}'";
$bambi->sql('SELECT bambi_resume()');
$bambi->wait_in_flight(100);
my $carol = $bambi->session('carol');
$carol->query_safe(
	"BEGIN; SELECT bambi_generate('a fawn', 'openai/gpt-image-2')");

# all at once, so that as many could be claimed in the turn that cannot end them
$bambi->wait_until('answers to all that run', sub {
	$bambi->mock('release');
	return $bambi->sql("SELECT (generations->>'running')::int >= 100
		AND in_flight = 0 FROM bambi_status()") eq 't'; });
cmp_ok($bambi->sql('SELECT count(*) FROM bambi_internal.queue
		WHERE claimed_by IS NOT NULL'), '<', 100 + 16,
	'not as many more of them are claimed as make a crowd');
bob_is_served('while they wait for their owner, others are served');
$carol->query_safe('ROLLBACK');
$carol->quit;
$bambi->wait_until('the end of all of hers', sub {
	$bambi->mock('release');
	return $bambi->sql("SELECT count(*) = 400 $hers
		AND status = 'failed'") eq 't'; });
is($bambi->sql("SELECT count(*) $hers AND status = 'failed'"), 400,
	'then all of them end');

$bambi->ledger_is_equal;
$bambi->quota_adds_up;

$bambi->stop;
done_testing();
