# Stripe's events, signed here by Digest::SHA alone: who is believed, what a
# subscription comes to in any order, and what eight deliveries at once do.
# Nothing of Stripe's is needed; its official package is in test/clients.

use strict;
use warnings;

use BambiCluster;
use Digest::SHA qw(hmac_sha256_hex);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my @secrets = ('whsec_first0first0first0first', 'whsec_second0second0second');
my $bambi = BambiCluster->start('stripe', conf => <<'CONF');
bambi.stripe_livemode = off
CONF
my $file = $bambi->node->basedir . '/stripe';
my $now = time;
my $day = 86400;
my %counted = (orders => 0, deliveries => 0, forgeries => 0);

sub keep
{
	my $mode = shift;

	unlink $file;
	append_to_file($file, join '', map { "$_\n" } @_);
	chmod $mode, $file;
	return;
}

# ---- one event as SQL

my $events = 0;
my $json = JSON::PP->new->canonical;

sub event
{
	my ($type, $created, $object, %more) = @_;

	$events++;
	return $json->encode({
		id => "evt_$events", object => 'event', type => $type,
		created => $created, livemode => JSON::PP::false,
		api_version => '2025-03-31.basil',
		data => { object => $object }, %more });
}

sub subscription
{
	my ($n, %with) = @_;

	return {
		id => "sub_$n", object => 'subscription', customer => "cus_$n",
		status => 'active', created => $now - 40 * $day, metadata => {},
		cancel_at_period_end => JSON::PP::false,
		items => { data => [ {
					price => { id => $with{price} // 'price_premium' },
					current_period_start => $now - 10 * $day,
					current_period_end => $now + 20 * $day } ] },
		%with };
}

sub header
{
	my ($body, %with) = @_;
	my $time = $with{time} // time;

	return "t=$time,v1="
	  . hmac_sha256_hex("$time.$body", $with{secret} // $secrets[0]);
}

sub call
{
	my ($body, $header) = @_;

	$counted{deliveries}++;
	$header //= header($body);
	return "SELECT bambi_stripe_webhook(\$e\$$body\$e\$, \$h\$$header\$h\$);";
}

# What came of it, or the error.
sub deliver
{
	my ($rows, $error);

	$bambi->node->psql('bambi', call(@_), stdout => \$rows,
		stderr => \$error);
	return $error =~ /ERROR: +(.*)/ ? $1 : $rows;
}

# ---- the secrets

my $refused = 'Stripe\'s signature is not valid';
my $unchecked = 'Stripe\'s events cannot be checked';
my $first = event('product.created', $now, { id => 'prod_1' });

is(deliver($first), $unchecked, 'without a secret nobody is believed');
keep(0600, @secrets);
$bambi->node->append_conf('postgresql.conf',
	"bambi.stripe_webhook_secret_file = '$file'");
$bambi->reload;
is(deliver($first), 'ignored', 'with one whoever has it');
is(deliver($first), 'duplicate', 'once');
is( deliver($first, header($first, secret => $secrets[1])),
	'duplicate', 'the second secret counts, too');
keep(0644, @secrets);
is(deliver($first), $unchecked, 'not if others may read the file');
like(slurp_file($bambi->node->logfile),
	qr/stripe_webhook_secret_file must have mode 0600 or 0400/,
	'the log says why');
keep(0600);
is(deliver($first), $unchecked, 'nor if it is empty');
is(deliver($first, header($first, secret => '')), $unchecked,
	'and nothing is signed by nothing');
keep(0400, $secrets[1]);
is(deliver($first), $refused, 'a secret that was taken out does not count');
keep(0600, @secrets);
unlike(slurp_file($bambi->node->logfile), qr/whsec_[a-z]/,
	'the log has no secret');

# ---- forgeries

my $body = event('customer.subscription.created', $now, subscription('x'));
my $made = time;
my $good = header($body, time => $made);
my ($hex) = $good =~ /v1=(\w+)/;
my %forged = (
	'another secret' => header($body, secret => "$secrets[0]x"),
	'an old time' => header($body, time => $made - 3000),
	'a time to come' => header($body, time => $made + 3000),
	'another time' => 't=' . ($made - 1) . ",v1=$hex",
	'two times' => 't=' . ($made - 1) . ",$good",
	'no time' => "v1=$hex",
	'no signature' => "t=$made",
	'nothing' => '',
	'v0' => "t=$made,v0=$hex",
	'capitals' => "t=$made,v1=" . uc $hex,
	'one digit less' => substr($good, 0, -1),
	'one digit more' => "${good}0",
	'another body' => header("$body "),
	'50 wrong ones' => "t=$made" . ",v1=" . join ',v1=', ('0' x 64) x 50,
	'much' => $good . ',v1=' . 'a' x 5000);

foreach my $what (sort keys %forged)
{
	is(deliver($body, $forged{$what}), $refused, "forged: $what");
	$counted{forgeries}++;
}
foreach my $at (grep { $_ % 29 == 0 } 0 .. length($body) - 1)
{
	(my $other = $body) =~ s/^(.{$at})(.)/$1 . ($2 eq 'a' ? 'b' : 'a')/se;
	$counted{forgeries}++;
	next if deliver($other, $good) eq $refused;
	fail("forged: byte $at");
}
is($bambi->sql('SELECT count(*) FROM bambi.stripe_events'), 1,
	'of a forgery nothing stays');
is(deliver($body, "t=$made,v1=" . '0' x 64 . ",v0=1,v1=$hex"),
	'applied', 'any of several signatures counts');

# ---- what is signed and makes no sense is noted, or it would come for days

my $deep = 100_000;
my $endless = $now * 1_000_000;
my $latest = 9_224_318_015_999;		# that timestamptz can hold
my %odd = (
	'deep nesting' => '[' x $deep . ']' x $deep,
	'deep nesting of an event' => event('customer.updated', $now, 0)
	  =~ s/"object":0/'"object":' . '[' x $deep . ']' x $deep/er,
	'a time that is none' => event('customer.subscription.updated', $now,
		subscription(0, cancel_at => $endless)),
	'a time that nothing can be added to' => event(
		'customer.subscription.updated', $now,
		subscription(0, current_period_start => $latest,
			current_period_end => $latest)));

foreach my $what (sort keys %odd)
{
	is(deliver($odd{$what}), 'failed', "noted: $what");
	is(deliver($odd{$what}), 'duplicate', 'once');
}

# ---- orders

$bambi->sql("INSERT INTO bambi.plans (plan_type, name, rank)
		VALUES ('basic', 'Basic', 5)",
	"INSERT INTO bambi.stripe_prices (price, plan_type)
		VALUES ('price_premium', 'premium'), ('price_basic', 'basic')");

my $places = 0;

sub user
{
	$places++;
	return sprintf '00000000-0000-7000-8000-%012d', $places;
}

sub permutations
{
	my @list = @_;

	return [] unless @list;
	return map {
		my $n = $_;
		my @rest = @list[ grep { $_ != $n } 0 .. $#list ];
		map { [ $list[$n], @$_ ] } permutations(@rest);
	} 0 .. $#list;
}

# Of each life the events, and what it comes to.
my %lives = (
	'a checkout in one second' => [
		sub {
			my ($n, $user) = @_;
			return (
				[ 'checkout.session.completed', 0,
					{ id => 'cs', customer => "cus_$n",
						subscription => "sub_$n",
						client_reference_id => $user } ],
				[ 'customer.subscription.created', 0,
					subscription($n, status => 'incomplete') ],
				[ 'customer.subscription.updated', 0, subscription($n) ],
				[ 'invoice.paid', 0,
					{ id => 'in', customer => "cus_$n",
						subscription => "sub_$n" } ]);
		},
		'premium|premium|active||paid' ],
	'a downgrade at the end of the period' => [
		sub {
			my ($n, $user) = @_;
			my @metadata = (metadata => { user_id => $user });
			return (
				[ 'customer.subscription.created', -9,
					subscription($n, price => 'price_basic', @metadata) ],
				[ 'customer.subscription.updated', -5,
					subscription($n, @metadata) ],
				[ 'customer.subscription.updated', -1,
					subscription($n, price => 'price_basic', @metadata) ],
				[ 'invoice.payment_failed', -9,
					{ id => 'in', customer => "cus_$n", parent =>
						  { subscription_details =>
							  { subscription => "sub_$n" } } } ]);
		},
		'premium|premium|active|basic|failed' ],
	'a payment that is missing, and an end' => [
		sub {
			my ($n, $user) = @_;
			my @metadata = (metadata => { user_id => $user });
			return (
				[ 'customer.subscription.created', -30,
					subscription($n, @metadata) ],
				[ 'customer.subscription.updated', -9,
					subscription($n, status => 'past_due', @metadata) ],
				[ 'customer.subscription.updated', -5,
					subscription($n, status => 'unpaid', @metadata) ],
				[ 'customer.subscription.deleted', -5,
					subscription($n, status => 'canceled', @metadata) ]);
		},
		'free|premium|canceled||' ]);

foreach my $what (sort keys %lives)
{
	my ($make, $end) = @{ $lives{$what} };
	my %order;
	my @statements;

	foreach my $order (permutations(0 .. 3))
	{
		my $user = user();
		my @life = $make->($places, $user);
		my @bodies = map { event($_->[0], $now + $_->[1] * $day, $_->[2]) }
		  @life;

		$order{$user} = "@$order";
		push @statements, "INSERT INTO bambi.users (id) VALUES ('$user');",
		  map { call($bodies[$_]) } @$order, 0, reverse @$order;
		$counted{orders}++;
	}
	$bambi->sql(join "\n", @statements);
	my @other = grep { (split /\|/, $_, 2)[1] ne $end } split /\n/,
	  $bambi->sql("SELECT a.user_id, a.plan_type, s.plan_type, s.status,
			s.next_plan_type, s.payment_status
		FROM bambi_account a JOIN bambi.subscriptions s USING (user_id)
		WHERE a.user_id IN ('" . join("','", keys %order) . "')");
	is(scalar @other, 0, "$what, in every order")
	  or diag(join "\n", map { "$order{substr $_, 0, 36}: $_" } @other);
}

# ---- at once

# Each in a session of its own, which waits at the gate until all are there.
sub deliver_at_once
{
	my @statements = @_;
	my $gate = $bambi->session('postgres');
	my (@runs, @output, @errors);

	$gate->query_safe('BEGIN; LOCK TABLE bambi.stripe_events');
	foreach my $n (0 .. $#statements)
	{
		push @runs, IPC::Run::start(
			[ 'psql', '-XAtq', '-d', $bambi->node->connstr('bambi'), '-c',
				$statements[$n] ],
			'>', \$output[$n], '2>', \$errors[$n]);
	}
	my $waiting = @statements;
	$bambi->poll("SELECT count(*) = $waiting FROM pg_locks
		WHERE relation = 'bambi.stripe_events'::regclass AND NOT granted");
	$gate->query_safe('COMMIT');
	$gate->quit;
	$_->finish foreach @runs;
	return map { $output[$_] . $errors[$_] } 0 .. $#statements;
}

my $user = user();
$bambi->sql("INSERT INTO bambi.users (id) VALUES ('$user')");
$body = event('customer.subscription.created', $now,
	subscription($places, metadata => { user_id => $user }));
is( join('', sort { $a cmp $b } deliver_at_once((call($body)) x 8)),
	"applied\n" . "duplicate\n" x 7,
	'of eight deliveries at once one is applied');

# the link in one, all that is linked in the others
foreach my $round (1 .. 4)
{
	my $user = user();
	my $n = $places;

	my @given = deliver_at_once(
		call(event('checkout.session.completed', $now,
				{ id => 'cs', customer => "cus_$n",
					client_reference_id => $user })),
		call(event('customer.subscription.created', $now - 1,
				subscription($n, status => 'incomplete'))),
		call(event('customer.subscription.updated', $now,
				subscription($n))),
		call(event('invoice.paid', $now,
				{ id => 'in', customer => "cus_$n",
					subscription => "sub_$n" })),
		"INSERT INTO bambi.users (id) SELECT '$user'
			FROM (SELECT count(*) FROM bambi.stripe_events) e");
	is(join('', @given), "applied\n" x 4, "round $round: all are applied");
	is( $bambi->sql("SELECT a.plan_type, s.payment_status
			FROM bambi_account a JOIN bambi.subscriptions s USING (user_id)
			WHERE a.user_id = '$user'"),
		'premium|paid', "round $round: and the user has it all");
}

# ---- the order of plans

$user = user();
$bambi->sql("INSERT INTO bambi.users (id) VALUES ('$user')");
deliver(event('customer.subscription.created', $now - 5 * $day,
		subscription($places, metadata => { user_id => $user })));
deliver(event('customer.subscription.updated', $now - $day,
		subscription($places, metadata => { user_id => $user },
			price => 'price_basic')));

sub plan_is
{
	my ($plan, $next, $says) = @_;

	return is(
		$bambi->sql("SELECT plan_type, next_plan_type FROM bambi.subscriptions
			WHERE user_id = '$user'"), "$plan|$next", $says);
}

plan_is('premium', 'basic', 'a lower plan waits for the end of the period');
$bambi->sql("UPDATE bambi.plans SET rank = 50 WHERE plan_type = 'basic'");
plan_is('basic', '', 'and not any more when it is the higher one');
$bambi->sql("UPDATE bambi.plans SET rank = 5 WHERE plan_type = 'basic'");
plan_is('premium', 'basic', 'and the other way round');
$bambi->sql("SET ROLE bambi_admin;
	UPDATE bambi.plans SET rank = 50 WHERE plan_type = 'basic'");
plan_is('basic', '', 'also when an operator says it');

note("counted: $counted{orders} orders of events, $counted{deliveries} "
	  . "deliveries, $counted{forgeries} forgeries");
$bambi->stop;
done_testing();
