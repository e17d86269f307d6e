# Whoever dies at whichever point of a month's way to the archive and back, with
# kill -9, with everything, with the postmaster or by an immediate stop: no row
# and no picture is lost, none comes twice, and nothing is left in the archive
# that no manifest names.
#
#	ARCHIVE_KILLS	at each point, in either direction (default 1)

use strict;
use warnings;

use BambiArchive;
use BambiCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $most = $ENV{ARCHIVE_KILLS} || 1;

my @users = qw(alice bob carol);
my $pictures = PostgreSQL::Test::Utils::tempdir('pictures');
my $stored = PostgreSQL::Test::Utils::tempdir('archive');
my $bambi = BambiCluster->start('archive_kills', conf => <<"CONF");
bambi.store = 'filesystem'
bambi.store_directory = '$pictures'
bambi.archive_store = 'filesystem'
bambi.archive_directory = '$stored'
CONF
$bambi->sign_up($_) foreach @users;
my $archive = BambiArchive->new($bambi, pictures => $pictures,
	archive => $stored);
$archive->fill(rows => 30 * $most, users => \@users);
$bambi->sql("INSERT INTO bambi.budgets (user_id, amount, period)
	VALUES ('$bambi->{user}{alice}', 100, 'total')");
my $budget = 'SELECT spent, unpriced FROM bambi_budgets';
my $spent = $bambi->sql($budget);
my $before = $archive->look;

my @points = qw(archive-step-before-commit archive-step-committed
	archive-stage-ended archive-errand-ended archive-answered
	archive-answer-before-commit archive-answer-committed);
my %death = (
	killed => sub { $bambi->kill9($_[0]) },
	immediate => sub { $bambi->stop('immediate') },
	everything => sub { $bambi->kill9_everything },
	postmaster => sub { $bambi->kill9_postmaster($_[1]) });
my @deaths = sort keys %death;
my $kills = 0;

# Kills whoever comes to the point for the so manieth time; what it was.
sub die_on_the_way
{
	my ($point, $times, $wanted) = @_;
	my $how = $deaths[ $kills % @deaths ];

	$bambi->hold($point);
	foreach my $time (1 .. $times)
	{
		my $pid = $bambi->held_or($point,
			sub { return $archive->all_are($wanted) }) or last;

		if ($time < $times)
		{
			$bambi->step($point);
			next;
		}
		$death{$how}->($pid, $point);
		$kills++;
		$bambi->bring_back;
	}
	$bambi->release($point);
	$archive->hurry;
	return "who is at $point the ${times}th time, $how";
}

foreach my $round (1 .. $most)
{
	foreach my $n (0 .. $#points)
	{
		my $times = 1 + ($round * 7 + $n * 5) % 11;

		$archive->ask_off;
		my $says = die_on_the_way($points[$n], $times, 'archived');
		ok($archive->wait_for('archived'), "$says: a month is archived")
		  || diag($bambi->sql('TABLE bambi_archives'));
		$archive->is_whole("$says: and whole");
		$archive->ask_back;
		$says = die_on_the_way($points[$n], $times, 'restored');
		ok($archive->wait_for('restored'), "$says: it is restored")
		  || diag($bambi->sql('TABLE bambi_archives'));
		is($archive->look, $before, "$says: as it was");
	}
}
is($bambi->sql($budget), $spent, 'no cost is forgotten or counted twice');
cmp_ok($kills, '>=', 2 * @points * $most * 0.8, 'points were reached');

note "counted: $kills kills on the way to the archive and back";
$bambi->stop;
done_testing();
