# BambiQuota.pm
#	Random sequences of all that happens to a quota, against a plain model of
#	what must come of them.
#
#	my $quota = BambiQuota->new($bambi);
#	my @wrong = $quota->sequences(300, steps => 12);
#
# Time stands still in the model, in days, and is moved by moving all dates of
# a user: a period ends at the beginning of a day, and it is always noon.

package BambiQuota;

use strict;
use warnings;

use IPC::Run;
use List::Util qw(max min shuffle);
use POSIX qw(floor);

use BambiQuotaModel;

my $parameters = '{"quality": "low", "size": "1024x1024"}';

# What becomes of a call, as the mock is told.
my %prompt = (
	succeeds => 'a fawn',
	fails => '[[mock fault=openai-400-bad_request]] a fawn',
	refused => '[[mock fault=openai-400-moderation_blocked]] a fawn',
	uncertain => '[[mock reset=after]] a fawn');
my %ends = (
	succeeds => 'succeeded',
	fails => 'failed',
	refused => 'failed',
	uncertain => 'uncertain');

# Operations of a step and how often they are drawn.
my %weight = (
	reserve => 30, once => 6, repeat => 12, rollback => 6, settle => 24,
	cancel => 8, retry => 10, advance => 14, subscribe => 6, change => 8,
	downgrade => 6, ends => 3, lose => 3, renew => 25, past_due => 4,
	paid => 6);
my @draw = map { ($_) x $weight{$_} } sort keys %weight;

# Where a worker dies.
my @worker_points = qw(claim-before-commit claim-committed
  settle-before-commit settle-committed);

sub new
{
	my ($class, $bambi) = @_;
	my $self = bless { bambi => $bambi, number => 0, counts => {} }, $class;

	$bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)') or die 'there is no sealing key';
	$bambi->sql('CREATE SCHEMA quota_test', functions());
	$bambi->sql("INSERT INTO bambi.plans (plan_type, name, period,
			generations_per_period, rank)
		VALUES ('silver', 'Silver', '10 days', 5, 1),
			('gold', 'Gold', '5 days', 8, 2)");
	$bambi->sql("UPDATE bambi.plans SET period = '10 days',
			generations_per_period = 3, generations_per_minute = NULL
		WHERE plan_type = 'free'");
	return $self;
}

