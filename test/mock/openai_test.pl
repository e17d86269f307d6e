#!/usr/bin/env perl
#
# openai_test.pl
#	Proves that the mock provider edits, streams and gives addresses as OpenAI
#	does, and refuses what OpenAI refuses.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use MIME::Base64;
use MockTest;
use Test::More;
use Time::HiRes qw(time);

start_mock();

my $model = 'gpt-image-2.6-flare';
my %key = (authorization => 'Bearer sk-test');
my $yes = JSON::PP::true;

sub generate
{
	my ($prompt, %more) = @_;
	return ask('POST', '/v1/images/generations', \%key,
		{ model => $model, prompt => $prompt, %more });
}

# Parts: [name, value] or [name, bytes, file name].
sub form
{
	my ($path, @parts) = @_;
	my $body = '';
	foreach my $part (@parts)
	{
		my ($name, $value, $file) = @$part;
		$body .= "--B\r\nContent-Disposition: form-data; name=\"$name\""
		  . (defined $file ?
			"; filename=\"$file\"\r\nContent-Type: image/png" : '')
		  . "\r\n\r\n$value\r\n";
	}
	return ask('POST', $path,
		{ %key, 'content-type' => 'multipart/form-data; boundary=B' },
		"$body--B--\r\n");
}

sub edit
{
	return form('/v1/images/edits', [ model => $model ],
		[ prompt => 'a hat' ], @_);
}

