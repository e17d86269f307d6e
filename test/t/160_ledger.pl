# Each call that the provider may bill, and each check of a key, is one usage
# event, however the call ends and whoever dies or decides over it; and what
# costs nothing is none.  The provider's ledger is the judge.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $bambi = BambiCluster->start('ledger');
my $picture = $bambi->bytea($bambi->drawn({}));
$bambi->sign_up($_) foreach qw(alice bob carol);
$bambi->lift_quota;

# ---- ends of a call; what is uncertain is decided in three ways below

my @fates = (
	'',
	'[[mock fault=openai-429-no-retry-hint times=1]]',
	'[[mock fault=openai-503-overloaded times=1]]',
	'[[mock fault=openai-400-bad_request]]',
	'[[mock block=violence]]',
	'[[mock block=violence charged=yes]]',
	'[[mock bad=json]]',
	'[[mock bad=base64]]',
	'[[mock bad=not-a-picture]]',
	'[[mock bad=deep]]',
	'[[mock bad=empty-200]]');
my @uncertain = (
	'[[mock fault=openai-500-server_error times=1]]',
	'[[mock reset=after times=1]]',
	'[[mock reset=body times=1]]',
	'[[mock bad=truncated times=1]]',
	'[[mock bad=garbage times=1]]');
my @checked = map { $bambi->add_key($_) } qw(alice bob);
$bambi->checked($_) foreach @checked;
my ($id, @ids);

push @ids, map { $bambi->generate('alice', "$_ a fawn") } @fates, @uncertain;
push @ids, map { $bambi->generate('bob', "$_ for a retry") } @uncertain;
push @ids, map { $bambi->generate('bob', "$_ for the calendar") } @uncertain;
push @ids,
  map { $bambi->edit('alice', "$_ in snow", images => [$picture]) }
  @fates[ 0, 3 ], $uncertain[1];

sub settled
{
	return $bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)')
	  && $_[0];
}

