# BambiQuotaRace.pm
#	Many clients that want the last places of a quota.
#
#	my @wrong = BambiQuotaRace::race($quota, clients => 64, tries => 200,
#		users => 50, limit => 10, of => 'period', key => 'none');
#
# $quota is a BambiQuota, which makes the users and counts.

package BambiQuotaRace;

use strict;
use warnings;

use IPC::Run;
use List::Util qw(min);
use POSIX qw(floor);
use Time::HiRes qw(time);

use BambiQuota;

# With idempotency keys: one of each try's own, or one that all share, so that
# most give back what they have just reserved.
my %key = (
	none => 'NULL',
	own => q{'k' || :client_id || ' ' || :i},
	shared => q{'k' || :i});

# All clients go through the users in the same order, so that they meet.
# Says what is wrong, line by line.
sub race
{
	my ($quota, %with) = @_;
	my $first = $quota->make_users($with{users}, 'NULL');
	my $script = $quota->{bambi}->node->basedir . '/race.sql';
	my $places = $with{limit};

	$places = min($places, $with{tries} / $with{users})
	  if $with{key} eq 'shared';
	$quota->sql(
		"UPDATE bambi.plans SET
			generations_per_period = "
		  . ($with{of} eq 'period' ? $with{limit} : 'NULL')
		  . ', generations_per_minute = '
		  . ($with{of} eq 'minute' ? $with{limit} : 'NULL')
		  . " WHERE plan_type = 'free'");
	open my $out, '>', $script or die "$script: $!";
	print $out "\\set i :i + 1
\\set n $first + :i % $with{users}
SELECT quota_test.try(('00000000-0000-7000-8000-'
	|| lpad((:n)::text, 12, '0'))::uuid, 'a fawn', 'sandbox', '{}',
	$key{ $with{key} });\n";
	close $out;

	my $began = time;
	pgbench($quota, '-c', $with{clients}, '-t', $with{tries}, '-D', 'i=0',
		'-f', $script);
	my $minutes = $with{of} eq 'minute' ? floor((time - $began) / 60) : 0;

	return race_wrong($quota, $first, $places,
		min($places * (1 + $minutes), $with{clients} * $with{tries}),
		$with{of});
}

sub pgbench
{
	my ($quota, @options) = @_;
	my $node = $quota->{bambi}->node;
	my ($out, $error);

	IPC::Run::run(
		[
			$node->installed_command('pgbench'), '-n', '-j', 2,
			'-M', 'prepared', @options, $node->connstr('bambi')
		],
		'<', \undef, '>', \$out, '2>', \$error)
	  or die "pgbench: $error";
	my ($done) = $out =~ /actually processed: (\d+)/
	  or die "pgbench: $out";
	$quota->{counts}{tries} += $done;
	return;
}

# A race that took longer than a minute gets as many places more.
sub race_wrong
{
	my ($quota, $first, $least, $most, $of) = @_;
	my $rows = $quota->sql("
		SELECT u.email, count(g.id), u.usage_count,
			(SELECT count(*) FROM bambi_internal.queue q
			  WHERE q.user_id = u.id), coalesce(cardinality(recent_starts), 0)
		FROM bambi.users u
		LEFT JOIN bambi.image_generations g
			ON g.user_id = u.id AND g.quota_period = u.reset_date
		WHERE u.id >= '" . BambiQuota::id_of({ number => $first }) . "'
			AND u.email LIKE '%\@quota.example'
		GROUP BY u.id ORDER BY u.id");
	my @wrong;

	foreach my $row (split /\n/, $rows)
	{
		my ($who, $made, $used, $queued, $starts) = split /\|/, $row;

		$quota->{counts}{places} += $made;
		push @wrong,
		  "$who: $made made, $used used, $queued queued, $starts starts"
		  unless $made >= $least && $made <= $most && $made == $used
		  && $made == $queued
		  && $starts == ($of eq 'minute' ? $least : 0);
	}
	push @wrong, 'no users' unless $rows;
	return @wrong;
}

1;
