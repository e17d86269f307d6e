#!/usr/bin/perl
#
# seeds.pl
#	Makes seeds for the fuzz targets of the adapters: every answer of the
#	fixtures, and some good ones, in the form that answers.h describes.
#
# Usage: seeds.pl FOLDER	gets a folder for each target

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Path qw(make_path);
use JSON::PP;

my $here = dirname($0);
my $folder = shift or die "usage: seeds.pl FOLDER\n";
my $json = JSON::PP->new->canonical->allow_nonref;

# A png of one pixel.
my $pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk'
  . '+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

sub slurp
{
	my ($path) = @_;

	open(my $file, '<:raw', $path) or die "$path: $!\n";
	local $/;
	return <$file>;
}

sub seed
{
	my ($target, $name, $bytes) = @_;

	$name =~ s/[^A-Za-z0-9_.-]/_/g;
	make_path("$folder/$target");
	open(my $file, '>:raw', "$folder/$target/$name")
	  or die "$folder/$target/$name: $!\n";
	print $file $bytes;
	close($file) or die "$folder/$target/$name: $!\n";
}

# Status, letter, Retry-After if there is one, and the body.
sub answer
{
	my ($row) = @_;
	my $body = $row->{raw_body} // $json->encode($row->{body});
	my %headers = map { lc($_) => $row->{headers}{$_} }
	  keys %{ $row->{headers} // {} };
	my $wait = $headers{'retry-after'};

	return "$row->{status}D$wait\n$body" if defined $wait;
	return "$row->{status}\@$body";
}

my $fixtures = $json->decode(slurp("$here/../fixtures/error-fixtures.json"));
foreach my $row (@{ $fixtures->{http} })
{
	my $is_login = $row->{api} eq 'oauth token';

	if ($row->{provider} ne 'google')
	{
		seed($row->{provider} eq 'xai' ? 'xai' : 'openai', $row->{id},
			answer($row));
		next;
	}
	seed('google', $row->{id}, answer($row)) unless $is_login;
	seed('vertex', "$row->{id}-$_", $_ . answer($row))
	  foreach $is_login ? ('L', 'N') : ('@', 'A', 'B');
}

seed('openai', 'good', '200@' . slurp("$here/../fixtures/openai/answer.json"));
seed('openai', 'address',
	'200@{"data":[{"url":"https://x/","revised_prompt":"p"}]}');
seed('openai', 'stream',
	"200Adata: {\"type\":\"image_generation.partial_image\",\"b64_json\":"
	  . "\"$pixel\",\"partial_image_index\":0}\n\ndata: {\"type\":"
	  . "\"image_generation.completed\",\"b64_json\":\"$pixel\"}\n\n");
seed('xai', 'good',
	"200\@{\"data\":[{\"b64_json\":\"$pixel\"},{\"url\":\"https://x/\"}],"
	  . '"usage":{"cost_in_usd_ticks":200000000}}');

my $taken = '202@{"request_id":"r-1"}';
my $pending = '202@{"status":"pending"}';
seed('xai', 'deferred',
	"$taken\x1e$pending\x1e200\@{\"status\":\"done\",\"data\":["
	  . '{"url":"https://x/"}]}');
seed('xai', 'deferred-failed', "$taken\x1e200\@{\"status\":\"failed\","
	  . '"error":{"code":"rate_limit_exceeded","message":"m"}}');

my $candidate = "200\@{\"candidates\":[{\"content\":{\"parts\":[{\"text\":"
  . '"a"},{"inlineData":{"mimeType":"image/png","data":"' . $pixel
  . '"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1},'
  . '"responseId":"r"}';
my $refused = '429@{"error":{"status":"RESOURCE_EXHAUSTED","message":"m"}}';
seed('google', 'good', $candidate);
seed('google', 'partly', "$candidate\x1e$refused");

my $token =
  '200@{"access_token":"ya29.c.test0123456789","expires_in":3599}';
seed('vertex', 'good', "\@$candidate");
seed('vertex', 'login', "L$token\x1e$candidate");
seed('vertex', 'expired', "\@401\@{}\x1e$token\x1e$candidate");
seed('vertex', 'imagen',
	"B200\@{\"predictions\":[{\"mimeType\":\"image/png\","
	  . "\"bytesBase64Encoded\":\"$pixel\"},{\"raiFilteredReason\":\"r\"}]}");
