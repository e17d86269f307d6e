#!/usr/bin/env perl
#
# bad_test.pl
#	Proves that the mock provider's bad answers are as bad as they are said to
#	be, in every protocol, and charged.

use strict;
use warnings;

use Compress::Raw::Zlib;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use MIME::Base64;
use MockTest;
use Test::More;
use Time::HiRes qw(time);

start_mock();

my $mib = 1024 * 1024;

# What each protocol needs for a call with that prompt; the picture in its
# answer.
my %protocol = (
	openai => {
		path => '/v1/images/generations',
		headers => { authorization => 'Bearer sk-test' },
		body => sub { { model => 'gpt-image-2', prompt => shift } },
		base64 => sub { shift->{data}[0]{b64_json} } },
	xai => {
		path => '/xai/v1/images/generations',
		headers => { authorization => 'Bearer xai-test' },
		body => sub { { prompt => shift, response_format => 'b64_json' } },
		base64 => sub { shift->{data}[0]{b64_json} } },
	google => {
		path => '/google/v1/models/gemini-3-pro-image:generateContent',
		headers => { 'x-goog-api-key' => 'AIza-test' },
		body => sub {
			{ contents => [ { role => 'user', parts => [ { text => shift } ] } ] }
		},
		base64 => sub {
			shift->{candidates}[0]{content}{parts}[0]{inlineData}{data}
		} });
$protocol{vertex} = { %{ $protocol{google} },
	path => '/vertex/v1/publishers/google/models/gemini-3-pro-image'
	  . ':generateContent' };

sub direct
{
	my ($name, $words) = @_;
	my $p = $protocol{$name};
	return ask('POST', $p->{path}, $p->{headers},
		$p->{body}->("x [[mock $words]]"));
}

sub call
{
	my ($name, $bad) = @_;
	return direct($name, "bad=$bad");
}

