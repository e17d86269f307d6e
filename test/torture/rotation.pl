# KEYS stored keys (100,000 by default) are sealed to a new master key while
# generations run, with kill -9 of worker, courier and sessions in between, 20
# times; then once more without, which opens each of them.  With fewer than
# 100,000 there are fewer kills.
#
# Ends with "N failed opens, N lost", and fails unless both are 0.

use strict;
use warnings;

use BambiCluster;
use BambiRotation;
use List::Util qw(max min);
use Test::More;
use Time::HiRes qw(time);

my $keys = $ENV{KEYS} || 100_000;
my $kills = max(4, min(20, int($keys / 5000)));

# compiling the count of keys takes longer than counting
my $bambi = BambiCluster->start('rotation', conf => "jit = off\n");
my $begin = time;
my $rotation = BambiRotation->new($bambi, keys => $keys);
note sprintf '%d keys stored in %d s', $keys, time - $begin;

$begin = time;
my $first = $bambi->sql(
	'SELECT kid FROM bambi.encryption_keys WHERE is_current');
$rotation->new_master_key;
$rotation->kill_until_done($kills);
ok($rotation->settle, 'all generations end');
note sprintf '%d keys sealed anew in %d s, with %d kills', $keys,
  time - $begin, $kills;
is($rotation->failed_opens, 0, 'no generation failed to open its key');

$begin = time;
$rotation->new_master_key;
$bambi->poll('SELECT sum(keys_behind) = 0 FROM bambi_key_rotation')
  for 1 .. 10;
is($rotation->behind, 0,
	sprintf 'all of them open, and are sealed once more in %d s',
	time - $begin);
my $unreadable = $bambi->sql(
	'SELECT count(*) FROM bambi_internal.unreadable_keys');
is($unreadable, 0, 'none does not');
$bambi->sql("SELECT bambi_retire_key('$first')");

# a sample, by the provider's ledger
my @runs = map { $rotation->generate_some($_,
		"('x' || right(id::text, 7))::bit(28)::int % greatest(1, $keys / 2000) = 0")
} @{ $rotation->{users} };
$_->finish foreach @runs;
ok($rotation->settle, 'a sample of them generates');
my $failed = $rotation->failed_opens + $unreadable;
my $lost = $rotation->lost;
is($lost, 0, 'each with its own key: ' . $bambi->sql("SELECT count(*)
	FROM bambi.image_generations WHERE status = 'succeeded'") . ' pictures');
is($failed, 0, 'and all open');
note "counted: $keys keys sealed anew twice, $kills kills, "
  . "$failed failed opens, $lost lost";

$bambi->stop;
done_testing();
print { Test::More->builder->output } "$failed failed opens, $lost lost\n";
