#!/usr/bin/perl
#
# layers.pl
#	Proves the floors of docs/architecture.md: who may include whom, and which
#	symbols an object may need.
#
# Usage: layers.pl [TOP]
#
# Prints TAP.  A file that is included by "..." is looked for as the compiler
# does, so a header cannot slip in by another path.  Objects are read where
# they are built; a rule about objects fails if there are none.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Find;
use File::Spec;

my $top = shift // File::Spec->rel2abs(dirname($0) . "/../..");
chdir $top or die "$top: $!";

my ($number, $bad) = (0, 0);

# One rule: what it says, and what breaks it.
sub rule
{
	my ($says, @offenders) = @_;

	$number++;
	$bad++ if @offenders;
	print @offenders ? "not ok" : "ok", " $number - $says\n";
	print "#   $_\n" foreach @offenders;
}

# ---- what includes what

my @sources;
find(
	{
		no_chdir => 1,
		wanted => sub { push @sources, $_ if /\.[ch]$/ && !m{/build/} }
	},
	'src');
@sources = sort @sources;

my $server_headers = `$ENV{PG_CONFIG} --includedir-server`
  if $ENV{PG_CONFIG};
$server_headers = `pg_config --includedir-server` unless $server_headers;
chomp $server_headers;

# Where "name" in a file stands in this tree, or undef.
sub resolve
{
	my ($file, $name) = @_;

	foreach my $dir (dirname($file), 'src/protocol', 'src/courier',
		'src/extension')
	{
		my @parts;
		foreach my $part (split m{/}, "$dir/$name")
		{
			next if $part eq '.';
			if   ($part eq '..') { pop @parts }
			else                 { push @parts, $part }
		}
		my $path = join('/', @parts);
		return $path if -f $path;
	}
	return;
}

my %includes;    # file => [ [name, path or undef] ]
foreach my $file (@sources)
{
	open my $in, '<', $file or die "$file: $!";
	while (my $line = <$in>)
	{
		next unless $line =~ /^\s*#\s*include\s*([<"])([^>"]+)[>"]/;
		my ($quote, $name) = ($1, $2);
		push @{ $includes{$file} }, [ $name, scalar resolve($file, $name) ];
	}
	close $in;
}

