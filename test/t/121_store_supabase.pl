# Pictures in Supabase Storage: put, linked, edited and erased by its own API;
# a storage that is down, or a key that cannot be used, delays and loses
# nothing.

use strict;
use warnings;

use BambiCluster;
use Digest::SHA qw(sha256_hex);
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'service-role-of-this-test';
my $bambi = BambiCluster->start('store_supabase');
my $node = $bambi->node;
my $key_file = $node->basedir . '/storage.key';
my $storage = "http://127.0.0.1:$bambi->{mock_port}/storage/v1";

sub restart_with
{
	my (@lines) = @_;

	$node->append_conf('postgresql.conf', join("\n", @lines, ''));
	$node->restart;
	$bambi->wait_for_server;
	return;
}

append_to_file($key_file, "$secret\n");
chmod 0600, $key_file;
restart_with(
	"bambi.store = 'supabase'",
	"bambi.supabase_url = 'http://127.0.0.1:$bambi->{mock_port}'",
	"bambi.supabase_bucket = 'private-pictures'",
	"bambi.supabase_key_file = '$key_file'",
	"bambi.store_networks = '127.0.0.1/32'");
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->add_key('alice');

# ---- what is looked at again and again

# All that the storage has: bucket and path, in order.
sub objects
{
	my $answer = HTTP::Tiny->new->get(
		"http://127.0.0.1:$bambi->{mock_port}/_mock/storage");

	return sort map { $_->{name} } @{ decode_json($answer->{content}) };
}

# By nobody in particular: (status, hash of what came).
sub fetch
{
	my ($url) = @_;
	my $answer = HTTP::Tiny->new->get($url);

	return ($answer->{status}, sha256_hex($answer->{content}));
}

sub link_to
{
	my ($id, $expires) = @_;
	my $more = defined $expires ? ", '$expires'" : '';

	return $bambi->sql_as('alice', "SELECT bambi_image_url('$id'$more)");
}

sub drop_it
{
	my ($id) = @_;

	$bambi->sql_as('alice', "SELECT bambi_delete('$id')");
	return;
}

