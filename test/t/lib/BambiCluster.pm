# BambiCluster.pm
#	A server with bambi, its mock provider, and users, for tests of their life.
#
#	my $bambi = BambiCluster->start('name', conf => "...", mock => [...]);
#	$bambi->sign_up('alice');
#	$bambi->add_key('alice');
#	my $id = $bambi->generate('alice', 'a fawn in the snow');
#	$bambi->wait_for_status($id, 'succeeded');
#
# A user's name is its login role too, tied to the user by bambi.user_id.  The
# provider "openai" is the mock, and others are after point_to_mock(); "sandbox"
# is itself.  A process is held at a labelled point by hold(), and goes on after
# release():
#
#	$bambi->hold('claim-committed');
#	my $id = $bambi->generate('alice', 'a fawn');
#	kill 'KILL', $bambi->wait_held('claim-committed');
#
# Its users and what they generate are in BambiGenerations, the mock provider in
# BambiMock, processes and points in BambiProcesses: a BambiCluster has the
# methods of all.
#
# Environment: BAMBI_MOCK and BAMBI_COURIER are programs; BAMBI_SANITIZED is set
# where the server starts a courier with sanitizers.

package BambiCluster;

use strict;
use warnings;

use Carp;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);

use parent qw(BambiGenerations BambiMock BambiProcesses);

my $database = 'bambi';
my $patience = $PostgreSQL::Test::Utils::timeout_default;

# Makes and starts all of it; conf is added to postgresql.conf, mock are
# options of bambi-mock, install_path is that of another PostgreSQL.
sub start
{
	my ($class, $name, %with) = @_;

	my $node = PostgreSQL::Test::Cluster->new($name,
		install_path => $with{install_path});
	my $dir = $node->basedir;
	my $self = bless { node => $node, dir => $dir, user => {} }, $class;

	$self->start_mock(@{ $with{mock} // [] });

	$node->init(extra => [ '-U', 'postgres', '-E', 'UTF8', '--no-locale' ]);
	mkdir "$dir/$_", 0700 foreach qw(spool points);
	system_or_bail($ENV{BAMBI_COURIER}, '--make-key', "$dir/master.pem");
	$node->append_conf(
		'postgresql.conf', <<"CONF" . ($with{conf} // ''));
shared_preload_libraries = 'bambi'
restart_after_crash = on
log_statement = none
max_worker_processes = 16
bambi.databases = '$database'
bambi.key_service = 'file'
bambi.key_file = '$dir/master.pem'
bambi.spool_directory = '$dir/spool'
bambi.debug_points = '$dir/points'
CONF
	$ENV{PGUSER} = 'postgres';
	$node->start;
	$self->install unless $with{empty};
	return $self;
}

# CREATE EXTENSION and bambi_setup() in a new database, the mock as openai.
sub install
{
	my ($self) = @_;

	$self->{node}->safe_psql('postgres', "CREATE DATABASE $database");
	$self->sql(
		'CREATE EXTENSION bambi CASCADE',
		'SELECT bambi_setup()',
		'UPDATE bambi.plans
			SET key_checks_per_minute = NULL, key_checks_per_hour = NULL,
				max_in_flight = NULL');
	$self->point_openai_to_mock;
	return;
}

sub node { return $_[0]{node} }
sub database { return $database }
sub spool { return "$_[0]{dir}/spool" }

# ---- SQL

# As the operator, each statement by itself; the last one's rows.
sub sql
{
	my ($self, @statements) = @_;
	my $rows;

	$rows = $self->{node}->safe_psql($database, $_) foreach @statements;
	return $rows;
}

# As a user who signed up; dies with the error if there is one.
sub sql_as
{
	my ($self, $name, $statement) = @_;

	return $self->{node}
	  ->safe_psql($database, $statement, extra_params => [ '-U', $name ]);
}

# The same, for what should fail: (exit status, rows, error text).
sub try_as
{
	my ($self, $name, $statement) = @_;
	my ($rows, $error);

	my $status = $self->{node}->psql(
		$database, $statement,
		stdout => \$rows,
		stderr => \$error,
		extra_params => [ '-U', $name ]);
	return ($status, $rows, $error);
}

# A session that stays open: ->query_safe($sql), ->quit.
sub session
{
	my ($self, $name) = @_;

	return $self->{node}
	  ->background_psql($database, extra_params => [ '-U', $name ]);
}

# Until a query says t.
sub poll
{
	my ($self, $query) = @_;

	return $self->{node}->poll_query_until($database, $query);
}

# Waits for a condition of this process's own, given as code.
sub wait_until
{
	my ($self, $what, $code) = @_;
	my $end = time + $patience;

	until ($code->())
	{
		croak "waited in vain for $what" if time > $end;
		usleep(10_000);
	}
	return;
}

# ---- settings

# Has the server read its files again.  When this is over, whoever runs has
# been told, and reads them before the next thing that it does.
sub reload
{
	my ($self) = @_;
	my $before = $self->sql('SELECT pg_conf_load_time()');

	$self->{node}->reload;
	$self->poll("SELECT pg_conf_load_time() > '$before'")
	  or croak 'the settings are not read';
	return;
}

# By ALTER SYSTEM, likewise.
sub set
{
	my ($self, %settings) = @_;

	$self->sql(map { "ALTER SYSTEM SET $_ = '$settings{$_}'" }
		  sort keys %settings);
	$self->reload;
	return;
}

sub stop
{
	my ($self, $mode) = @_;

	$self->{node}->stop($mode);
	return;
}

sub DESTROY
{
	my ($self) = @_;

	local $?;
	$self->stop_mock;
	return;
}

1;
