#!/usr/bin/env perl
#
# xai_test.pl
#	Proves that the mock provider speaks xAI's protocol, not OpenAI's under
#	another name.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use MIME::Base64;
use MockTest;
use Test::More;

start_mock();

my %key = (authorization => 'Bearer xai-test');
my $yes = JSON::PP::true;

sub generate
{
	my ($prompt, %more) = @_;
	return ask('POST', '/xai/v1/images/generations', \%key,
		{ model => 'grok-imagine-image-2.0', prompt => $prompt, %more });
}

sub edit
{
	return ask('POST', '/xai/v1/images/edits', \%key,
		{ model => 'grok-imagine-image-2.0', prompt => 'a hat', @_ });
}

sub ticks
{
	return shift->{json}{usage}{cost_in_usd_ticks};
}

# ---- pictures

my $answer = generate('a fawn');
is($answer->{status}, 200, 'a generation is answered');
my $row = $answer->{json}{data}[0];
is($row->{mime_type}, 'image/jpeg', 'with a JPEG');
ok(!exists $row->{b64_json}, 'by its address alone');
like(ask('GET', $row->{url}, {})->{content}, qr/^\xff\xd8\xff.*\xff\xd9$/s,
	'which is there');
is(ticks($answer), 400_000_000, 'it costs four cents');
like($answer->{headers}{'x-request-id'}, qr/^req_/, 'it has a request id');
my ($entry) = ledger();
is($entry->{provider}, 'xai', 'ledger: provider');
is($entry->{model}, 'grok-imagine-image-2.0', 'ledger: model');

$answer = generate('x', n => 3, response_format => 'b64_json',
	resolution => '2k', quality => 'medium', aspect_ratio => '16:9');
is(scalar(grep { decode_base64($_->{b64_json}) =~ /^\xff\xd8\xff/ }
		@{ $answer->{json}{data} }), 3, 'three in base64, if asked for');
is(ticks($answer), 3 * 800_000_000, 'at the price of a larger one');
is((ledger())[-1]{n}, 3, 'ledger: three');
is(ticks(generate('x', model => 'grok-imagine-image')), 200_000_000,
	'the older model costs two cents');

# ---- edits

my $jpeg = decode_base64($answer->{json}{data}[0]{b64_json});
my $url = 'data:image/jpeg;base64,' . encode_base64($jpeg, '');
$answer = edit(image => { url => $url, type => 'image_url' });
is($answer->{status}, 200, 'a picture is edited');
is(ticks($answer), 620_000_000, 'and billed, too');
is_deeply((ledger())[-1]{inputs}, [ substr sha256_hex($jpeg), 0, 12 ],
	'ledger: its bytes');
is(edit(images => [ map { { url => $url } } 1 .. 5 ])->{status}, 200,
	'or five of them');

# ---- refusals

sub refused
{
	my ($status, $pattern, $name, $refusal) = @_;
	is($refusal->{status}, $status, "$name is refused");
	like($refusal->{json}{error}, $pattern, '... in xAI\'s words');
}

control('reset');
refused(400, qr/^Argument not supported: size/, 'size',
	generate('x', size => '1024x1024'));
refused(400, qr/^n must be between 1 and 10/, 'n of 11',
	generate('x', n => 11));
refused(422, qr/unknown variant `ultra`/, 'a quality',
	generate('x', quality => 'ultra'));
refused(422, qr/unknown variant `7:3`/, 'a shape',
	generate('x', aspect_ratio => '7:3'));
refused(404, qr/grok-2-image does not exist/, 'a model that is gone',
	generate('x', model => 'grok-2-image'));
refused(400, qr/At most 5/, 'a sixth picture',
	edit(images => [ map { { url => $url } } 1 .. 6 ]));
refused(422, qr/sequence/, 'a list in "image"',
	edit(image => [ { url => $url } ]));
refused(400, qr/no image/, 'a text instead of a picture',
	edit(image => { url => 'data:image/png;base64,AAAA' }));
refused(415, qr/Content-Type/, 'a form',
	ask('POST', '/xai/v1/images/edits',
		{ %key, 'content-type' => 'multipart/form-data; boundary=B' },
		"--B--\r\n"));
refused(400, qr/^Incorrect API key/, 'a wrong key',
	ask('POST', '/xai/v1/images/generations',
		{ authorization => 'Bearer sk-test' }, { prompt => 'x' }));
refused(401, qr/^No authorization header/, 'no key',
	ask('POST', '/xai/v1/images/generations', {}, { prompt => 'x' }));
refused(403, qr/blocked/, 'a blocked key',
	ask('POST', '/xai/v1/images/generations',
		{ authorization => 'Bearer xai-blocked' }, { prompt => 'x' }));
is(stats()->{charged}, 0, 'no refusal is charged');

# ---- moderation

control('reset');
refused(400, qr/rejected by content moderation/, 'what came out',
	$answer = generate('x [[mock block=output]]'));
is(ticks($answer), 400_000_000, 'and has its price');
ok((ledger())[-1]{charged}, 'and is billed');
is((ledger())[-1]{ticks}, 400_000_000, 'with that');
is(ticks(generate('x [[mock ticks=1234560000]]')), 1_234_560_000,
	'a price that is asked for');
is((ledger())[-1]{ticks}, 1_234_560_000, 'is billed, too');
refused(403, qr/SAFETY_CHECK_TYPE/, 'what went in',
	generate('x [[mock block=prompt]]'));
ok(!(ledger())[-1]{charged}, 'and is not');
is_deeply(generate('x [[mock block=flag]]')->{json}{data},
	[ { respect_moderation => JSON::PP::false } ], 'or it is only flagged');
is_deeply(generate('x [[mock block=empty]]')->{json}{data}, [],
	'or missing');

# ---- deferred

control('reset');
$answer = generate('x [[mock pending=2]]', deferred => $yes, n => 2);
my $id = $answer->{json}{request_id};
ok($id, 'a deferred request has an id');
my @polls = map { ask('GET', "/xai/v1/images/$id", \%key) } 1 .. 3;
is(join(' ', map { "$_->{status} $_->{json}{status}" } @polls),
	'202 pending 202 pending 200 done', 'pending, pending, done');
is(scalar(grep { $_->{url} } @{ $polls[2]{json}{data} }), 2,
	'with two addresses');
is(ticks($polls[2]), 800_000_000, 'and what it cost');
is(stats()->{charged}, 1, 'it is one call on the bill');
$id = generate('x [[mock pending=0 deferred=failed]]', deferred => $yes)
  ->{json}{request_id};
is(ask('GET', "/xai/v1/images/$id", \%key)->{json}{status}, 'failed',
	'or it fails');
is(ask('GET', '/xai/v1/images/nothing', \%key)->{status}, 404,
	'an unknown one is not there');
is(generate('x', deferred => $yes, response_format => 'b64_json')->{status},
	400, 'base64 is not to be had that way');

# ---- keys

my $answers = sub { ask('GET', "/xai/v1/$_[0]", $_[1]) };
ok(!$answers->('api-key', \%key)->{json}{api_key_blocked}, 'a key is good');
ok($answers->('api-key', { authorization => 'Bearer xai-blocked' })
	->{json}{api_key_blocked}, 'or blocked');
is($answers->('api-key', { authorization => 'Bearer x' })->{status}, 400,
	'or wrong');
ok(scalar(grep { $_->{id} eq 'grok-imagine-image-2.0' }
		@{ $answers->('models', \%key)->{json}{data} }), 'models are listed');

is(stop_mock(), 0, 'the mock ends well');
done_testing();
