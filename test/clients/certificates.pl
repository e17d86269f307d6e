#!/usr/bin/perl
#
# certificates.pl
#	Makes an authority and three certificates in FOLDER: good.crt for
#	127.0.0.1, other.crt for another name, and stranger.crt, which no authority
#	has signed; ca.crt is what to trust.
#
# Usage: certificates.pl FOLDER

use strict;
use warnings;

my $folder = shift or die "usage: certificates.pl FOLDER\n";
chdir $folder or die "$folder: $!\n";

sub openssl
{
	open(my $out, '-|', "openssl @_ 2>&1") or die "openssl: $!\n";
	my $said = join '', <$out>;
	close($out) or die "openssl @_: $said";
}

my $new = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  . ' -days 2';

openssl("$new -subj /CN=bambi-test-authority -keyout ca.key -out ca.crt");
openssl("$new -subj /CN=stranger -addext subjectAltName=IP:127.0.0.1"
	  . ' -keyout stranger.key -out stranger.crt');
foreach my $pair ([ good => 'IP:127.0.0.1' ], [ other => 'DNS:other.test' ])
{
	my ($name, $for) = @$pair;

	openssl("$new -subj /CN=$name -addext subjectAltName=$for"
		  . " -addext basicConstraints=critical,CA:false -CA ca.crt"
		  . " -CAkey ca.key -keyout $name.key -out $name.crt");
}
