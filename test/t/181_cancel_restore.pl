# A month whose way back from the archive ends in the middle, since an object
# cannot be read any more, is given up: what was there of it goes again, and tables,
# image store, budgets and archive are as they were.

use strict;
use warnings;

use BambiArchive;
use BambiCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $pictures = PostgreSQL::Test::Utils::tempdir('pictures');
my $stored = PostgreSQL::Test::Utils::tempdir('archive');
my $bambi = BambiCluster->start('cancel', conf => <<"CONF");
bambi.store = 'filesystem'
bambi.store_directory = '$pictures'
bambi.archive_store = 'filesystem'
bambi.archive_directory = '$stored'
CONF
my @users = qw(alice bob carol);
$bambi->sign_up($_) foreach @users;
my $archive = BambiArchive->new($bambi, pictures => $pictures,
	archive => $stored);
$archive->fill(rows => 240, users => \@users);
# more than a chunk of them
$bambi->sql("UPDATE bambi.usage_events SET usage = usage
	|| jsonb_build_object('of', repeat(md5(id::text), 300))");
$bambi->sql("INSERT INTO bambi.budgets (user_id, amount, period)
	SELECT id, 100, 'total' FROM bambi.users WHERE id IN
		(SELECT user_id FROM made)");
my $budgets = 'SELECT user_id, spent, unpriced FROM bambi_budgets ORDER BY 1';
my $spent = $bambi->sql($budgets);
my $before = $archive->look;
my $content = 'image_generations';
my $usage = 'usage_events';
my $cancelled = 0;

# All that is known of the archive, and what the stores have.
sub state_of_all
{
	return [
		map { split /\n/ }
	  $bambi->sql("SELECT to_jsonb(a) - '{updated_at, last_error}'::text[]
		FROM bambi.archives a ORDER BY table_name"),
	  $bambi->sql('SELECT o FROM bambi_internal.archive_objects o
		ORDER BY id'),
	  $bambi->sql('SELECT user_id, object_id, currency, sum(cost),
			sum(unpriced)
		FROM bambi_internal.carried_costs GROUP BY 1, 2, 3 ORDER BY 1, 2'),
	  $bambi->sql('TABLE bambi_internal.carried_months ORDER BY 1'),
	  $bambi->sql("SELECT relname FROM pg_class
		WHERE relname LIKE '%\\_2024\\_05' ORDER BY 1"),
	  $archive->files($pictures), $archive->files($stored) ];
}

# A month that does not come back whole; what of it cannot be read.
sub lock_up
{
	my ($table, $what) = @_;
	my $name = $archive->lock_up($table, $what);

	ok( $archive->is_stuck_at($name),
		"$table does not come back, and says why")
	  || diag($bambi->sql('TABLE bambi_archives'));
	# the answer about the first chunk may be on its way
	ok( $bambi->poll("SELECT count(*) > 0 FROM bambi.$table
			WHERE id IN (SELECT id FROM made)"),
		'but something of it is there');
	return $name;
}

sub cancel
{
	$archive->cancel(@_);
	$cancelled++;
	return;
}

# ---- each table

ok($archive->send_off, 'all tables of a month are archived')
  || diag($bambi->sql('TABLE bambi_archives'));
my $archived = state_of_all();

foreach my $table (qw(change_log image_generations usage_events))
{
	my $name = lock_up($table, $table eq $content ? 'pictures' : 'chunk');

	is($bambi->sql($budgets), $spent, 'and costs are what they were');
	my (undef, undef, $error) = $bambi->try_as('postgres',
		"SELECT bambi_archive_month('$table', '2024-05-01')");
	like($error, qr/month is being restored/, 'it cannot be archived');
	cancel($table);
	ok($archive->wait_for('archived', $table), 'it is given up')
	  || diag($bambi->sql('TABLE bambi_archives'));
	$archive->open_again($name);
	is_deeply(state_of_all(), $archived, 'and everything is as it was');
	is($bambi->sql($budgets), $spent, 'costs, too');
}
ok($archive->bring_back, 'all of it is restored at last')
  || diag($bambi->sql('TABLE bambi_archives'));
is($archive->look, $before, 'row by row and picture by picture as it was');
is($bambi->sql($budgets), $spent, 'and nothing is spent twice');

# ---- pictures by reference, and a death

$bambi->sql("SELECT bambi_set_retention('content', '1 year',
	pictures => 'reference')");
my @files = $archive->files($pictures);
ok($archive->send_off, 'a month is archived without its pictures');
$archived = state_of_all();
my $name = lock_up($content, 'chunk');
my $there = "SELECT count(*) FROM bambi.$content
	WHERE id IN (SELECT id FROM made)";
my $left;
# a step takes a hundred
$bambi->poll("SELECT ($there) > 100") or die $bambi->sql($there);
my $had = $bambi->sql($there);
$bambi->hold('archive-step-committed');
cancel($content);
$bambi->wait_held('archive-step-committed');
until (($left = $bambi->sql($there)) < $had)
{
	$bambi->step('archive-step-committed');
	$bambi->wait_held('archive-step-committed');
}
$bambi->kill9($bambi->wait_held('archive-step-committed'));
$bambi->release('archive-step-committed');
$bambi->bring_back;
ok($archive->wait_for('archived', $content),
	'a death on the way is of no account')
  || diag($bambi->sql('TABLE bambi_archives'));
$archive->open_again($name);
cmp_ok($left, '>', 0, 'rows go in pieces');
is_deeply(state_of_all(), $archived, 'and everything is as it was');
is_deeply([ $archive->files($pictures) ], \@files,
	'also the pictures, which are nowhere else');

# ---- a database that never had it

$bambi->sql("DELETE FROM bambi.archives WHERE table_name = '$usage'");
my $less = $bambi->sql($budgets);
$name = lock_up($usage, 'chunk');
isnt($bambi->sql($budgets), $less, 'a month from elsewhere costs, too');
cancel($usage);
ok($archive->wait_for('failed', $usage), 'it is given up');
is($bambi->sql($budgets), $less, 'with its costs');
is( $bambi->sql('SELECT count(*) FROM bambi_internal.carried_costs
		WHERE archive_id NOT IN (SELECT archive_id
			FROM bambi_internal.carried_months)'),
	0, 'of which nothing is left');
$archive->open_again($name);
ok($archive->bring_back, 'and restored another time');
is($archive->look, $before, 'as it was');
is($bambi->sql($budgets), $spent, 'with its costs');

# ---- one that failed, before somebody was to be taken out of its archive

ok($archive->send_off($content), 'a month is archived')
  || diag($bambi->sql('TABLE bambi_archives'));
my $bob = $bambi->{user}{bob};
my @chunks = split /\n/, $bambi->sql("SELECT o.name
	FROM bambi_internal.archive_objects o
	JOIN bambi.archives a ON a.id = o.archive_id
	WHERE a.table_name = '$content' AND o.kind = 'lines'
		AND o.state = 'written'");
my ($lost) = grep { defined } map { $_->{object} }
  map { @{ $_->{inputs} // [] } } grep { $_->{row}{user_id} eq $bob }
  map { $archive->lines("$stored/$_") } @chunks;
$bambi->sql("DELETE FROM bambi.archives WHERE table_name = '$content'");
rename "$stored/$lost", "$stored/lost" or die "$lost: $!";
$archive->ask_back($content);
ok($archive->wait_for('failed', $content), 'nothing comes of what is lost')
  || diag($bambi->sql('TABLE bambi_archives'));
$archive->close_up($_) foreach @chunks;
my $is_gone = "SELECT bambi_internal.erase_from_archives('$bob') = 0";
is($bambi->sql($is_gone), 'f', 'one of it is to be taken out');
$archive->ask_back($content);
ok( $archive->is_stuck_at($archive->place($content)),
	'which is not done when it is asked for')
  || diag($bambi->sql('TABLE bambi_archives'));
$archive->open_again($_) foreach @chunks;
ok($archive->wait_for('restored', $content), 'it comes back')
  || diag($bambi->sql('TABLE bambi_archives'));
is( $bambi->sql("SELECT count(*), count(*) FILTER (WHERE user_id = '$bob')
		FROM bambi.$content WHERE id IN (SELECT id FROM made)"),
	$bambi->sql("SELECT count(*) FILTER (WHERE user_id <> '$bob'), 0
		FROM made"), 'without that user, whose was what is lost');
ok($bambi->poll($is_gone), 'of whom the archive has nothing');

note "counted: $cancelled restores given up after their first rows";
$bambi->stop;
done_testing();
