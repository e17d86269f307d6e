# BambiRotation.pm
#	Many stored keys, a new master key, and kill -9 while they are sealed to
#	it: for a test of its own and for the torture.
#
#	my $rotation = BambiRotation->new($bambi, keys => 600);
#	$rotation->new_master_key;
#	$rotation->kill_until_done(6);
#	is($rotation->lost, 0, ...);
#
# Key n of a user is sk-test-USER-n, and its configuration is called USER-n, so
# that the provider's ledger tells whether each still opens to itself.

package BambiRotation;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

my $users = 4;
my $batch = 32;			# keys that are sealed in one transaction, at most

# Users and their keys, sealed by two sessions at a time.
sub new
{
	my ($class, $bambi, %with) = @_;
	my $self = bless { bambi => $bambi, keys => $with{keys}, number => 0,
		users => [ map { "user$_" } 1 .. $users ] }, $class;
	my $each = $with{keys} / $users;

	$bambi->sign_up($_) foreach @{ $self->{users} };
	$bambi->lift_quota;
	$bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)');

	# so that the provider is not asked about each
	$bambi->sql(
		"UPDATE bambi.api_providers SET needs_key = false WHERE slug = 'openai'");
	my @runs = map { $self->start_as($_, "DO \$\$ BEGIN
			FOR n IN 1 .. $each LOOP
				PERFORM bambi_add_key('openai', 'sk-test-$_-' || n, '$_-' || n);
			END LOOP;
		END \$\$") } @{ $self->{users} };
	$_->finish foreach @runs;
	$bambi->sql(
		"UPDATE bambi.api_providers SET needs_key = true WHERE slug = 'openai'",
		'ANALYZE bambi.api_configurations');
	return $self;
}

# A session of a user in the background, whatever becomes of it.
sub start_as
{
	my ($self, $name, $statement) = @_;
	my $node = $self->{bambi}->node;

	return IPC::Run::start(
		[
			$node->installed_command('psql'), '-XAtq',
			'-d', $node->connstr('bambi'), '-U', $name, '-c', $statement
		],
		'<', \undef, '>', \my $out, '2>', \my $error);
}

# A new key before the old ones in the file of the key service; its kid.
sub new_master_key
{
	my ($self) = @_;

	return new_master_key_of($self->{bambi});
}

sub new_master_key_of
{
	my ($bambi) = @_;
	my $file = $bambi->node->basedir . '/master.pem';
	my $before = $bambi->sql(
		'SELECT kid FROM bambi.encryption_keys WHERE is_current');

	system_or_bail($ENV{BAMBI_COURIER}, '--make-key', "$file.new");
	append_to_file("$file.new", slurp_file($file));
	rename "$file.new", $file or die "$file: $!";
	$bambi->sql('SELECT pg_reload_conf()');
	$bambi->poll("SELECT kid <> '$before' FROM bambi.encryption_keys
		WHERE is_current")
	  or die 'the new master key is not sealed to';
	return $bambi->sql(
		'SELECT kid FROM bambi.encryption_keys WHERE is_current');
}

sub behind
{
	my ($self) = @_;

	return $self->{bambi}->sql(
		'SELECT sum(keys_behind) FROM bambi_key_rotation');
}

# A generation with each of some keys, in the background.
sub generate_some
{
	my ($self, $name, $where) = @_;

	return $self->start_as($name,
		"SELECT bambi_generate('fawn of ' || name, 'openai/gpt-image-2',
			'{\"quality\": \"low\", \"size\": \"1024x1024\"}', id)
		FROM bambi_configurations WHERE $where");
}

# Twenty or so, of all ages.
sub work
{
	my ($self) = @_;
	my $modulus = int($self->{keys} / 20) || 1;
	my $rest = $self->{number}++ % $modulus;

	return map {
		$self->generate_some($_,
			"('x' || right(id::text, 7))::bit(28)::int % $modulus = $rest")
	} @{ $self->{users} };
}

# A worker, a courier, a session that works, one after the other; of a worker
# the one that is held.  None if no session works any more.
sub victim
{
	my ($self, $number, $worker) = @_;
	my $bambi = $self->{bambi};

	return $worker if $number % 3 == 0;
	return $bambi->courier_pid if $number % 3 == 1;
	return $bambi->sql("SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
		LIMIT 1");
}

# Kills so many of them with -9, evenly over the keys that are sealed, and waits
# for the end.  The worker is held at each batch, so that it is not through
# before.
sub kill_until_done
{
	my ($self, $wanted) = @_;
	my $bambi = $self->{bambi};
	my $point = 'reseal-before-commit';
	my $kills = 0;

	$bambi->hold($point);
	while ($kills < $wanted)
	{
		my $worker = $bambi->wait_held($point);
		my $sealed = $self->{keys} - $self->behind;
		my $due = $self->{keys} * $kills / ($wanted + 1);

		foreach (1 .. ($due - $sealed) / $batch)
		{
			$bambi->step($point);
			$worker = $bambi->wait_held($point);
		}
		my @runs = $self->work;
		my $pid = $self->victim($kills, $worker);

		if ($pid)
		{
			$bambi->kill9($pid);
			$kills++;
		}
		$_->finish foreach @runs;
		$bambi->bring_back;
		$bambi->step($point);
	}
	$bambi->release($point);
	while ($self->behind > 0)
	{
		$_->finish foreach $self->work;
		usleep(200_000);
	}
	return;
}

# Until nothing waits or runs.
sub settle
{
	my ($self) = @_;

	return $self->{bambi}->poll("SELECT NOT EXISTS (
		SELECT FROM bambi_internal.queue)");
}

# Generations that could not open their key.
sub failed_opens
{
	my ($self) = @_;

	return $self->{bambi}->sql("SELECT count(*) FROM bambi.image_generations
		WHERE error_code = 'key_unreadable'");
}

# Keys that are not there, or not in what the provider saw of them.
sub lost
{
	my ($self) = @_;
	my $bambi = $self->{bambi};
	my %seen = map { ($_->{generation} => $_->{key}) } $bambi->ledger;
	my $lost = $self->{keys} - $bambi->sql("SELECT count(*)
		FROM bambi.api_configurations WHERE encrypted_api_key <> ''");

	foreach my $line (split /\n/, $bambi->sql("SELECT g.id || ' ' || c.name
		FROM bambi.image_generations g
		JOIN bambi.api_configurations c ON c.id = g.configuration_id
		WHERE c.name LIKE 'user%-%' AND g.status = 'succeeded'"))
	{
		my ($id, $name) = split / /, $line;

		$lost++ if $seen{$id} ne substr sha256_hex("sk-test-$name"), 0, 12;
	}
	return $lost;
}

1;
