# BambiQueue.pm
#	Users with plans of their own, long queues, and who was served in which
#	order, for tests of the fair queue and of limits of calls in flight.
#
#	my $queue = BambiQueue->new($bambi);
#	$queue->add_user('ada', weight => 4, max_in_flight => 2);
#	$queue->add('ada', 10_000, '[[mock delay=5]] a fawn');
#	my @names = $queue->served;
#
# The operator speaks for these users; they have a key for OpenAI.

package BambiQueue;

use strict;
use warnings;

use Carp;
use Test::More;

sub new
{
	my ($class, $bambi) = @_;

	return bless { bambi => $bambi, id => {}, key => {}, name => {} }, $class;
}

# One with a plan of the same name, and a key.
sub add_user
{
	my ($self, $name, %plan) = @_;
	my $bambi = $self->{bambi};
	my $weight = $plan{weight} // 1;
	my $most = $plan{max_in_flight} // 'NULL';

	$bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)') or die 'there is no sealing key';
	my ($id) = split /\n/, $bambi->sql(<<"SQL");
INSERT INTO bambi.plans (plan_type, name, weight, max_in_flight)
VALUES ('$name', '$name', $weight, $most);
WITH u AS (
    INSERT INTO bambi.users (email, password_hash)
    VALUES ('$name\@example.com', 'x') RETURNING id)
INSERT INTO bambi.subscriptions (user_id, plan_type, status)
SELECT id, '$name', 'active' FROM u RETURNING user_id;
SQL
	$self->{id}{$name} = $id;
	$self->{name}{$id} = $name;
	$self->add_key($name, 'openai', "sk-test-$name");
	return $id;
}

sub add_key
{
	my ($self, $name, $provider, $key) = @_;

	return $self->{key}{$name}{$provider} = $self->as($name,
		"SELECT bambi_add_key('$provider', '$key')");
}

