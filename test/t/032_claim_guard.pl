# An answer is settled only for the claim that it belongs to: once the
# generation is claimed anew, by the number of its claim or by who claimed it,
# an old answer changes nothing.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('claim_guard');
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');

my %changes = (
	'another number' => 'attempt = attempt + 1',
	'another claimer' => 'claimed_by = gen_random_uuid()');
my %answers = (
	'a picture' => '',
	'a refusal' => '[[mock fault=openai-400-bad_request]]',
	'a retry' => '[[mock fault=openai-429-no-retry-hint]]',
	'nothing' => '[[mock reset=after]]');

foreach my $answer (sort keys %answers)
{
	foreach my $change (sort keys %changes)
	{
		my $says = "$answer for a claim with $change";

		$bambi->hold('outcome-received');
		my $id = $bambi->generate('alice', "$answers{$answer} $says");
		$bambi->wait_held('outcome-received');
		$bambi->sql("UPDATE bambi_internal.queue SET $changes{$change}
			WHERE id = '$id'");
		$bambi->release('outcome-received');

		# the worker goes on: the next one comes after the answer
		my $next = $bambi->generate('alice', 'a fawn that comes next');
		$bambi->wait_for_status($next, 'succeeded',
			"$says: the worker goes on");
		is($bambi->status_of($id), 'queued', "$says: nothing is settled");
		is( $bambi->sql("SELECT (SELECT count(*) FROM bambi.images
					WHERE generation_id = '$id') +
				(SELECT count(*) FROM bambi.usage_events
					WHERE generation_id = '$id')"),
			0, "$says: nothing is stored or booked");
		is( $bambi->sql("SELECT claimed_by IS NOT NULL
				FROM bambi_internal.queue WHERE id = '$id'"),
			't', "$says: the new claim stands");
		$bambi->sql("DELETE FROM bambi_internal.queue WHERE id = '$id'");
	}
}

$bambi->stop;
done_testing();