sub picture
{
	my ($answer, $position) = @_;
	return decode_base64($answer->{json}{data}[ $position // 0 ]{b64_json});
}

sub error_of
{
	my ($answer) = @_;
	return join ' ', $answer->{status},
	  map { $_ // '-' } @{ $answer->{json}{error} }{qw(param code)};
}

sub fingerprint
{
	return substr sha256_hex(shift), 0, 12;
}

my $opaque = picture(generate('one', quality => 'low'));
my $other = picture(generate('two', quality => 'low'));
my $mask = picture(generate('mask', background => 'transparent'));
my $oblong = picture(generate('oblong', size => '1536x1024',
		background => 'transparent'));
my $jpeg = picture(generate('three', output_format => 'jpeg'));

# ---- edits by form

control('reset');
my $answer = edit([ image => $opaque, 'a.png' ], [ quality => 'low' ]);
is($answer->{status}, 200, 'a picture is edited');
is(png_size(picture($answer)), '1024x1024', 'the answer has a whole PNG');
is_deeply($answer->{json}{usage}{input_tokens_details},
	{ text_tokens => 2, image_tokens => 323 }, 'and counts what came in');
my ($entry) = ledger();
is($entry->{provider}, 'openai', 'ledger: provider');
is_deeply($entry->{inputs}, [ fingerprint($opaque) ],
	'ledger: the bytes that arrived are those that were sent');
is($entry->{mask}, undef, 'ledger: no mask');

$answer = edit([ 'image[]' => $opaque, 'a.png' ],
	[ 'image[]' => $jpeg, 'b.jpg' ], [ mask => $mask, 'm.png' ], [ n => 2 ],
	[ input_fidelity => 'high' ]);
is(scalar @{ $answer->{json}{data} }, 2, 'two pictures and a mask give two');
$entry = (ledger())[1];
is_deeply($entry->{inputs}, [ fingerprint($opaque), fingerprint($jpeg) ],
	'ledger: both, in their order');
is($entry->{mask}, fingerprint($mask), 'ledger: the mask');
is($entry->{n}, 2, 'ledger: two pictures');

sub refused
{
	my ($wanted, $name, @parts) = @_;
	is(error_of(edit(@parts)), $wanted, "$name is refused");
}

control('reset');
refused('400 image missing_required_parameter', 'an edit of nothing');
refused('400 image invalid_image_file', 'a text', [ image => 'x', 'a.png' ]);
refused('400 image duplicate_parameter', 'a second part "image"',
	map { [ image => $opaque, 'a.png' ] } 1, 2);
refused('400 image invalid_value', 'a 17th picture',
	map { [ 'image[]' => $jpeg, 'a.png' ] } 1 .. 17);
refused('400 mask invalid_mask_image_format', 'a mask without alpha',
	[ image => $opaque, 'a.png' ], [ mask => $other, 'm.png' ]);
refused('400 mask invalid_image_file', 'a mask that is no PNG',
	[ image => $opaque, 'a.png' ], [ mask => $jpeg, 'm.png' ]);
refused('400 mask invalid_image_size', 'a mask of another size',
	[ image => $opaque, 'a.png' ], [ mask => $oblong, 'm.png' ]);
refused('400 - unknown_parameter', 'a file of another name',
	[ image => $opaque, 'a.png' ], [ sketch => $mask, 'm.png' ]);
refused('400 sketch unknown_parameter', 'a field of another name',
	[ image => $opaque, 'a.png' ], [ sketch => 'x' ]);
refused('400 n invalid_type', 'n that is no number',
	[ image => $opaque, 'a.png' ], [ n => 'two' ]);
is(error_of(ask('POST', '/v1/images/edits',
			{ %key, 'content-type' => 'multipart/form-data; boundary=B' },
			"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx")),
	'400 - -', 'half a form is refused');
is(error_of(ask('POST', '/v1/images/edits',
			{ 'content-type' => 'multipart/form-data; boundary=B' }, '')),
	'401 - invalid_api_key', 'so is an edit without a key');
is(stats()->{charged}, 0, 'and none of them is charged');

# ---- edits by JSON

sub data_url
{
	return 'data:image/png;base64,' . encode_base64(shift, '');
}

sub edit_json
{
	return ask('POST', '/v1/images/edits', \%key,
		{ model => $model, prompt => 'a hat', @_ });
}

control('reset');
$answer = edit_json(images => [ { image_url => data_url($opaque) },
		{ image_url => data_url($jpeg) } ],
	mask => { image_url => data_url($mask) });
is($answer->{status}, 200, 'JSON edits, too');
($entry) = ledger();
is_deeply([ @{ $entry->{inputs} }, $entry->{mask} ],
	[ map { fingerprint($_) } $opaque, $jpeg, $mask ],
	'with the bytes of its data: URLs');
is(edit_json(images => [ { file_id => 'file-1' } ])->{status}, 200,
	'or with a file of the provider');
is(error_of(edit_json(images =>
			  [ { image_url => 'data:image/png;base64,*' } ])),
	'400 images invalid_image_url', 'broken base64 is refused');
is(error_of(edit_json(images => [ {} ])), '400 images invalid_image_url',
	'so is a reference to nothing');
is(error_of(edit_json()), '400 image missing_required_parameter',
	'and no picture at all');

# ---- streams

# [event, data], ...
sub events_of
{
	my ($text) = @_;
	return map { /^event: (\S+)\ndata: (.*)$/s ? [ $1, decode_json($2) ] : () }
	  split /\n\n/, $text;
}

control('reset');
$answer = generate('x [[mock pause=120]]', stream => $yes, partial_images => 2,
	quality => 'low');
is($answer->{headers}{'content-type'}, 'text/event-stream',
	'a stream is a stream');
my @events = events_of($answer->{content});
is(join(' ', map { $_->[0] } @events), join(' ',
		('image_generation.partial_image') x 2, 'image_generation.completed'),
	'two previews, then the picture');
is(join(' ', map { $_->[1]{partial_image_index} // '-' } @events), '0 1 -',
	'the previews are numbered');
is(png_size(decode_base64($events[$_][1]{b64_json})), '1024x1024',
	"event $_ has a whole picture") foreach 0 .. 2;
isnt($events[0][1]{b64_json}, $events[2][1]{b64_json}, 'they differ');
is($events[2][1]{usage}{output_tokens}, 196 + 200, 'previews are paid');
is(scalar(ledger()), 1, 'it is one call');

my $socket = connection();
my $body = encode_json({ model => $model, prompt => 'x [[mock pause=3000]]',
		stream => $yes, partial_images => 1 });
my $asked = time;
print $socket "POST /v1/images/generations HTTP/1.1\r\nHost: mock\r\n"
  . "Authorization: Bearer sk-test\r\nContent-Length: " . length($body)
  . "\r\n\r\n$body";
$socket->flush;
my $text = read_until($socket, qr/\n\n\r\n$/);
like($text, qr/partial_image/, 'a preview comes first');
unlike($text, qr/completed/, 'and the picture does not');
$text = read_until($socket, qr/\r\n0\r\n\r\n$/);
ok(time - $asked >= 3, 'it comes later');
like($text, qr/completed.*\r\n0\r\n\r\n$/s, 'to the end of the stream');

@events = events_of(generate('x [[mock stream=error]]', stream => $yes,
		partial_images => 1)->{content});
is(join(' ', map { $_->[0] } @events), 'image_generation.partial_image error',
	'an error may end a stream');
@events = events_of(generate('x [[mock stream=silent]]', stream => $yes,
		partial_images => 1)->{content});
is(scalar(@events), 1, 'or nothing');
@events = events_of(edit([ image => $opaque, 'a.png' ], [ stream => 'true' ],
		[ n => 2 ])->{content});
is(join(' ', map { $_->[0] } @events), 'image_edit.completed '
	  . 'image_edit.completed', 'an edit streams under its own name');
is(join(' ', map { $_->[1]{usage}{input_tokens} } @events), '325 0',
	'and what came in is counted once');
is(error_of(generate('x', partial_images => 1)),
	'400 partial_images invalid_value', 'previews without a stream are refused');

# ---- addresses

control('reset');
$answer = generate('x [[mock answer=url]]', n => 2);
my @urls = map { $_->{url} } @{ $answer->{json}{data} };
like($urls[0], qr{^\Q$base\E/_mock/pictures/}, 'a picture has an address');
isnt($urls[0], $urls[1], 'each its own');
my $got = ask('GET', $urls[0], {});
is(png_size($got->{content}), '1024x1024', 'it is there');
is($got->{headers}{'content-type'}, 'image/png', 'and says what it is');
is(ask('GET', $urls[0], \%key)->{status}, 403, 'but not for a key');
is(ask('GET', $urls[0], { apikey => 'x' })->{status}, 403, 'of any kind');
is(stats()->{credentials_leaked}, 2, 'which is counted');
is(stats()->{downloads}, 3, 'like every download');
is(ask('GET', '/_mock/pictures/999.png', {})->{status}, 404,
	'what is not there is not there');

sub url_of
{
	return generate("x [[mock answer=url $_[0]]]")->{json}{data}[0]{url};
}

my $at = url_of('picture=redirect:2');
my @hops;
for (;;)
{
	$got = ask('GET', $at, {});
	push @hops, $got->{status};
	last unless $got->{status} == 302;
	$at = $got->{headers}{location};
}
is("@hops", '302 302 200', 'two redirects, then the picture');
is(ask('GET', url_of('picture=redirect-to:http://10.0.0.1/x'), {})
	->{headers}{location}, 'http://10.0.0.1/x', 'or a redirect to elsewhere');
is(ask('GET', url_of('picture=missing'), {})->{status}, 404,
	'or nothing there');
is(ask('GET', url_of('bad=not-a-picture'), {})->{content},
	"This is text, and no picture at all.\n", 'or no picture');
$socket = connection();
($at) = url_of('picture=slow') =~ m{(/_mock.*)};
print $socket "GET $at HTTP/1.1\r\nHost: mock\r\n\r\n";
$socket->flush;
($text) = rest_of($socket, 0.3);
ok(length($text) < 100, 'or a slow one');

# ---- models that are gone, and other servers

sub dalle
{
	my ($number, %more) = @_;
	return ask('POST', '/v1/images/generations', \%key,
		{ model => "dall-e-$number", prompt => 'x', %more });
}

is(error_of(dalle(3)), '404 - model_not_found', 'dall-e-3 is gone');
control('legacy');
$answer = dalle(3, style => 'vivid', quality => 'hd', size => '1792x1024');
is($answer->{status}, 200, 'unless it is asked for');
like($answer->{json}{data}[0]{url}, qr/pictures/, 'with an address');
ok($answer->{json}{data}[0]{revised_prompt}, 'and a revised prompt');
is(png_size(ask('GET', $answer->{json}{data}[0]{url}, {})->{content}),
	'1792x1024', 'in the size that was asked');
is(png_size(picture(dalle(2, response_format => 'b64_json',
				size => '256x256'))), '256x256', 'dall-e-2 has base64, too');
is(error_of(dalle(3, n => 2)), '400 n invalid_value', 'dall-e-3 makes one');
is(error_of(dalle(2, size => '1024x1792')), '400 size invalid_value',
	'each in its own sizes');
is(error_of(dalle(2, background => 'auto')),
	'400 background unknown_parameter', 'and by its own parameters');
is(form('/v1/images/edits', [ model => 'dall-e-2' ], [ prompt => 'x' ],
		[ image => $opaque, 'a.png' ])->{status}, 200,
	'dall-e-2 edits a square PNG');
is(error_of(form('/v1/images/edits', [ model => 'dall-e-2' ],
			[ prompt => 'x' ], [ image => $oblong, 'a.png' ])),
	'400 image -', 'and no other');
control('reset');
is(error_of(dalle(2)), '404 - model_not_found', 'reset ends that');

$answer = ask('POST', '/compat/v1/images/generations',
	{ authorization => 'Bearer anything' },
	{ model => 'own/model', prompt => 'x', response_format => 'b64_json',
		steps => 20, size => '512x512' });
is(png_size(picture($answer)), '512x512', 'another server has other models');
ok(!exists $answer->{json}{usage}, 'and may say nothing of usage');
is((ledger())[-1]{provider}, 'compatible', 'ledger: it is another provider');

my %echo = (
	whole => 'sk-test',
	masked => 'sk-test***sk-test',
	upper => 'SK-TEST',
	spaced => 's k - t e s t ',
	percent => '%73%6B%2D%74%65%73%74',
	json => '\\u0073\\u006b\\u002d\\u0074\\u0065\\u0073\\u0074',
	html => '&#115;&#107;&#45;&#116;&#101;&#115;&#116;',
	hex => '736b2d74657374',
	base64 => 'c2stdGVzdA==',
	bearer => 'Authorization: Bearer sk-test');
foreach my $form (sort keys %echo)
{
	my $echo = generate("x [[mock echo=$form]]");

	is($echo->{json}{error}{message}, "The key $echo{$form} was refused.",
		"the key comes back: $form");
}
is(error_of(generate('x [[mock block=violence]]')), '400 - moderation_blocked',
	'a block is a block');
is((ledger())[-1]{charged}, JSON::PP::false, 'and free');

is(stop_mock(), 0, 'the mock ends well');
done_testing();
