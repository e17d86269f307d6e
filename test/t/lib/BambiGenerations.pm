# BambiGenerations.pm
#	What a BambiCluster does for its users and their generations.  It is
#	a part of that class: statements and waits are there.

package BambiGenerations;

use strict;
use warnings;

use Carp;
use IPC::Run;
use Test::More;

# How a key begins that the mock takes.
my %key_prefix = (
	openai => 'sk-test-',
	xai => 'xai-test-',
	google => 'AIza-test-',
	vertex => 'AIza-test-');

# A user with a login role of the same name; its id.
sub sign_up
{
	my ($self, $name) = @_;
	my $id = $self->sql(
		"SELECT bambi_sign_up('$name\@example.com', 'correct horse')");

	$self->sql(
		"CREATE ROLE $name LOGIN IN ROLE bambi_user",
		"ALTER ROLE $name SET bambi.user_id = '$id'");
	return $self->{user}{$name} = $id;
}

# As many generations as a test likes.
sub lift_quota
{
	my ($self) = @_;

	$self->sql('UPDATE bambi.plans SET generations_per_period = NULL,
		generations_per_minute = NULL, max_pictures = NULL');
	return;
}

# The courier's public key is there once it runs, which adding a key needs.
sub add_key
{
	my ($self, $name, $key, $provider, $settings) = @_;

	$provider //= 'openai';
	$key //= $key_prefix{$provider} . $name;
	$settings //= '{}';
	my $called = ($provider eq 'openai' ? '' : "$provider ") . "key of $name";
	$self->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current)')
	  or croak 'there is no sealing key';
	return $self->sql_as($name,
		"SELECT bambi_add_key('$provider', \$k\$$key\$k\$,
			'$called', '$settings')");
}

# Until the provider has been asked about a key; its status then.
sub checked
{
	my ($self, $configuration) = @_;

	$self->poll("SELECT NOT EXISTS (SELECT FROM bambi_internal.outbox
		WHERE errand->>'configuration' = '$configuration')")
	  or croak "nobody has checked $configuration";
	return $self->key_column($configuration, 'status');
}

# A column of a configuration's row, or an expression of several.
sub key_column
{
	my ($self, $configuration, $column) = @_;

	return $self->sql("SELECT $column FROM bambi.api_configurations
		WHERE id = '$configuration'");
}

# Queues one and returns its id.
sub generate
{
	my ($self, $name, $prompt, $model, $parameters) = @_;

	$model //= 'openai/gpt-image-2';
	$parameters //= '{"quality": "low", "size": "1024x1024"}'
	  if $model =~ /^openai/;
	$parameters //= '{}';
	return $self->sql_as($name,
		"SELECT bambi_generate(\$p\$$prompt\$p\$, '$model', '$parameters')");
}

# A call of bambi_edit as SQL, for sql_as and try_as.  images and mask are
# expressions of type bytea, see bytea(); sources are ids.
sub edit_call
{
	my ($self, $prompt, %with) = @_;
	my @arguments = "prompt => \$p\$$prompt\$p\$";

	$with{model} //= 'openai/gpt-image-2';
	$with{parameters} //= '{"quality": "low"}' if $with{model} =~ /^openai/;
	push @arguments, "images => ARRAY[" . join(', ', @{ $with{images} }) . ']'
	  if $with{images};
	push @arguments, "mask => $with{mask}" if $with{mask};
	push @arguments,
	  "sources => '{" . join(', ', @{ $with{sources} }) . "}'"
	  if $with{sources};
	push @arguments, "$_ => '$with{$_}'"
	  foreach grep { defined $with{$_} } qw(model parameters idempotency_key);
	return 'SELECT bambi_edit(' . join(', ', @arguments) . ')';
}

# Queues an edit and returns its id.
sub edit
{
	my ($self, $name, $prompt, %with) = @_;

	return $self->sql_as($name, $self->edit_call($prompt, %with));
}

# Bytes as an SQL expression.
sub bytea { return "'\\x" . unpack('H*', $_[1]) . "'::bytea" }

# A picture of a generation, as bytes.
sub picture_of
{
	my ($self, $name, $id, $position) = @_;

	$position //= 1;
	return pack 'H*', $self->sql_as($name,
		"SELECT encode(bambi_image('$id', $position), 'hex')");
}

# As it counts for the quota.
sub usage_of
{
	my ($self, $name) = @_;

	return $self->sql("SELECT usage_count FROM bambi.users
		WHERE id = '$self->{user}{$name}'");
}

# One after the other in a psql of its own, whose output ends in the scalars
# that are given; ->finish waits for it.
sub generate_in_background
{
	my ($self, $name, $prompts, $ids, $errors, $model, $parameters) = @_;

	$model //= 'openai/gpt-image-2';
	$parameters //= $model =~ /^openai/
	  ? '{"quality": "low", "size": "1024x1024"}' : '{}';
	return IPC::Run::start(
		[
			$self->{node}->installed_command('psql'), '-XAtq',
			'-d', $self->{node}->connstr($self->database), '-U', $name,
			map { ('-c', "SELECT bambi_generate(\$p\$$_\$p\$,
				'$model', '$parameters')") } @$prompts
		],
		'<', \undef, '>', $ids, '2>', $errors);
}

sub status_of
{
	my ($self, $id) = @_;

	return $self->sql(
		"SELECT status FROM bambi.image_generations WHERE id = '$id'");
}

# A column of its row, or an expression of several.
sub column_of
{
	my ($self, $id, $column) = @_;

	return $self->sql(
		"SELECT $column FROM bambi.image_generations g WHERE id = '$id'");
}

# A test of its own: that the generation gets there.
sub wait_for_status
{
	my ($self, $id, $status, $says) = @_;

	my $reached = $self->poll("SELECT status = '$status'
		FROM bambi.image_generations WHERE id = '$id'");
	ok($reached, $says // "generation is $status")
	  or diag($self->sql("SELECT status, error_code, error_message
		FROM bambi.image_generations WHERE id = '$id'"));
	return $reached;
}

# A picture of the sandbox: its generation, which has succeeded.
sub draw
{
	my ($self, $name, $prompt) = @_;
	my $id = $self->generate($name, $prompt, 'sandbox');

	$self->poll("SELECT status = 'succeeded'
		FROM bambi.image_generations WHERE id = '$id'")
	  or die "$prompt has not succeeded";
	return $id;
}

# Of the pictures of a generation.
sub image_of
{
	my ($self, $id, $column) = @_;

	return $self->sql(
		"SELECT $column FROM bambi.images WHERE generation_id = '$id'");
}

# A test of its own: the users' counters.
sub quota_adds_up
{
	my ($self) = @_;

	return is(
		$self->sql('SELECT count(*) FROM bambi.users u WHERE usage_count <> (
			SELECT count(*) FROM bambi.image_generations g
			 WHERE g.user_id = u.id AND g.quota_period = u.reset_date)'),
		0,
		'every place in a quota belongs to a generation');
}

1;
