# BambiLeaks.pm
#	Every way to pass a key, under every way to log, and every place where it
#	could be found afterwards.
#
#	BambiLeaks->prove('name', 'bambi,pgaudit', looks => 5000, rounds => 1);
#
# A cell is one way under one set-up.  Each cell has a key of its own, by
# which a finding is told apart: two marks around the cell's number.  Most
# keys look like no provider's, so that only the guard can know them; those
# of the ways that have "token" do.
#
# What the places are searched for is found there, too, where nothing guards
# it: the control cells, which every place has to show.
#
# Set-ups and ways are in BambiLeakWays, places in BambiLeakPlaces.

package BambiLeaks;

use strict;
use warnings;

use BambiCluster;
use BambiLeakWays;
use BambiWire;
use Test::More;

use parent qw(BambiLeakPlaces);

# Looks at what a process is said to do, until that was so often a running
# statement: all looks, these, and those with the text.
my $sampler = <<'SQL';
CREATE FUNCTION sample(of_pid int, head text, tail text, times int,
	OUT samples int, OUT busy int, OUT hits int) LANGUAGE plpgsql AS $$
DECLARE
	seen record;
BEGIN
	samples := 0; busy := 0; hits := 0;
	WHILE busy < times LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT state, query INTO seen FROM pg_stat_get_activity(of_pid);
		samples := samples + 1;
		IF seen.state = 'active' THEN busy := busy + 1; END IF;
		IF position(head || tail IN seen.query) > 0 THEN
			hits := hits + 1;
		END IF;
	END LOOP;
END
$$;
SQL

my $conf = <<'CONF';
logging_collector = on
log_destination = 'stderr,csvlog,jsonlog'
log_rotation_size = 0
log_connections = on
log_disconnections = on
pg_stat_statements.track = all
pg_stat_statements.track_planning = on
wal_level = logical
max_wal_senders = 4
max_replication_slots = 4
CONF

sub random_text
{
	return join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. 12;
}

# A server with these libraries, a user for every set-up, and no cell yet.
sub start
{
	my ($class, $name, $libraries) = @_;
	my $bambi = BambiCluster->start($name,
		conf => "$conf\nshared_preload_libraries = '$libraries'\n");
	my $self = bless {
		bambi => $bambi,
		order => $libraries,
		head => random_text(),
		tail => random_text(),
		cells => [],
		seen => {},
		wrong => [],
	}, $class;

	$bambi->sql('CREATE EXTENSION pg_stat_statements',
		'CREATE EXTENSION pgaudit', $procedures, $sampler,
		"SELECT pg_create_logical_replication_slot('leaks', 'test_decoding')");
	foreach my $setup (sort keys %setups)
	{
		$bambi->sign_up($setup);
		$bambi->sql("ALTER ROLE $setup SET $_ = '$setups{$setup}{$_}'")
		  foreach sort keys %{ $setups{$setup} };
	}
	$bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)');
	$self->{monitor} = BambiWire->new($bambi->node, 'bambi', 'postgres');
	return $self;
}

sub bambi { return $_[0]{bambi} }

# ---- cells

# A new one, with its key.
sub cell
{
	my ($self, $way, $setup, $is_token) = @_;
	my $number = scalar @{ $self->{cells} };
	my $cell = {
		way => $way,
		setup => $setup,
		number => $number,
		name => "cell $number",
		key => ($is_token ? 'sk-' : '')
		  . $self->{head}
		  . sprintf('%05d', $number)
		  . $self->{tail},
	};

	push @{ $self->{cells} }, $cell;
	return $cell;
}

