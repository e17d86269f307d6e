# BambiInstallation.pm
#	An installation of PostgreSQL of a test's own, in which bambi is replaced as
#	an upgrade replaces it.
#
#	my $installation = BambiInstallation->new;
#	$installation->build('bambi-0.9');
#	$installation->put('bambi-0.9');
#	my $bambi = BambiCluster->start('name', install_path => $installation->path);
#	$bambi->stop;
#	$installation->put_this;
#
# A server finds its files from where its program lies: so the programs are
# copies, and all else is linked.

package BambiInstallation;

use strict;
use warnings;

use File::Basename qw(basename dirname);
use PostgreSQL::Test::Utils;
use Test::More;

my $fixtures = 'test/fixtures/upgrade';

sub new
{
	my ($class) = @_;
	my $self = bless { root => PostgreSQL::Test::Utils::tempdir() }, $class;

	foreach my $where (qw(bindir pkglibdir sharedir))
	{
		my ($path) = run_command([ 'pg_config', "--$where" ]);

		$self->{$where} = $path;
		system_or_bail('mkdir', '-p', $self->in($where));
	}
	system_or_bail('cp', '-R', "$self->{bindir}/.", $self->in('bindir'));
	$self->link_all('pkglibdir', '');
	$self->link_all('sharedir', '');
	unlink $self->in('sharedir') . '/extension';
	mkdir $self->in('sharedir') . '/extension' or die "mkdir: $!";
	$self->link_all('sharedir', '/extension');
	return $self;
}

# The place of a directory of PostgreSQL's in this installation.
sub in { return "$_[0]{root}$_[0]{$_[1]}" }

# As PostgreSQL::Test::Cluster wants it: what bin lies in.
sub path { return dirname($_[0]->in('bindir')) }

sub share { return $_[0]->in('sharedir') . '/extension' }

# All that lies there but what is bambi's.
sub link_all
{
	my ($self, $where, $below) = @_;

	foreach my $file (glob "$self->{$where}$below/*")
	{
		my $name = basename($file);

		next if $name =~ /^bambi/;
		symlink $file, $self->in($where) . "$below/$name"
		  or die "$file: $!";
	}
	return;
}

sub make
{
	my ($self, $version, @targets) = @_;

	# what make check was called with is not meant for it
	local $ENV{MAKEFLAGS} = '';
	system_or_bail('make', '-s', '-j2', '-C', "$self->{root}/$version",
		"PG_CONFIG=$self->{bindir}/pg_config", 'COPT=-O0', @targets);
	return;
}

# From the fixture of that name.
sub build
{
	my ($self, $version) = @_;

	system_or_bail('tar', '-xzf', "$fixtures/$version.tar.gz", '-C',
		$self->{root});
	$self->make($version, 'all');
	return;
}

# Instead of the one that is there; the server must not run.
sub put
{
	my ($self, $version) = @_;

	$self->remove;
	$self->make($version, "DESTDIR=$self->{root}", 'install');
	return;
}

# The one that is installed for all tests, likewise.
sub put_this
{
	my ($self) = @_;

	$self->remove;
	foreach my $where ([ 'pkglibdir', '' ], [ 'bindir', '' ],
		[ 'sharedir', '/extension' ])
	{
		my ($directory, $below) = @$where;

		system_or_bail('cp', '-R', glob("$self->{$directory}$below/bambi*"),
			$self->in($directory) . $below);
	}
	return;
}

sub remove
{
	my ($self) = @_;

	system_or_bail('rm', '-rf', glob($self->in('pkglibdir') . '/bambi*'),
		glob($self->in('bindir') . '/bambi*'), glob($self->share . '/bambi*'));
	return;
}

1;
