# BambiLeakPlaces.pm
#	Every place where a key could be found afterwards, for BambiLeaks: what is
#	looked through there, and how a key is told in it.

package BambiLeakPlaces;

use strict;
use warnings;

use BambiLeakWays;
use BambiWire;
use File::Find;
use IPC::Run;
use PostgreSQL::Test::Utils;

our @places = (
	'pg_stat_activity', 'pg_stat_statements', 'pg_stat_statements, running',
	'pg_stat_statements, stopped', 'log, stderr', 'log, csvlog',
	'log, jsonlog', 'log, before the collector', 'WAL', 'data directory',
	'base backup', 'WAL in the base backup', 'pg_dump', 'logical slot',
	'core file');

sub found
{
	my ($self, $place, $cell) = @_;

	$self->{seen}{$place}{ $cell->{number} }++;
	return;
}

# How a text may be written: as it is, as hexadecimal digits, and as the list
# of bytes that a dumped tree has.  Its lines may end in a number; so all spaces
# and line ends are taken out, in whatever way a log writes them.
my @encodings = (
	sub { $_[0] },
	sub { unpack 'H*', $_[0] },
	sub { uc unpack 'H*', $_[0] });
my $as_list = sub { join '', unpack 'C*', $_[0] };

# Numbers of the cells whose keys are in a text, whole or by half.
sub cells_in
{
	my ($self, $text) = @_;
	my %numbers;

	my $lists = $text =~ /constvalue/ ? $text =~ s/(?:\\n|\s)+//gr : '';

	foreach my $way (map({ [ $_, $text ] } @encodings), [ $as_list, $lists ])
	{
		my ($encode, $written) = @$way;
		my %digit = map { ($encode->($_) => $_) } 0 .. 9;
		my $digit = join '|', sort keys %digit;
		my $number = "(?:$digit){5}";

		foreach my $half ($self->{head}, $self->{tail})
		{
			my $mark = $encode->($half);
			my $is_head = $half eq $self->{head};

			# index is much faster than an expression
			for (my $at = 0; ($at = index $written, $mark, $at) >= 0; $at++)
			{
				my $near = $is_head
				  ? substr $written, $at + length $mark, 20
				  : substr $written, $at < 20 ? 0 : $at - 20,
				  $at < 20 ? $at : 20;
				my ($found) = $is_head
				  ? $near =~ /^($number)/ : $near =~ /($number)$/;

				next unless defined $found;
				$found =~ s/($digit)/$digit{$1}/g;
				$numbers{ 0 + $found } = 1;
			}
		}
	}
	return keys %numbers;
}

sub search_text
{
	my ($self, $place, $text) = @_;

	foreach my $number ($self->cells_in($text))
	{
		my $cell = $self->{cells}[$number];
		$self->found($place, $cell) if $cell;
	}
	return;
}

sub search_files
{
	my ($self, $place, @files) = @_;

	$self->search_text($place, slurp_file($_)) foreach grep { -f } @files;
	return;
}

sub files_below
{
	my ($dir) = @_;
	my @files;

	find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } }, $dir);
	return @files;
}

sub output_of
{
	my ($self, $program, @options) = @_;
	my ($output, $errors);

	IPC::Run::run([ $self->{bambi}->node->installed_command($program),
			@options ], '>', \$output, '2>', \$errors)
	  or die "$program: $errors";
	return $output;
}

# Everything there is outside of the server's memory; stops the server.
sub search
{
	my ($self) = @_;
	my $node = $self->{bambi}->node;
	my $data = $node->data_dir;
	my $backup = $node->basedir . '/leaks_backup';

	my ($rows, $error) = $self->{monitor}->query(
		"SELECT data FROM pg_logical_slot_get_changes('leaks', NULL, NULL)");
	die $error->{M} if $error;
	$self->search_text('logical slot', join "\n", map { $_->[0] } @$rows);
	$self->search_text('pg_dump',
		$self->output_of('pg_dump', '-d', $node->connstr('bambi')));
	$self->search_files('pg_stat_statements, running',
		glob "$data/pg_stat_tmp/*");
	$self->output_of('pg_basebackup', '-D', $backup, '-X', 'fetch', '-c',
		'fast', '-d', $node->connstr('postgres'));
	$self->{monitor}->close;
	$self->stop;

	my $is_known = qr{/(?:log|pg_stat|pg_wal|pg_stat_tmp)/};
	$self->search_logs;
	$self->search_files('pg_stat_statements, stopped',
		glob "$data/pg_stat/*");
	$self->search_files('WAL', glob "$data/pg_wal/*");
	$self->search_files('data directory',
		grep { $_ !~ $is_known } files_below($data));
	$self->search_files('base backup',
		grep { $_ !~ $is_known } files_below($backup));
	$self->search_files('WAL in the base backup', glob "$backup/pg_wal/*");
	return;
}

# Until all that was said is in the log, too: the logger is the last to leave.
sub stop
{
	my ($self) = @_;
	my $bambi = $self->{bambi};

	$bambi->stop;
	$bambi->wait_until('the end of the logger',
		sub { return !$bambi->server_processes });
	return;
}

sub search_logs
{
	my ($self) = @_;
	my $node = $self->{bambi}->node;
	my @logs = glob $node->data_dir . '/log/*';

	$self->search_files('log, stderr', grep { /\.log$/ } @logs);
	$self->search_files('log, csvlog', grep { /\.csv$/ } @logs);
	$self->search_files('log, jsonlog', grep { /\.json$/ } @logs);
	$self->search_files('log, before the collector', $node->logfile);
	return;
}

# What is logged so far, when the server has stopped.
sub log_text
{
	my ($self) = @_;

	return join '', map { slurp_file($_) }
	  glob $self->{bambi}->node->data_dir . '/log/*.log';
}

# ---- core files

# Kills a session in the middle of its messages; core files that it left.
sub die_of
{
	my ($self, @messages) = @_;
	my $bambi = $self->{bambi};
	my $wire = BambiWire->new($bambi->node, 'bambi', 'defaults');
	my $pid = $wire->pid;

	$wire->send_raw(@messages);
	$bambi->poll("SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE pid = $pid AND wait_event = 'PgSleep')");
	kill 'ABRT', $pid;
	$bambi->wait_gone($pid);
	$bambi->wait_for_server;
	return glob $bambi->node->data_dir . '/core*';
}

# Sessions that have a key die, on a running server.  Gives whether core files
# can be had here at all, and stops the server.
sub search_cores
{
	my ($self) = @_;
	my $bambi = $self->{bambi};
	my $sleep = BambiWire::message('Q', "SELECT pg_sleep(600)\0");
	my ($pid) = split /\n/, slurp_file($bambi->node->data_dir .
		  '/postmaster.pid');

	# as for whoever looks for a fault of the server
	system_or_bail('prlimit', '--core=unlimited', '--pid', $pid);
	my @cores = $self->die_of(
		BambiWire::message('Q', "SELECT '$self->{control}{key}'\0"), $sleep);
	$self->search_files('core file', @cores);
	unlink @cores;

	foreach my $way ('bind', 'literal', 'literal that runs')
	{
		my $cell = $self->cell("$way, then a crash", 'defaults');
		my @calls = $way eq 'literal that runs'
		  ? BambiWire::message('Q',
			'SELECT ' . call($cell) . ", pg_sleep(600)\0")
		  : (call_messages($way, $provider, $cell->{key}, $cell->{name}),
			$sleep);
		my @left = $self->die_of(@calls);

		$self->search_files('core file', @left);
		unlink @left;
	}
	$self->stop;
	$self->search_logs;
	return @cores > 0;
}

1;
