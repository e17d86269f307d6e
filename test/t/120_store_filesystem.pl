# Pictures in the store "filesystem": where they lie, who shares a file, when
# it is erased; and that nothing is lost or paid for twice while the directory
# cannot be written, whoever dies meanwhile.

use strict;
use warnings;

use BambiCluster;
use Digest::SHA qw(sha256_hex);
use File::Find ();
use PostgreSQL::Test::Utils;
use Test::More;

my $pictures = PostgreSQL::Test::Utils::tempdir('pictures');
my $bambi = BambiCluster->start('store_filesystem', conf => <<"CONF");
bambi.store = 'filesystem'
bambi.store_directory = '$pictures'
CONF
$bambi->sign_up($_) foreach qw(alice bob carol);
$bambi->lift_quota;
$bambi->add_key('alice');

# ---- what is looked at again and again

sub path { return "$pictures/" . $bambi->image_of($_[0], 'storage_path') }

# All that lies below the directory, folders too.
sub everything
{
	my @found;

	File::Find::find(
		sub { push @found, $File::Find::name if $_ ne '.' }, $pictures);
	return sort @found;
}

sub seen_by
{
	my ($name, $id) = @_;

	return eval {
		$bambi->sql_as($name,
			"SELECT encode(sha256(bambi_image('$id')), 'hex')");
	} // 'nothing';
}

sub drop_it
{
	my ($name, $id) = @_;

	$bambi->sql_as($name, "SELECT bambi_delete('$id')");
	return;
}