# The same on a connection of its own, with nothing read of the answer yet.
sub send_call
{
	my ($name, $bad, $words) = @_;
	my $p = $protocol{$name};
	my $socket = connection();
	my $body =
	  encode_json($p->{body}->('x [[mock ' . ($words // "bad=$bad") . ']]'));
	print $socket "POST $p->{path} HTTP/1.1\r\nHost: mock\r\n"
	  . join('', map { "$_: $p->{headers}{$_}\r\n" } keys %{ $p->{headers} })
	  . "Content-Type: application/json\r\nContent-Length: "
	  . length($body) . "\r\n\r\n$body";
	$socket->flush;
	return $socket;
}

# How many bytes there are, up to a limit, and the first of them.
sub drink
{
	my ($socket, $limit) = @_;
	my ($total, $first) = (0, '');
	while ($total < $limit && sysread $socket, my $part, 65536)
	{
		$first .= $part if length $first < 65536;
		$total += length $part;
	}
	return ($total, $first);
}

foreach my $name (sort keys %protocol)
{
	control('reset');
	my $picture = sub {
		return $protocol{$name}{base64}->(shift->{json} // {}) // '';
	};

	# ---- answers without end, or with the wrong one

	my $socket = send_call($name, 'endless');
	my ($total, $first) = drink($socket, 8 * $mib);
	ok($total >= 8 * $mib, "$name: an endless body does not end");
	like($first, qr/transfer-encoding: chunked.*"AAAA|chunked.*"\r\n.*AAAA/s,
		'... in the middle of a picture');
	is(stats()->{in_flight}, 1, '... and others are served meanwhile');
	close $socket;
	ok(until_true(sub { stats()->{in_flight} == 0 }),
		'... until the caller leaves');

	$socket = send_call($name, 'head');
	($total, $first) = drink($socket, 8 * $mib);
	ok($total >= 8 * $mib && $first !~ /\r\n\r\n/,
		"$name: an endless head does not end");
	close $socket;

	my ($text, $end) = rest_of(send_call($name, 'truncated'));
	my ($promised) = $text =~ /content-length: (\d+)/;
	is($end, 'closed', "$name: a truncated answer ends early");
	ok(length $text > 1000 && length $text < $promised,
		'... and had promised more');

	$socket = send_call($name, 'oversized');
	my $enough = $name eq 'openai' ? 128 * $mib : 8 * $mib;
	($total, $first) = drink($socket, $enough);
	is(($first =~ /content-length: (\d+)/)[0], 128 * $mib,
		"$name: an oversized answer says so");
	ok($total >= $enough, '... and is as long as it says');
	close $socket;

	$socket = send_call($name, 'slow-body');
	is(read_until($socket, qr/./), 'H', "$name: a slow answer begins");
	is((rest_of($socket, 0.2))[1], 'silent', '... and hardly goes on');

	# ---- no JSON, and no HTTP

	my $answer = call($name, 'json');
	ok($answer->{status} == 200 && !$answer->{json}, "$name: JSON may be none");
	$answer = call($name, 'deep');
	is($answer->{content} =~ tr/[//, 100_000, "$name: JSON may be deep");
	$answer = call($name, 'empty-200');
	is("$answer->{status} '$answer->{content}'", "200 ''",
		"$name: an answer may be empty");
	$answer = call($name, 'status-999');
	is($answer->{status}, 999, "$name: a status may be none");
	ok($picture->($answer), '... though there is a picture');
	($text, $end) = rest_of(send_call($name, 'garbage'));
	ok($text !~ /^HTTP/ && $end eq 'closed', "$name: HTTP may be none");

	# ---- pictures that are none

	unlike($picture->(call($name, 'base64')), qr{^[A-Za-z0-9+/=]+$},
		"$name: base64 may be none");
	is(decode_base64($picture->(call($name, 'not-a-picture'))),
		"This is text, and no picture at all.\n", "$name: a picture, too");
	my $png = decode_base64($picture->(call($name, 'huge-header-png')));
	is(join(' ', unpack 'x16 N N', $png), '65535 65535',
		"$name: a small PNG may say that it is huge");
	is(png_size($png), 'bad pixels', '... with good checksums');
	my $jpeg = decode_base64($picture->(call($name, 'huge-header-jpeg')));
	is(join(' ', $jpeg =~ /\xff\xc0..\x08(..)(..)/s
			? map { unpack 'n', $_ } $1, $2 : ()), '65535 65535',
		"$name: a JPEG, too");
	like(decode_base64($picture->(call($name, 'gif'))), qr/^GIF89a.*;$/s,
		"$name: a GIF may come");

	my @entries = ledger();
	is(scalar(grep { $_->{charged} && $_->{provider} eq $name } @entries),
		scalar(@entries), "$name: all of them are charged");
	is(join(' ', sort map { $_->{fault} } @entries), join(' ', sort map {
				"bad=$_" } qw(endless head truncated oversized slow-body json
			  deep empty-200 status-999 garbage base64 not-a-picture
			  huge-header-png huge-header-jpeg gif)),
		'... under their names');

	# ---- what is not special to a protocol

	$answer = direct($name, 'fault=openai-429-rate_limit_exceeded');
	is("$answer->{status} $answer->{headers}{'retry-after'}", '429 12',
		"$name: fixtures are answered");
	is((rest_of(send_call($name, undef, 'reset=after')))[1], 'reset',
		"$name: connections are reset");
	$socket = send_call($name, undef, 'hold');
	ok(until_true(sub { stats()->{in_flight} == 1 }), "$name: answers wait");
	control('release');
	like(read_until($socket, qr/\r\n/), qr/ 200 OK/, '... until released');
}

# ---- the bomb, once: it takes its time to defuse

my $answer = call('openai', 'gzip-bomb');
is($answer->{headers}{'content-encoding'}, 'gzip', 'a bomb is compressed');
my $size = length $answer->{content};
ok($size < 2 * $mib, "it has only $size bytes");
my ($inflater) = Compress::Raw::Zlib::Inflate->new(WindowBits => WANT_GZIP,
	LimitOutput => 1, Bufsize => $mib);
my ($inflated, $state) = (0, Z_OK);
while ($state == Z_OK || $state == Z_BUF_ERROR)
{
	my $output;
	$state = $inflater->inflate($answer->{content}, $output);
	$inflated += length $output;
}
cmp_ok($state, '==', Z_STREAM_END, 'whole, with a good checksum');
my $opening = '{"created":1795417200,"data":[{"b64_json":"';
is($inflated, 1024 * $mib + length($opening), 'and becomes a gibibyte');

# ---- the same at a picture's address

sub address
{
	my ($words) = @_;
	my $url = ask('POST', '/v1/images/generations',
		{ authorization => 'Bearer sk-test' },
		{ model => 'gpt-image-2', prompt => "x [[mock answer=url $words]]" })
	  ->{json}{data}[0]{url};
	my $socket = connection();
	my ($path) = $url =~ m{^http://[^/]*(/.*)};
	print $socket "GET $path HTTP/1.1\r\nHost: mock\r\n\r\n";
	$socket->flush;
	return $socket;
}

my ($total, $first) = drink(address('picture=endless'), 144 * $mib);
ok($total >= 144 * $mib, 'a download may be endless');
like($first, qr{^HTTP/1.1 200 OK\r\ncontent-type: image/png}, '... of a type');
($total, $first) = drink(address('picture=oversized'), 8 * $mib);
ok($total >= 8 * $mib && $first =~ /\x89PNG/, 'or oversized');
my ($text, $end) = rest_of(address('picture=truncated'));
my ($promised) = $text =~ /content-length: (\d+)/;
$text =~ s/^.*?\r\n\r\n//s;
is("$end " . ($promised - length $text), 'closed 1',
	'or truncated by a single byte');

is(stop_mock(), 0, 'the mock ends well');
done_testing();
