# BambiProcesses.pm
#	What a BambiCluster does with its processes: which there are, how they die,
#	and the labelled points at which they are held.  It is a part of that class:
#	statements and waits are there.

package BambiProcesses;

use strict;
use warnings;

use PostgreSQL::Test::Utils;

sub worker_pid
{
	my ($self) = @_;
	my $pid;

	$self->wait_until('the worker', sub {
			$pid = $self->sql("SELECT pid FROM pg_stat_activity
				WHERE backend_type = 'bambi worker'
					AND datname = '@{[ $self->database ]}'");
			return $pid ne '';
		});
	return $pid;
}

# Couriers of this cluster, living ones, the oldest first.  Each writes its
# process id into the lock of its spool directory; its parent, the keeper, lives
# in that directory.
sub couriers
{
	my ($self) = @_;
	my %pids;

	foreach my $lock (glob $self->spool . '/*/*/lock')
	{
		open my $in, '<', $lock or next;
		my $pid = <$in> // '';
		close $in;
		chomp $pid;
		$pids{$pid} = 1 if $pid =~ /^\d+$/ && $self->is_courier($pid);
	}
	return sort { began($a) <=> began($b) } keys %pids;
}

# When a process began, in ticks: numbers start again from the lowest.
sub began
{
	my ($pid) = @_;
	my $stat = slurp_stat($pid);

	return defined $stat ? $stat->{began} : 0;
}

# And not who else may have got its number.
sub is_courier
{
	my ($self, $pid) = @_;
	my $stat = slurp_stat($pid);

	return unless defined $stat && $stat->{state} ne 'Z';
	my $where = readlink "/proc/$stat->{parent}/cwd";
	return defined $where && index($where, $self->spool . '/') == 0;
}

sub slurp_stat
{
	my ($pid) = @_;

	open my $in, '<', "/proc/$pid/stat" or return;
	my $line = <$in> // '';
	close $in;
	return unless $line =~ /^\d+ \(.*\) (.*)/s;
	my @fields = split / /, $1;
	return { state => $fields[0], parent => $fields[1],
		began => $fields[19] };
}

sub courier_pid
{
	my ($self) = @_;
	my @pids;

	$self->wait_until('the courier',
		sub { @pids = $self->couriers; return @pids > 0 });
	return $pids[-1];
}

sub is_alive
{
	my ($self, $pid) = @_;
	my $stat = slurp_stat($pid);

	return defined $stat && $stat->{state} ne 'Z';
}

# kill -9 of one process, until it is gone.
sub kill9
{
	my ($self, $pid) = @_;

	kill 'KILL', $pid;
	$self->wait_gone($pid);
	return;
}

# Until a process is gone and the postmaster knows, if it was a child of its:
# before, others would go on, and who connects would be thrown out in a moment.
sub wait_gone
{
	my ($self, $pid) = @_;
	my $postmaster = $self->{node}{_pid} // 0;

	$self->wait_until("the end of $pid", sub {
			my $stat = slurp_stat($pid);
			return !defined $stat
			  || $stat->{state} eq 'Z' && $stat->{parent} != $postmaster;
		});
	return;
}

# kill -9 of the postmaster, until its children have noticed; one that is held
# at a point cannot, so these points are released.
sub kill9_postmaster
{
	my ($self, @points) = @_;

	$self->{node}->kill9;
	$self->release(@points);
	$self->wait_until('the end of the server',
		sub { return !$self->server_processes });
	$self->remove_lock_files;
	return;
}

# A dead postmaster's lock files name a process that init may not have reaped
# yet, and the next one would believe in it.
sub remove_lock_files
{
	my ($self) = @_;
	my $node = $self->{node};

	unlink $node->data_dir . '/postmaster.pid',
	  $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	return;
}

# kill -9 of everything at once, couriers too, as when the machine loses power.
sub kill9_everything
{
	my ($self) = @_;

	# stopped first, so that nobody sees another one die
	my @pids = ($self->server_processes, $self->couriers);
	kill 'STOP', @pids;
	kill 'KILL', @pids;
	$self->{node}->kill9;
	$self->wait_until('the end of everything', sub {
			# who was just being started
			@pids = ($self->server_processes, $self->couriers);
			kill 'KILL', @pids;
			return !@pids;
		});
	$self->remove_lock_files;
	return;
}

sub server_processes
{
	my ($self) = @_;
	my $data = $self->{node}->data_dir;

	return map { substr $_, length '/proc/' }
	  grep { (readlink("$_/cwd") // '') eq $data } glob '/proc/[0-9]*';
}

# Starts the server again if it does not run, and waits until it is there.
sub bring_back
{
	my ($self) = @_;

	$self->{node}->start unless defined $self->{node}{_pid};
	$self->wait_for_server;
	return;
}

# After a crash of a backend or worker, the server lets nobody in for a moment.
sub wait_for_server
{
	my ($self) = @_;

	$self->wait_until('the server', sub {
			# who is refused may not even take the query
			return eval {
				$self->{node}->psql($self->database, 'SELECT 1') == 0;
			};
		});
	return;
}

# ---- labelled points

sub hold
{
	my ($self, @points) = @_;

	foreach my $point (@points)
	{
		unlink "$self->{dir}/points/$point.reached";
		append_to_file("$self->{dir}/points/$point", '');
	}
	return;
}

# Waits until somebody is held there; its pid.
sub wait_held
{
	my ($self, $point) = @_;
	my $file = "$self->{dir}/points/$point.reached";

	$self->wait_until("somebody at $point", sub { -s $file });
	my $pid = slurp_file($file);
	$pid =~ s/\s//g;
	return $pid;
}

# Waits for that or for something else to be so; false then.
sub held_or
{
	my ($self, $point, $is_over) = @_;

	$self->wait_until("somebody at $point, or the end",
		sub { return $self->was_reached($point) || $is_over->() });
	return $self->was_reached($point) && $self->wait_held($point);
}

# Lets whoever is held there go on, to be held the next time.
sub step
{
	my ($self, $point) = @_;

	unlink "$self->{dir}/points/$point.reached";
	return;
}

sub was_reached
{
	my ($self, $point) = @_;

	return -s "$self->{dir}/points/$point.reached" ? 1 : 0;
}

sub release
{
	my ($self, @points) = @_;

	unlink "$self->{dir}/points/$_" foreach @points;
	return;
}

1;