sub all_is_erased
{
	my ($says) = @_;

	return ok($bambi->poll('SELECT NOT EXISTS (SELECT
			FROM bambi_internal.outbox)'), $says)
	  || diag($bambi->sql('TABLE bambi_internal.outbox'));
}

# ---- where a picture lies, and who gets it

my $id = $bambi->draw('alice', 'a fawn');
my $path = $bambi->image_of($id, 'storage_path');
is($path, "$bambi->{user}{alice}/$id/1.png",
	'a picture lies below its user and generation');
is($bambi->image_of($id, "concat_ws(' ', store, url)"), 'supabase',
	'in this store');
is_deeply([ objects() ], ["private-pictures/$path"], 'where it is');
is($bambi->sql('SELECT count(*) FROM bambi.image_data'),
	0, 'the database has no bytes');
is((fetch("$storage/object/public/private-pictures/$path"))[0],
	400, 'nobody is given it just so');
my (undef, undef, $error) =
  $bambi->try_as('alice', "SELECT bambi_image('$id')");
like($error, qr/image is not in the database.*bambi_image_url/s,
	'nor has bambi_image() it');

is_deeply([ fetch(link_to($id)) ], [ 200, $bambi->image_of($id, 'sha256') ],
	'a link gives it to whoever has it');
is_deeply(
	[ fetch(link_to($bambi->image_of($id, 'id'), '7 days')) ],
	[ 200, $bambi->image_of($id, 'sha256') ],
	'as does one by the id of the image');
my $link = link_to($id, '1 second');
$bambi->wait_until('the end of a link',
	sub { return (fetch($link))[0] != 200 });
is((fetch($link))[0], 400, 'until it ends');
(undef, undef, $error) =
  $bambi->try_as('alice', "SELECT bambi_image_url('$id', '0')");
like($error, qr/image has no lasting address/, 'no link lasts');

my $edit = $bambi->sql_as('alice', "SELECT bambi_edit('with snow',
	model => 'openai/gpt-image-2',
	sources => ARRAY['@{[ $bambi->image_of($id, 'id') ]}']::uuid[],
	parameters => '{\"quality\": \"low\", \"size\": \"1024x1024\"}')");
$bambi->wait_for_status($edit, 'succeeded', 'it is edited');
is_deeply(
	($bambi->charges_of($edit))[0]{inputs},
	[ substr $bambi->image_of($id, 'sha256'), 0, 12 ],
	'the provider was given what the store has');

my @kept = 'private-pictures/' . $bambi->image_of($edit, 'storage_path');
drop_it($id);
all_is_erased('a deleted picture is erased');
is_deeply([ objects() ], \@kept, 'and no other');

# ---- while the storage is down

$id = $bambi->draw('alice', 'erased later');
$bambi->mock('storage', { down => JSON::PP::true });
(undef, undef, $error) =
  $bambi->try_as('alice', "SELECT bambi_image_url('$id')");
like($error, qr/try again later.*The store gave no link: the image store answered 503/s,
	'there are no links');
drop_it($id);
my $paid = $bambi->generate('alice', 'a fawn that waits');
$bambi->wait_until('an insured picture',
	sub { return glob $bambi->spool . "/*/*/$paid.*.answer" });
ok( $bambi->poll("SELECT last_error = 'store \"supabase\": the image store '
			'answered 503: name resolution failed' FROM bambi_status()"),
	'bambi_status() tells of it');
is( $bambi->sql_as('alice',
		"SELECT status FROM bambi_generations WHERE id = '$paid'"),
	'running', 'what is paid for waits');
ok( $bambi->poll("SELECT last_error LIKE '%answered 503%'
		FROM bambi_internal.outbox"),
	'and so does what is to be erased');
$bambi->mock('storage', { down => JSON::PP::false });
$bambi->wait_for_status($paid, 'succeeded', 'it goes on when that is up');
all_is_erased('and so does the other');
is_deeply(
	[ objects() ],
	[ sort @kept, 'private-pictures/' . $bambi->image_of($paid,
		'storage_path') ],
	'the storage has what it should');
is((fetch(link_to($paid)))[1], $bambi->image_of($paid, 'sha256'), 'whole');

$bambi->mock('storage', { down => 'reset', times => 2 });
$paid = $bambi->generate('alice', 'a fawn on a bad line');
$bambi->wait_for_status($paid, 'succeeded', 'lost connections are no matter');
is($bambi->image_of($paid, 'store'), 'supabase', 'it is put again');
$bambi->ledger_is_equal('each was paid for once');

# ---- a courier that dies behind a put

my $puts = $bambi->mock_stats->{puts};
$bambi->hold('answer-received');
$id = $bambi->generate('alice', 'put twice', 'sandbox');
$bambi->kill9($bambi->wait_held('answer-received'));
$bambi->release('answer-received');
is($bambi->mock_stats->{puts}, $puts + 1, 'a courier dies that has put one');
$bambi->wait_for_status($id, 'uncertain', 'nobody knows what came of it');
$bambi->sql_as('alice', "SELECT bambi_retry('$id')");
$bambi->wait_for_status($id, 'succeeded', 'another one puts it again');
is($bambi->mock_stats->{puts}, $puts + 2, 'and says where');
is_deeply(
	[ grep { /$id/ } objects() ],
	[ 'private-pictures/' . $bambi->image_of($id, 'storage_path') ],
	'it is there once');

# ---- a courier that dies behind a put that it had given up before

$bambi->mock('storage', { down => JSON::PP::true, times => 1 });
$bambi->hold('picture-insured');
$id = $bambi->generate('alice', 'put, and kept as well', 'sandbox');
$bambi->wait_held('picture-insured');
$bambi->hold('answer-received');
$bambi->release('picture-insured');
$bambi->kill9($bambi->wait_held('answer-received'));
$bambi->release('answer-received');
ok(scalar(grep { /$id/ } objects()), 'a courier dies that has put one late');
$bambi->wait_for_status($id, 'succeeded', 'what it had spooled counts');
is($bambi->image_of($id, 'store'), 'database',
	'the picture is in the database');
all_is_erased('and what it left is erased');
is(scalar(grep { /$id/ } objects()), 0, 'so that the storage has it no more');

# ---- a key that others could read

my $calls = $bambi->mock_stats->{calls};
chmod 0644, $key_file;
$node->reload;
ok( $bambi->poll("SELECT last_error = 'the file of bambi.supabase_key_file '
			'must have mode 0600 or 0400' FROM bambi_status()"),
	'a key file of the wrong mode is complained of');
$id = $bambi->generate('alice', 'a fawn that is not sent');
ok( $bambi->poll("SELECT not_before > now() FROM bambi_internal.queue
		WHERE id = '$id'"),
	'generations wait');
is($bambi->status_of($id), 'queued', 'in the queue');
is($bambi->mock_stats->{calls}, $calls, 'and nothing is sent');
(undef, undef, $error) =
  $bambi->try_as('alice', "SELECT bambi_image_url('$paid')");
like($error, qr/try again later/, 'there are no links either');
chmod 0600, $key_file;
$bambi->sql(
	"UPDATE bambi_internal.queue SET not_before = NULL",
	'SELECT pg_reload_conf()');
$bambi->wait_for_status($id, 'succeeded', 'when that is mended, they go on');

# ---- a bucket for everybody

restart_with("bambi.supabase_bucket = 'pictures'",
	'bambi.supabase_public = on');
$id = $bambi->draw('alice', 'for everybody');
my $url = "$storage/object/public/pictures/"
  . $bambi->image_of($id, 'storage_path');
is($bambi->image_of($id, 'url'), $url,
	'in a public bucket a picture has an address');
is(link_to($id, '0'), $url, 'which is its link that lasts');
is_deeply([ fetch($url) ], [ 200, $bambi->image_of($id, 'sha256') ],
	'for anybody');

unlike(slurp_file($node->logfile), qr/$secret/, 'no log tells the key');
$bambi->ledger_is_equal;

$bambi->stop;
done_testing();
