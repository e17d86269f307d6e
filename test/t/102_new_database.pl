# A database that is dropped and made anew under its name gets a worker,
# however often, and a session that waits there before is not sent away.

use strict;
use warnings;

use BambiCluster;
use Test::More;
use Time::HiRes qw(time);

my $bambi = BambiCluster->start('new_database');

foreach my $round (1 .. 5)
{
	$bambi->node->safe_psql('postgres', 'DROP DATABASE bambi');
	$bambi->install;
	ok( $bambi->poll("SELECT s.worker = 'running' FROM bambi_status() s"),
		"round $round: the worker comes");
}

# ---- of another encoding

$bambi->node->safe_psql('postgres', "CREATE DATABASE latin
	ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
$bambi->node->safe_psql('latin', 'CREATE EXTENSION bambi CASCADE');
my $refusal;
$bambi->node->psql('latin', 'SELECT bambi_setup()', stderr => \$refusal);
like(
	$refusal,
	qr/bambi needs a database with encoding UTF8/,
	'a database that is not in UTF8 is refused');

# ---- without a worker

$bambi->node->append_conf('postgresql.conf', "bambi.databases = ''");
$bambi->node->reload;
ok( $bambi->poll("SELECT NOT EXISTS (SELECT FROM pg_stat_activity
		WHERE backend_type = 'bambi worker')"), 'no worker any more');
$bambi->node->safe_psql('postgres', 'DROP DATABASE bambi');
$bambi->install;
$bambi->sign_up('alice');
my $id = $bambi->generate('alice', 'a fawn', 'sandbox');

my $begin = time;
is($bambi->sql_as('alice', "SELECT status FROM bambi_wait('$id', '1 s')"),
	'queued', 'nothing comes');
cmp_ok(time - $begin, '>=', 1, 'but it was waited for');

my ($status, $error);
my $waiter = IPC::Run::start(
	[
		$bambi->node->installed_command('psql'), '-XAtq',
		'-d', $bambi->node->connstr('bambi'), '-U', 'alice',
		'-c', "SELECT status FROM bambi_wait('$id', '30 s')"
	],
	'<', \undef, '>', \$status, '2>', \$error);
ok( $bambi->poll("SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE query LIKE '%bambi_wait%' AND usename = 'alice'
			AND state = 'active')"), 'somebody waits');
$bambi->node->append_conf('postgresql.conf', "bambi.databases = 'bambi'");
$bambi->node->reload;
$waiter->finish;
is($status, "succeeded\n", 'and is woken when a worker has come and done it');

$bambi->stop;
done_testing();
