# A connection that is used again and dies after the request costs one call,
# not two: libcurl would send the POST once more by itself.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('one_charge');
$bambi->sign_up('alice');
$bambi->lift_quota;

# whose connection would be used again, too
$bambi->checked($bambi->add_key('alice'));

foreach my $round (1 .. 5)
{
	my $first = $bambi->generate('alice', "[[mock stale]] first of $round");
	$bambi->wait_for_status($first, 'succeeded', 'first call succeeds');
	my $second = $bambi->generate('alice', "second of $round");
	$bambi->wait_for_status($second, 'uncertain',
		'second call, whose connection dies after the request, is uncertain');
	is(scalar $bambi->charges_of($second), 1, 'and is charged once');
	is((grep { $_->{generation} eq $second } $bambi->ledger)[0]{status},
		0, 'its request was read, and got no answer');
}

# closed while nothing was on it: a new connection, and no harm
my $first = $bambi->generate('alice', '[[mock stale=idle]] before the end');
$bambi->wait_for_status($first, 'succeeded');
my $second = $bambi->generate('alice', 'after the end');
$bambi->wait_for_status($second, 'succeeded',
	'a connection that was closed while it was idle harms nobody');
is(scalar $bambi->charges_of($second), 1, 'and costs one call');

# fresh connections that die at different moments
foreach my $how ('reset=after', 'reset=body')
{
	my $id = $bambi->generate('alice', "[[mock $how]] a fawn");
	$bambi->wait_for_status($id, 'uncertain',
		"a call that ends by $how is uncertain");
	is(scalar $bambi->charges_of($id), 1, 'and is charged once');
}

# nothing was read: may be sent again, or not, but costs once at most
$bambi->mock('faults', { reset => 'before', times => 1 });
my $id = $bambi->generate('alice', 'a fawn at a closed door');
$bambi->poll("SELECT status IN ('succeeded', 'uncertain')
	FROM bambi.image_generations WHERE id = '$id'");
cmp_ok(scalar $bambi->charges_of($id), '<=', 1,
	'a connection that dies before the request costs one call at most');
$bambi->ledger_is_equal;

$bambi->stop;
done_testing();
