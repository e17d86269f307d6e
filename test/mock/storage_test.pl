#!/usr/bin/env perl
#
# storage_test.pl
#	Proves that the mock's storage keeps the contract of Supabase Storage.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use MockTest;
use Test::More;

start_mock();

my %key = (authorization => 'Bearer service-key');
my $png = "\x89PNG\r\n\x1a\n and so on, \0 too";

sub storage
{
	my ($method, $path, $headers, $body) = @_;
	return ask($method, "/storage/v1/object/$path", $headers // \%key, $body);
}

sub put
{
	my ($path, %headers) = @_;
	return storage('POST', $path,
		{ %key, 'content-type' => 'image/png', %headers }, $png);
}

sub fault_of
{
	my ($answer) = @_;
	return join ' ', $answer->{status},
	  map { $_ // '-' } @{ $answer->{json} // {} }{qw(statusCode error)};
}

sub listed
{
	return join ' ', sort map { $_->{name} }
	  @{ decode_json($http->get("$base/_mock/storage")->{content}) };
}

# ---- put and get

my $answer = put('pictures/user%201/1.png');
is($answer->{status}, 200, 'a picture is put');
is($answer->{json}{Key}, 'pictures/user 1/1.png', 'under its decoded name');
ok($answer->{json}{Id}, 'and has an id');
is(fault_of(put('pictures/user%201/1.png')), '400 409 Duplicate',
	'not twice');
is(put('pictures/user%201/1.png', 'x-upsert' => 'true')->{status}, 200,
	'unless it may replace');
is(storage('PUT', 'pictures/user%201/1.png', { %key, 'content-type' =>
				'image/jpeg' }, 'new')->{status}, 200, 'or PUT says so');
is(stats()->{puts}, 3, 'puts are counted');
$answer = storage('GET', 'authenticated/pictures/user%201/1.png');
is($answer->{content}, 'new', 'with a key one gets the newest');
is($answer->{headers}{'content-type'}, 'image/jpeg', 'with its type');
put('pictures/2.png', authorization => '', apikey => 'sb_secret_x');
is(storage('GET', 'public/pictures/2.png', {})->{content}, $png,
	'a public bucket needs none, and every byte is there');
is(storage('GET', 'pictures/2.png')->{content}, $png,
	'the short address needs one');
is(fault_of(storage('GET', 'pictures/2.png', {})), '400 403 Unauthorized',
	'and says so');
put('private/3.png');
is(fault_of(storage('GET', 'public/private/3.png', {})),
	'400 404 Bucket not found', 'a private bucket is not public');

# ---- refusals

is(fault_of(put('pictures/4.png', authorization => 'Bearer invalid')),
	'400 403 Unauthorized', 'a wrong key is refused');
is(fault_of(put('missing/4.png')), '400 404 Bucket not found',
	'so is a bucket that is not there');
is(fault_of(put("pictures/$_")), '400 400 InvalidKey', "so is the name \"$_\"")
  foreach '', 'a//b', '..%2Fx';
is(fault_of(storage('GET', 'public/pictures/nothing.png', {})),
	'400 404 not_found', 'what is not there is not there');
is(listed(), 'pictures/2.png pictures/user 1/1.png private/3.png',
	'and nothing of it is kept');

# ---- signed addresses

sub address
{
	my ($seconds) = @_;
	return storage('POST', 'sign/private/3.png', \%key,
		{ expiresIn => $seconds })->{json}{signedURL};
}

my $signed = address(60);
like($signed, qr{^/object/sign/private/3.png\?token=}, 'an address is signed');
is(ask('GET', "/storage/v1$signed", {})->{content}, $png,
	'it needs no key');
(my $forged = $signed) =~ s/token=\K(\d+)/$1 + 1/e;
is(fault_of(ask('GET', "/storage/v1$forged", {})), '400 400 InvalidJWT',
	'and cannot be made to last');
(my $other = $signed) =~ s/3\.png/4.png/;
is(fault_of(ask('GET', "/storage/v1$other", {})), '400 400 InvalidJWT',
	'nor be used for another');
my $short = address(5);
is(ask('GET', "/storage/v1$short", {})->{status}, 200, 'a short one works');
ok(until_true(sub { fault_of(ask('GET', "/storage/v1$short", {}))
			  eq '400 400 InvalidJWT' }), 'until it is over');
is(fault_of(storage('POST', 'sign/private/3.png', \%key, {})),
	'400 400 InvalidRequest', 'a time is needed');
is(fault_of(storage('POST', 'sign/private/9.png', \%key,
			{ expiresIn => 9 })), '400 404 not_found', 'and an object');
is(fault_of(storage('POST', 'sign/private/3.png', {}, { expiresIn => 9 })),
	'400 403 Unauthorized', 'and a key');

# ---- erasing

is(storage('DELETE', 'private/3.png')->{json}{message},
	'Successfully deleted', 'one is erased');
is(fault_of(storage('DELETE', 'private/3.png')), '400 404 not_found',
	'not twice');
is(fault_of(ask('GET', "/storage/v1$signed", {})), '400 404 not_found',
	'and is gone for those with an address');
is_deeply([ map { $_->{name} } @{ storage('DELETE', 'pictures', \%key,
				{ prefixes => [ 'user 1/1.png', 'nothing' ] })->{json} } ],
	['user 1/1.png'], 'several are erased, those that are there');
is(listed(), 'pictures/2.png', 'the rest stays');
is(stats()->{erases}, 2, 'erasing is counted');
is(fault_of(storage('DELETE', 'pictures/2.png', {})), '400 403 Unauthorized',
	'and needs a key');

# ---- down

control('storage', { down => JSON::PP::true });
is(put('pictures/5.png')->{status}, 503, 'it may be down');
is(storage('GET', 'public/pictures/2.png', {})->{status}, 503,
	'for everybody');
control('storage', { down => 'reset' });
my $socket = connection();
print $socket "GET /storage/v1/object/public/pictures/2.png HTTP/1.1\r\n"
  . "Host: mock\r\n\r\n";
$socket->flush;
is((rest_of($socket))[1], 'reset', 'or reset connections');
control('storage', { down => '503', times => 1 });
is(join(' ', map { storage('GET', 'public/pictures/2.png', {})->{status} }
		1, 2), '503 200', 'or once');
control('faults', { reset => 'before', times => 1 });
is(storage('GET', 'public/pictures/2.png', {})->{status}, 200,
	'faults of providers are none of its own');
control('storage', { down => JSON::PP::true });
control('storage', { down => JSON::PP::false });
is(put('pictures/5.png')->{status}, 200, 'and come up again');
is(control('storage', { down => 'perhaps' })->{status}, 400,
	'it is nothing in between');
control('reset');
is(listed(), '', 'reset empties it');
is(stats()->{erases}, 0, 'and counts nothing');

is(stop_mock(), 0, 'the mock ends well');
done_testing();
