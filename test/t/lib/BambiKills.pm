# BambiKills.pm
#	Ways to die at a labelled point of a generation's way, and what must hold
#	after each.
#
#	my $kills = BambiKills->new($bambi, 'alice', 'bob');
#	$kills->die_at('claim-committed', 'killed');
#	$kills->conclude;		# nothing is pending any more; what is wrong then
#
# Whether an attempt may end as uncertain is known beforehand: only if its
# courier died.  All others have to succeed.

package BambiKills;

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;

our @EXPORT_OK = qw(@points %holder @deaths);

# In the order in which a generation passes them, and who is held there.
# The last four are passed by the answers to a worker that is gone.
my @way = (
	'enqueue-before-commit' => 'backend',
	'enqueue-committed' => 'backend',
	'claim-before-commit' => 'worker',
	'claim-committed' => 'worker',
	'jobs-sent' => 'worker',
	'job-received' => 'courier',
	'key-opened' => 'courier',
	'before-send' => 'courier',
	'request-written' => 'courier',
	'answer-received' => 'courier',
	'outcome-sent' => 'courier',
	'outcome-received' => 'worker',
	'settle-before-commit' => 'worker',
	'settle-committed' => 'worker',
	'spool-before-rename' => 'courier',
	'spool-renamed' => 'courier',
	'adopt-before-commit' => 'worker',
	'adopt-committed' => 'worker');

our %holder = @way;
our @points = @way[ grep { $_ % 2 == 0 } 0 .. $#way ];

# Whoever is held is killed; so is the postmaster instead, or everything at
# once, or the server is stopped immediately.
our @deaths = qw(killed postmaster everything immediate);

sub new
{
	my ($class, $bambi, @users) = @_;

	return bless {
		bambi => $bambi,
		users => \@users,
		accepted => {},    # ids that a client was given
		strict => {},      # those that no death of a courier excuses
		askers => [],
		kills => 0,
	}, $class;
}

sub is_after_death
{
	my ($point) = @_;

	return $point =~ /^(spool|adopt)-/;
}

sub courier_survives
{
	my ($point, $death) = @_;

	return 0 if $death eq 'everything';
	return !($death eq 'killed' && $holder{$point} eq 'courier');
}

# ---- clients

# Queues generations in a session of its own, which may die; the ids that it
# was given are read by hear().
sub ask
{
	my ($self, $user, @prompts) = @_;
	my $asker = { id => '', error => '' };

	$asker->{run} = $self->{bambi}
	  ->generate_in_background($user, \@prompts, \$asker->{id},
		\$asker->{error});
	push @{ $self->{askers} }, $asker;
	return;
}

sub hear
{
	my ($self) = @_;

	foreach my $asker (splice @{ $self->{askers} })
	{
		eval { $asker->{run}->finish };
		$self->{accepted}{$_} = 1
		  foreach grep { /^[0-9a-f-]{36}$/ } split /\n/, $asker->{id};
	}
	return;
}

# ---- dying

sub kill_holder
{
	my ($self, $pid, $point, $death) = @_;
	my $bambi = $self->{bambi};

	$self->{kills}++;
	$bambi->kill9($pid) if $death eq 'killed';
	$bambi->kill9_postmaster($point) if $death eq 'postmaster';
	$bambi->kill9_everything if $death eq 'everything';
	$bambi->stop('immediate') if $death eq 'immediate';
	$bambi->release($point);
	return;
}

# Gets somebody to the point and kills; true if it was reached.  Whoever is on
# the way has company: a call that runs, and others that are queued.
sub die_at
{
	my ($self, $point, $death) = @_;
	my $bambi = $self->{bambi};
	my ($first, @others) = @{ $self->{users} };
	my $mark = $bambi->mock_stats->{calls};

	$self->ask($first, "[[mock hold]] a fawn that waits for $point");
	$self->ask($_, "[[mock hold]] a fawn of $_") foreach
	  is_after_death($point) ? @others : ();
	$bambi->wait_until('calls that run', sub {
			return $bambi->mock_stats->{calls} >=
			  $mark + (is_after_death($point) ? 1 + @others : 1);
		});
	$bambi->hold($point);
	if (is_after_death($point))
	{
		$self->hear;
		$self->{kills}++;
		$bambi->kill9($bambi->worker_pid);
		$bambi->mock('release');
	}
	else
	{
		$self->ask($_, "a fawn at $point") foreach @others;
	}
	my $pid = $bambi->wait_held($point);
	my $was_alive = $bambi->is_alive($pid);

	$self->kill_holder($pid, $point, $death);
	$bambi->mock('release');
	$self->hear;
	$bambi->bring_back;
	return $was_alive;
}

# ---- what must hold

# Waits until nothing is pending; says what is wrong then, line by line.
# With is_strict, every generation since the last time has to have succeeded.
sub conclude
{
	my ($self, $is_strict) = @_;
	my $bambi = $self->{bambi};

	$self->hear;
	$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)')
	  or return ('pending for ever: '
		  . $bambi->sql('SELECT id, claimed_by FROM bambi_internal.queue'));
	return $self->compare($is_strict);
}

