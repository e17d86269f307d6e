# The fair queue: who has thousands queued delays nobody's single request by
# more than one free place; shares are those of the plans' weights, also when
# somebody comes late or leaves; what is put off or tried again goes before
# nobody; and a restart changes nothing of that.
#
# QUEUED is how many thousands are.

use strict;
use warnings;

use BambiCluster;
use BambiQueue;
use Test::More;

my $queued = $ENV{QUEUED} || 10_000;
my $bambi = BambiCluster->start('fair');
my $queue = BambiQueue->new($bambi);

# A session that speaks for a user.
sub session_of
{
	my ($name) = @_;
	my $session = $bambi->session('postgres');

	$session->query_safe("SET bambi.user_id = '" . $queue->id($name) . "'");
	return $session;
}

# ---- one free place after the other

$queue->add_user($_) foreach qw(heavy light);
my $light;
$queue->pause;
$queue->add('heavy', $queued, '[[mock hold]] a fawn');

# How many of heavy's were started between the commit of a single request and
# its own start, with every place taken and one that becomes free after the
# other.  A late one took its turn in a transaction that others overtook.
sub delay_of_single
{
	my ($is_late) = @_;
	my $call = 'SELECT ' . $queue->call('[[mock hold]] a single fawn');

	$light->query_safe("BEGIN; $call") if $is_late;
	# one of heavy's: so what comes now is not the first claim in a long time,
	# which would start over in any case
	my $before = $queue->served_count;
	$bambi->mock('release', { count => 1 });
	$queue->wait_served($before + 1);

	$light->query_safe($is_late ? 'COMMIT' : $call);
	my $delay = 0;
	while ($delay < 5)
	{
		$bambi->mock('release', { count => 1 });
		$queue->wait_served($before + $delay + 2);
		return $delay if ($queue->served($before + $delay + 1))[0] eq 'light';
		$delay++;
	}
	return "$delay or more";
}

foreach my $places (1, 2, 8, 32)
{
	$queue->set_places($places);
	$queue->resume;
	$bambi->wait_in_flight($places);
	$light = session_of('light');
	my @delays = map { delay_of_single($_ % 2) } 1 .. 10;
	$light->quit;

	is(join(' ', @delays), join(' ', (0) x 10),
		"with $places places none of $queued queued goes before a request");
	note("counted: 10 single requests, $places places, most before one: "
		  . (sort { $b <=> $a } @delays)[0]);
}

# ---- in full traffic

$queue->clear;
$queue->set_places(4);
$queue->add_user($_) foreach qw(busy single);
$queue->add('busy', $queued / 4, '[[mock delay=2]] a fawn');
my $single = session_of('single');
$queue->resume;

# Every claim that began after a commit has to take what was committed, if it
# is its turn.
sub claims_missed
{
	my ($is_late) = @_;
	my $call = 'SELECT ' . $queue->call('a single fawn');
	my $id = $single->query_safe($is_late ? "BEGIN; $call" : $call);

	if ($is_late)
	{
		my $before = $queue->served_count;

		$queue->wait_served($before + 20);
		$single->query_safe('COMMIT');
	}
	my $since = $single->query_safe('SELECT clock_timestamp()');
	return $queue->claims_before($id, $since);
}

my @missed = map { claims_missed($_ % 2) } 1 .. 20;
is(join(' ', @missed), join(' ', (0) x 20),
	'no claim that begins after a commit passes by a single request');
is( $bambi->sql("SELECT count(*) > 0 FROM bambi_internal.queue"),
	't', 'while the busy one has something queued');
$single->quit;
note('counted: 20 single requests in full traffic, most claims before one: '
	  . (sort { $b <=> $a } @missed)[0]);

# ---- weights

$queue->clear;
my %weight = (one => 1, two => 2, four => 4);
my $places = 8;
$queue->set_places($places);
$queue->add_user($_, weight => $weight{$_}) foreach sort keys %weight;
$queue->add('one', 1200, 'a fawn');
$queue->add('two', 1600, 'a fawn');
$queue->add('four', 2200, 'a fawn');
my $start = $queue->served_count;
$queue->resume;
$queue->wait_served($start + 2000);
$queue->pause;
my @served = $queue->served($start);
$queue->shares_are_weights('of 2,000 generations everybody gets the share of '
	  . 'the weight', $places, [ @served[ 0 .. 1999 ] ], %weight);

# who comes late has no credit for it; four has some 1,000 left
my $before_late = $queue->served_count;
$queue->add_user('late', weight => 1);
$queue->add('late', 600, 'a fawn');
$queue->resume;
$queue->wait_served($before_late + 1000);
@served = $queue->served($before_late);
$queue->shares_are_weights('somebody who comes late gets a share like the '
	  . 'others from then on', $places, [ @served[ 0 .. 999 ] ], %weight,
	late => 1);

