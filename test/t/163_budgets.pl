# A budget for so many requests bears exactly so many, however many clients ask
# at once; what it says is spent is what the provider has charged, to the tick;
# and what fails, or may have failed, is as free or as dear as it should be.

use strict;
use warnings;

use BambiCluster;
use Test::More;

use constant CLIENTS => 8;
use constant TRIES => 8;
use constant TICKS_PER_USD => 10_000_000_000;

my $bambi = BambiCluster->start('budgets');
$bambi->lift_quota;
$bambi->point_to_mock('xai');
my $model = 'xai/grok-imagine-image-2.0';

# Of a known price, which is what the answer says: four cents a picture.
my $four_cents = '{"quality": "low", "resolution": "1k"}';

sub user
{
	my ($name) = @_;

	$bambi->sign_up($name);
	$bambi->add_key($name, undef, 'xai');
	return;
}

sub ask
{
	my ($name, $prompt, $n) = @_;

	return $bambi->generate($name, $prompt, $model,
		$four_cents =~ s/\}/, "n": @{[ $n \/\/ 1 ]}}/r);
}

# Columns of a user's only budget.
sub budget
{
	my ($name, $columns) = @_;

	return $bambi->sql_as($name, "SELECT $columns FROM bambi_budgets");
}

# One that does not begin anew, should a month end meanwhile.
sub set_budget
{
	my ($name, $amount, $more) = @_;

	$bambi->sql_as($name, "SELECT bambi_set_budget($amount, 'USD', 'total'"
		  . ($more // '') . ')');
	return;
}

# Until nothing of a user's is pending.
sub settled
{
	my ($name) = @_;

	return $bambi->poll("SELECT NOT EXISTS (SELECT FROM bambi_internal.queue q
		JOIN bambi.users u ON u.id = q.user_id
		WHERE u.email = '$name\@example.com')");
}

# Dollars with six places of an integer number of ticks.
sub dollars
{
	my ($ticks) = @_;

	return sprintf '%d.%06d', $ticks / TICKS_PER_USD,
	  $ticks % TICKS_PER_USD / 10_000;
}

# ---- many clients at once

my %asked = (winner => 0, loser => 0);

# Everybody asks TRIES times; returns how many were queued.
sub race
{
	my ($name, $fits) = @_;
	my @clients = map { { number => $_, ids => '', errors => '' } }
	  1 .. CLIENTS;

	foreach my $client (@clients)
	{
		my @prompts = map { "$name $client->{number}.$_" } 1 .. TRIES;
		$client->{run} = $bambi->generate_in_background($name, \@prompts,
			\$client->{ids}, \$client->{errors}, $model, $four_cents);
	}
	$_->{run}->finish foreach @clients;

	my @ids = map { split /\n/, $_->{ids} } @clients;
	my @errors = map { grep { /^ERROR/ } split /\n/, $_->{errors} } @clients;
	$asked{winner} += @ids;
	$asked{loser} += @errors;
	is(scalar @ids, $fits, "$name: exactly as many as fit are queued");
	is(scalar(grep { $_ eq 'ERROR:  the budget is used up' } @errors),
		CLIENTS * TRIES - $fits, "$name: all others are refused for it");
	ok(settled($name), "$name: they end");
	is(budget($name, 'spent, reserved, amount_left'),
		join('|', sprintf('%.6f', $fits * 0.04), '0.000000', '0.000000'),
		"$name: to the last cent");
	return;
}

user('of_user');
set_budget('of_user', 0.92);
race('of_user', 23);

user('of_key');
set_budget('of_key', 1.00, ', (SELECT id FROM bambi_configurations)');
race('of_key', 25);

user('of_plan');
$bambi->sql("UPDATE bambi.plans SET budget = 0.68 WHERE plan_type = 'free'");
race('of_plan', 17);
$bambi->sql("UPDATE bambi.plans SET budget = NULL WHERE plan_type = 'free'");

# ---- what is spent is what the provider charges

user('ada');
set_budget('ada', 100);
my $before = $bambi->ledger;
my ($count, $charged) = (0, 0);

# What the provider has charged since.
sub bill
{
	my ($ticks, $calls) = (0, 0);

	foreach my $call ($bambi->ledger_since($before))
	{
		$ticks += $call->{ticks} if $call->{charged};
		$calls += $call->{charged} ? 1 : 0;
	}
	$charged = $calls;
	return dollars($ticks);
}

my @plain = map { ask('ada', "picture $_", $_ % 3 + 1) } 1 .. 9;
my @moderated = map { ask('ada', "[[mock block=$_]] x", 2) }
  qw(output flag empty);
my @refused = map { ask('ada', "[[mock block=prompt]] $_") } 1 .. 3;
my @failed = map { ask('ada', "[[mock fault=xai-422-enum]] $_") } 1 .. 3;
my @again = map { ask('ada', "[[mock fault=xai-429-rate times=1]] $_") } 1 .. 3;
ok(settled('ada'), 'all of them end');
is_deeply(
	[ map { $bambi->status_of($_) } @moderated, @refused, @failed ],
	[ ('failed') x 9 ], 'some badly');
is_deeply([ map { $bambi->status_of($_) } @plain, @again ],
	[ ('succeeded') x 12 ], 'and some well');
is(budget('ada', 'spent'), bill(), 'spent is what the provider charged');
is($charged, 15, 'also for what its moderation took back');
is(budget('ada', 'reserved'), '0.000000', 'what has ended reserves nothing');

my @uncertain = map { ask('ada', "[[mock reset=after]] $_", 2) } 1 .. 2;
ok(settled('ada'), 'lost answers end');
is(budget('ada', 'reserved'), '0.160000', 'and keep what they may have cost');
is($bambi->sql_as('ada', "SELECT bambi_cancel('$uncertain[0]')"), 'failed',
	'one is given up');
is(budget('ada', 'reserved'), '0.080000', 'and does not reserve any more');
is($bambi->sql_as('ada', "SELECT bambi_retry('$uncertain[1]') IS NOT NULL"),
	't', 'one is tried again');
ok(settled('ada'), 'and is lost again');
is($bambi->sql_as('ada', "SELECT bambi_cancel('$uncertain[1]')"), 'failed',
	'and given up, too');
is(budget('ada', 'spent, reserved'), bill() . '|0.000000',
	'all that was charged is spent');

# ---- exactly

user('exact');
set_budget('exact', 100);
$before = $bambi->ledger;
my @ticks = (1_234_560_000, 1_000_000_000, 2_000_000_000, 7_000_000_000,
	(1_000_000_000) x 7, 10_000, 1_999_990_000);
my @ids = map { ask('exact', "[[mock ticks=$ticks[$_]]] $_") } 0 .. $#ticks;
ok(settled('exact'), 'costs of any number of places');
is_deeply(
	[ map { $bambi->column_of($_, 'cost, cost_source') } @ids ],
	[ map { dollars($_) . '|provider' } @ticks ], 'are booked to the last');
is($bambi->column_of($ids[0], 'cost'), '0.123456', 'as this one');
is($bambi->sql("SELECT sum(cost) FROM bambi.usage_events
	WHERE generation_id IN ('$ids[1]', '$ids[2]')"),
	'0.300000', 'a tenth and two make three');
is(budget('exact', 'spent'), '2.023456', 'and all of them what they should');
is(budget('exact', 'spent'), bill(), 'as the provider says');
is($bambi->sql_as('exact', "SELECT sum((to_jsonb(g) ->> 'cost')::numeric)
	FROM bambi_generations g"), '2.023456', 'also as JSON');

# 2.1 less 2.023456, to the last millionth
set_budget('exact', 2.1);
is(budget('exact', 'amount_left'), '0.076544', 'what is left is exact');
set_budget('exact', 2.063456);
ok(ask('exact', '[[mock ticks=400000000]] the last'),
	'what just fits is queued');
ok(settled('exact'), 'and ends');
is(budget('exact', 'amount_left'), '0.000000', 'and leaves nothing');
set_budget('exact', 2.103455);
my ($status, $rows, $error) = $bambi->try_as('exact',
	"SELECT bambi_generate('x', '$model', '$four_cents')");
like($error, qr/the budget is used up/, 'what lacks a millionth is refused');
like($error, qr/2\.103455 USD in all: 2\.063456 are spent and 0\.040000/,
	'with the numbers');
my $dear = 30_000_000_000;
set_budget('exact', 3);
ok(ask('exact', "[[mock ticks=$dear]] dear"), 'what turns out dearer');
ok(settled('exact'), 'is paid');
is(budget('exact', 'spent, amount_left'), '5.063456|0.000000',
	'and overdraws the budget');

note sprintf 'counted: %d queued and %d refused by budgets in races, %s USD',
  $asked{winner}, $asked{loser},
  $bambi->sql('SELECT sum(cost) FROM bambi.usage_events');

$bambi->stop;
done_testing();
