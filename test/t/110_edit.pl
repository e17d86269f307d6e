# Edits: pictures reach the provider as they were given, whatever the provider,
# from bytes or from images; their bytes are kept until they are not needed any
# more, and no longer; bad ones are refused before anything is queued.

use strict;
use warnings;

use BambiCluster;
use Digest::SHA qw(sha256_hex);
use Test::More;

my $bambi = BambiCluster->start('edit', conf => <<'CONF');
bambi.memory_budget = '1MB'
bambi.max_input_bytes = '2MB'
CONF
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
$bambi->point_to_mock(qw(xai google));

my $png = $bambi->drawn({ prompt => 'one' });
my $jpeg = $bambi->drawn({ prompt => 'two', output_format => 'jpeg' });
my $webp = $bambi->drawn({ prompt => 'three', output_format => 'webp' });
my $mask = $bambi->drawn({ prompt => 'four', background => 'transparent' });
my $key = $bambi->add_key('alice');
$bambi->add_key('alice', undef, $_) foreach qw(xai google);
$bambi->add_key('bob');

# As the mock's ledger has them.
sub print_of { return map { substr sha256_hex($_), 0, 12 } @_ }

sub bytes_of { return map { $bambi->bytea($_) } @_ }

# What the provider saw since the ledger had so many lines: one edit of these.
sub is_edit_of
{
	my ($before, $says, $mask, @pictures) = @_;
	my @calls = $bambi->ledger_since($before);

	is(scalar @calls, 1, "$says: it is one call");
	is_deeply($calls[0]{inputs}, [ print_of(@pictures) ],
		"$says: with these pictures");
	is($calls[0]{mask}, (print_of($mask ? $mask : ()))[0],
		"$says: and " . ($mask ? 'this' : 'no') . ' mask');
	return;
}

sub count_lines { return scalar(my @lines = $bambi->ledger) }

