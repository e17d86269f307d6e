# What goes wrong around a worker leaves nobody stuck: rows and tables that
# somebody keeps locked, a courier that dies or is missing, a launcher that is
# sent away, a slot that was another database's, a spool larger than memory.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('hardships',
	mock => [ '--picture-bytes', 4_000_000 ]);
my $node = $bambi->node;
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
$bambi->add_key('alice');

# Until the server's log, from a place on, tells of one.
sub wait_for_lock_timeout
{
	my ($from) = @_;

	$bambi->wait_until('a lock timeout', sub {
			return PostgreSQL::Test::Utils::slurp_file($node->logfile, $from)
			  =~ /lock timeout/;
		});
	return;
}

# Whether something comes true, with nobody's help.
sub soon
{
	my ($query, $database) = @_;

	return $node->poll_query_until($database // 'bambi', $query);
}

sub is_settled
{
	my ($id, $status) = @_;

	return "SELECT status = '$status' FROM bambi.image_generations
		WHERE id = '$id'";
}

sub terminate
{
	my ($type, $how) = @_;

	$node->safe_psql('postgres', "SELECT pg_${how}_backend(pid)
		FROM pg_stat_activity WHERE backend_type = 'bambi $type'");
	return;
}

sub set_databases
{
	my ($names) = @_;

	$node->append_conf('postgresql.conf', "bambi.databases = '$names'");
	$node->reload;
	return;
}

my $workers = "SELECT count(*) FROM pg_stat_activity
	WHERE backend_type = 'bambi worker'";

# ---- a lock that no settle can pass by

my $id = $bambi->generate('alice', '[[mock hold]] a fawn');
$bambi->wait_in_flight(1);
my $operator = $bambi->session('postgres');
$operator->query_safe("BEGIN; SELECT FROM bambi.users
	WHERE id = '$bambi->{user}{alice}' FOR UPDATE");
$bambi->mock('release');
ok( soon("SELECT last_error LIKE '%lock timeout%' FROM bambi_status()"),
	'alice\'s answer cannot be settled');
my $bobs = $bambi->generate('bob', 'a fawn', 'sandbox');
ok(soon(is_settled($bobs, 'succeeded')), 'bob\'s generation is served');
$operator->query_safe('ROLLBACK');
$operator->quit;
$bambi->wait_for_status($id, 'succeeded', 'and then alice\'s');

# ---- a look at orphans that fails

$id = $bambi->generate('alice', '[[mock hold]] a fawn');
$bambi->wait_in_flight(1);
$operator = $bambi->session('postgres');
$operator->query_safe('BEGIN; LOCK TABLE bambi_internal.queue');
my $length = -s $node->logfile;
$bambi->kill9($bambi->courier_pid);
wait_for_lock_timeout($length);
$operator->query_safe('ROLLBACK');
$operator->quit;
ok( soon(is_settled($id, 'uncertain')),
	'a claim is adopted although its table was locked');

# ---- what is asked for while the worker waits for something else

# Whatever waits inside of a statement takes the latch, as pg_sleep does here.
my $step = $bambi->sql("SELECT pg_get_functiondef(
	'bambi_internal.archive_step(text[])'::regprocedure)");
$bambi->sql(
	'CREATE TABLE go ()', 'GRANT SELECT ON go TO PUBLIC',
	'CREATE FUNCTION wait_for_go() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		WHILE NOT EXISTS (SELECT FROM public.go) LOOP
			PERFORM pg_sleep(0.01);
		END LOOP;
	END $$',
	$step =~ s/\bBEGIN\b/BEGIN PERFORM public.wait_for_go();/r);
# nothing else is due, which would have it look once more
ok( soon("SELECT state = 'idle' AND clock_timestamp() - state_change > '3 s'
		FROM pg_stat_activity WHERE backend_type = 'bambi worker'"),
	'a worker that has nothing to do');
$bambi->sql('SELECT bambi_internal.wake_archive()');
ok( soon("SELECT wait_event = 'PgSleep' FROM pg_stat_activity
		WHERE backend_type = 'bambi worker'"), 'sleeps in a statement');
$bobs = $bambi->generate('bob', 'a fawn', 'sandbox');
$bambi->sql('INSERT INTO go DEFAULT VALUES');
ok(soon(is_settled($bobs, 'succeeded')), 'and has not missed what came then');
$bambi->sql($step, 'DROP FUNCTION wait_for_go()', 'DROP TABLE go');

# ---- keepers of couriers that died

foreach my $round (1 .. 3)
{
	my $courier = $bambi->courier_pid;

	$bambi->kill9($courier);
	$bambi->wait_until('another courier', sub {
			my @now = $bambi->couriers;
			return @now && $now[-1] != $courier;
		});
	$bobs = $bambi->generate('bob', 'a fawn', 'sandbox');
	ok(soon(is_settled($bobs, 'succeeded')), "courier $round works");
}
my $worker = $bambi->worker_pid;
my @zombies = grep {
	my $stat = BambiProcesses::slurp_stat($_);
	$stat && $stat->{parent} == $worker && $stat->{state} eq 'Z'
} map { m{(\d+)$} } glob '/proc/[0-9]*';
cmp_ok(scalar @zombies, '<=', 1, 'keepers are reaped');

# ---- more answers in the spool than a worker should hold

my $count = 60;
my ($ids, $errors) = ('', '');
$bambi->generate_in_background('alice', [ ('[[mock hold]] a fawn') x $count ],
	\$ids, \$errors)->finish;
$bambi->wait_in_flight($count);
terminate('worker', 'terminate');
$bambi->mock('release');
my $all = join ', ', map { "'$_'" } split /\n/, $ids;
ok( soon("SELECT count(*) = $count FROM bambi.image_generations
		WHERE status = 'succeeded' AND id IN ($all)"),
	'all of a large spool is adopted');
$worker = $bambi->worker_pid;
my ($peak) = PostgreSQL::Test::Utils::slurp_file("/proc/$worker/status") =~
  /^VmHWM:\s+(\d+)/m;
my ($shared) = PostgreSQL::Test::Utils::slurp_file("/proc/$worker/status") =~
  /^RssShmem:\s+(\d+)/m;
cmp_ok(($peak - $shared) / 1024, '<', 150, 'little by little');

# ---- the launcher

foreach my $how (qw(terminate cancel))
{
	my $launcher = "SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'bambi launcher'";
	my $before = $node->safe_psql('postgres', $launcher);

	$worker = $bambi->worker_pid;
	terminate('launcher', $how);
	ok( soon("SELECT EXISTS ($launcher AND pid <> $before)"),
		"after $how there is another launcher");
	ok( soon("SELECT s.worker = 'running' AND s.worker_pid <> $worker
			FROM bambi_status() s"), 'which starts another worker');
	is($bambi->sql($workers), 1, 'and there is no second one');
}
$bobs = $bambi->generate('bob', 'a fawn', 'sandbox');
ok(soon(is_settled($bobs, 'succeeded')), 'it works');

# ---- a slot that was given back before another's

$node->safe_psql('postgres', 'CREATE DATABASE second');
set_databases('bambi, second');
ok(soon("SELECT ($workers) = 2"), 'two workers');
$node->safe_psql('second', $_)
  foreach 'CREATE EXTENSION bambi CASCADE', 'SELECT bambi_setup()';
my $user = $node->safe_psql('second',
	"SELECT bambi_sign_up('a\@example.com', 'correct horse')");
my $session = $node->background_psql('second');
$session->query_safe("SET bambi.user_id = '$user'");
$id = $session->query_safe("SELECT bambi_generate('a fawn', 'sandbox')");
ok(soon(is_settled($id, 'succeeded'), 'second'), 'the second works');
$node->safe_psql('postgres', 'DROP DATABASE bambi');
ok(soon("SELECT ($workers) = 1", 'second'), 'one worker');
terminate('worker', 'terminate');
ok( soon("SELECT s.worker = 'running' FROM bambi_status() s", 'second'),
	'and another one');
$id = $session->query_safe("SELECT bambi_generate('a fawn', 'sandbox')");
ok( soon(is_settled($id, 'succeeded'), 'second'),
	'is woken by a session that was there before');
$session->quit;

# ---- no courier at all

$node->append_conf('postgresql.conf', "bambi.courier_path = '/nowhere'");
$node->restart;
ok( soon("SELECT s.last_error LIKE '%cannot be executed%'
		FROM bambi_status() s", 'second'), 'a missing courier is told');
$session = $node->background_psql('second');
$session->query_safe('BEGIN; LOCK TABLE bambi_internal.instance');
$length = -s $node->logfile;
terminate('worker', 'terminate');
wait_for_lock_timeout($length);
$session->quit;
unlike(
	PostgreSQL::Test::Utils::slurp_file($node->logfile),
	qr/terminated by signal/,
	'and takes no worker with it');

$bambi->stop;
done_testing();
