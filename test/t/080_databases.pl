# A worker stands in nobody's way: a database that has one can be renamed,
# copied and dropped, also while calls run, and a command that failed leaves
# it with a worker.  A copy sends nothing before bambi_adopt().

use strict;
use warnings;

use BambiCluster;
use Test::More;
use Time::HiRes qw(time);

my $bambi = BambiCluster->start('databases');
my $node = $bambi->node;
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');
$bambi->wait_for_status($bambi->generate('alice', 'a fawn'), 'succeeded');

my @took;

sub timed
{
	my ($statement) = @_;
	my $begin = time;
	my ($out, $error);
	my $status = $node->psql('postgres', $statement,
		stdout => \$out, stderr => \$error);

	push @took, sprintf '%s took %.0f ms', $statement, 1000 * (time - $begin);
	note $took[-1];
	return ($status, $error);
}

sub works_again
{
	my ($says) = @_;

	$bambi->worker_pid;
	$bambi->wait_for_status($bambi->generate('alice', $says),
		'succeeded', "$says: the worker works again");
	return;
}

# ---- rename

my $worker = $bambi->worker_pid;
is((timed('ALTER DATABASE bambi RENAME TO elsewhere'))[0],
	0, 'a database with a worker can be renamed');
ok( $node->poll_query_until(
		'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity
			WHERE backend_type = 'bambi worker')"),
	'under a name that is not listed it has none');
is((timed('ALTER DATABASE elsewhere RENAME TO bambi'))[0],
	0, 'and back again');
works_again('after a rename');
isnt($bambi->worker_pid, $worker, 'it is another one');

# a transaction keeps it away until its end
my $operator = $node->background_psql('postgres');
$operator->query_safe('BEGIN; ALTER DATABASE bambi RENAME TO elsewhere');
is( $node->safe_psql(
		'postgres', "SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'bambi worker'"),
	0,
	'no worker while a rename is open');
$operator->query_safe('ROLLBACK');
$operator->quit;
works_again('after a rename that was rolled back');

# ---- a command that fails

my $session = $bambi->session('alice');
$session->query_safe('SELECT 1');
my ($status, $error) = timed('DROP DATABASE bambi');
isnt($status, 0, 'a database that is in use cannot be dropped');
like($error, qr/being accessed by other users/, 'since somebody uses it');
unlike($error, qr/2 other sessions/, 'and not the worker');
$session->quit;
works_again('after a failed drop');

# ---- a copy

my $id = $bambi->generate('alice', '[[mock hold]] runs while it is copied');
$bambi->wait_in_flight(1);
$bambi->sql('SELECT bambi_pause()');
my $queued = $bambi->generate('alice', 'queued while it is copied');
is((timed('CREATE DATABASE copy TEMPLATE bambi'))[0],
	0, 'a database with a worker can be copied, while a call runs');
$node->safe_psql('postgres',
	"ALTER SYSTEM SET bambi.databases = 'bambi, copy'");
$node->reload;
my $calls = $bambi->mock_stats->{calls};

sub in_copy { return $node->safe_psql('copy', $_[0]) }

in_copy('SELECT bambi_resume()');
ok( $node->poll_query_until(
		'copy', "SELECT s.worker = 'paused' FROM bambi_status() s"),
	'the worker of the copy pauses');
like(PostgreSQL::Test::Utils::slurp_file($node->logfile),
	qr/bambi pauses: this database is a copy: see bambi_adopt/,
	'and says why');
is( in_copy('SELECT count(*) FROM bambi_internal.queue'),
	2, 'two generations are pending there, one of them claimed');

$bambi->sql('SELECT bambi_resume()');
$bambi->wait_for_status($queued, 'succeeded', 'the original goes on');
$bambi->mock('release');
$bambi->wait_for_status($id, 'succeeded',
	'with the call that ran, whose courier outlived the worker');
is($bambi->mock_stats->{calls}, $calls + 1, 'the copy has sent nothing');

is(in_copy('SELECT bambi_adopt()'), 2, 'bambi_adopt() finds both');
is( in_copy("SELECT count(*) FROM bambi.image_generations
		WHERE status = 'held'"),
	2, 'and holds them');
ok( $node->poll_query_until(
		'copy', "SELECT s.worker = 'running' FROM bambi_status() s"),
	'then the copy works');
my $new = $node->safe_psql(
	'copy', "SELECT bambi_generate('a fawn of the copy', 'sandbox')",
	extra_params => [ '-U', 'alice' ]);
ok( $node->poll_query_until(
		'copy', "SELECT status = 'succeeded'
			FROM bambi.image_generations WHERE id = '$new'"),
	'and generates');
is($bambi->mock_stats->{calls}, $calls + 1, 'and still has sent nothing');
$bambi->ledger_is_equal;

# ---- drop

$bambi->generate('alice', '[[mock hold]] runs while its database is dropped');
$bambi->wait_in_flight(1);
$node->safe_psql('postgres', 'CREATE DATABASE another');
is((timed('DROP DATABASE another'))[0],
	0, 'a call that runs is in nobody\'s way who drops another database');
is($bambi->mock_stats->{in_flight}, 1, 'and runs on');
is((timed('DROP DATABASE bambi'))[0],
	0, 'a database with a worker can be dropped, while a call runs');
is($bambi->mock_stats->{in_flight}, 1, 'which goes on');
$bambi->mock('release');
$new = $node->safe_psql(
	'copy', "SELECT bambi_generate('another fawn', 'sandbox')",
	extra_params => [ '-U', 'alice' ]);
ok( $node->poll_query_until(
		'copy', "SELECT status = 'succeeded'
			FROM bambi.image_generations WHERE id = '$new'"),
	'another database is served');
is((timed('DROP DATABASE copy'))[0], 0, 'and can be dropped as well');
$bambi->wait_until('the couriers to leave', sub { !$bambi->couriers });
pass('the couriers have left');
ok($node->poll_query_until('postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity
			WHERE backend_type = 'bambi worker')"),
	'no worker is left');

$bambi->stop;
note('counted: without FORCE: ', join ', ', grep { /^DROP/ } @took);
done_testing();