# four leaves
$bambi->poll("SELECT NOT EXISTS (SELECT FROM bambi_internal.queue
	WHERE user_id = '" . $queue->id('four') . "')") or die 'four does not end';
$queue->wait_served($queue->served_count + 400);
$queue->pause;
@served = $queue->served($before_late);
my ($last) = grep { $served[$_] eq 'four' } reverse 0 .. $#served;
$queue->shares_are_weights('the others share what somebody leaves', $places,
	[ @served[ $last + 1 .. $last + 400 ] ], one => 1, two => 2, late => 1);

# ---- sessions of one user that queue at the same time

$queue->clear;
$queue->add_user($_) foreach qw(many few);
my $holder = session_of('many');
$holder->query_safe("BEGIN; SELECT FROM bambi.users
	WHERE id = '" . $queue->id('many') . "' FOR UPDATE");
my @sessions = map { $queue->add_in_background('many', 50, 'a fawn') } 1 .. 8;
$bambi->poll("SELECT count(*) = 8 FROM pg_stat_activity
	WHERE wait_event_type = 'Lock' AND query LIKE '%bambi_generate%'")
  or die 'they do not wait for the row of their user';
$holder->query_safe('COMMIT');
$holder->quit;
$_->finish foreach @sessions;
is( $bambi->sql("SELECT count(*), count(DISTINCT turn)
		FROM bambi_internal.queue
		WHERE user_id = '" . $queue->id('many') . "'"),
	'400|400',
	'eight sessions of a user that queue at the same time get a turn each');
$queue->add('few', 400, 'a fawn');
$start = $queue->served_count;
$queue->resume;
$queue->wait_served($start + 600);
@served = $queue->served($start);
$queue->shares_are_weights('and together one share', $places,
	[ @served[ 0 .. 599 ] ], many => 1, few => 1);

# ---- what is put off, and what is tried again

# All that a provider refused for now is due at the same moment, and its turns
# were long ago.
$queue->clear;
$queue->add_user($_) foreach qw(refused steady);
$queue->add('refused', 300,
	'[[mock fault=openai-429-rate_limit_exceeded times=1]] a fawn');
$queue->resume;
# and not before all of them are
$bambi->wait_until('all to be put off', sub {
		$bambi->sql("UPDATE bambi_internal.queue SET not_before = 'infinity'
			WHERE not_before IS NOT NULL");
		return $bambi->sql("SELECT count(*) FROM bambi_internal.queue
			WHERE not_before = 'infinity'") == 300;
	});
$queue->pause;
$queue->add('steady', 400, 'a fawn');
$bambi->sql('UPDATE bambi_internal.queue SET not_before = now()
	WHERE not_before IS NOT NULL');
$start = $queue->served_count;
$queue->resume;
$queue->wait_served($start + 500);
@served = $queue->served($start);
$queue->shares_are_weights('what was refused for now shares with the others '
	  . 'when it is due', $places, [ @served[ 0 .. 499 ] ],
	refused => 1, steady => 1);

$queue->clear;
$queue->add_user($_) foreach qw(failed steady2);
$queue->add('failed', 300,
	'[[mock fault=openai-400-bad_request times=1]] a fawn');
$queue->resume;
$bambi->poll("SELECT count(*) = 300 FROM bambi.image_generations
	WHERE status = 'failed'") or die 'they do not fail';
$queue->pause;
$queue->add('steady2', 400, 'a fawn');
$queue->as('failed', "SELECT count(bambi_retry(id))
	FROM bambi.image_generations WHERE status = 'failed'");
$start = $queue->served_count;
$queue->resume;
$queue->wait_served($start + 500);
@served = $queue->served($start);
$queue->shares_are_weights('what its owner tries again shares with the others',
	$places, [ @served[ 0 .. 499 ] ], failed => 1, steady2 => 1);

# ---- after a restart

$queue->clear;
$queue->set_places(1);
$queue->add_user($_) foreach qw(old new);
$queue->add('old', 2000, 'a fawn');
$start = $queue->served_count;
$queue->resume;
$queue->wait_served($start + 200);
$queue->pause;
$bambi->node->restart;
$bambi->wait_for_server;
$queue->add('new', 1, 'a fawn');
$start = $queue->served_count;
$queue->resume;
$queue->wait_served($start + 3);
my ($first) = grep { ($queue->served($start))[$_] eq 'new' } 0 .. 2;
cmp_ok($first // 3, '<=', 1,
	'after a restart a single request is not behind what was queued before');

$bambi->stop('immediate');
done_testing();
