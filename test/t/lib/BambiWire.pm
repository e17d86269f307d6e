# BambiWire.pm
#	A client that speaks the protocol itself, for what psql does not send: bind
#	parameters, and messages without waiting for their answers.
#
#	my $wire = BambiWire->new($bambi->node, 'bambi', 'alice');
#	my ($rows, $error) = $wire->query('SELECT 1');
#	($rows, $error) = $wire->bound('SELECT $1::int', 1);
#
# Rows are an array of arrays; the error is a hash of the fields that
# PostgreSQL's manual names by letters (M message, D detail, ...), or undef.

package BambiWire;

use strict;
use warnings;

use Carp;
use IO::Select;
use IO::Socket::UNIX;

sub new
{
	my ($class, $node, $database, $user, %options) = @_;
	my $socket = IO::Socket::UNIX->new(
		Peer => $node->host . '/.s.PGSQL.' . $node->port)
	  or croak "cannot connect: $!";
	my $self = bless { socket => $socket, left => '' }, $class;
	my $start = pack('N', 196608)
	  . join('', map { "$_\0" } 'user', $user, 'database', $database, %options)
	  . "\0";

	$socket->autoflush(1);
	print $socket pack('N', 4 + length $start), $start;
	my (undef, $error) = $self->answer;
	croak $error->{M} if $error;
	return $self;
}

sub pid { return $_[0]{pid} }

sub message
{
	my ($type, $content) = @_;

	return $type . pack('N', 4 + length $content) . $content;
}

sub send_raw
{
	my ($self, @messages) = @_;

	print { $self->{socket} } join '', @messages;
	return;
}

# Whether an answer has begun to come.
sub has_answer
{
	my ($self) = @_;

	return length $self->{left}
	  || IO::Select->new($self->{socket})->can_read(0);
}

sub take
{
	my ($self, $length) = @_;

	while (length $self->{left} < $length)
	{
		my $got = sysread $self->{socket}, $self->{left}, 65536,
		  length $self->{left};
		return unless $got;
	}
	return substr $self->{left}, 0, $length, '';
}

sub fields_of_row
{
	my ($content) = @_;
	my ($count, $rest) = unpack 'n a*', $content;
	my @fields;

	foreach (1 .. $count)
	{
		(my $length, $rest) = unpack 'N a*', $rest;
		push @fields,
		  $length == 0xffffffff ? undef : substr $rest, 0, $length, '';
	}
	return \@fields;
}

# All until the server is ready again: (rows, error).  A lost connection is an
# error, too.
sub answer
{
	my ($self) = @_;
	my (@rows, $error);

	while (defined(my $head = $self->take(5)))
	{
		my ($type, $length) = unpack 'a N', $head;
		my $content = $self->take($length - 4) // last;

		return (\@rows, $error) if $type eq 'Z';
		push @rows, fields_of_row($content) if $type eq 'D';
		push @rows, [$content] if $type eq 'd';
		$self->{pid} = unpack 'N', $content if $type eq 'K';
		$error //= { map { /^(.)(.*)/s } split /\0/, $content }
		  if $type eq 'E';
	}
	return (\@rows, $error // { M => 'connection lost' });
}

# As a simple query.
sub query
{
	my ($self, $text) = @_;

	$self->send_raw(message('Q', "$text\0"));
	return $self->answer;
}

sub parse_message
{
	my ($name, $text) = @_;

	return message('P', "$name\0$text\0" . pack('n', 0));
}

sub bind_message
{
	my ($name, @values) = @_;

	return message('B', "\0$name\0"
		  . pack('n n', 0, scalar @values)
		  . join('', map { pack('N', length) . $_ } @values)
		  . pack('n', 0));
}

# With bind parameters, all messages at once.
sub bound_messages
{
	my ($text, @values) = @_;

	return (parse_message('', $text), bind_message('', @values),
		message('E', "\0" . pack('N', 0)), message('S', ''));
}

sub bound
{
	my ($self, $text, @values) = @_;

	$self->send_raw(bound_messages($text, @values));
	return $self->answer;
}

# The same in two steps: until parameters are bound, and the rest.
sub bound_so_far
{
	my ($self, $text, @values) = @_;

	$self->send_raw(parse_message('', $text), bind_message('', @values),
		message('H', ''));
	while (defined(my $head = $self->take(5)))
	{
		my ($type, $length) = unpack 'a N', $head;

		$self->take($length - 4);
		return if $type eq '2';
	}
	croak 'connection lost';
}

sub execute_bound
{
	my ($self) = @_;

	$self->send_raw(message('E', "\0" . pack('N', 0)), message('S', ''));
	return $self->answer;
}

# The same with a statement of that name, which is parsed once.
sub prepare
{
	my ($self, $name, $text) = @_;

	$self->send_raw(parse_message($name, $text), message('S', ''));
	return $self->answer;
}

sub execute
{
	my ($self, $name, @values) = @_;

	$self->send_raw(bind_message($name, @values),
		message('E', "\0" . pack('N', 0)), message('S', ''));
	return $self->answer;
}

sub close
{
	my ($self) = @_;

	$self->send_raw(message('X', ''));
	close $self->{socket};
	return;
}

1;
