# After a vacuum of the empty queue all ways to a row of it cost the same, and
# plans that are made then may read all of it for each claim.  They are made
# anew when thousands have been queued, also where nobody ever vacuums again:
# without limits of calls in flight and with them, whose statements are others.
#
# QUEUED is how many generations wait.

use strict;
use warnings;

use BambiCluster;
use BambiQueue;
use Test::More;

my $queued = $ENV{QUEUED} || 3000;
my $claims = 60;
my ($all_read, $all_ended) = (0, 0);
my ($bambi, $queue);

sub wait_empty
{
	$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)')
	  or die 'the queue does not empty';
	return;
}

# What the worker has read by the primary key, and deleted; it tells once a
# second, at the end of a transaction.
sub statistics
{
	return split /\|/, $bambi->sql("SELECT (
			SELECT idx_tup_read FROM pg_stat_all_indexes
			 WHERE indexrelid = 'bambi_internal.queue_pkey'::regclass),
		n_tup_del FROM pg_stat_all_tables
		 WHERE relid = 'bambi_internal.queue'::regclass");
}

# One call ends, and the next generation is claimed.
sub go_on
{
	my $served = $queue->served_count;

	$bambi->mock('release', { count => 1 });
	$queue->wait_served($served + 1);
	return;
}

# A test of its own, of a user with such a plan; in a cluster of its own, since
# the indexes of a queue that was long do not become as cheap any more.
sub claims_read_little
{
	my ($name, %plan) = @_;

	$bambi = BambiCluster->start($name, conf => <<'CONF');
autovacuum = off
bambi.max_in_flight = 20
CONF
	$queue = BambiQueue->new($bambi);
	$queue->add_user($name, %plan);
	$queue->wait_for($queue->add_one($name, 'a fawn'));
	wait_empty();
	$bambi->wait_until('an empty table', sub {
			$bambi->sql('VACUUM bambi_internal.queue');
			return $bambi->sql("SELECT
				pg_relation_size('bambi_internal.queue') = 0") eq 't';
		});
	$queue->wait_for($queue->add_one($name, 'a fawn, planned for no row'));
	wait_empty();
	is( $bambi->sql("SELECT relpages, reltuples FROM pg_class
			WHERE oid = 'bambi_internal.queue'::regclass"),
		'0|0', "$name: the planner knows an empty queue");

	my ($read_before, $ended_before) = statistics();
	my ($read, $ended);
	$queue->add($name, $queued, '[[mock hold]] a fawn');
	go_on() foreach 1 .. $claims;
	$bambi->wait_until('what the worker tells', sub {
			go_on();
			($read, $ended) = statistics();
			return $ended >= $ended_before + $claims;
		});
	($read, $ended) = ($read - $read_before, $ended - $ended_before);
	cmp_ok($read, '<', $ended * $queued / 10,
		"$name: and claims do not read the whole queue");
	note("$name: $ended claims among $queued read $read index entries");
	$all_read += $read;
	$all_ended += $ended;
	$bambi->stop('immediate');
	return;
}

claims_read_little('unlimited');
claims_read_little('limited', max_in_flight => 30);

note("counted: $all_ended claims, twice beside $queued that wait, read "
	  . "$all_read index entries");
done_testing();
