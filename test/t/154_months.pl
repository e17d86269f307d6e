# Months are made and taken away while generations run, and none of these
# fails; a month that is missing all the same is made while a request waits for
# it, or the request is refused with a hint, and nothing is lost or counted.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $users = 4;
my $each = 100;			# generations of a user
my $rate = 50;			# a second, of all users together

my $bambi = BambiCluster->start('months');
my $node = $bambi->node;
$bambi->sign_up('alice');
$bambi->sign_up("user$_") foreach 1 .. $users;
$bambi->lift_quota;

my $months = "SELECT count(*) FROM pg_inherits
	WHERE inhparent = 'bambi.image_generations'::regclass";

sub drop_months
{
	my ($table) = @_;

	$table //= 'bambi.image_generations';
	$bambi->sql("DO \$\$
		DECLARE leaf regclass;
		BEGIN
			FOR leaf IN SELECT inhrelid FROM pg_inherits
				WHERE inhparent = '$table'::regclass
			LOOP
				EXECUTE format('ALTER TABLE $table
					DETACH PARTITION %s', leaf);
				EXECUTE format('DROP TABLE %s', leaf);
			END LOOP;
		END\$\$");
	return;
}

# ---- a month that is missing

drop_months();
my $id = $bambi->generate('alice', 'a fawn', 'sandbox');
like($id, qr/^[0-9a-f-]{36}$/, 'a request whose month is missing is taken');
ok($bambi->sql($months) >= 4, 'the worker has made it, and three ahead');
$bambi->wait_for_status($id, 'succeeded', 'and it is served');

$bambi->sql("DELETE FROM bambi.image_generations");
drop_months();
my $other = $bambi->session('postgres');
$other->query_safe("BEGIN; UPDATE bambi.users SET updated_at = now()
	WHERE id = '$bambi->{user}{user1}'");
my $used = $bambi->usage_of('alice');
my ($status, $rows, $error) =
  $bambi->try_as('alice', "\\set VERBOSITY verbose
SELECT bambi_generate('a fawn', 'sandbox')");
like($error, qr/PT503: the partition of this month is missing/,
	'where it cannot be made, the error says what is missing');
like($error, qr/HINT:\s+Try again; .* bambi_maintain\(\)/, 'and what to do');
is($bambi->usage_of('alice'), $used, 'nothing is counted');
is($bambi->sql('SELECT count(*) FROM bambi_internal.queue'),
	0, 'nor half queued');
$other->query_safe('COMMIT');
$other->quit;
$id = $bambi->generate('alice', 'a fawn', 'sandbox');
$bambi->wait_for_status($id, 'succeeded', 'it works when the lock is gone');

# ---- an answer whose event has no month

$bambi->hold('claim-committed');
$id = $bambi->generate('alice', 'a fawn', 'sandbox');
$bambi->wait_held('claim-committed');
drop_months('bambi.usage_events');
$bambi->release('claim-committed');
$bambi->wait_for_status($id, 'succeeded', 'an answer waits for its month');
is( $bambi->sql("SELECT count(*) FROM bambi.usage_events
		WHERE generation_id = '$id'"), 1, 'and is entered once');

# ---- nobody to make it

$bambi->sql('DELETE FROM bambi.image_generations');
$node->append_conf('postgresql.conf', "bambi.databases = ''");
$node->reload;
$bambi->poll("SELECT NOT EXISTS (SELECT FROM pg_stat_activity
	WHERE backend_type = 'bambi worker')");
drop_months();
($status, $rows, $error) = $bambi->try_as('alice',
	"SELECT bambi_generate('a fawn', 'sandbox')");
like($error, qr/the partition of this month is missing/,
	'without a worker, too');
$bambi->sql('SELECT bambi_maintain()');
$id = $bambi->generate('alice', 'a fawn', 'sandbox');
is($bambi->status_of($id), 'queued', 'bambi_maintain() makes it');

# a retry enters what the attempt before may have cost
my $uncertain = $bambi->generate('alice', 'a fawn', 'sandbox');
$bambi->sql("DELETE FROM bambi_internal.queue WHERE id = '$uncertain'",
	"UPDATE bambi.image_generations SET status = 'uncertain',
		held_reason = 'a test', attempts = 1, finished_at = now()
		WHERE id = '$uncertain'");
drop_months('bambi.usage_events');
($status, $rows, $error) =
  $bambi->try_as('alice', "SELECT bambi_retry('$uncertain')");
like($error, qr/ERROR:  the partition of this month is missing/,
	'a retry that has no month for its event is refused');
is($bambi->status_of($uncertain), 'uncertain', 'and changes nothing');
$bambi->sql('SELECT bambi_maintain()');
$bambi->sql_as('alice', "SELECT bambi_retry('$uncertain')");

$node->append_conf('postgresql.conf', "bambi.databases = 'bambi'");
$node->reload;
$bambi->wait_for_status($id, 'succeeded', 'the next worker serves it');
$bambi->wait_for_status($uncertain, 'succeeded', 'and the retry');

# ---- months come and go under load

my $script = "$bambi->{dir}/generate.sql";
PostgreSQL::Test::Utils::append_to_file($script,
	"SELECT bambi_generate('a fawn', 'sandbox');\n");
my @load;
foreach my $n (1 .. $users)
{
	my $out = '';

	push @load, {
		out => \$out,
		run => IPC::Run::start(
			[
				$node->installed_command('pgbench'), '--no-vacuum',
				'--transactions', $each, '--rate', $rate / $users,
				'--file', $script, '--username', "user$n",
				$node->connstr('bambi')
			],
			'<', \undef, '>&', \$out) };
}

# Until it is done: somebody often holds one of the locks for a moment.
sub insist
{
	my ($question) = @_;

	$bambi->wait_until($question,
		sub { return $bambi->sql("SELECT $question") eq 't' });
	return;
}

my ($made, $gone, $ahead) = (0, 0, 3);
my $begun = $bambi->sql('SELECT count(*) FROM bambi.image_generations');
$bambi->poll("SELECT count(*) > $begun FROM bambi.image_generations");
while (grep { $_->{run}->pumpable } @load)
{
	my $before = $bambi->sql($months);

	$ahead++;
	insist("bambi_internal.ensure_months($ahead) = 0");
	$made += $bambi->sql($months) - $before;

	my $last = $bambi->sql("SELECT to_timestamp(max(right(relname, 7)),
			'YYYY_MM')::timestamp
		FROM pg_inherits JOIN pg_class ON oid = inhrelid
		WHERE inhparent = 'bambi.image_generations'::regclass");
	$last = "timestamp '$last'";
	insist("bambi_internal.detach_month('bambi.image_generations', $last)");
	my $leaf = $bambi->sql("SELECT 'bambi.' ||
		bambi_internal.month_name('bambi.image_generations', $last)");
	$bambi->sql("DROP TABLE $leaf");
	$gone++;
	$ahead--;
	$_->{run}->pump_nb foreach grep { $_->{run}->pumpable } @load;
}
foreach my $load (@load)
{
	ok($load->{run}->finish, 'a user was never refused')
	  or diag(${ $load->{out} });
	like(${ $load->{out} }, qr/actually processed: $each\/$each/,
		'and all was queued');
}
cmp_ok($made, '>', 0, 'months were made meanwhile');
cmp_ok($gone, '>', 0, 'and detached');
my $asked = $users * $each;
$bambi->poll("SELECT count(*) = $asked FROM bambi.image_generations
	WHERE status = 'succeeded' AND user_id <> '$bambi->{user}{alice}'");
is( $bambi->sql("SELECT count(*) FILTER (WHERE status = 'succeeded'),
		count(*) FROM bambi.image_generations
		WHERE user_id <> '$bambi->{user}{alice}'"),
	"$asked|$asked", 'every generation succeeded');
note("counted: $asked generations at $rate a second, "
	  . "$made months made and $gone detached meanwhile, 0 failed");

$bambi->stop;
done_testing();
