# MockTest.pm
#	A mock provider of one's own, and what its tests ask it.

package MockTest;

use strict;
use warnings;

use Compress::Zlib;
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(time);

our @EXPORT = qw($scratch $port $base $http start_mock stop_mock slurp control
  stats ledger ask connection answers_of read_until rest_of png_size
  until_true);

our $scratch = tempdir(CLEANUP => 1);
our ($port, $base);
our $http = HTTP::Tiny->new(timeout => 60, max_redirect => 0);

my $here = dirname(__FILE__);
my $patience = 60;			# seconds, for what has to come
my $pipe;

# The mock, with more options; it ends when its standard input is closed.
sub start_mock
{
	open($pipe, '|-', "$here/bambi-mock", '--quiet', '--until-eof',
		'--port-file', "$scratch/port", '--ledger', "$scratch/ledger",
		'--fixtures', "$here/../fixtures/error-fixtures.json", @_)
	  or die "cannot start bambi-mock: $!";
	until_true(sub { -e "$scratch/port" });
	$port = slurp("$scratch/port") + 0;
	$base = "http://127.0.0.1:$port";
	return;
}

# Its exit status.
sub stop_mock
{
	close $pipe;
	return $?;
}

sub until_true
{
	my ($condition) = @_;
	my $deadline = time + $patience;
	until ($condition->())
	{
		return 0 if time > $deadline;
		select undef, undef, undef, 0.01;
	}
	return 1;
}

sub slurp
{
	open my $f, '<', shift or return '';
	local $/;
	return scalar <$f>;
}

sub control
{
	my ($what, $body) = @_;
	return $http->post("$base/_mock/$what",
		{ content => defined $body ? encode_json($body) : '' });
}

sub stats
{
	return decode_json($http->get("$base/_mock/stats")->{content});
}

sub ledger
{
	return map { decode_json($_) } split /\n/, slurp("$scratch/ledger");
}

# A request; what is no text becomes JSON.  The answer has its body as {json},
# too.
sub ask
{
	my ($method, $path, $headers, $body) = @_;
	my %headers = %$headers;
	if (ref $body)
	{
		$body = encode_json($body);
		$headers{'content-type'} //= 'application/json';
	}
	my $answer = $http->request($method,
		$path =~ /^http:/ ? $path : "$base$path",
		{ headers => \%headers, defined $body ? (content => $body) : () });
	$answer->{json} = eval { decode_json($answer->{content}) };
	return $answer;
}

sub connection
{
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
	  // die "cannot connect: $!";
}

# What comes up to something that looks so.
sub read_until
{
	my ($socket, $pattern) = @_;
	my $all = '';
	while ($all !~ $pattern && IO::Select->new($socket)->can_read($patience))
	{
		last unless sysread $socket, my $part, 65536;
		$all .= $part;
	}
	return $all;
}

# So many whole answers, on a connection that stays open.
sub answers_of
{
	my ($socket, $count) = @_;
	my @answers;

	foreach (1 .. $count // 1)
	{
		my $head = '';
		my $body = '';

		# byte by byte: what comes after it is another one's
		1 while $head !~ /\r\n\r\n$/
		  && IO::Select->new($socket)->can_read($patience)
		  && sysread $socket, $head, 1, length $head;
		my ($length) = $head =~ /^content-length: (\d+)/mi;
		1 while length $body < ($length // 0)
		  && IO::Select->new($socket)->can_read($patience)
		  && sysread $socket, $body, $length - length $body, length $body;
		push @answers, $head . $body;
	}
	return @answers;
}

# What comes until the end, and how it ends: closed, reset or silent.
sub rest_of
{
	my ($socket, $wait) = @_;
	my $all = '';
	while (1)
	{
		return ($all, 'silent')
		  unless IO::Select->new($socket)->can_read($wait // $patience);
		my $n = sysread $socket, my $part, 65536;
		return ($all, 'reset') unless defined $n;
		return ($all, 'closed') if $n == 0;
		$all .= $part;
	}
}

# Width, height and whether the pixels are all there.
sub png_size
{
	my $png = shift;
	return 'no png' unless substr($png, 0, 8) eq "\x89PNG\r\n\x1a\n";
	my ($width, $height, $depth, $type) = unpack 'x16 N N C C', $png;
	my $packed = '';
	for (my $at = 8; $at < length $png;)
	{
		my ($length, $name) = unpack "x$at N a4", $png;
		return 'bad crc'
		  if crc32(substr($png, $at + 4, $length + 4)) !=
		  unpack('N', substr($png, $at + 8 + $length, 4));
		$packed .= substr $png, $at + 8, $length if $name eq 'IDAT';
		$at += $length + 12;
	}
	my $pixels = uncompress($packed) // '';
	my $wanted = $height * (1 + $width * ($type == 6 ? 4 : 3));
	return length($pixels) == $wanted ? "${width}x$height" : 'bad pixels';
}

1;