# "file includes name" for each include of the files that the test calls wrong
sub offences
{
	my ($files, $is_wrong) = @_;
	my @found;

	foreach my $file (grep { /$files/ } @sources)
	{
		foreach my $include (@{ $includes{$file} // [] })
		{
			my ($name, $path) = @$include;
			push @found, "$file includes $name"
			  if $is_wrong->($name, $path // '', $file);
		}
	}
	return @found;
}

sub is_server_header
{
	my ($name, $path) = @_;
	return $path eq ''
	  && (-f "$server_headers/$name" || $name =~ m{^(postgres|libpq)});
}

rule('there are sources in protocol, extension and courier',
	map { "none in src/$_" }
	  grep { my $floor = $_; !grep { m{^src/$floor/.*\.c$} } @sources }
	  qw(protocol extension courier));

rule('protocol includes nothing of ours but protocol',
	offences(qr{^src/protocol/}, sub { $_[1] && $_[1] !~ m{^src/protocol/} }));
rule('protocol includes no header of the server',
	offences(qr{^src/protocol/}, \&is_server_header));

rule('extension never includes the courier',
	offences(qr{^src/extension/}, sub { $_[1] =~ m{^src/courier/} }));
rule('courier never includes the extension',
	offences(qr{^src/courier/}, sub { $_[1] =~ m{^src/extension/} }));
rule('courier includes no header of the server',
	offences(qr{^src/courier/}, \&is_server_header));

# url.c takes addresses apart as the engine will, and opens nothing
my $knows_libcurl = qr{/(engine|call|call_request|call_reply|url)\.};
rule('only the engine and url.c include libcurl',
	offences(qr{^src/}, sub {
		$_[0] =~ m{^curl/} && $_[2] !~ $knows_libcurl
	}));

# What every adapter may stand on: the exchange, and files without a side
# effect.  Such a file includes only others of the list.
my %pure = map { ("src/courier/$_.h" => 1) }
  qw(exchange arena secret secret_json fault base64 body body_scan echo
  percent retry scrub sigv4 aws_credentials tokens url jwt archive_name
  compression hash);

my %family = (
	providers => 'provider.h',
	stores => 'store.h',
	keyservices => 'keyservice.h');

foreach my $family (sort keys %family)
{
	my $own = qr{^src/courier/$family/};

	rule("adapters of $family include only their family and pure files",
		offences($own, sub {
			my ($name, $path) = @_;
			return $path && !$pure{$path} && $path !~ $own
			  && $path !~ m{^src/protocol/};
		}));
}

rule('pure files of the courier include only pure files',
	offences(
		qr{^src/courier/(@{[join '|', map { basename($_, '.h') } sort keys %pure]})\.[ch]$},
		sub { $_[1] && !$pure{ $_[1] } && $_[1] !~ m{^src/protocol/} }));

# Files outside the families that know more than one of them
my %knows;
foreach my $file (grep { m{^src/courier/[^/]+$} } @sources)
{
	foreach my $include (@{ $includes{$file} // [] })
	{
		$knows{$file}{$1} = 1
		  if ($include->[1] // '') =~ m{^src/courier/(\w+)/};
	}
}
rule('only job.c, order.c and main.c know more than one family',
	map { "$_ knows " . join(', ', sort keys %{ $knows{$_} }) }
	  grep { keys %{ $knows{$_} } > 1 && !m{/(job|order|main)\.[ch]$} }
	  sort keys %knows);

# ---- what objects need

my %needs;       # object => { symbol => 1 }
my %defines;     # symbol => object
find(
	{
		no_chdir => 1,
		wanted => sub {
			return unless /\.o$/;
			my $object = $_;
			$needs{$object} = {};
			foreach my $line (`nm $object`)
			{
				if ($line =~ /^\s+U (\w+)/) { $needs{$object}{$1} = 1 }
				elsif ($line =~ /^[0-9a-f]+ [TDBRVWC] (\w+)/)
				{
					push @{ $defines{$1} }, $object;
				}
			}
		}
	},
	'src');

# which floor an object stands on; protocol is compiled into both programs
sub floor_of
{
	my ($object) = @_;
	my $name = basename($object, '.o');

	return 'protocol'
	  if $object =~ m{/protocol/}
	  || $object =~ m{^src/extension/[^/]+$} && -f "src/protocol/$name.c";
	return $object =~ m{^src/(\w+)/} ? $1 : '';
}

sub needed
{
	my ($objects, $is_wrong) = @_;
	my @found;

	foreach my $object (sort grep { $objects->($_) } keys %needs)
	{
		push @found, map { "$object needs $_" }
		  grep { $is_wrong->($_, $object) } sort keys %{ $needs{$object} };
	}
	return @found;
}

rule('there are objects of protocol, extension and courier',
	map { "no object of $_" }
	  grep { my $floor = $_; !grep { floor_of($_) eq $floor } keys %needs }
	  qw(protocol extension courier));

my $server = `$ENV{PG_CONFIG} --bindir` if $ENV{PG_CONFIG};
$server = `pg_config --bindir` unless $server;
chomp $server;
my %of_server = map { /^[0-9a-f]+ \w (\w+)$/ ? ($1 => 1) : () }
  `nm -D --defined-only $server/postgres`;

rule('protocol needs no symbol of extension, courier or server',
	needed(
		sub { floor_of($_[0]) eq 'protocol' },
		sub {
			my ($symbol) = @_;
			return $of_server{$symbol}
			  || grep { floor_of($_) =~ /^(extension|courier)$/ }
			  @{ $defines{$symbol} // [] };
		}));

foreach my $pair ([ 'extension', 'courier' ], [ 'courier', 'extension' ])
{
	my ($who, $whom) = @$pair;
	rule("$who needs no symbol of $whom",
		needed(
			sub { floor_of($_[0]) eq $who },
			sub {
				my @objects = @{ $defines{ $_[0] } // [] };
				return @objects && !grep { floor_of($_) ne $whom } @objects;
			}));
}

rule('only the engine and url.c need libcurl',
	needed(
		sub { $_[0] =~ m{^src/} && $_[0] !~ $knows_libcurl },
		sub { $_[0] =~ /^curl_/ }));

# Adapters are functions of what they are given.  Files are what the store
# "filesystem" is about; pem.c is no adapter, but makes the file of one.
my $outside = qr/^(socket|socketpair|connect|bind|listen|accept4?|send(to|msg)?
	|recv(from|msg)?|read|pread|write|pwrite|open(at)?|open64|fopen(64)?
	|fdopen|close|poll|ppoll|select|epoll_\w+|getaddrinfo|gethostby\w+|fork
	|execve?|system|popen|time|clock|clock_gettime|gettimeofday|nanosleep
	|usleep|sleep|PQ\w+|SPI_\w+)$/x;

rule('adapters need no network, clock or file descriptor',
	needed(
		sub {
			$_[0] =~ m{^src/courier/(?:.*/)?(providers|stores|keyservices)/}
			  && $_[0] !~ m{/(keyservices/pem|stores/(filesystem|directory|file))\.o$};
		},
		sub { $_[0] =~ $outside }));

rule('the courier needs no SQL',
	needed(
		sub { floor_of($_[0]) eq 'courier' },
		sub { $_[0] =~ /^(PQ|SPI_)/ }));

print "1..$number\n";
exit($bad ? 1 : 0);