sub key { my ($self, $name, $provider) = @_; return $self->{key}{$name}{$provider // 'openai'} }
sub id { my ($self, $name) = @_; return $self->{id}{$name} }

sub as
{
	my ($self, $name, $statement) = @_;

	return $self->{bambi}
	  ->sql("SET bambi.user_id = '$self->{id}{$name}'; $statement");
}

# A call of bambi_generate; no two prompts are the same.
sub call
{
	my ($self, $prompt, $model, $number) = @_;

	$model //= 'openai/gpt-image-2';
	$number //= '1';
	my $parameters = $model =~ /^openai/
	  ? '{"quality": "low", "size": "1024x1024"}' : '{}';
	return "bambi_generate('$prompt ' || $number, '$model', '$parameters')";
}

# So many, in transactions of 200: each leaves versions of the user's row that
# the next one in the same transaction has to look through.
sub add
{
	my ($self, $name, $count, $prompt, $model) = @_;
	my $call = $self->call($prompt, $model, 'n');
	my @statements;

	for (my $from = 1; $from <= $count; $from += 200)
	{
		my $to = $from + 199 < $count ? $from + 199 : $count;

		push @statements,
		  "SELECT count($call) FROM generate_series($from, $to) n";
	}
	$self->as($name, join ";\n", @statements);
	return;
}

# Ends whatever is queued or runs, answers on hold too; the users are gone
# afterwards.
sub clear
{
	my ($self) = @_;
	my $bambi = $self->{bambi};

	$self->pause_now;
	$bambi->mock('release');
	$bambi->wait_in_flight(0);
	$self->wait_paused;
	$bambi->sql('DELETE FROM bambi.users');
	return;
}

# So many, one a transaction, in a psql of its own: ->finish waits for it.
sub add_in_background
{
	my ($self, $name, $count, $prompt) = @_;
	my $node = $self->{bambi}->node;
	my $call = 'SELECT ' . $self->call($prompt);

	return IPC::Run::start(
		[
			$node->installed_command('psql'), '-XAtq',
			'-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('bambi'),
			'-c', "SET bambi.user_id = '$self->{id}{$name}'",
			map { ('-c', $_) } ($call) x $count
		],
		'<', \undef, '>', \my $rows);
}

# One; its id.
sub add_one
{
	my ($self, $name, $prompt, $model) = @_;

	return $self->as($name, 'SELECT ' . $self->call($prompt, $model));
}

# Whose calls the provider saw, in order, from a number in the ledger on.
sub served
{
	my ($self, $from) = @_;
	my @ids = map { $_->{generation} }
	  $self->{bambi}->ledger_since($from // 0);
	my $list = join ', ', map { "'$_'" } @ids;

	return unless @ids;
	my %user = map { split /\|/ } split /\n/,
	  $self->{bambi}->sql("SELECT id, user_id FROM bambi.image_generations
		WHERE id IN ($list)");
	return map { $self->{name}{ $user{$_} // '' } // 'nobody' } @ids;
}

sub served_count { return $_[0]{bambi}->mock_stats->{calls} }

sub wait_served
{
	my ($self, $count) = @_;

	$self->{bambi}->wait_until("$count calls",
		sub { return $self->served_count >= $count });
	return;
}

# How many places there are, once the worker knows.
sub set_places
{
	my ($self, $places) = @_;

	$self->{bambi}->set('bambi.max_in_flight' => $places);
	return;
}

# Nothing is claimed until resume.
sub pause
{
	my ($self) = @_;

	$self->pause_now;
	$self->wait_paused;
	return;
}

sub pause_now { my ($self) = @_; $self->{bambi}->sql('SELECT bambi_pause()'); return }

# ... and what was claimed has ended.
sub wait_paused
{
	my ($self) = @_;

	$self->{bambi}->poll("SELECT worker = 'paused' AND in_flight = 0
		FROM bambi_status()") or croak 'the worker does not pause';
	$self->{bambi}->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue
		WHERE claimed_by IS NOT NULL)') or croak 'claims have not ended';
	return;
}

sub resume { my ($self) = @_; $self->{bambi}->sql('SELECT bambi_resume()'); return }

# Until it has succeeded.
sub wait_for
{
	my ($self, $id) = @_;

	$self->{bambi}->poll("SELECT status = 'succeeded'
		FROM bambi.image_generations WHERE id = '$id'")
	  or croak "waited in vain for $id";
	return;
}

# When it ended, how many claims began between a moment at which a generation
# was committed and the claim that took it; started_at is when a claim began.
sub claims_before
{
	my ($self, $id, $since) = @_;

	$self->wait_for($id);
	return $self->{bambi}->sql("SELECT count(DISTINCT g.started_at)
		FROM bambi.image_generations g, bambi.image_generations o
		WHERE o.id = '$id' AND g.started_at > '$since'
			AND g.started_at < o.started_at");
}

# Of these names, how many times each.
sub count
{
	my (@names) = @_;
	my %count;

	$count{$_}++ foreach @names;
	return \%count;
}

# The worst that any user's share of these calls differs from that of the
# weight, in parts of it.
sub worst_share
{
	my ($names, %weight) = @_;
	my $count = count(@$names);
	my $worst = 0;
	my $all = 0;

	$all += $_ foreach values %weight;
	foreach my $name (keys %weight)
	{
		my $due = @$names * $weight{$name} / $all;
		my $off = abs(($count->{$name} // 0) - $due) / $due;

		$worst = $off if $off > $worst;
	}
	return $worst;
}

# A test of its own: after the first 200, and at every hundredth from there on,
# the shares are those of the weights within 5 % and what runs at a time.
sub shares_are_weights
{
	my ($self, $says, $places, $names, %weight) = @_;
	my $all = 0;
	my @wrong;

	$all += $_ foreach values %weight;
	for (my $n = 200; $n <= @$names; $n += 100)
	{
		my $count = count(@$names[ 0 .. $n - 1 ]);

		foreach my $name (sort keys %weight)
		{
			my $due = $n * $weight{$name} / $all;
			my $got = $count->{$name} // 0;

			push @wrong, "of $n calls $name had $got, due were $due"
			  if abs($got - $due) > 0.05 * $due + $places;
		}
	}
	my $worst = worst_share($names, %weight);
	push @wrong, "in the end $worst off" if $worst > 0.05;
	ok(!@wrong, $says) or diag(join "\n", @wrong);
	note(sprintf 'counted: %d calls, worst share %.2f %% off', scalar @$names,
		100 * $worst);
	return;
}

1;
