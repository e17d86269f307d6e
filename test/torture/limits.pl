# Random limits of calls in flight, of users, keys and providers together, in
# ROUNDS rounds of 400 generations: at no time do more run than each allows, by
# the provider's own account, and all succeed.  SEED repeats a run.

use strict;
use warnings;

use BambiCluster;
use BambiQueue;
use Test::More;

my $rounds = $ENV{ROUNDS} || 2;
my $seed = $ENV{SEED} || time;
my $bambi = BambiCluster->start('random_limits');
my $queue = BambiQueue->new($bambi);

$bambi->point_to_mock('xai');
$queue->set_places(20);
srand $seed;
note("SEED=$seed");

# What ran at a time, at the most, by the mock's own account: of each user, key
# and provider.
sub peaks
{
	my ($from) = @_;
	my @calls = $bambi->ledger;
	my @names = $queue->served;
	my (%running, %peak);

	foreach my $event ($bambi->flights)
	{
		my $number = abs $event;
		next if $number <= $from;
		my $call = $calls[ $number - 1 ];
		my $user = $names[ $number - 1 ];

		foreach my $party ($user, "$user $call->{provider}", $call->{provider})
		{
			$running{$party} += $event > 0 ? 1 : -1;
			$peak{$party} = $running{$party}
			  if $running{$party} > ($peak{$party} // 0);
		}
	}
	return \%peak;
}

sub random_limit { return rand() < 0.3 ? undef : 1 + int rand $_[0] }

my ($generations, $tight) = (0, 0);
foreach my $round (1 .. $rounds)
{
	my %limit;

	$queue->clear;
	foreach my $slug (qw(openai xai))
	{
		my $per_key = random_limit(6);

		$limit{$slug} = random_limit(12);
		$bambi->sql('UPDATE bambi.api_providers SET max_in_flight = '
			  . ($limit{$slug} // 'NULL') . ', max_in_flight_per_key = '
			  . ($per_key // 'NULL') . " WHERE slug = '$slug'");
		foreach my $n (1 .. 5)
		{
			my $name = "r${round}_$n";

			if ($slug eq 'openai')
			{
				$limit{$name} = random_limit(8);
				$queue->add_user($name, max_in_flight => $limit{$name},
					weight => 1 + int rand 4);
			}
			else
			{
				$queue->add_key($name, 'xai', "xai-test-$name");
			}
			$limit{"$name $slug"} = random_limit(4);
			$queue->as($name, "SELECT bambi_set_key_limit('"
				  . $queue->key($name, $slug) . "', "
				  . ($limit{"$name $slug"} // 'NULL') . ')');
			$limit{"$name $slug"} //= $per_key;
		}
	}
	my $from = $queue->served_count;
	$queue->resume;
	my @users = map { "r${round}_$_" } 1 .. 5;
	foreach my $part (1 .. 4)
	{
		foreach my $name (sort { rand() <=> 0.5 } @users)
		{
			my $ms = int rand 15;

			$queue->add($name, 12, "[[mock delay=$ms]] fawn $part");
			$queue->add($name, 8, "[[mock delay=$ms]] doe $part",
				'xai/grok-imagine-image');
		}
	}
	$bambi->poll("SELECT count(*) = 400 AND count(*) FILTER (
			WHERE status = 'succeeded') = 400
		FROM bambi.image_generations");
	is($bambi->sql("SELECT count(*) FROM bambi.image_generations
			WHERE status = 'succeeded'"), 400,
		"round $round: all succeed");
	my $peak = peaks($from);
	my @above = map { "$_ had $peak->{$_} of $limit{$_}" }
	  grep { defined $limit{$_} && ($peak->{$_} // 0) > $limit{$_} }
	  sort keys %limit;

	ok(!@above, 'and at no time more than a limit allows run')
	  or diag(join "\n", @above);
	$tight += grep { defined $limit{$_} && ($peak->{$_} // 0) == $limit{$_} }
	  keys %limit;
	$generations += 400;
}
cmp_ok($tight, '>=', $rounds, 'limits are reached, too');
note("counted: $generations generations under random limits, $tight limits "
	  . 'reached, none passed');

$bambi->stop('immediate');
done_testing();
