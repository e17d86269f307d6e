# A month of generations, usage and changes goes to the archive and comes back
# equal, row by row and byte by byte; what changes meanwhile is not lost, a
# damaged archive brings nothing back, and who is erased is in it no more.

use strict;
use warnings;

use BambiArchive;
use BambiCluster;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 240;

my $pictures = PostgreSQL::Test::Utils::tempdir('pictures');
my $stored = PostgreSQL::Test::Utils::tempdir('archive');
my $bambi = BambiCluster->start('archive', conf => <<"CONF");
bambi.store = 'filesystem'
bambi.store_directory = '$pictures'
bambi.archive_directory = '$stored'
CONF
my @users = qw(alice bob carol);
$bambi->sign_up($_) foreach @users;
my $archive = BambiArchive->new($bambi, pictures => $pictures,
	archive => $stored);
$archive->fill(rows => $rows, users => \@users);
$bambi->sql("INSERT INTO bambi.budgets (user_id, amount, period)
	VALUES ('$bambi->{user}{alice}', 100, 'total')");
my $budget = 'SELECT spent, unpriced FROM bambi_budgets';
my $spent = $bambi->sql($budget);
my $generations = $bambi->sql('SELECT count(*) FROM made');
my $bytes;
my $usage = 'usage_events';
my $content = 'image_generations';

sub objects { return grep { !/\.json / } $archive->files($stored) }

# ---- what it waits for

$bambi->sql("SELECT bambi_set_retention('content', '1 year')",
	'SELECT bambi_maintain()');
ok( $bambi->poll("SELECT state = 'waiting' AND last_error LIKE
		'there is no archive%' FROM bambi_archives
		WHERE table_name = '$content' AND month = '2024-05-01'"),
	'without an archive, a month past its time waits');
$bambi->sql("UPDATE bambi.image_generations SET held_reason = 'a test',
	status = 'held' WHERE id = (SELECT id FROM made ORDER BY id LIMIT 1)");
$bambi->set('bambi.archive_store' => 'filesystem');
ok( $bambi->poll("SELECT last_error LIKE '%has to decide%'
		FROM bambi_archives WHERE table_name = '$content'"),
	'and so it does while a generation of it is held');
$bambi->sql("UPDATE bambi.image_generations SET held_reason = NULL,
	status = 'succeeded' WHERE held_reason IS NOT NULL");

# ---- there and back

$archive->there_and_back('copy');
is($bambi->sql($budget), $spent, 'and nothing is spent twice');
$bambi->sql('SELECT bambi_maintain()');
is($archive->state_of($content), 'restored', 'it stays until somebody asks');

# ---- what changes meanwhile

# a chunk is put, and the answer is not there yet
my $chunks = () = glob "$stored/$content/*/*.jsonl.zst";
$bambi->hold('archive-stage-ended');
$archive->ask_off;
$bambi->wait_held('archive-stage-ended');
until ((() = glob "$stored/$content/*/*.jsonl.zst") > $chunks)
{
	$bambi->step('archive-stage-ended');
	$bambi->wait_held('archive-stage-ended');
}
my $changed = $bambi->sql("SELECT id FROM made ORDER BY user_id, id LIMIT 1");
$bambi->sql("UPDATE bambi.image_generations SET error_message = 'changed'
	WHERE id = '$changed'",
	"DELETE FROM bambi.images WHERE id = (SELECT image_id FROM made_pictures
		WHERE is_outside ORDER BY image_id LIMIT 1)",
	"DELETE FROM bambi.images WHERE id = (SELECT image_id FROM made_pictures
		WHERE NOT is_outside ORDER BY image_id LIMIT 1)");
my $writer = $bambi->session('postgres');
$writer->query_safe("BEGIN; UPDATE bambi.image_generations
	SET error_message = 'changed too' WHERE id = (SELECT id FROM made
		ORDER BY user_id DESC, id DESC LIMIT 1)");
$bambi->release('archive-stage-ended');
ok( $archive->wait_for('archived', qw(usage_events change_log)),
	'others do not wait for one who changes a row')
  || diag($bambi->sql('TABLE bambi_archives'));
isnt($archive->state_of($content), 'archived', 'but its month does');
$writer->query_safe('COMMIT');
$writer->quit;
ok($archive->wait_for('archived'), 'until the change is there');
is($bambi->sql($budget), $spent, 'a budget in total remembers what is gone');
$archive->is_whole('what was written before is replaced');
ok($archive->bring_back, 'and restored');
like($bambi->sql("SELECT string_agg(error_message, ' ' ORDER BY user_id)
		FROM bambi.image_generations WHERE error_message LIKE 'changed%'"),
	qr/changed.*changed too/, 'with both changes');
my $after = $archive->look;
is($bambi->sql("SELECT count(*) FROM made_pictures p
		WHERE NOT EXISTS (SELECT FROM bambi.images i WHERE i.id = p.image_id)"),
	2, 'and without the images that were deleted');

# ---- while it leaves

# From commit to commit, and no further: who is held there goes on only when
# its state has been looked at.
sub step_until_removing
{
	until ($archive->state_of($content) eq 'removing')
	{
		$bambi->step('archive-step-committed');
		$bambi->wait_held('archive-step-committed');
	}
	return;
}

$bambi->hold('archive-step-committed');
$archive->ask_off($content);
$bambi->wait_held('archive-step-committed');
step_until_removing();
my (undef, undef, $error) = $bambi->try_as('postgres',
	"UPDATE bambi.image_generations SET error_message = 'too late'
		WHERE id = '$changed'");
like($error, qr/month is being archived/, 'a change that comes too late');
like($error, qr/bambi_restore_archive/, 'is told so');
$bambi->release('archive-step-committed');
ok($archive->wait_for('archived', $content), 'and it goes on');
ok($archive->bring_back($content), 'and comes back');
is($archive->look, $after, 'as it was');

# ---- a picture that its store mislays meanwhile

# what was restored is in the archive still
$bambi->sql("DELETE FROM bambi.archives WHERE table_name = '$content'");
remove_tree("$stored/$content");
my ($mislaid) = map { (split / /)[0] } $archive->files($pictures);
$bytes = slurp_file("$pictures/$mislaid");
unlink("$pictures/$mislaid") or die "$mislaid: $!";
$bambi->hold('archive-step-committed');
$archive->ask_off($content);
$bambi->wait_held('archive-step-committed');
step_until_removing();
$archive->write_file("$pictures/$mislaid", $bytes);
$bambi->release('archive-step-committed');
ok($archive->wait_for('archived', $content),
	'a month is archived without a picture');
ok( $bambi->poll('SELECT count(*) = 0 FROM bambi_internal.outbox'),
	'what the archive has is erased from the store');
is(scalar(slurp_file("$pictures/$mislaid")), $bytes,
	'but not what it does not have');
ok($archive->bring_back($content), 'and the month is restored');
is($archive->look, $after, 'with that picture');

# ---- a damaged archive

ok($archive->send_off, 'once more');
my ($victim) = map { (split / /)[0] } grep { /pictures/ } objects();
$bytes = slurp_file("$stored/$victim");
my $bad = $bytes;
substr($bad, 3, 1) = chr(ord(substr $bad, 3, 1) ^ 1);
$archive->write_file("$stored/$victim", $bad);
$archive->ask_back($content);
ok($archive->wait_for('archived', $content),
	'of an archive with one damaged picture');
like($bambi->sql("SELECT last_error FROM bambi_archives
		WHERE table_name = '$content'"), qr/\Q$victim\E.*damaged/s,
	'which is named');
is($bambi->sql("SELECT count(*) FROM bambi.image_generations
		WHERE id IN (SELECT id FROM made)"), 0, 'nothing comes back');
$archive->write_file("$stored/$victim", $bytes);

# ---- an archive that the tables do not take any more

my $last = $bambi->sql('SELECT id FROM made ORDER BY user_id DESC, id DESC
	LIMIT 1');
$bambi->sql(map { "ALTER TABLE bambi.$_ ADD CONSTRAINT is_wanted
	CHECK (id <> '$last')" } $content, $usage);
$archive->ask_back($content, $usage);
ok($archive->wait_for('archived', $content, $usage),
	'what cannot be restored whole is taken back')
  || diag($bambi->sql('TABLE bambi_archives'));
is( $bambi->sql("SELECT count(*) FROM bambi_archives
		WHERE last_error LIKE '%is_wanted%'"),
	2, 'and says why');
is( $bambi->sql("SELECT count(*) FROM pg_class
		WHERE relname LIKE '%\\_2024\\_05' AND relkind = 'r'"),
	0, 'the partitions are gone again');
is_deeply([ $archive->files($pictures) ], [], 'and the pictures');
is($bambi->sql($budget), $spent, 'the budget counts what it did');
$archive->is_whole('the archive is as it was');
$bambi->sql(map { "ALTER TABLE bambi.$_ DROP CONSTRAINT is_wanted" }
	$content, $usage);

# ---- a database that never saw it

$bambi->sql("DELETE FROM bambi.archives WHERE table_name <> '$usage'");
ok($archive->bring_back, 'a database that never had it restores it, too');
is($archive->look, $after, 'as it was');

# ---- who is erased

ok($archive->send_off, 'once more');
my $bob = $bambi->{user}{bob};
my $is_gone = "SELECT bambi_internal.erase_from_archives('$bob') = 0";
ok($bambi->poll($is_gone), 'a user is taken out of the archive');
$archive->is_whole('which is whole then');
is_deeply(
	[ grep { /^(image_generations|change_log)/
			&& index(join('', $archive->text("$stored/$_")), $bob) >= 0 }
		map { (split / /)[0] } $archive->files($stored) ],
	[], 'and has nothing of that user but in the ledger');
ok($archive->bring_back, 'it is restored');
is( $bambi->sql("SELECT count(*), count(*) FILTER (WHERE user_id = '$bob')
		FROM bambi.image_generations WHERE id IN (SELECT id FROM made)"),
	$bambi->sql("SELECT count(*) FILTER (WHERE user_id <> '$bob'), 0
		FROM made"), 'without that user, and with all others');

# ---- pictures by reference

$bambi->sql("SELECT bambi_set_retention('content', '1 year',
	pictures => 'reference')");
my @files = $archive->files($pictures);
$after = $archive->look;
ok($archive->send_off($content), 'a month is archived without its pictures');
is_deeply([ $archive->files($pictures) ],
	\@files, 'the image store keeps them');
ok($archive->bring_back($content), 'and restored');
is($archive->look, $after, 'as it was');

# ---- an end without an archive

$bambi->sql("SELECT bambi_set_retention('$_', '1 year', 'delete')")
  foreach qw(content usage audit);
$archive->ask_off;
ok($archive->wait_for('deleted'), 'a month is deleted');
is( $bambi->sql("SELECT count(*) FROM pg_class
		WHERE relname LIKE '%\\_2024\\_05' AND relkind = 'r'"),
	0, 'with its partitions');
is_deeply([ $archive->files($pictures) ], [], 'and pictures');
is($bambi->sql($budget), $spent, 'the budget remembers it all the same');

note "counted: $generations generations a month, 10 times to the archive and "
  . 'back';
$bambi->stop;
done_testing();
