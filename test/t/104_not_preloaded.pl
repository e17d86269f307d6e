# A database that has no worker says why.  Without the library in
# shared_preload_libraries a session loads it by itself: functions work, nobody
# becomes somebody else, and what was queued is done later.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('not_preloaded');
my $why = 'SELECT worker, last_error FROM bambi_status()';

my $alice = $bambi->sign_up('alice');
my $bob = $bambi->sign_up('bob');

sub restart_with
{
	$bambi->node->append_conf('postgresql.conf', $_[0]);
	$bambi->node->restart;
}

restart_with("bambi.databases = 'bambo'");
is($bambi->sql($why), 'none|bambi.databases does not name this database',
	'status tells of a name that was mistyped');

restart_with("shared_preload_libraries = ''");
is($bambi->sql($why),
	'not preloaded|shared_preload_libraries does not name bambi',
	'status tells of a library that is not preloaded');

my $id = $bambi->generate('alice', 'a fawn in the snow', 'sandbox');
is($bambi->sql_as('alice', "SELECT status FROM bambi_wait('$id', '1 s')"),
	'queued', 'a generation is queued');
is($bambi->sql_as('bob', 'SELECT count(*) FROM bambi_generations'),
	'0', 'another user sees nothing of it');
my (undef, $rows) =
  $bambi->try_as('bob', "SET bambi.user_id = '$alice'; SELECT bambi_user_id()");
is($rows, $bob,
	'a user who sets bambi.user_id before the library is there stays the same');

restart_with("shared_preload_libraries = 'bambi'
bambi.databases = 'bambi'");
$bambi->wait_for_status($id, 'succeeded', 'what was queued is done later');

$bambi->stop;
done_testing();