# In the order of the calls: prompts of those that are uncertain.
sub uncertain
{
	my ($name, $like) = @_;

	return split /\n/, $bambi->sql("SELECT id FROM bambi.image_generations
		WHERE status = 'uncertain' AND prompt LIKE '%$like'
			AND user_id = '$bambi->{user}{$name}'");
}

ok(settled(1), 'all calls end');
my @for_retry = uncertain('bob', 'for a retry');
my @for_calendar = uncertain('bob', 'for the calendar');
my @for_cancel = (uncertain('alice', 'a fawn'), uncertain('alice', 'in snow'));
is_deeply(
	[ scalar @for_retry, scalar @for_calendar, scalar @for_cancel ],
	[ 5, 5, 6 ], 'as many are uncertain as should be');
is($bambi->sql("SELECT count(*) FROM bambi.usage_events e
		JOIN bambi.image_generations g ON g.id = e.generation_id
		WHERE g.status = 'uncertain'"),
	0, 'and not booked before that ends');

$bambi->sql_as('alice', "SELECT bambi_cancel('$_')") foreach @for_cancel;
$bambi->sql_as('bob', "SELECT bambi_retry('$_')") foreach @for_retry;
$bambi->sql("UPDATE bambi.image_generations
	SET finished_at = now() - interval '25 hours'
	WHERE id = ANY ('{" . join(',', @for_calendar) . "}')");
is($bambi->sql('SELECT bambi_maintain()'), 5,
	'bambi_maintain() writes off what nobody decided on');
is($bambi->sql('SELECT bambi_maintain()'), 0, 'once');
ok(settled(1), 'those that are tried again end');
is(scalar(grep { $bambi->status_of($_) eq 'succeeded' } @for_retry),
	5, 'well');

# ---- the courier dies, twice over the same one, which is held then

foreach my $decision ('bambi_retry', 'bambi_cancel')
{
	$id = $bambi->generate('alice',
		"[[mock hold times=2]] deadly before $decision");
	foreach my $death (1, 2)
	{
		$bambi->wait_in_flight(1);
		$bambi->kill9($bambi->courier_pid);
		$bambi->wait_in_flight(0);
		$bambi->wait_for_status($id, $death == 1 ? 'uncertain' : 'held',
			"death $death");
		$bambi->sql_as('alice', "SELECT bambi_retry('$id')") if $death == 1;
	}
	$bambi->sql_as('alice', "SELECT $decision('$id')");
}
ok(settled(1), 'these end, too');

# ---- the ledger against the events

my (%billed, %sent, %events, @wrong);

foreach my $call ($bambi->ledger)
{
	my $attempt = "$call->{generation}.$call->{attempt}";

	$sent{$attempt}++;
	$billed{$attempt}++ if $call->{charged};
}
foreach my $line (split /\n/, $bambi->sql(
		"SELECT generation_id || '.' || attempt, charged, count(*)
		  FROM bambi.usage_events WHERE request_type <> 'validate'
		 GROUP BY 1, 2"))
{
	my ($attempt, $charged, $count) = split /\|/, $line;

	push @wrong, "$attempt has two kinds of events" if $events{$attempt};
	push @wrong, "$attempt has $count events" if $count != 1;
	push @wrong, "$attempt was never sent" if !$sent{$attempt};
	push @wrong, "$attempt was not billed"
	  if $charged eq 'yes' && !$billed{$attempt};
	$events{$attempt} = $charged;
}
push @wrong, map { "$_ was billed and has no event" }
  grep { !$events{$_} } sort keys %billed;
is(join("\n", @wrong), '', 'each call that was billed is one event');
is_deeply([ grep { $events{$_} && !$billed{$_} && $events{$_} ne 'unknown' }
		keys %sent ], [], 'what was not is none, or marked');
cmp_ok(scalar(keys %billed), '>=', 30, 'of many');
cmp_ok(scalar(grep { !$events{$_} } keys %sent), '>=', 4,
	'and of some that cost nothing there is none');
is($bambi->sql('SELECT count(*) FROM bambi.usage_events
		WHERE cost IS NULL'), 0, 'of each is known what it may have cost');
is($bambi->sql("SELECT count(*) FROM bambi.usage_events e
		JOIN bambi.image_generations g ON g.id = e.generation_id
		WHERE (e.request_type = 'edit') <> (g.prompt LIKE '%in snow')"),
	0, 'edits are told from generations');

# ---- checks of keys

push @checked, $bambi->add_key('carol', 'sk-invalid-carol');
$bambi->sql_as('bob', "SELECT bambi_validate_key('$checked[1]')");
$bambi->checked($_) foreach @checked;
my $checks = $bambi->mock_stats->{key_checks};
is($checks, 4, 'the provider was asked about keys');
is( $bambi->sql("SELECT count(*), sum(cost), count(model_id)
		FROM bambi.usage_events WHERE request_type = 'validate'"),
	"$checks|0.000000|0", 'each time is an event that costs nothing');

# keys of which nothing was heard for long
is($bambi->sql('SELECT bambi_revalidate_keys()'), 0, 'nothing is due');
$bambi->sql("UPDATE bambi.api_configurations
	SET last_validated_at = now() - interval '30 days'");
is($bambi->sql('SELECT bambi_revalidate_keys()'),
	2, 'bambi_revalidate_keys() has those checked that may be good');
$bambi->checked($_) foreach @checked;
is($bambi->mock_stats->{key_checks}, $checks + 2, 'the provider is asked');
is( $bambi->sql("SELECT count(*) FROM bambi.usage_events
		WHERE request_type = 'validate'"),
	$checks + 2, 'and it is booked');

note sprintf
  'counted: %d calls, %d of them billed, %d events, %d checks of keys',
  scalar(keys %sent), scalar(keys %billed), scalar(keys %events), $checks + 2;

$bambi->stop;
done_testing();
