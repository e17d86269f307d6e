# Usage is added up once, whoever adds it up, however many do so at a time, and
# whoever dies in between: the sums are the events, by every dimension and
# granularity, and whoever looks meanwhile sees the same.

use strict;
use warnings;

use BambiCluster;
use BambiUsage;
use Test::More;

my $bambi = BambiCluster->start('rollup');
my $usage = BambiUsage->new($bambi);
$bambi->sign_up($_) foreach qw(alice bob carol);

# a check is an event, too
$bambi->checked($bambi->add_key($_)) foreach qw(alice bob carol);

# ---- four at a time, while others look

$usage->book(8000);
my $fresh = $usage->fresh;
$usage->holds('before');
my $looker = <<"SQL";
DO \$\$
DECLARE
	is_exact boolean;
	looks int := 0;
BEGIN
	WHILE EXISTS (SELECT FROM bambi.usage_events WHERE NOT is_rolled_up)
	LOOP
		EXECUTE \$q\$$BambiUsage::is_exact\$q\$ INTO is_exact;
		IF NOT is_exact THEN
			RAISE EXCEPTION 'not exact';
		END IF;
		looks := looks + 1;
		COMMIT;
	END LOOP;
	PERFORM set_config('bambi_test.looks', looks::text, false);
END
\$\$
SQL
my $own = "SELECT DISTINCT sum(request_count) FROM bambi_usage";
my ($looks, @seen, @moved) = '';
my $of_alice = $bambi->sql_as('alice', $own);
my $looking = $usage->psql('postgres', \$looks, $looker,
	"SELECT current_setting('bambi_test.looks')");
$bambi->poll("SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE query LIKE 'DO %looks%' AND state = 'active'
		AND pid <> pg_backend_pid())") or die 'nobody looks';
my $alice = $usage->psql('alice', \$seen[0], ($own) x 50);
my @rolling = map {
	$moved[$_] = '';
	$usage->psql('postgres', \$moved[$_],
		('SELECT bambi_rollup_usage(100)') x ($fresh / 100))
} 0 .. 3;
$_->finish foreach @rolling, $alice;
$bambi->sql('SELECT bambi_rollup_usage()');
$looking->finish;
is($looking->result(0), 0, 'whoever looks meanwhile sees it exact');
cmp_ok($looks, '>', 0, 'and has looked');
is(join(',', sort { $a <=> $b } keys %{ { map { $_ => 1 }
				split /\n/, $seen[0] } }), $of_alice,
	'a user sees no change');
my $by_four = 0;
$by_four += $_ foreach map { split /\n/ } @moved;
cmp_ok($by_four, '<=', $fresh, 'four at a time move nothing twice');
cmp_ok($by_four, '>', 0, 'and they move something');
is($usage->fresh, 0, 'nothing is left');
$usage->holds('by four at a time');

# ---- two in the same sums, of which the first is undone, or not

foreach my $end (qw(ROLLBACK COMMIT))
{
	$usage->book(100);
	my $first = $bambi->session('postgres');
	my $second = '';

	is($first->query_safe('BEGIN; SELECT bambi_rollup_usage(60)'),
		60, 'the first takes some');
	my $rolling = $usage->psql('postgres', \$second,
		'SELECT bambi_rollup_usage(1000)');
	$bambi->wait_until('another that waits',
		sub { return $usage->roll_up_pid(1) });
	$first->query_safe($end);
	$first->quit;
	$rolling->finish;
	is($second + 0, 40, 'the second takes the others');
	is($usage->fresh, $end eq 'COMMIT' ? 0 : 60, "$end: as many are left");
	$usage->holds("$end of the first of two");
	$bambi->sql('SELECT bambi_rollup_usage()');
}

# ---- whoever is added up may be deleted at the same time

$bambi->sign_up('dave');
$bambi->checked($bambi->add_key('dave'));
$bambi->generate('dave', 'a fawn', 'sandbox');
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)');
my $session = $bambi->session('postgres');
$session->query_safe("BEGIN; DELETE FROM bambi.users
	WHERE id = '$bambi->{user}{dave}'");
is($bambi->sql('SELECT bambi_rollup_usage()'),
	0, 'a user who is just being deleted is passed by');
$session->query_safe('ROLLBACK');
cmp_ok($bambi->sql('SELECT bambi_rollup_usage()'),
	'>', 0, 'and added up if that did not happen');
$session->query_safe("BEGIN; SELECT bambi_rollup_usage()");
$session->query_safe("DELETE FROM bambi.users
	WHERE id = '$bambi->{user}{dave}'");
$session->query_safe('COMMIT');
$session->quit;
$usage->holds('without the deleted user');

# ---- death in the midst of it: marked, and not added yet

foreach my $death (qw(backend postmaster everything))
{
	$usage->book(100);
	my $before = $usage->fresh;
	my $blocker = $bambi->session('postgres');
	my $rows;

	# the sums that it comes to are locked, all of them
	$blocker->query_safe('BEGIN; SELECT count(*) FROM (
		SELECT FROM bambi.api_usage FOR UPDATE) l');
	my $rolling = $usage->psql('postgres', \$rows,
		'SELECT bambi_rollup_usage(1000)');
	my $pid;
	$bambi->wait_until('a roll-up that waits',
		sub { return $pid = $usage->roll_up_pid(1) });
	$bambi->kill9($pid) if $death eq 'backend';
	$bambi->kill9_postmaster if $death eq 'postmaster';
	$bambi->kill9_everything if $death eq 'everything';
	eval { $rolling->finish };
	eval { $blocker->quit };
	$bambi->bring_back;
	is($usage->fresh, $before, "killed in between ($death): nothing is marked");
	$usage->holds("killed in between ($death)");
}

note sprintf 'counted: %d events in %d sums, %d looks meanwhile',
  split(/\|/, $bambi->sql('SELECT (SELECT count(*) FROM bambi.usage_events),
	(SELECT count(*) FROM bambi.api_usage)')), $looks;

$bambi->stop;
done_testing();