# As a user each; what is queued stays there until it is told to go.
sub functions
{
	return q{
CREATE FUNCTION quota_test.hold(id uuid) RETURNS text LANGUAGE sql AS $$
	UPDATE bambi_internal.queue SET not_before = now() + interval '1 day'
	 WHERE id = $1
	RETURNING id::text
$$;
CREATE FUNCTION quota_test.add_key(whose uuid) RETURNS uuid
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('bambi.user_id', whose::text, false);
	RETURN bambi_add_key('openai', 'sk-test-' || whose);
END
$$;
CREATE FUNCTION quota_test.try(whose uuid, prompt text, model text,
	parameters jsonb, key text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('bambi.user_id', whose::text, false);
	RETURN quota_test.hold(bambi_generate(prompt, model, parameters,
		idempotency_key => key));
EXCEPTION WHEN SQLSTATE 'PT402' OR SQLSTATE 'PT429' THEN
	RETURN SQLSTATE;
END
$$;
CREATE FUNCTION quota_test.cancel(whose uuid, id uuid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('bambi.user_id', whose::text, false);
	RETURN bambi_cancel(id);
END
$$;
CREATE FUNCTION quota_test.retry(whose uuid, id uuid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('bambi.user_id', whose::text, false);
	RETURN quota_test.hold(bambi_retry(id));
EXCEPTION WHEN SQLSTATE 'PT402' THEN
	RETURN SQLSTATE;
END
$$;
CREATE FUNCTION quota_test.advance(whose uuid, days integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	past interval := make_interval(hours => 24 * days);
BEGIN
	UPDATE bambi.users
	   SET reset_date = reset_date - past, period_start = period_start - past
	 WHERE id = whose;
	UPDATE bambi.subscriptions
	   SET current_period_start = current_period_start - past,
		   current_period_end = current_period_end - past,
		   past_due_since = past_due_since - past
	 WHERE user_id = whose;
	UPDATE bambi.image_generations SET quota_period = quota_period - past
	 WHERE user_id = whose;
	RETURN 'done';
END
$$;
CREATE FUNCTION quota_test.bill(whose uuid, plan text, state text,
	starts timestamptz, ends timestamptz, next text, is_over boolean,
	due timestamptz) RETURNS text LANGUAGE sql AS $$
	INSERT INTO bambi.subscriptions AS s (user_id, plan_type, status,
		   current_period_start, current_period_end, next_plan_type,
		   cancel_at_period_end, past_due_since)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id) DO UPDATE
	   SET (plan_type, status, current_period_start, current_period_end,
			next_plan_type, cancel_at_period_end, past_due_since)
		 = (excluded.plan_type, excluded.status,
			excluded.current_period_start, excluded.current_period_end,
			excluded.next_plan_type, excluded.cancel_at_period_end,
			excluded.past_due_since)
	RETURNING 'done'
$$};
}

sub sql { my ($self, @statements) = @_; return $self->{bambi}->sql(@statements) }

# Users of one try, made for it; the number of the first.
sub make_users
{
	my ($self, $count, $reset) = @_;
	my $first = $self->{number} + 1;

	$self->{number} += $count;
	$self->sql("INSERT INTO bambi.users (id, email, reset_date)
		SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
			'user' || n || '\@quota.example', $reset
		FROM generate_series($first, $self->{number}) n");
	return $first;
}

# ---- sequences

# In batches, in each of which all users take a step before the next: so the
# worker has company, and a crash hits many of them.  Says what is wrong.
sub sequences
{
	my ($self, $count, %with) = @_;
	my @wrong;

	$self->sql("UPDATE bambi.plans SET generations_per_period = 3,
		generations_per_minute = NULL WHERE plan_type = 'free'");
	while ($count > 0 && @wrong < 20)
	{
		my $size = min($count, $with{batch} // 250);

		$count -= $size;
		push @wrong, $self->batch($size, $with{steps});
	}
	return @wrong;
}

sub batch
{
	my ($self, $size, $steps) = @_;
	my %crash;
	my @wrong;

	$self->{noon} = $self->sql('SELECT now()');
	$self->{models} = [ $self->make_models($size) ];
	@crash{ (shuffle 2 .. $steps)[ 0, 1 ] } = qw(backend worker);
	foreach my $step (1 .. $steps)
	{
		my $crash = $crash{$step} // '';

		$self->crash_backends if $crash eq 'backend';
		$self->step($crash eq 'worker');
		push @wrong, map { "step $step: $_" } $self->compare;
		last if @wrong;
	}
	$self->{counts}{sequences} += $size;
	$self->sql('DELETE FROM bambi_internal.queue');
	return @wrong;
}

# Most have signed up at the beginning of day 0; some have never asked.
sub make_models
{
	my ($self, $size) = @_;
	my $first = $self->make_users($size, "CASE WHEN n % 10 > 0
		THEN '$self->{noon}'::timestamptz + interval '228 hours' END");

	# so that the provider is not asked about each
	$self->sql(
		"UPDATE bambi.api_providers SET needs_key = false
			WHERE slug = 'openai'",
		"SELECT count(quota_test.add_key(id)) FROM bambi.users
			WHERE id >= '" . id_of({ number => $first }) . "'
				AND email LIKE '%\@quota.example'",
		"UPDATE bambi.api_providers SET needs_key = true
			WHERE slug = 'openai'");

	return map {
		BambiQuotaModel->new($_, $_ % 10 ? 10 : undef)
	} $first .. $first + $size - 1;
}

sub id_of { return sprintf '00000000-0000-7000-8000-%012d', $_[0]{number} }

# The beginning of a day as a time of the database, where it is the user's day.
sub date
{
	my ($self, $model, $day) = @_;

	return 'NULL' unless defined $day;
	return sprintf q{('%s'::timestamptz + interval '%d hours')},
	  $self->{noon}, ($day - $model->{day}) * 24 - 12;
}

sub step
{
	my ($self, $with_death) = @_;
	my $bambi = $self->{bambi};
	my (@script, %told, @settling);

	foreach my $model (shuffle @{ $self->{models} })
	{
		my ($operation, $statement, $tell) = $self->draw($model);

		$self->{counts}{$operation}++;
		push @script, $statement;
		$told{ $model->{number} } = $tell;
		push @settling, @{ $model->{settling} } if $operation eq 'settle';
	}
	my $point = $with_death ? $worker_points[ rand @worker_points ] : '';

	$bambi->hold($point) if $point && @settling;
	foreach my $line (split /\n/, $self->sql(join ";\n", @script, ''))
	{
		my ($number, $answer) = split /\|/, $line;
		my $tell = delete $told{$number};

		$self->{counts}{refused}++ if $answer eq 'PT402';
		$tell->($answer) if $tell;
	}
	$_->('') foreach grep { $_ } values %told;
	$self->settle(\@settling, $point) if @settling;
	return;
}

# An operation that this user can do now: its name, an SQL statement that gives
# "number|answer", and what the model is told of the answer.
sub draw
{
	my ($self, $model) = @_;

	while (1)
	{
		my $operation = $draw[ rand @draw ];
		my $do = $self->can("do_$operation");
		my ($statement, $tell) = $do->($self, $model);

		return ($operation, $statement, $tell) if defined $statement;
	}
}

sub call
{
	my ($model, $function, @arguments) = @_;

	return sprintf "SELECT %d, quota_test.%s('%s', %s)", $model->{number},
	  $function, id_of($model), join(', ', @arguments);
}

sub try
{
	my ($model, $fate, $key) = @_;

	return call($model, 'try', "'$prompt{$fate}'", "'openai/gpt-image-2'",
		"'$parameters'", defined $key ? "'$key'" : 'NULL');
}

sub any { my (@choices) = @_; return $choices[ rand @choices ] }

sub do_reserve
{
	my ($self, $model, $key) = @_;
	my $fate = any(qw(succeeds succeeds fails refused uncertain));

	return (try($model, $fate, $key),
		sub { $model->reserve($_[0], fate => $fate, key => $key) });
}

sub do_once
{
	my ($self, $model) = @_;

	return $self->do_reserve($model, 'key ' . ++$self->{keys});
}

# The same again: nothing happens, and it is answered with the same id.
sub do_repeat
{
	my ($self, $model) = @_;
	my $item = any(grep { defined $_->{key} } $model->items) or return;

	return (
		call($model, 'try', "'$prompt{ $item->{fate} }'",
			"'openai/gpt-image-2'", "'$parameters'", "'$item->{key}'"),
		sub {
			# what is in the queue no more is not held again
			$model->wrong("repeated $item->{id} gives $_[0]")
			  if $_[0] ne '' && $_[0] ne $item->{id};
		});
}

sub do_rollback
{
	my ($self, $model) = @_;

	return ("BEGIN;\n" . try($model, 'succeeds') . ";\nROLLBACK",
		sub { $model->expect_place($_[0]) });
}

sub do_settle
{
	my ($self, $model) = @_;
	my @items = (shuffle $model->items('pending'))[ 0 .. rand 2 ];

	@items = grep { defined } @items;
	return unless @items;
	$model->{settling} = \@items;
	return ('UPDATE bambi_internal.queue SET not_before = NULL WHERE id IN ('
		  . join(', ', map { "'$_->{id}'" } @items) . ')');
}

sub do_cancel
{
	my ($self, $model) = @_;
	my $item = any($model->items('pending', 'uncertain')) or return;

	return (call($model, 'cancel', "'$item->{id}'"),
		sub {
			$model->wrong("cancelled $item->{id}: $_[0]")
			  if $_[0] ne ($item->{state} eq 'pending' ? 'cancelled' : 'failed');
			$model->end($item, $_[0]);
		});
}

sub do_retry
{
	my ($self, $model) = @_;
	my $item = any($model->items('failed', 'uncertain')) or return;

	return (call($model, 'retry', "'$item->{id}'"),
		sub { $model->retry($item, $_[0]) });
}

sub do_advance
{
	my ($self, $model) = @_;
	my $days = any(1, 2, 3, 4, 7, 10, 11, 25);

	return (call($model, 'advance', $days), sub { $model->advance($days) });
}

# The statement that makes the subscription what the model says it is now.
sub bill
{
	my ($self, $model) = @_;
	my $s = $model->{bill};

	return (
		call($model, 'bill', "'$s->{plan}'", "'$s->{status}'",
			$self->date($model, $s->{start}), $self->date($model, $s->{end}),
			defined $s->{next} ? "'$s->{next}'" : 'NULL',
			$s->{is_over} ? 'true' : 'false',
			$self->date($model, $s->{due})),
		undef);
}

# By the month or so, anchored at the day or at that of another period.
sub do_subscribe
{
	my ($self, $model) = @_;
	my $day = $model->{day};
	my $end = any($day + 10, $day + 30, $day + 7, undef,
		max($day + 1, $model->{end} // 0));

	$model->{bill} = { plan => any(qw(silver gold)), status => 'active',
		start => defined $end ? $day : undef, end => $end };
	return $self->bill($model);
}

sub change_bill
{
	my ($self, $model, %to) = @_;

	return unless $model->{bill};
	$model->{bill} = { %{ $model->{bill} }, %to };
	return $self->bill($model);
}

sub do_change
{
	my ($self, $model) = @_;

	return $self->change_bill($model, plan => any(qw(silver gold)));
}

sub do_downgrade
{
	my ($self, $model) = @_;

	return $self->change_bill($model, next => any(qw(free silver)));
}

sub do_ends
{
	my ($self, $model) = @_;

	return $self->change_bill($model, is_over => 1);
}

sub do_lose
{
	my ($self, $model) = @_;

	return $self->change_bill($model, status => any(qw(canceled unpaid paused)));
}

# A new period as a bill tells it, with what was to change at its start.
sub do_renew
{
	my ($self, $model) = @_;
	my $s = $model->{bill};

	return unless $s && defined $s->{end} && $s->{end} <= $model->{day};
	return $self->change_bill($model, status => 'active', due => undef,
		plan => $s->{next} // $s->{plan}, next => undef, is_over => 0,
		start => $s->{end},
		end => $s->{end} + 30 * (1 + floor(($model->{day} - $s->{end}) / 30)));
}

sub do_past_due
{
	my ($self, $model) = @_;

	return $self->change_bill($model, status => 'past_due',
		due => $model->{day});
}

sub do_paid
{
	my ($self, $model) = @_;

	return $self->change_bill($model, status => 'active', due => undef);
}

# ---- the worker, and deaths

my $is_settled = "SELECT NOT EXISTS (SELECT FROM bambi_internal.queue
	WHERE not_before IS NULL OR not_before <= now() + interval '1 hour')";

# Lets these go, and tells the models how they ended.
sub settle
{
	my ($self, $items, $point) = @_;
	my $bambi = $self->{bambi};
	my %item = map { ($_->{id} => $_) } @$items;

	$self->sql('SELECT bambi_internal.wake_worker()');
	if ($point)
	{
		$self->{counts}{kills}++;
		$bambi->kill9($bambi->wait_held($point));
		$bambi->release($point);
		$bambi->wait_for_server;
	}
	$bambi->poll($is_settled) or die 'the worker does not settle';
	foreach my $row (split /\n/, $self->sql(
			'SELECT id, status FROM bambi.image_generations WHERE id IN ('
			  . join(', ', map { "'$_'" } sort keys %item) . ')'))
	{
		my ($id, $status) = split /\|/, $row;
		my $item = $item{$id};

		$item->{model}->wrong("$id, which $item->{fate}, is $status")
		  if $status ne $ends{ $item->{fate} } && !$point;
		$item->{model}->end($item, $status);
	}
	return;
}

# Some have reserved and not committed, when one of them is killed.  Another may
# commit and die before it could tell: who has no answer asks again, as clients
# do.
sub crash_backends
{
	my ($self) = @_;
	my $bambi = $self->{bambi};
	my $node = $bambi->node;
	my $point = 'enqueue-before-commit';
	my @asking;

	$bambi->hold($point);
	foreach my $model (grep { defined } (shuffle @{ $self->{models} })[ 0 .. 4 ])
	{
		my $key = 'key ' . ++$self->{keys};
		my $ask = { model => $model, key => $key, answer => '', error => '',
			statement => try($model, 'succeeds', $key) };

		$ask->{run} = IPC::Run::start(
			[
				$node->installed_command('psql'), '-XAtq',
				'-d', $node->connstr('bambi'),
				'-c', $ask->{statement}
			],
			'<', \undef, '>', \$ask->{answer}, '2>', \$ask->{error});
		push @asking, $ask;

		# so that one of them gets there
		last if $model->has_place && @asking > 2;
	}
	if (grep { $_->{model}->has_place } @asking)
	{
		$self->{counts}{kills}++;
		$bambi->kill9($bambi->wait_held($point));
	}
	$bambi->release($point);
	$_->{run}->finish foreach @asking;
	$bambi->wait_for_server;
	foreach my $ask (@asking)
	{
		chomp(my $said = $ask->{answer});
		$self->{counts}{'asked again'}++ if $said eq '';
		$said = $self->sql($ask->{statement}) if $said eq '';
		my (undef, $answer) = split /\|/, $said;

		$ask->{model}->reserve($answer, fate => 'succeeds',
			key => $ask->{key});
	}
	return;
}

# ---- what must hold

# Of each user: the plan, the count and the period by the view, and that the
# count in the row is the number of generations that are in it.
sub compare
{
	my ($self) = @_;
	my %models = map { (id_of($_) => $_) } @{ $self->{models} };
	my ($first, $last) = (sort keys %models)[ 0, -1 ];
	my @wrong;

	foreach my $row (split /\n/, $self->sql("
			SELECT a.user_id, a.plan_type, a.generations_used,
				a.generations_left, floor(extract(epoch FROM
					a.resets_at - '$self->{noon}') / 86400 + 0.5001),
				u.usage_count, (SELECT count(*) FROM bambi.image_generations g
					WHERE g.user_id = u.id AND g.quota_period = u.reset_date)
			FROM bambi_account a JOIN bambi.users u ON u.id = a.user_id
			WHERE u.id BETWEEN '$first' AND '$last'"))
	{
		my ($id, $plan, $used, $left, $resets, $count, $counted) =
		  split /\|/, $row, -1;
		my $model = delete $models{$id};
		my $is = "$plan, $used used, $left left, resets at "
		  . ($resets ne '' ? $resets + $model->{day} : 'none');

		$self->{counts}{checks}++;
		push @wrong, map { "$id: $_" } $model->complaints;
		push @wrong, "$id: $is; should be " . $model->account
		  if $is ne $model->account;
		push @wrong, "$id: counts $count, and has $counted"
		  if $count != $counted;
	}
	push @wrong, map { "$_ is missing" } sort keys %models;
	return @wrong;
}

sub counted
{
	my ($self, @what) = @_;

	return join ', ',
	  map { sprintf '%d %s', $self->{counts}{$_} // 0, $_ } @what;
}

1;
