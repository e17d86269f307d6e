# A server with bambi starts its worker, the worker its courier, and a
# generation ends as a picture; after a restart too.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('start');

my $worker = $bambi->worker_pid;
my $courier = $bambi->courier_pid;
ok($bambi->is_alive($worker), 'worker runs');
ok($bambi->is_alive($courier), 'courier runs');
isnt($courier, $worker, 'courier is a process of its own');

$bambi->sign_up('alice');
$bambi->sign_up('bob');

# the sandbox, which needs no key and no network
my $id = $bambi->generate('alice', 'a fawn in the snow', 'sandbox');
like(
	$bambi->sql_as('alice', "SELECT status FROM bambi_wait('$id')"),
	qr/^succeeded$/, 'bambi_wait sees a sandbox generation succeed');
is($bambi->sql_as('alice', "SELECT substr(bambi_image('$id', 1), 1, 4)"),
	'\x89504e47', 'its picture is a PNG');
is($bambi->sql_as('bob', 'SELECT count(*) FROM bambi_generations'),
	'0', 'another user sees nothing of it');

# the provider, by HTTP
$bambi->add_key('alice');
$id = $bambi->generate('alice', 'a fawn by the sea');
$bambi->wait_for_status($id, 'succeeded',
	'generation through HTTP succeeds');
is(scalar $bambi->charges, 1, 'the provider charged one call');

$bambi->node->restart;
$bambi->courier_pid;
isnt($bambi->worker_pid, $worker, 'there is a new worker after a restart');
$bambi->wait_until('the old courier to leave',
	sub { !$bambi->is_alive($courier) });
pass('the old courier has left');

$id = $bambi->generate('alice', 'a fawn after a restart');
$bambi->wait_for_status($id, 'succeeded',
	'generation after a restart succeeds');
$bambi->ledger_is_equal;

$bambi->stop;
done_testing();
