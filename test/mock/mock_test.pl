#!/usr/bin/env perl
#
# mock_test.pl
#	Proves that the mock provider keeps an honest bill and misbehaves only as
#	it is told to.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use IO::Select;
use JSON::PP;
use MIME::Base64;
use MockTest;
use Test::More;
use Time::HiRes qw(time);

my $generation = '019ab000-0000-7000-8000-000000000001';

start_mock();

sub body_of
{
	my ($prompt, %more) = @_;
	return encode_json({ model => 'gpt-image-2.6-flare', prompt => $prompt,
			%more });
}

sub head_of
{
	my ($body, $attempt) = @_;
	return "POST /v1/images/generations HTTP/1.1\r\nHost: mock\r\n"
	  . "Authorization: Bearer sk-test\r\n"
	  . "X-Client-Request-Id: $generation." . ($attempt // 1) . "\r\n"
	  . 'Content-Length: ' . length($body) . "\r\n\r\n";
}

sub call
{
	my ($prompt, %more) = @_;
	my $key = delete $more{key} // 'sk-test';
	my %headers = ('x-client-request-id' => "$generation.1");
	$headers{authorization} = "Bearer $key" if $key ne '';
	return $http->post("$base/v1/images/generations",
		{ headers => \%headers, content => body_of($prompt, %more) });
}

sub generate
{
	my $answer = call(@_);
	$answer->{json} = eval { decode_json($answer->{content}) };
	return $answer;
}

sub picture
{
	my ($answer, $position) = @_;
	return decode_base64($answer->{json}{data}[ $position // 0 ]{b64_json});
}

# ---- pictures

my $answer = generate('a fawn in the snow');
is($answer->{status}, 200, 'a generation is answered');
is(png_size(picture($answer)), '1024x1024', 'with a whole PNG');
is($answer->{json}{size}, '1024x1024', 'and names its size');
like($answer->{headers}{'x-request-id'}, qr/^req_/, 'and has a request id');
is_deeply($answer->{json}{usage}{output_tokens_details},
	{ image_tokens => 439, text_tokens => 0 },
	'tokens are those of the measured price');
is(generate('x', quality => 'low')->{json}{usage}{output_tokens}, 196,
	'low quality costs less');

$answer = generate('x', n => 3, size => '1536x1024', quality => 'low');
is(scalar @{ $answer->{json}{data} }, 3, 'three pictures are three');
is(png_size(picture($answer, 2)), '1536x1024', 'in the size that was asked');
isnt(picture($answer, 0), picture($answer, 1), 'and they differ');
is($answer->{json}{usage}{output_tokens}, 3 * 158, 'and are paid three times');
is(png_size(picture(generate('x', background => 'transparent'))),
	'1024x1024', 'a transparent one is whole too');
like(picture(generate('x', output_format => 'jpeg', output_compression => 50)),
	qr/^\xff\xd8\xff.*\xff\xd9$/s, 'jpeg is jpeg');
like(picture(generate('x', output_format => 'webp')), qr/^RIFF....WEBP/s,
	'webp is webp');
is(length picture(generate('x [[mock bytes=1500000]]')), 1_500_000,
	'a picture has the bytes that were wished');
is(length picture(generate('x [[mock bytes=1024]]')), 1024,
	'a small one too');
like(png_size(picture(generate('x [[mock bytes=1024]]'))), qr/^\d+x\d+$/,
	'and it is whole');
like(picture(generate('x [[mock comment=fawn]]')), qr/tEXtComment\0fawn/,
	'a word stands in its metadata');
unlike(picture(generate('x')), qr/tEXt/, 'which the next has not');
is(png_size(picture(generate('x [[mock comment=fawn]]'))), '1024x1024',
	'and it is whole');
is($http->get("$base/v1/models", { headers =>
			{ authorization => 'Bearer sk-test' } })->{status},
	200, 'models are listed');
is($http->get("$base/v1/models")->{status}, 401, 'but not without a key');

# ---- refusals

sub refused
{
	my ($status, $param, $code, $name, %more) = @_;
	my $refusal = generate('x', %more);
	is_deeply(
		[ $refusal->{status}, @{ $refusal->{json}{error} }{qw(param code)} ],
		[ $status, $param, $code ], "$name is refused");
	return $refusal->{json}{error}{message};
}

control('reset');
refused(401, undef, 'invalid_api_key', 'a call without a key', key => '');
refused(401, undef, 'invalid_api_key', 'a wrong key', key => 'sk-invalid-1');
is(refused(400, 'size', 'invalid_value', 'a size too long',
		size => '4096x4096'),
	"Invalid size '4096x4096'. The longest edge must be less than or equal "
	. 'to 3840.', 'in the words of the contract');
refused(400, 'size', 'invalid_value', $_, size => $_)
  foreach qw(7x7 1000x1000 3840x1024 3840x3840 1024 1024x1024x);
refused(400, 'size', 'invalid_value', 'a free size of an old model',
	size => '1280x1280', model => 'gpt-image-1.5');
refused(400, 'quality', 'invalid_value', 'a quality', quality => 'best');
refused(400, 'quality', 'invalid_value', 'xhigh of an old model',
	quality => 'xhigh', model => 'gpt-image-2');
refused(400, 'n', 'invalid_value', "n of $_", n => $_) foreach (0, 11);
refused(404, undef, 'model_not_found', 'a model', model => 'gpt-image-9');
refused(404, undef, 'model_not_found', 'a model that is gone',
	model => 'dall-e-3');
refused(400, 'response_format', 'unknown_parameter', 'response_format',
	response_format => 'b64_json');
refused(400, 'background', 'invalid_value', 'transparent jpeg',
	background => 'transparent', output_format => 'jpeg');
refused(400, 'prompt', 'string_above_max_length', 'a long prompt',
	prompt => 'x' x 32001);
is(generate('x [[mock dleay=1]]')->{status}, 400,
	'a misspelt directive is refused');
is(generate('x [[mock delay=1] ]]')->{status}, 400,
	'so is one with a bracket in it');
is(generate("x [[mock \x{e4}]]")->{status}, 400, 'or one that is no ASCII');
is(stats()->{charged}, 0, 'no refusal is charged');

# ---- the ledger

control('reset');
is(slurp("$scratch/ledger"), '', 'reset empties the ledger');
my $before = int(time * 1e6);
generate('x', n => 2);
my ($entry) = ledger();
is($entry->{client_request_id}, "$generation.1", 'ledger: request id');
is($entry->{generation}, $generation, 'ledger: generation');
is($entry->{attempt}, 1, 'ledger: attempt');
is($entry->{n}, 2, 'ledger: n');
is($entry->{model}, 'gpt-image-2.6-flare', 'ledger: model');
is($entry->{status}, 200, 'ledger: status');
ok($entry->{charged}, 'ledger: charged');
ok($entry->{arrived} >= $before && $entry->{arrived} <= $entry->{time},
	'ledger: times');
unlike(slurp("$scratch/ledger"), qr/sk-test/, 'ledger: no key');
generate('x', key => 'sk-other');
isnt((ledger())[1]{key}, $entry->{key}, 'ledger: keys differ by fingerprint');
is($http->get("$base/_mock/ledger")->{content}, slurp("$scratch/ledger"),
	'the ledger over HTTP is the file');

my $socket = connection();
print $socket head_of(body_of('x [[mock hold]]')) . body_of('x [[mock hold]]');
$socket->flush;
until_true(sub { scalar(ledger()) == 3 });
is(scalar(ledger()), 3, 'the ledger is written before the answer goes');
is(stats()->{in_flight}, 1, 'and the call is in flight');
control('release');
my ($text, $end) = answers_of($socket);
like($text, qr/^HTTP\/1.1 200/, 'which is answered then');

# ---- answers from fixtures

control('reset');
$answer = generate('x [[mock fault=openai-429-rate_limit_exceeded]]');
is($answer->{status}, 429, 'a fixture gives the status');
is($answer->{headers}{'retry-after'}, '12', 'and the headers');
is($answer->{json}{error}{code}, 'rate_limit_exceeded', 'and the body');
is(stats()->{charged}, 0, 'a 429 is free');
generate('x [[mock fault=openai-500-server_error]]');
is(stats()->{charged}, 1, 'a 500 may be charged, so it is');
generate('x [[mock fault=openai-500-server_error charged=no]]');
is(stats()->{charged}, 1, 'unless it says not');
$answer = generate('x [[mock fault=openai-502-html]]');
is($answer->{headers}{'content-type'}, 'text/html', 'HTML comes as HTML');
is(generate('x [[mock fault=no-such]]')->{status}, 400,
	'an unknown fixture is refused');
my @twice = map {
	generate('y [[mock fault=openai-500-server_error times=2]]')->{status}
} 1 .. 3;
is("@twice", '500 500 200', 'times= ends a fault');
is(generate('z [[mock fault=openai-500-server_error]] [[mock times=1]]')
	->{status}, 500, 'times= may stand in brackets of its own');

# ---- rules for all calls

control('faults', { fault => 'openai-500-server_error', times => 2 });
@twice = map { generate('x')->{status} } 1 .. 3;
is("@twice", '500 500 200', 'a rule applies as often as it says');
control('faults', [ { clear => JSON::PP::true },
		{ fault => 'openai-500-server_error', rate => 0.5, seed => 7 } ]);
my $failures = grep { call('x')->{status} == 500 } 1 .. 60;
ok($failures > 12 && $failures < 48, "a rate of 0.5 hit $failures of 60");
is(control('faults', { no_such => 1 })->{status}, 400,
	'an unknown rule is refused');

# ---- connections that end badly

control('reset');
control('faults', { reset => 'before', times => 1 });
$socket = connection();
print $socket head_of(body_of('x')) . body_of('x');
$socket->flush;
(undef, $end) = rest_of($socket);
is($end, 'reset', 'reset=before resets');
is(scalar(ledger()), 0, 'and nothing is on the bill');

sub send_on
{
	my ($on, $prompt, $attempt) = @_;
	my $body = body_of($prompt);
	print $on head_of($body, $attempt) . $body;
	$on->flush;
}

$socket = connection();
send_on($socket, 'x [[mock reset=after]]');
($text, $end) = rest_of($socket);
is("$text $end", ' reset', 'reset=after resets without an answer');
($entry) = ledger();
ok($entry->{charged} && $entry->{status} == 0, 'and charges');

$socket = connection();
send_on($socket, 'x [[mock reset=body]]');
($text, $end) = rest_of($socket);
my ($length) = $text =~ /content-length: (\d+)/;
my $part = length($text) - index($text, "\r\n\r\n") - 4;
is($end, 'reset', 'reset=body resets');
ok($part > 0 && $part < $length, "after $part of $length bytes");
ok((ledger())[1]{charged}, 'and charges');

$socket = connection();
send_on($socket, 'x [[mock stale]]', 1);
($text) = answers_of($socket);
like($text, qr/^HTTP\/1.1 200/, 'a stale connection answers once');
is((rest_of($socket, 0.3))[1], 'silent', 'and stays open');
send_on($socket, 'y', 2);
($text, $end) = rest_of($socket);
is("$text $end", ' closed', 'the next call is read and not answered');
is(join(',', map { $_->{attempt} . ($_->{charged} ? '+' : '-') }
		(ledger())[ 2, 3 ]),
	'1+,2+', 'and both are on the bill');

$socket = connection();
send_on($socket, 'x [[mock stale=idle]]');
($text, $end) = rest_of($socket);
like($text, qr/^HTTP\/1.1 200/, 'stale=idle answers');
unlike($text, qr/^connection: close/mi, 'without a word of closing');
is($end, 'closed', 'and closes');

# ---- answers that wait

control('reset');
my @held = map { connection() } 1 .. 3;
send_on($_, 'x [[mock hold]]') foreach @held;
until_true(sub { stats()->{in_flight} == 3 });
is(stats()->{in_flight}, 3, 'held calls are in flight');
is((rest_of($held[0], 0.1))[1], 'silent', 'and get no answer');
close $held[2];
until_true(sub { stats()->{abandoned} == 1 });
is(stats()->{abandoned}, 1, 'a caller that leaves is noticed');
control('release');
like((answers_of($held[$_]))[0], qr/^HTTP\/1.1 200/, 'a release answers')
  foreach 0, 1;
is(stats()->{max_in_flight}, 3, 'the most in flight is remembered');
is(stats()->{in_flight}, 0, 'and nothing is left');

control('reset');
@held = map { connection() } 1 .. 3;
foreach my $n (0 .. 2)
{
	send_on($held[$n], 'x [[mock hold]]');
	until_true(sub { stats()->{in_flight} == $n + 1 });
}
control('release', { count => 1 });
like((answers_of($held[0]))[0], qr/^HTTP\/1.1 200/,
	'one is released: the oldest');
is(stats()->{in_flight}, 2, 'and no other');
control('release', { count => 2 });
is(stats()->{in_flight}, 0, 'then two');
is( $http->get("$base/_mock/flights")->{content},
	"+1\n+2\n+3\n-1\n-2\n-3\n",
	'when calls began and ended is told, in order');
is(control('release', { count => 'x' })->{status}, 400,
	'not so many is no number');

# one after the other, and those who came later go first
control('reset');
my @late = map { connection() } 1 .. 3;
my $asked = time;
my @delays = (3000, 1000, 2000);
foreach my $n (0 .. 2)
{
	send_on($late[$n], "x [[mock delay=$delays[$n]]]");
	until_true(sub { stats()->{accepted} == $n + 1 });
}
answers_of($_) foreach @late;
is( join(' ', grep { $_ < 0 } split /\n/,
		$http->get("$base/_mock/flights")->{content}),
	'-2 -3 -1', 'delays are kept one by one');
ok(time - $asked >= 3, 'and are as long as they say');

# ---- odd requests

$socket = connection();
my $long = body_of('x');
print $socket substr(head_of($long), 0, 30);
$socket->flush;
select undef, undef, undef, 0.05;
print $socket substr(head_of($long), 30) . $long . head_of($long) . $long;
$socket->flush;
is(scalar(grep { /^HTTP\/1.1 200/ } answers_of($socket, 2)), 2,
	'requests in pieces and in one piece are the same');
$socket = connection();
print $socket "nonsense\r\n\r\n";
$socket->flush;
like((rest_of($socket))[0], qr/^HTTP\/1.1 400/, 'nonsense is refused');
is($http->get("$base/v1/nowhere")->{status}, 404, 'so is a wrong path');

is(stop_mock(), 0, 'the end of standard input ends the mock');
done_testing();