# Everything that has been generated, as JSON: one look for all questions.
my $look = q{
	SELECT coalesce(json_object_agg(g.id, json_build_object(
		'status', g.status, 'code', g.error_code, 'provider', p.slug,
		'images', (SELECT count(*) FROM bambi.images i
					 JOIN bambi.image_data d
					   ON d.image_id = i.id AND d.user_id = i.user_id
					WHERE i.generation_id = g.id AND i.user_id = g.user_id
					  AND octet_length(d.data) = i.bytes),
		'booked', (SELECT count(*) FROM bambi.usage_events e
					WHERE e.generation_id = g.id AND e.user_id = g.user_id
					  AND e.charged <> 'no'))), '{}')
	  FROM bambi.image_generations g JOIN bambi.models m ON m.id = g.model_id
	  JOIN bambi.api_providers p ON p.id = m.provider_id};

my $final = qr/^(succeeded|failed|cancelled|uncertain|held)$/;

sub compare
{
	my ($self, $is_strict) = @_;
	my $rows = decode_json($self->{bambi}->sql($look));
	my (%charged, @wrong);

	$charged{ $_->{generation} || 'no id' }++ foreach $self->{bambi}->charges;
	$self->{lost} = grep { !$rows->{$_} } keys %{ $self->{accepted} };
	$self->{twice} = grep { $_ > 1 } values %charged;
	$self->{states} = {};

	push @wrong, map { "$_ was accepted and is lost" }
	  grep { !$rows->{$_} } sort keys %{ $self->{accepted} };
	push @wrong, map { "$_ was charged and is not in the database" }
	  grep { !$rows->{$_} } sort keys %charged;
	foreach my $id (sort keys %$rows)
	{
		my $row = $rows->{$id};
		my $is_new = !$self->{seen}{$id}++;

		$self->{states}{ $row->{status} }++;
		$self->{lost}++ if $row->{status} !~ $final;
		push @wrong, map { "$id is $row->{status} and $_" }
		  complaints($row, $charged{$id} // 0, $is_new && $is_strict);
	}
	return @wrong;
}

sub complaints
{
	my ($row, $charged, $is_strict) = @_;
	my $succeeded = $row->{status} eq 'succeeded';
	my @wrong;

	push @wrong, 'has not ended' if $row->{status} !~ $final;
	push @wrong, 'should have succeeded: ' . ($row->{code} // '')
	  if $is_strict && !$succeeded;
	push @wrong, "was charged $charged times" if $charged > 1;
	push @wrong, 'was charged'
	  if $charged && $row->{status} !~ /^(succeeded|uncertain)$/
	  && ($row->{code} // '') ne 'written_off';
	push @wrong, 'was not charged'
	  if !$charged && $succeeded && $row->{provider} eq 'openai';
	push @wrong, "has $row->{images} pictures"
	  if $row->{images} != ($succeeded ? 1 : 0);
	push @wrong, "is booked $row->{booked} times"
	  if $succeeded && $row->{booked} != 1 && $row->{provider} eq 'openai';
	return @wrong;
}

sub states
{
	my ($self) = @_;

	return join ', ', map { "$self->{states}{$_} $_" }
	  sort keys %{ $self->{states} };
}

1;