# A test of its own: that nothing is left to erase.
sub all_is_erased
{
	my ($says) = @_;

	return ok($bambi->poll('SELECT NOT EXISTS (SELECT
			FROM bambi_internal.outbox)'), $says)
	  || diag($bambi->sql('TABLE bambi_internal.outbox'));
}

# Has the worker look for errands and queued generations that are put off.
sub hurry
{
	$bambi->sql(
		'UPDATE bambi_internal.outbox SET not_before = NULL',
		'UPDATE bambi_internal.queue SET not_before = NULL
		  WHERE claimed_by IS NULL');
	drop_it('carol', $bambi->draw('carol', 'a nudge'));
	return;
}

# ---- where a picture lies

my $first = $bambi->draw('alice', 'a fawn');
my $sha256 = $bambi->image_of($first, 'sha256');
my $path = path($first);
is( $bambi->image_of($first, 'storage_path'),
	"$bambi->{user}{alice}/" . substr($sha256, 0, 2) . "/$sha256.png",
	'a picture lies where its content says');
is($bambi->image_of($first, "concat_ws(' ', store, url)"),
	'filesystem', 'its row says so too');
is(sha256_hex(slurp_file($path)), $sha256, 'the file is the picture');
is(-s $path, $bambi->image_of($first, 'bytes'), 'all of it');
is((stat $path)[2] & 0777, 0600, 'and only the server reads it');
is($bambi->sql('SELECT count(*) FROM bambi.image_data'),
	0, 'the database has no bytes');
is(seen_by('alice', $first), $sha256, 'bambi_image() gives them all the same');

my $second = $bambi->draw('alice', 'a fawn');
my $bobs = $bambi->draw('bob', 'a fawn');
is(path($second), $path, 'an equal picture of hers is the same file');
isnt(path($bobs), $path, 'that of another user is a file of his own');
is($bambi->image_of($bobs, 'sha256'), $sha256,
	'though it is the same picture');

# ---- when it is erased

$bambi->sql_as('alice', "BEGIN; SELECT bambi_delete('$second'); ROLLBACK");
drop_it('alice', $first);
all_is_erased('one of two is deleted, and a deletion was rolled back');
ok(-e $path, 'the file stays');
is(seen_by('alice', $second), $sha256, 'and is read');

drop_it('alice', $second);
all_is_erased('the other one is deleted');
is_deeply([ grep { /$bambi->{user}{alice}/ } everything() ],
	[], 'nothing of hers is left');
ok(-e path($bobs), 'the other user has his');
my (undef, undef, $error) =
  $bambi->try_as('alice', "SELECT bambi_image('$second')");
like($error, qr/image does not exist/, 'there is no image any more');

$bambi->sql("DELETE FROM bambi.users WHERE id = '$bambi->{user}{bob}'");
all_is_erased('an operator deletes a user');
is_deeply([ everything() ], [], 'what was his is erased too');

# ---- when it is put again meanwhile

$first = $bambi->draw('alice', 'a fawn');
$path = path($first);
$bambi->sql('SELECT bambi_pause()');
drop_it('alice', $first);
my $operator = $bambi->session('postgres');
$operator->query_safe('BEGIN; SELECT FROM bambi_internal.outbox FOR UPDATE');
$bambi->sql('SELECT bambi_resume()');
$second = $bambi->draw('alice', 'a fawn');
$operator->query_safe('ROLLBACK');
$operator->quit;
all_is_erased('an errand comes to a picture that is there again');
is(seen_by('alice', $second), $sha256, 'which stays');

# Makes one equal to it, which lies in the store and is not settled, because
# somebody holds its place in the queue; the session that does.
sub put_again
{
	$bambi->hold('outcome-received');
	$second = $bambi->generate('alice', 'a fawn', 'sandbox');
	$bambi->sql('SELECT bambi_resume()');
	$bambi->wait_held('outcome-received');
	my $holder = $bambi->session('postgres');
	$holder->query_safe("BEGIN; SELECT FROM bambi_internal.queue
		WHERE id = '$second' FOR UPDATE");
	$bambi->release('outcome-received');
	return $holder;
}

sub settle_it
{
	my ($holder, $says) = @_;

	$holder->query_safe('ROLLBACK');
	$holder->quit;
	$bambi->poll("SELECT status = 'succeeded'
		FROM bambi.image_generations WHERE id = '$second'");
	return is(seen_by('alice', $second), $sha256, $says);
}

$first = $second;
$bambi->sql('SELECT bambi_pause()');
drop_it('alice', $first);
$operator = $bambi->session('postgres');
$operator->query_safe('BEGIN; SELECT FROM bambi_internal.outbox FOR UPDATE');
my $holder = put_again();
$operator->query_safe('ROLLBACK');
$operator->quit;
all_is_erased('an errand comes to one that was put after the deletion');
settle_it($holder, 'which stays, though no row had it yet');

$first = $second;
$holder = put_again();
$bambi->hold('errands-before-commit');
drop_it('alice', $first);
$bambi->wait_held('errands-before-commit');
$bambi->release('errands-before-commit');
settle_it($holder, 'one stays as well that was put before the deletion');
all_is_erased('whose errand waits for that');
is(seen_by('alice', $second), $sha256, 'and finds that there is a row');
drop_it('alice', $second);
all_is_erased('it goes as well');

# ---- whoever dies while something is erased

foreach my $point (
	qw(errands-before-commit errands-committed errand-received errand-ended))
{
	$first = $bambi->draw('alice', "a fawn at $point");
	$path = path($first);
	$bambi->hold($point);
	drop_it('alice', $first);
	$bambi->kill9($bambi->wait_held($point));
	$bambi->release($point);
	$bambi->bring_back;
	hurry() unless $point eq 'errands-before-commit';
	all_is_erased("who died at $point is replaced");
	ok(!-e $path, 'the file is gone');
}

# ---- while the courier is slow about it

$first = $bambi->draw('alice', 'a slow fawn');
$path = path($first);
$second = $bambi->draw('alice', 'a fawn meanwhile');
my $attempts = "SELECT attempts FROM bambi_internal.outbox
	WHERE errand->>'location' = '" . $bambi->image_of($first, 'storage_path')
  . "'";
$bambi->hold('errand-received');
drop_it('alice', $first);
$bambi->wait_held('errand-received');
$bambi->sql('UPDATE bambi_internal.outbox SET not_before = NULL');
$bambi->hold('errands-committed');
drop_it('alice', $second);
$bambi->wait_held('errands-committed');
is($bambi->sql($attempts), 1, 'an errand that it has is not given twice');
$bambi->release($_) foreach qw(errands-committed errand-received);
all_is_erased('and is done');
ok(!-e $path, 'the file is gone');

# ---- while the directory cannot be written

my $kept = $bambi->draw('alice', 'kept');

# One that was paid for and lies in the spool.
sub pay_for
{
	my ($prompt) = @_;

	chmod 0500, $pictures, glob("$pictures/*");
	my $id = $bambi->generate('alice', $prompt);
	$bambi->wait_until('an insured picture',
		sub { return insurance($id) });
	return $id;
}

sub insurance
{
	my ($id) = @_;

	return scalar(() = glob $bambi->spool . "/*/*/$id.*.answer");
}

sub mend { return chmod 0700, $pictures, glob("$pictures/*") }

my $id = pay_for('a fawn that waits');
ok( $bambi->poll("SELECT last_error LIKE 'store \"filesystem\": the image '
			'store cannot be%: Permission denied' FROM bambi_status()"),
	'bambi_status() tells of a directory that cannot be written');
is( $bambi->sql_as('alice',
		"SELECT status FROM bambi_generations WHERE id = '$id'"),
	'running', 'what is paid for waits');
is(seen_by('alice', $kept), $bambi->image_of($kept, 'sha256'),
	'others are read');
mend();
$bambi->wait_for_status($id, 'succeeded', 'and goes on when it can');
is($bambi->image_of($id, 'store'), 'filesystem', 'into its store');
is(seen_by('alice', $id), $bambi->image_of($id, 'sha256'), 'whole');
$bambi->wait_until('the end of the insurance',
	sub { return !insurance($id) });

my %death = (
	courier => sub { $bambi->kill9($bambi->courier_pid) },
	worker => sub { $bambi->kill9($bambi->worker_pid) },
	postmaster => sub { $bambi->kill9_postmaster },
	everything => sub { $bambi->kill9_everything });
foreach my $who (sort keys %death)
{
	$id = pay_for("a fawn that waits while $who dies");
	$death{$who}->();
	$bambi->bring_back;
	$bambi->wait_for_status($id, 'succeeded', "$who dies meanwhile");
	is($bambi->image_of($id, 'store'), 'database',
		'the picture is in the database');
	is(seen_by('alice', $id), $bambi->image_of($id, 'sha256'), 'whole');
	mend();
}
$bambi->ledger_is_equal('each was paid for once');

# ---- no directory at all

my $calls = $bambi->mock_stats->{calls};
$bambi->set('bambi.store_directory' => '');
$id = $bambi->generate('alice', 'a fawn that is not sent');
ok( $bambi->poll("SELECT not_before > now() FROM bambi_internal.queue
		WHERE id = '$id'"),
	'without a directory, generations wait');
is($bambi->status_of($id), 'queued', 'in the queue');
is($bambi->mock_stats->{calls}, $calls, 'and nothing is sent');

# ---- a plan with a store of its own

$bambi->sql("UPDATE bambi.plans SET store = 'database'");
is($bambi->image_of($bambi->draw('alice', 'of a plan'), 'store'),
	'database', 'the store of a plan comes first');
$bambi->sql('UPDATE bambi.plans SET store = NULL');

$bambi->set('bambi.store_directory' => $pictures);
hurry();
$bambi->wait_for_status($id, 'succeeded', 'with one, they go on');

# ---- what is in the store is edited

sub edit
{
	my ($image) = @_;

	return $bambi->sql_as('alice', "SELECT bambi_edit('with snow',
		model => 'openai/gpt-image-2', sources => ARRAY['$image']::uuid[],
		parameters => '{\"quality\": \"low\", \"size\": \"1024x1024\"}')");
}

$second = edit($bambi->image_of($id, 'id'));
$bambi->wait_for_status($second, 'succeeded', 'a picture is edited');
is_deeply(
	($bambi->charges_of($second))[0]{inputs},
	[ substr $bambi->image_of($id, 'sha256'), 0, 12 ],
	'the provider was given what the store has');

$first = $bambi->draw('alice', 'deleted before it is edited');
$bambi->sql('SELECT bambi_pause()');
$second = edit($bambi->image_of($first, 'id'));
$bambi->sql("UPDATE bambi_internal.queue SET not_before = 'infinity'");
drop_it('alice', $first);
$bambi->sql('SELECT bambi_resume()');
all_is_erased('a picture is deleted that is still to be edited');
hurry();
$bambi->wait_for_status($second, 'failed', 'then it cannot be edited');
is( $bambi->column_of($second, 'error_message'),
	'the picture is no longer in the image store', 'which is said');
$bambi->ledger_is_equal;

$bambi->stop;
done_testing();