# Edits, and looks at what the provider and the tables have of it.
sub reaches
{
	my ($says, $provider_mask, $pictures, %with) = @_;
	my $before = count_lines();
	my $id = $bambi->edit('alice', $says, %with);

	$bambi->wait_for_status($id, 'succeeded', "$says: succeeds");
	is_edit_of($before, $says, $provider_mask, @$pictures);
	is( $bambi->sql("SELECT string_agg(request_type || ' ' || images, ', ')
			FROM bambi.usage_events WHERE generation_id = '$id'"),
		'edit 1', "$says: is booked as an edit");
	is($bambi->sql("SELECT count(*), count(data) FROM bambi.generation_inputs
			WHERE generation_id = '$id'"),
		@$pictures + ($provider_mask ? 1 : 0) . '|0',
		"$says: the bytes are gone, what they were stays");
	return $id;
}

# ---- they reach the provider

my $id = reaches('a form', $mask, [ $png, $jpeg, $webp ],
	images => [ bytes_of($png, $jpeg, $webp) ], mask => bytes_of($mask));
my $first = $bambi->picture_of('alice', $id);
is(length($first) > 100, 1, 'what came of it is a picture');

reaches('an expression', undef, [$first],
	images => ["bambi_image('$id')"]);
my $image = $bambi->sql("SELECT id FROM bambi.images
	WHERE generation_id = '$id'");
reaches('sources', undef, [ $first, $first ], sources => [ $image, $image ]);
reaches('bytes and sources', $mask, [ $png, $first ],
	images => [ bytes_of($png) ],
	mask => bytes_of($mask),
	sources => [$image]);
$bambi->sql("UPDATE bambi.api_configurations
	SET settings = '{\"edit_body\": \"json\"}' WHERE id = '$key'");
reaches('a document', $mask, [ $png, $jpeg ],
	images => [ bytes_of($png, $jpeg) ], mask => bytes_of($mask));
$bambi->sql("UPDATE bambi.api_configurations SET settings = '{}'
	WHERE id = '$key'");
reaches('google', undef, [ $png, $first ],
	images => [ bytes_of($png) ],
	sources => [$image],
	model => 'google/gemini-nano-banana-2.1');
reaches('xai', undef, [$webp],
	images => [ bytes_of($webp) ],
	model => 'xai/grok-imagine-image-2.0');
reaches('xai, two', undef, [ $webp, $png ],
	images => [ bytes_of($webp, $png) ],
	model => 'xai/grok-imagine-image-2.0');

my $before = count_lines();
$id = $bambi->edit('bob', 'a sandbox edit',
	model => 'sandbox', images => [ bytes_of($png) ]);
$bambi->wait_for_status($id, 'succeeded', 'the sandbox edits');
is($bambi->sql("SELECT request_type FROM bambi.usage_events
	WHERE generation_id = '$id'"), 'edit', 'and it is booked as an edit');
is(count_lines(), $before, 'without the provider');

# ---- an image that is gone before the call

$id = $bambi->generate('alice', 'a short life', 'sandbox',
	'{"size": "64x64"}');
$bambi->wait_for_status($id, 'succeeded');
my $bytes = $bambi->picture_of('alice', $id);
my $gone = $bambi->sql("SELECT id FROM bambi.images
	WHERE generation_id = '$id'");
$bambi->sql('SELECT bambi_pause()');
my $edit = $bambi->edit('alice', 'of what is deleted', sources => [$gone]);
$bambi->sql_as('alice', "SELECT bambi_delete('$id')");
$before = count_lines();
$bambi->sql('SELECT bambi_resume()');
$bambi->wait_for_status($edit, 'succeeded',
	'an image may be deleted while its edit waits');
is_edit_of($before, 'deleted', undef, $bytes);

# ---- kept for a failed one

my $used = $bambi->usage_of('alice');
$id = $bambi->edit('alice', '[[mock fault=openai-400-bad_request times=1]] no',
	images => [ bytes_of($png) ]);
$bambi->wait_for_status($id, 'failed', 'a refused edit fails');
is($bambi->usage_of('alice'), $used, 'and gives its place in the quota back');
is($bambi->sql("SELECT sum(length(data)) FROM bambi.generation_inputs
	WHERE generation_id = '$id'"), length $png, 'its bytes are kept');
$before = count_lines();
$bambi->sql_as('alice', "SELECT bambi_retry('$id')");
$bambi->wait_for_status($id, 'succeeded', 'so that it can be tried again');
is_edit_of($before, 'tried again', undef, $png);
is($bambi->sql("SELECT count(data) FROM bambi.generation_inputs
	WHERE generation_id = '$id'"), 0, 'and then they go');

# ---- kept for one of which nobody knows what came of it, not for a cancelled

sub kept_bytes
{
	return $bambi->sql("SELECT count(data) FROM bambi.generation_inputs
		WHERE generation_id = '$_[0]'");
}

$id = $bambi->edit('alice', '[[mock reset=after times=1]] lost',
	images => [ bytes_of($png) ]);
$bambi->wait_for_status($id, 'uncertain', 'a lost answer is uncertain');
is(kept_bytes($id), 1, 'its bytes are kept');
$before = count_lines();
$bambi->sql_as('alice', "SELECT bambi_retry('$id')");
$bambi->wait_for_status($id, 'succeeded', 'so that its owner may try again');
is_edit_of($before, 'decided', undef, $png);

$bambi->sql('SELECT bambi_pause()');
$id = $bambi->edit('alice', 'cancelled', images => [ bytes_of($png) ]);
is(kept_bytes($id), 1, 'what waits is kept');
is($bambi->sql_as('alice', "SELECT bambi_cancel('$id')"),
	'cancelled', 'what waits is cancelled');
is(kept_bytes($id), 0, 'and its bytes go');
$bambi->sql('SELECT bambi_resume()');
$id = $bambi->edit('alice',
	'[[mock hold fault=openai-429-no-retry-hint]] cancelled, then refused',
	images => [ bytes_of($png) ]);
$bambi->wait_in_flight(1);
is($bambi->sql_as('alice', "SELECT bambi_cancel('$id')"),
	'running', 'what was sent goes on');
$bambi->mock('release');
$bambi->wait_for_status($id, 'cancelled', 'until it is refused');
is(kept_bytes($id), 0, 'and its bytes go, too');

# ---- refused at once

$used = $bambi->usage_of('alice');
my $generations = $bambi->sql('SELECT count(*) FROM bambi.image_generations');

sub refused
{
	my ($says, $state, $pattern, %with) = @_;
	my (undef, undef, $error) = $bambi->try_as('alice',
		"\\set VERBOSITY verbose\n" . $bambi->edit_call('no', %with));

	like($error, qr/ERROR:  $state: /, "$says: is refused with $state");
	like($error, $pattern, "$says: and told why");
	return;
}

my $small = "'\\x89504e470d0a1a0a'::bytea";
refused('no picture', '22023', qr/HINT:  Give bytes in "images"/);
refused('text', '22023', qr/HINT:  Give the bytes of the file, not base64/,
	images => ["'a text'::bytea"]);
refused('half a head', '22023', qr/not a picture/, images => [$small]);
refused('a null', '22023', qr/Element 2 of "images" is null/,
	images => [ bytes_of($png), 'NULL::bytea' ]);
refused('seventeen', '22023', qr/at most 16/,
	images => [ ($bambi->bytea($bytes)) x 17 ]);
refused('six for xai', '22023', qr/It takes 5 at most/,
	images => [ ($bambi->bytea($bytes)) x 6 ],
	model => 'xai/grok-imagine-image-2.0');
refused('a mask of another size', '22023',
	qr/HINT:  Make the mask as large as the first picture/,
	images => [ bytes_of($png) ], mask => $bambi->bytea($bytes));
refused('a JPEG as mask', '22023', qr/HINT:  Make it a PNG/,
	images => [ bytes_of($png) ], mask => bytes_of($jpeg));
refused('a mask for xai', '22023', qr/HINT:  Say in the prompt/,
	images => [ bytes_of($png) ], mask => bytes_of($mask),
	model => 'xai/grok-imagine-image-2.0');
refused('too many bytes', '22023', qr/HINT:  Send fewer or smaller ones/,
	images => [ ($bambi->bytea($png . "\0" x 1_200_000)) x 2 ]);
refused('a GIF for openai', '22023', qr/which model .* does not take/,
	images => [ "decode('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7',
		'base64')" ]);
my $bobs = $bambi->generate('bob', 'of bob', 'sandbox');
$bambi->wait_for_status($bobs, 'succeeded');
my $bobs_image = $bambi->sql("SELECT id FROM bambi.images
	WHERE generation_id = '$bobs'");
refused("another user's image", 'PT404', qr/image does not exist/,
	sources => [$bobs_image]);
refused("another user's bytes", 'PT404', qr/image does not exist/,
	images => ["bambi_image('$bobs')"]);

my %once = (
	images => [ bytes_of($png) ],
	idempotency_key => 'once');
$id = $bambi->edit('alice', 'once', %once);
is($bambi->edit('alice', 'once', %once), $id,
	'the same request is queued once');
refused('other pictures under its key', 'PT422',
	qr/idempotency key belongs to another request/,
	idempotency_key => 'once', images => [ bytes_of($jpeg) ]);
refused('a mask under its key', 'PT422',
	qr/idempotency key belongs to another request/,
	%once, mask => bytes_of($mask));
$bambi->wait_for_status($id, 'succeeded');
is($bambi->usage_of('alice'), $used + 1, 'only what was queued counts');
is($bambi->sql('SELECT count(*) FROM bambi.image_generations'),
	$generations + 2, 'and is there');

# ---- more bytes than there is memory for

# so few at a time that those which wait would fill all places
$bambi->set('bambi.max_in_flight' => 3);
my $large = $bambi->bytea($png . "\0" x 700_000);
$before = count_lines();
my @ids = $bambi->edit('alice', '[[mock hold]] a large one',
	images => [$large]);
$bambi->wait_in_flight(1);
push @ids, $bambi->edit('alice', "large one $_", images => [$large])
  foreach 1 .. 3;
push @ids, $bambi->edit('alice', 'larger than all of it',
	images => [ $bambi->bytea($png . "\0" x 1_500_000) ]);
foreach my $name (qw(bob alice bob bob bob))
{
	my $other = $bambi->generate($name, 'a small one');
	$bambi->wait_for_status($other, 'succeeded',
		"${name}'s others are not held up");
}
is( $bambi->sql('SELECT count(*), count(claimed_by)
		FROM bambi_internal.queue'),
	'5|1', 'edits that have no room wait');
$bambi->mock('release');
$bambi->wait_for_status($_, 'succeeded', 'all of them run') foreach @ids;
is(scalar(grep { $_->{charged} && @{ $_->{inputs} } }
		  $bambi->ledger_since($before)),
	5, 'once each');

# ---- a worker that dies between claim and sending

$bambi->hold('claim-committed');
$id = $bambi->edit('alice', 'of a worker that died',
	images => [ bytes_of($png) ], mask => bytes_of($mask));
my $worker = $bambi->wait_held('claim-committed');
$before = count_lines();
$bambi->kill9($worker);
$bambi->release('claim-committed');
$bambi->wait_for_server;
$bambi->wait_for_status($id, 'succeeded', 'what was claimed is not lost');
is_edit_of($before, 'after the death', $mask, $png);

is($bambi->sql('SELECT count(data) FROM bambi.generation_inputs'),
	0, 'no bytes are left');
$bambi->stop;
done_testing();
