# DROP EXTENSION ... CASCADE takes policies, views, defaults and a column, and
# no row; then nobody sees anything, a call that runs is not lost, and
# bambi_setup() brings everything back.  Tables that are dropped as well are
# made anew under the running worker, which tells them the sealing key.

use strict;
use warnings;

use BambiCatalogue;
use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('drop_extension');
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
$bambi->add_key('alice');
my $id = $bambi->generate('alice', 'a fawn');
$bambi->wait_for_status($id, 'succeeded');
$bambi->sql("DELETE FROM bambi.model_prices WHERE unit LIKE 'partial%'");

my $rows = "SELECT string_agg(to_jsonb(g)::text, ' ' ORDER BY id)
	FROM bambi.image_generations g WHERE id = '$id'";
my @before = catalogue($bambi->node, 'bambi');
my $row = $bambi->sql($rows);

# ---- the extension goes, while a call runs

my $running = $bambi->generate('alice', '[[mock hold]] runs meanwhile');
$bambi->wait_in_flight(1);
$bambi->sql('DROP EXTENSION bambi CASCADE');
cmp_ok(catalogue($bambi->node, 'bambi'), '<', @before, 'something is gone');
foreach my $user (qw(alice bob))
{
	my ($status, $seen) =
	  $bambi->try_as($user, 'SELECT count(*) FROM bambi.models');
	is($seen || 0, 0, "$user sees nothing");
}
# what is left can be changed and erased by whoever owns the database
foreach my $change (
	"UPDATE bambi.users SET email = 'new' || email",
	"UPDATE bambi.subscriptions SET status = 'canceled'",
	'UPDATE bambi.plans SET weight = weight + 1',
	"UPDATE bambi.api_providers SET name = 'new ' || name",
	"UPDATE bambi.models SET name = 'new ' || name",
	'UPDATE bambi.model_prices SET price = price + 1',
	"INSERT INTO bambi.stripe_prices VALUES ('price_a', 'free')",
	'DELETE FROM bambi.users',
	'TRUNCATE bambi.users CASCADE')
{
	my $error = $bambi->node->psql('bambi', "BEGIN; $change; ROLLBACK",
		on_error_stop => 1);
	is($error, 0, "$change does not need the extension");
}
$bambi->mock('release');
$bambi->wait_until('the answer in the spool',
	sub { return () = glob $bambi->spool . '/*/*/*.answer' });
pass('the answer to the call waits in the spool');

$bambi->sql('CREATE EXTENSION bambi CASCADE');
is($bambi->status_of($running), 'queued', 'not before bambi_setup()');
my $report = $bambi->sql('SELECT bambi_setup()');
like($report, qr/^Repaired the tables/, 'bambi_setup() repairs, and says so');
foreach my $part (
	'column bambi.image_generations.created_at',
	'default of bambi.users.id',
	'policy of users on bambi.image_generations', 'view bambi_generations')
{
	like($report, qr/\Q$part\E/, "and tells of the $part");
}
same_catalogue([ catalogue($bambi->node, 'bambi') ],
	\@before, 'everything is as it was before');
is($bambi->sql($rows), $row, 'also the rows');
like($bambi->sql('SELECT bambi_setup()'), qr/already/, 'that was all');
is( $bambi->sql("SELECT count(*) FROM bambi.model_prices
		WHERE unit LIKE 'partial%'"),
	0, 'a row that the operator deleted does not come back');

$bambi->wait_for_status($running, 'succeeded', 'the call was not lost');
is($bambi->sql_as('alice', 'SELECT count(*) FROM bambi_generations'),
	2, 'its owner sees both');
is($bambi->sql_as('bob', 'SELECT count(*) FROM bambi_generations'),
	0, 'nobody else does');
$bambi->wait_for_status($bambi->generate('alice', 'another fawn'),
	'succeeded', 'and generates');
$bambi->ledger_is_equal;

# ---- every policy that uses a function of the extension is looked for

is( $bambi->sql("SELECT count(DISTINCT l.polrelid)
		FROM pg_policy l JOIN pg_depend d ON d.objid = l.oid
			AND d.classid = 'pg_policy'::regclass
		WHERE d.refobjid = 'bambi_user_id()'::regprocedure"),
	scalar(() = $report =~ /policy of users on/g),
	'the report knows all tables with such a policy');

# ---- the tables go too

my $worker = $bambi->worker_pid;
my $courier = $bambi->courier_pid;
$bambi->sql(
	'BEGIN; DROP EXTENSION bambi CASCADE;
	DROP SCHEMA bambi, bambi_internal CASCADE;
	CREATE EXTENSION bambi; SELECT bambi_setup(); COMMIT');
ok( $bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)'),
	'new tables are told the sealing key');
is($bambi->courier_pid, $courier, 'by the courier that runs');
is($bambi->worker_pid, $worker, 'and its worker');
$bambi->point_openai_to_mock;
my $carol = $bambi->sign_up('carol');
$bambi->add_key('carol');
$bambi->wait_for_status($bambi->generate('carol', 'a new fawn'),
	'succeeded', 'and they work');

$bambi->stop;
done_testing();
