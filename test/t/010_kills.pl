# Whoever dies at whichever labelled point of a generation's way, with kill -9,
# with the postmaster, with everything or by an immediate stop: no accepted
# generation is lost, none is charged twice, the provider's ledger and the
# database agree, and only the death of the courier makes anything uncertain.

use strict;
use warnings;

use BambiCluster;
use BambiKills qw(@points %holder @deaths);
use Test::More;

my @users = qw(alice bob carol);
my $bambi = BambiCluster->start('kills');
$bambi->sign_up($_) foreach @users;
$bambi->lift_quota;
$bambi->add_key($_) foreach @users;

my $kills = BambiKills->new($bambi, @users);

foreach my $point (@points)
{
	foreach my $death (@deaths)
	{
		my $survives = BambiKills::courier_survives($point, $death);
		my $says = "$holder{$point} at $point, $death";

		ok($kills->die_at($point, $death), "$says: point was reached");
		is(join("\n", $kills->conclude($survives)),
			'',
			$survives ? "$says: all succeed, each charged once"
			: "$says: nothing is lost or charged twice");
	}
}
note "$kills->{kills} kills: " . $kills->states;

$bambi->quota_adds_up;

$bambi->stop;
done_testing();
