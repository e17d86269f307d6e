# A standby is promoted after its primary was lost.  What was queued before may
# have been sent by the old primary without the standby having heard of it: so
# it is held, and its users decide.  What comes after goes on.  The same where
# the operator knows better and lets it run; and a mere restart holds nothing.

use strict;
use warnings;

use BambiCluster;
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $bambi = BambiCluster->start('primary', conf => <<'CONF');
wal_level = replica
max_wal_senders = 4
hot_standby = on
bambi.max_in_flight = 1
CONF
my $old = $bambi->node;
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');
$bambi->wait_for_status($bambi->generate('alice', 'a fawn'), 'succeeded');

# A standby of whoever is the primary now, with a spool of its own.
sub make_standby
{
	my ($name, $conf) = @_;
	my $primary = $bambi->node;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$primary->backup($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	mkdir $standby->basedir . '/spool', 0700;
	$standby->append_conf('postgresql.conf',
		"bambi.spool_directory = '" . $standby->basedir . "/spool'\n$conf");
	$standby->start;
	return $standby;
}

sub on
{
	my ($node, $query) = @_;

	return $node->safe_psql('bambi', $query);
}

# Everything that the tests say from now on, they say to this one.
sub promote
{
	my ($standby) = @_;

	$standby->promote;
	$bambi->{node} = $standby;
	ok($bambi->poll("SELECT s.worker IN ('running', 'paused')
			FROM bambi_status() s"),
		'a promoted standby has a worker');
	return;
}

# ---- a primary is lost

my $standby = make_standby('standby', '');
my $blocker = $bambi->generate('alice', '[[mock hold]] runs');
$bambi->wait_in_flight(1);
my $sent = $bambi->generate('alice', '[[mock hold]] is sent unheard of');
my $unsent = $bambi->generate('alice', 'is not sent');
my $unwanted = $bambi->generate('alice', 'is not wanted any more');

$old->wait_for_catchup('standby');
is(on($standby, 'SELECT count(*) FROM bambi_internal.queue'),
	4, 'the standby has the queue');
is( on($standby, "SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'bambi worker'"),
	0, 'and no worker');
is( $standby->safe_psql(
		'bambi', 'SELECT count(*) FROM bambi_generations',
		extra_params => [ '-U', 'alice' ]),
	5, 'its users read there');
my ($status, undef, $error) = $standby->psql(
	'bambi', "SELECT bambi_generate('a fawn', 'sandbox')",
	extra_params => [ '-U', 'alice' ]);
isnt($status, 0, 'and cannot generate');
like($error, qr/read-only/, 'since it is read-only');

# a copy has all but what only a primary has
sub copy_of_alice
{
	my $node = shift;

	return decode_json(
		$node->safe_psql(
			'bambi', 'SELECT bambi_export_my_data()',
			extra_params => [ '-U', 'alice' ]));
}

my ($whole, $copy) = map { copy_of_alice($_) } $old, $standby;
is_deeply($whole->{left_out}, [], 'a copy of the primary is whole');
is_deeply($copy->{left_out}, ['previews'],
	'one of the standby says what it has not');
is_deeply(
	[ sort keys %{ $copy->{data} }, @{ $copy->{left_out} } ],
	[ sort keys %{ $whole->{data} } ],
	'and has all other tables');
is_deeply($copy->{data}{$_}, $whole->{data}{$_}, "with the same $_")
  foreach qw(users image_generations images usage_events);
is(scalar @{ $copy->{data}{image_generations} }, 5, 'all there are');

# what the primary does now, the standby never hears of
$standby->stop;
$bambi->mock('release');
$bambi->wait_for_status($blocker, 'succeeded', 'the primary goes on');
$bambi->wait_in_flight(1);
is(scalar $bambi->ledger, 3, 'three calls were sent');
$bambi->kill9_everything;
$bambi->mock('release');

$standby->start;
promote($standby);
ok($bambi->poll("SELECT count(*) = 3 FROM bambi.image_generations
		WHERE status = 'held'"),
	'what was queued before the promotion is held');
is( $bambi->sql("SELECT DISTINCT held_reason FROM bambi.image_generations
		WHERE status = 'held'"),
	'the server was promoted while it was queued', 'with the reason');
$bambi->wait_for_status($blocker, 'uncertain',
	'what ran is uncertain: its answer is on the old machine');
like(slurp_file($standby->logfile),
	qr/bambi holds 3 generations that were queued before/,
	'the log says so');

my $new = $bambi->generate('alice', 'comes after the promotion');
$bambi->wait_for_status($new, 'succeeded', 'what comes after goes on');
is(scalar $bambi->ledger, 4, 'and nothing else was sent');

$bambi->sql_as('alice', "SELECT bambi_cancel('$unwanted')");
$bambi->wait_for_status($unwanted, 'cancelled',
	'what is held can be cancelled');
$bambi->sql_as('alice', "SELECT bambi_retry('$unsent')");
$bambi->wait_for_status($unsent, 'succeeded', 'or sent');
is($bambi->charges_of($_), 1, 'and is charged once')
  foreach $unsent, $new;
is($bambi->status_of($sent), 'held',
	'what was sent unheard of waits for its user');
is($bambi->charges_of($sent), 1, 'and was charged once');

# ---- a restart is no promotion

$bambi->sql('SELECT bambi_pause()');
my $waiting = $bambi->generate('alice', 'waits for a restart');
$standby->restart;
$bambi->worker_pid;
$bambi->sql('SELECT bambi_resume()');
$bambi->wait_for_status($waiting, 'succeeded',
	'what was queued before a restart is sent');

# ---- a planned switch, after which all goes on

my $next = make_standby('next', "bambi.after_promotion = run\n");
$bambi->sql('SELECT bambi_pause()');
my @planned =
  map { $bambi->generate('alice', "is queued before the switch $_") } 1 .. 3;
$standby->wait_for_catchup('next');
$standby->stop;
promote($next);
$bambi->sql('SELECT bambi_resume()');
$bambi->wait_for_status($_, 'succeeded',
	'with bambi.after_promotion = run it is sent')
  foreach @planned;
is($bambi->charges_of($_), 1, 'and charged once') foreach @planned;
is( $bambi->sql("SELECT count(*) FROM bambi.image_generations
		WHERE status = 'held'"),
	1, 'what was held stays so');

note('counted: 2 standbys promoted, 3 generations held, 1 uncertain, ',
  scalar @planned, ' let run');
$bambi->stop;
done_testing();