# What the views say while the client does nothing.
sub look
{
	my ($self, $cell) = @_;
	my ($head, $tail) =
	  (substr($cell->{key}, 0, 12), substr($cell->{key}, 12));
	my ($rows, $error) = $self->{monitor}->query("SELECT
		(SELECT count(*) FROM pg_stat_activity
		  WHERE position('$head' || '$tail' IN query) > 0),
		(SELECT count(*) FROM pg_stat_statements
		  WHERE position('$head' || '$tail' IN query) > 0)");

	die $error->{M} if $error;
	$self->found('pg_stat_activity', $cell) if $rows->[0][0];
	$self->found('pg_stat_statements', $cell) if $rows->[0][1];
	return;
}

# What a way is to end with; complaints are kept.
sub check_end
{
	my ($self, $cell, $way, $error) = @_;
	my $state = $error ? $error->{C} : 'none';
	my @complaints;

	push @complaints, "ended with $state, $error->{M}"
	  if $error && $state ne ($way->{state} // '');
	push @complaints, "did not end with $way->{state}"
	  if $way->{state} && !$error;
	push @complaints, "told its client: $error->{M}"
	  if $error && $way->{told}
	  && index($error->{M}, $cell->{key}) < 0;
	push @complaints, "told its client: $error->{M}"
	  if $error && $error->{M} =~ /withheld/;
	push @{ $self->{wrong} },
	  map { "$cell->{way}, $cell->{setup}: $_" } @complaints;
	return;
}

# One key of the user, sealed as a client does it.
sub sealed_key
{
	my ($self, $setup, $wire) = @_;
	my $cell = $self->cell('bind', $setup);

	$wire->bound($by_parameters, $provider, $cell->{key}, $cell->{name});
	my ($rows) = $self->{monitor}->query("SELECT c.encrypted_api_key
		FROM bambi.api_configurations c
		WHERE name = '$cell->{name}'");
	return $rows->[0][0];
}

sub run_setup
{
	my ($self, $setup) = @_;
	my $wire = BambiWire->new($self->{bambi}->node, 'bambi', $setup);
	my $sealed = $self->sealed_key($setup, $wire);

	foreach my $name (sort keys %ways)
	{
		my $way = $ways{$name};
		my $cell = $self->cell($name, $setup, $way->{token});

		$cell->{kept} = $way->{kept};
		$cell->{is_limit} = ($way->{limit} // '') eq $setup;
		my $error = $way->{run}->({
				%$cell,
				wire => $wire,
				sealed => $sealed,
				look => sub { $self->look($cell) } });
		$self->check_end($cell, $way, $error);
		$self->look($cell);
	}
	$wire->close;
	return;
}

sub run_matrix
{
	my ($self) = @_;

	$self->run_setup($_) foreach sort keys %setups;
	return;
}

# What no one guards, and every place has to show.
sub run_control
{
	my ($self) = @_;
	my $wire = BambiWire->new($self->{bambi}->node, 'bambi', 'everything');
	my $cell = $self->{control} = $self->cell('control', 'everything');

	$self->{bambi}->sql('CREATE TABLE control (key text)',
		'GRANT ALL ON control TO bambi_user');
	$wire->query("INSERT INTO control /* $cell->{key} */
		VALUES ('$cell->{key}')");
	$self->look($cell);
	$wire->close;
	return;
}

# ---- the moment

# Has a session pass keys, without a pause, while another one looks so often
# at its activity: (looks, looks while it was active, hits, calls).
sub race
{
	my ($self, $kind, $times) = @_;
	my $wire = BambiWire->new($self->{bambi}->node, 'bambi', 'defaults');
	my $cell = $self->cell("race, $kind", 'defaults');
	my $key = $kind eq 'sealed'
	  ? $self->sealed_key('defaults', $wire) : $cell->{key};
	my $monitor = $self->{monitor};
	my $number = 0;

	$monitor->send_raw(BambiWire::message('Q',
			"SELECT * FROM sample(@{[ $wire->pid ]}, '$self->{head}',
				'" . substr($cell->{key}, 12) . "', $times)\0"));
	until ($monitor->has_answer)
	{
		my @calls = map { [ $provider, $key, "$kind $_" ] }
		  $number + 1 .. $number + 20;

		$number += @calls;
		$wire->send_raw(map { call_messages($kind, @$_) } @calls);
		foreach (@calls)
		{
			my (undef, $error) = $wire->answer;
			die $error->{M} if $error;
		}
	}
	my ($rows, $error) = $monitor->answer;
	die $error->{M} if $error;
	$wire->close;
	return (@{ $rows->[0] }, $number);
}

# ---- what came of it

# Places that keep what somebody stores on purpose.
sub is_storage
{
	my ($place) = @_;

	# a core file has the server's shared buffers in it
	return $place =~ /slot|dump|WAL|directory|backup|core/;
}

sub is_excused
{
	my ($place, $cell) = @_;

	return ($cell->{kept} && is_storage($place))
	  || ($cell->{is_limit} && $place eq 'pg_stat_activity')
	  || $cell->{way} eq 'control';
}

# Tests: every place has the control, and nothing else.
sub conclude
{
	my ($self) = @_;
	my $seen = $self->{seen};
	my $cells = grep { $_->{way} ne 'control' } @{ $self->{cells} };
	my $total = 0;
	my %leaky;

	is(join("\n", @{ $self->{wrong} }),
		'', 'every way ends as it should, and tells its client the truth');
	foreach my $place (@BambiLeakPlaces::places)
	{
		my @found = grep { !is_excused($place, $_) }
		  map { $self->{cells}[$_] }
		  sort { $a <=> $b } keys %{ $seen->{$place} };

		ok($seen->{$place}{ $self->{control}{number} },
			"$place: the control is found")
		  unless $place =~ /collector|core|WAL in/;
		is(scalar @found, 0, "$place: no key of $cells cells")
		  or diag(join "\n", map { "$_->{way}, $_->{setup}" } @found);
		$total += @found;
		$leaky{ $_->{number} } = 1 foreach @found;
	}
	note "counted: $self->{order}: $cells cells, " . @BambiLeakPlaces::places
	  . " places, $total findings in " . keys(%leaky) . ' cells';
	return;
}

# All of it, on one server: so many looks in each race.
sub prove
{
	my ($class, $name, $libraries, %sizes) = @_;
	my $self = $class->start($name, $libraries);

	note "preloaded: $libraries";
	$self->run_control;
	$self->run_matrix foreach 1 .. $sizes{rounds} // 1;
	foreach my $kind (qw(bind sealed literal))
	{
		my ($looks, $busy, $hits, $calls) = $self->race($kind, $sizes{looks});

		# who has to wait for a processor shows what it is about all the time
		foreach (1 .. 2)
		{
			last unless $kind eq 'literal' && $hits >= $busy / 2;
			($looks, $busy, $hits, $calls) = $self->race($kind, $sizes{looks});
		}
		my $share = sprintf '%.2f %%', 100 * $hits / $busy;

		note "counted: pg_stat_activity, $kind: $looks looks, $busy of them while "
		  . "$calls calls ran, $hits with the key ($share)";
		if ($kind eq 'literal')
		{
			cmp_ok($hits, '<', $busy / 2, 'a literal is seen for a moment');
		}
		else
		{
			is($hits, 0, "$kind: no look sees the key");
		}
	}
	$self->search;
	$self->{bambi}->node->start;
	note 'core files cannot be had on this machine'
	  unless $self->search_cores;
	$self->conclude;
	return $self;
}

1;
