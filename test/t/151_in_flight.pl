# Limits of calls in flight, of users, keys and providers: at no time do more
# run than each allows; what waits for one holds up nobody else, is claimed as
# soon as a call ends, and costs a claim nothing; and what a dead worker left
# running counts too.
#
# QUEUED is how many generations wait for one limit.

use strict;
use warnings;

use BambiCluster;
use BambiQueue;
use Test::More;

my $queued = $ENV{QUEUED} || 10_000;
my $bambi = BambiCluster->start('limits');
my $queue = BambiQueue->new($bambi);
$bambi->point_to_mock('xai');
$queue->set_places(20);
my $bystander;

sub key_limit
{
	my ($name, $limit) = @_;

	$queue->as($name, "SELECT bambi_set_key_limit('" . $queue->key($name)
		  . "', $limit)");
	return;
}

sub provider_limit
{
	my ($column, $limit) = @_;

	$bambi->sql("UPDATE bambi.api_providers SET $column = $limit
		WHERE slug = 'openai'");
	return;
}

# Until so many calls run; then whatever else may be claimed has been, when
# something of somebody else that came later has run.
sub runs
{
	my ($count, $says) = @_;

	$bambi->wait_until("$count calls", sub {
			return $bambi->mock_stats->{in_flight} >= $count });
	served_beside($count, $says) if $count < 20;
	is($bambi->mock_stats->{in_flight}, $count, $says) if $count == 20;
	return;
}

# Something else is served, and so many still run.
sub served_beside
{
	my ($count, $says, $model, $name) = @_;
	my $id = $queue->add_one($name // $bystander, 'a fawn', $model);

	$queue->wait_for($id);
	is($bambi->mock_stats->{in_flight}, $count, $says);
	return;
}

# ---- a slow provider, and a limit of the key

my @others = map { "other$_" } 1 .. 5;
$queue->add_user($_) foreach 'slow', @others;
$bystander = $others[4];
$queue->add_key('slow', 'xai', 'xai-test-slow');
key_limit('slow', 5);
$queue->add('slow', 1000, '[[mock hold]] a fawn');
runs(5, 'of 1,000 as many run as the limit of their key allows');

# all the others, and its owner with another key
my $missed = 0;
foreach my $n (1 .. 8)
{
	foreach my $name (@others, 'slow')
	{
		my $id = $queue->add_one($name, 'a fawn', $name eq 'slow'
			? 'xai/grok-imagine-image' : undef);
		my $since = $bambi->sql('SELECT clock_timestamp()');

		$missed += $queue->claims_before($id, $since);
	}
}
is($missed, 0, 'no claim passes by the requests of others, nor those of its '
	  . 'owner with another key');
is($bambi->mock_stats->{in_flight}, 5, 'while all these hang');
note('counted: 48 requests served beside 1,000 that hang, claims between: '
	  . $missed);

# ---- limits change

key_limit('slow', 7);
runs(7, 'a higher limit acts at once');
key_limit('slow', 2);
$bambi->mock('release', { count => 4 });
$bambi->wait_in_flight(3);
served_beside(3, 'with a lower one nothing is claimed until fewer run');

# the end of one is the start of the next
$bambi->mock('release', { count => 1 });
my $before = $queue->served_count;
foreach my $n (1 .. 10)
{
	$bambi->mock('release', { count => 1 });
	$queue->wait_served($before + $n);
}
served_beside(2, 'as one ends the next one starts');

provider_limit('max_in_flight_per_key', 3);
served_beside(2, 'the limit of the owner goes before that of the provider');
key_limit('slow', 'NULL');
runs(3, 'and where there is none the latter holds');

# ---- a provider that is full

provider_limit('max_in_flight_per_key', 'NULL');
runs(20, 'without a limit every place is taken');
provider_limit('max_in_flight', 4);
$bambi->mock('release', { count => 16 });
$bambi->wait_in_flight(4);
my @newcomers = map { $queue->add_one($_, '[[mock hold]] new') } @others[ 0, 1 ];
$before = $queue->served_count;
foreach my $n (1 .. 2)
{
	$bambi->mock('release', { count => 1 });
	$queue->wait_served($before + $n);
}
is_deeply([ $queue->served($before) ], [ @others[ 0, 1 ] ],
	'newcomers to a full provider get its next places');
served_beside(4, 'and no more run than it may have',
	'xai/grok-imagine-image', 'slow');
provider_limit('max_in_flight', 'NULL');

# ---- what a dead worker left running counts

$queue->clear;
$queue->add_user('capped', max_in_flight => 2);
$queue->add_user($bystander = 'next_door');
$queue->add('capped', 5, '[[mock hold]] a fawn');
$queue->resume;
runs(2, 'two of a user whose plan allows two');
$bambi->kill9($bambi->worker_pid);
$bambi->wait_for_server;
$before = $queue->served_count;
$bambi->wait_for_status($queue->add_one('next_door', 'a fawn'), 'succeeded',
	'after the death of the worker others are served');
is_deeply([ $queue->served($before) ], ['next_door'],
	'and no third one of the user');
is($bambi->mock_stats->{in_flight}, 2, 'while its two calls still run');
foreach my $n (1 .. 3)
{
	$bambi->mock('release', { count => 1 });
	$queue->wait_served($before + 1 + $n);
	is($bambi->mock_stats->{in_flight}, 2,
		'when one of them has ended another one runs');
}

# ---- in full traffic what somebody held is found again

# A lane whose only row is held has nothing to claim; who lets go of the row
# tells nobody, and every claim finds enough elsewhere.
$queue->clear;
$queue->set_places(2);
$queue->add_user('busy');
$queue->add_user('kept', max_in_flight => 1);
$queue->pause;
my $running = $queue->add_one('kept', '[[mock hold]] a fawn');
my $waiting = $queue->add_one('kept', 'a fawn');
$queue->add('busy', 4000, '[[mock delay=20]] a fawn');
$queue->resume;
$bambi->poll("SELECT waits_for IS NOT NULL FROM bambi_internal.queue
	WHERE id = '$waiting'") or die 'it does not wait for the limit';
my $holder = $bambi->session('postgres');
$holder->query_safe("BEGIN; SELECT FROM bambi_internal.queue
	WHERE id = '$waiting' FOR UPDATE");
$bambi->mock('release');
$queue->wait_for($running);
$queue->wait_served($queue->served_count + 20);
$holder->query_safe('ROLLBACK');
$holder->quit;
$bambi->poll("SELECT status = 'succeeded' OR NOT EXISTS (
		SELECT FROM bambi_internal.queue WHERE id <> '$waiting')
	FROM bambi.image_generations WHERE id = '$waiting'");
is($bambi->status_of($waiting), 'succeeded',
	'what was held is claimed, while others have thousands in the line');

# ---- thousands that wait cost a claim nothing

$queue->clear;
$queue->set_places(20);
$queue->add_user('crowd', max_in_flight => 1);
$queue->add_user('quick');
$queue->add('crowd', $queued, '[[mock hold]] a fawn');
$queue->resume;
$bambi->poll("SELECT count(*) = $queued - 1 FROM bambi_internal.queue
	WHERE waits_for IS NOT NULL") or die 'they do not wait for the limit';

# What the worker has read and deleted; it tells once a second, at the end of a
# transaction.
sub statistics
{
	return split /\|/, $bambi->sql("SELECT (
			SELECT sum(idx_tup_read) FROM pg_stat_all_indexes
			 WHERE schemaname = 'bambi_internal' AND relname = 'queue'
			   AND indexrelname IN ('queue_in_turn', 'queue_in_lane')),
		n_tup_del FROM pg_stat_all_tables
		 WHERE schemaname = 'bambi_internal' AND relname = 'queue'");
}

sub quick
{
	$queue->wait_for($queue->add_one('quick', 'a fawn'));
	return;
}

my ($read_before, $ended_before) = statistics();
my ($read, $ended);
quick() foreach 1 .. 100;
$bambi->wait_until('what the worker tells', sub {
		quick();
		($read, $ended) = statistics();
		return $ended >= $ended_before + 100;
	});
($read, $ended) = ($read - $read_before, $ended - $ended_before);
cmp_ok($read, '<', $ended * $queued / 10,
	"what is claimed beside $queued that wait is not claimed past them");
note("counted: $ended claims beside $queued that wait read $read index "
	  . 'entries, the move to the lane included');

$bambi->stop('immediate');
done_testing();
