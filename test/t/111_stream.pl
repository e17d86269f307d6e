# Streamed generations: how far they are is seen while they run, with a preview
# for their owner alone; and a stream that ends badly ends as what it cost.

use strict;
use warnings;

use BambiCluster;
use Digest::SHA qw(sha256_hex);
use Test::More;

my $bambi = BambiCluster->start('stream');
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
$bambi->add_key('alice');
my $png = $bambi->drawn({});

sub streamed
{
	my ($prompt, %more) = @_;
	my $parameters = join ', ', '"stream": true', '"quality": "low"',
	  map { "\"$_\": $more{$_}" } sort keys %more;

	return $bambi->generate('alice', $prompt, undef, "{$parameters}");
}

sub no_preview
{
	my ($name, $id, $says) = @_;
	my (undef, undef, $error) = $bambi->try_as($name,
		"\\set VERBOSITY verbose\nSELECT bambi_preview('$id')");

	like($error, qr/ERROR:  PT404: there is no preview/, $says);
	return;
}

sub progress_of
{
	return $bambi->sql_as('alice',
		"SELECT progress FROM bambi_generations WHERE id = '$_[0]'");
}

# ---- one that is watched

my $id = streamed('[[mock pause=4000]] a fawn in the making',
	partial_images => 2);
my $edit = $bambi->edit(
	'alice', '[[mock pause=1500]] a hat in the making',
	images => [ $bambi->bytea($png) ],
	parameters => '{"stream": true, "quality": "low", "partial_images": 1}');
my %seen;
$bambi->wait_until('a preview', sub {
		$seen{ progress_of($id) } = 1;
		return $bambi->sql("SELECT EXISTS (SELECT FROM bambi.previews
			WHERE generation_id = '$id')") eq 't';
	});
my $preview = pack 'H*',
  $bambi->sql_as('alice', "SELECT encode(bambi_preview('$id'), 'hex')");
is(substr($preview, 0, 8), "\x89PNG\r\n\x1a\n",
	'there is a preview while it runs');
is($bambi->sql_as('alice', "SELECT status FROM bambi_generations
	WHERE id = '$id'"), 'running', 'which it does');
no_preview('bob', $id, 'the preview is for nobody else');
$bambi->wait_until('its end', sub {
		$seen{ progress_of($id) } = 1;
		return $bambi->status_of($id) eq 'succeeded';
	});
my @percents = sort { $a <=> $b } keys %seen;
note "seen: @percents";
is(scalar(grep { !/^(0|33|66|100)$/ } @percents), 0,
	'progress is that of the previews');
cmp_ok(scalar(grep { $_ > 0 && $_ < 100 } @percents), '>=', 1,
	'and grows while it runs');
is(progress_of($id), 100, 'up to the end');
no_preview('alice', $id, 'then the preview is gone');
my $picture = $bambi->picture_of('alice', $id);
isnt(sha256_hex($picture), sha256_hex($preview),
	'the picture is another one than the preview');
is($bambi->column_of($id, 'tokens_used > 200'), 't',
	'the tokens of the previews are counted');
is($bambi->sql("SELECT images, charged FROM bambi.usage_events
	WHERE generation_id = '$id'"), '1|yes', 'it is booked');
$bambi->wait_for_status($edit, 'succeeded', 'an edit is streamed, too');

# ---- several pictures

$id = streamed('three fawns', n => 3);
$bambi->wait_for_status($id, 'succeeded', 'three pictures in a stream');
is($bambi->sql("SELECT count(*) FROM bambi.images
	WHERE generation_id = '$id'"), 3, 'are three images');

# ---- streams that end badly

sub ends
{
	my ($id, $status, $columns, $says) = @_;

	$bambi->wait_for_status($id, $status, "$says: $status");
	is($bambi->column_of($id, 'error_code'), $columns, "$says: $columns");
	no_preview('alice', $id, "$says: no preview is left");
	return;
}

my $used = $bambi->usage_of('alice');
my %two = (partial_images => 2);
ends(streamed('[[mock stream=error]] a fawn', %two),
	'uncertain', 'provider_unavailable', 'an error event');
ends(streamed('[[mock reset=body]] a fawn', %two),
	'uncertain', 'provider_unavailable', 'cut in the middle');
is($bambi->usage_of('alice'), $used + 2, 'these keep their places');
ends(streamed('[[mock stream=silent]] a fawn', %two),
	'failed', 'unknown', 'no last event');
ends(streamed('[[mock block=violence]] a fawn', %two),
	'failed', 'content_blocked', 'a refusal before the stream');
is($bambi->usage_of('alice'), $used + 2, 'these do not');

# what was whole before is kept; a reset takes with it what has not been read,
# so there is a pause in which it is
foreach my $end ('stream=error', 'reset=body')
{
	$id = streamed("[[mock pause=2000 $end]] three fawns", n => 3);
	$bambi->wait_for_status($id, 'succeeded', "$end: what is whole is kept");
	my ($count, $note) = split /\|/, $bambi->sql("SELECT count(*),
			max(g.error_message)
		FROM bambi.images i JOIN bambi.image_generations g
			ON g.id = i.generation_id
		WHERE g.id = '$id'");
	cmp_ok($count, '<', 3, "$end: but not all came");
	isnt($note // '', '', "$end: as a note says");
}

# what is none is neither a picture nor a preview
foreach my $bad (qw(base64 not-a-picture huge-header-png))
{
	$id = streamed("[[mock bad=$bad]] a fawn", %two);
	ends($id, 'failed', 'unknown', $bad);
	is($bambi->sql("SELECT charged FROM bambi.usage_events
		WHERE generation_id = '$id'"), 'yes', "$bad: but is paid");
}

# ---- what a worker has begun, and another one ends

my $has_preview = 'SELECT EXISTS (SELECT FROM bambi.previews)';
$id = streamed('[[mock pause=4000]] a fawn over a restart', %two);
ok($bambi->poll($has_preview), 'there is a preview');
$bambi->node->restart;
$bambi->wait_for_status($id, 'succeeded', 'it succeeds after a restart');
no_preview('alice', $id, 'without its preview');
$id = streamed('[[mock pause=30000]] a fawn whose courier dies', %two);
ok($bambi->poll($has_preview), 'there is a preview');
$bambi->kill9($bambi->courier_pid);
ends($id, 'uncertain', 'courier_died', 'a death in the middle');

is($bambi->sql('SELECT count(*) FROM bambi.previews'), 0,
	'no preview is left at all');
$bambi->stop;
done_testing();
