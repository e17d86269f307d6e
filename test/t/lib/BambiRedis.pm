# BambiRedis.pm
#	A private Redis, and a client that speaks with it, for tests.
#
#	my $redis = BambiRedis->start($dir, config => "maxmemory 1mb\n");
#	$redis->cmd('GET', 'key');		# dies on an error
#	my $ear = $redis->open;			# a connection of its own
#	$ear->send('SUBSCRIBE', 'channel');
#	my $reply = $ear->receive;
#
# The server is Debian's redis-tools': its redis-check-rdb is the server, by
# another name.  (The package redis-server would start one at every boot.)

package BambiRedis;

use strict;
use warnings;

use Carp;
use File::Spec;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(WNOHANG);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $patience = $PostgreSQL::Test::Utils::timeout_default;

sub start
{
	my ($class, $dir, %with) = @_;
	my $self = bless { dir => $dir, port => $with{port} }, $class;

	mkdir $dir, 0700;
	$self->{port} //= PostgreSQL::Test::Cluster::get_free_port();
	my ($program) = grep { -x } map { "$_/redis-check-rdb" } File::Spec->path
	  or croak 'there is no redis-check-rdb';
	symlink $program, "$dir/redis-server";
	append_to_file("$dir/conf", <<"CONF" . ($with{config} // ''));
dir $dir
unixsocket $dir/socket
save ""
appendonly no
daemonize no
logfile $dir/log
CONF
	append_to_file("$dir/conf", "bind 127.0.0.1\nport $self->{port}\n")
	  unless ($with{config} // '') =~ /^port /m;
	$self->bring_back;
	return $self;
}

# After kill9; the files are the same, and so is the port.
sub bring_back
{
	my ($self) = @_;

	unlink "$self->{dir}/socket";
	$self->{pid} = fork();
	croak "fork: $!" unless defined $self->{pid};
	if ($self->{pid} == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$self->{dir}/out";
		open STDERR, '>&', \*STDOUT;
		{ exec { "$self->{dir}/redis-server" }
			  'redis-server', "$self->{dir}/conf" };
		POSIX::_exit(127);
	}
	my $end = time + $patience;
	until (eval { $self->cmd('PING') eq 'PONG' })
	{
		croak "redis-server does not start: $@" if time > $end;
		usleep(20_000);
	}
	return;
}

sub port { return $_[0]{port} }

sub kill9
{
	my ($self) = @_;

	return unless $self->{pid};
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	delete $self->{own};
	return;
}

sub stop_answering { kill 'STOP', $_[0]{pid}; return }
sub go_on { kill 'CONT', $_[0]{pid}; return }

sub DESTROY
{
	my ($self) = @_;

	local $?;
	$self->go_on if $self->{pid};
	$self->kill9;
	return;
}

# ---- the client

sub open    ## no critic
{
	my ($self) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => "$self->{dir}/socket")
	  or croak "no connection to redis-server: $!";

	return bless { socket => $socket, buffer => '' }, 'BambiRedis::Connection';
}

# On a connection that is kept; an error of Redis is one here.
sub cmd
{
	my ($self, @words) = @_;

	$self->{own} = $self->open
	  unless $self->{own} && $self->{own}{socket}->connected;
	my $reply = eval {
		$self->{own}->send(@words);
		$self->{own}->receive;
	};
	if ($@)
	{
		delete $self->{own};
		croak $@;
	}
	croak "redis: $$reply" if ref $reply eq 'SCALAR';
	return $reply;
}

# ---- values, as a gateway reads them

# In the prefix of bambi.redis_prefix and the database.
sub key { return "bambi:bambi:$_[1]" }

# What stands under a key, whatever its epoch; a hash, or undef.
sub raw
{
	my ($self, $key) = @_;
	my $text = $self->cmd('GET', $self->key($key));

	return defined $text ? decode_json($text) : undef;
}

# The same if it is not void.
sub envelope
{
	my ($self, $key) = @_;
	my ($epoch, $text) =
	  @{ $self->cmd('MGET', $self->key('epoch'), $self->key($key)) };

	return unless defined $epoch && defined $text;
	my $value = decode_json($text);
	return $value->{epoch} == $epoch ? $value : undef;
}

sub epoch { return $_[0]->cmd('GET', $_[0]->key('epoch')) // 0 }

# As text that can be compared; an empty one if there is none, or void.
sub value
{
	my ($self, $key) = @_;
	my $envelope = $self->envelope($key);

	return '' unless $envelope;
	return defined $envelope->{value} ? canonical($envelope->{value}) : 'none';
}

sub canonical_of { return canonical(decode_json($_[1])) }
sub canonical { return JSON::PP->new->canonical->encode($_[0]) }

# The same from the tables.
sub truth
{
	my ($self, $bambi, $key) = @_;
	my ($kind, $name) = split /:/, $key, 2;
	my $text = $bambi->sql("SELECT value
		FROM bambi_internal.cached('$kind', '$name')");

	return $text eq '' ? 'none' : canonical(decode_json($text));
}

# A test of its own: that Redis comes to hold what the tables say.
sub becomes_true
{
	my ($self, $bambi, $key, $says) = @_;

	my $came = eval {
		$bambi->wait_until($key, sub {
				return $self->value($key) eq $self->truth($bambi, $key);
			});
		1;
	};
	return ok($came, $says)
	  || diag("Redis: ", $self->value($key), "\ntables: ",
		$self->truth($bambi, $key));
}

# Until the worker writes; SQL to set it up where it does not yet.
sub connect_to
{
	my ($self, $bambi, %with) = @_;
	my %settings = (
		redis_url => "redis://127.0.0.1:$self->{port}",
		redis_networks => '127.0.0.1/32',
		%with);

	$bambi->set(map { ("bambi.$_" => $settings{$_}) } keys %settings);
	return;
}

sub wait_until_written
{
	my ($self, $bambi) = @_;

	$bambi->poll('SELECT bambi_internal.cache_is_on()')
	  or croak 'the worker does not write';
	$bambi->wait_until('the catalogue in Redis',
		sub { return $self->value('provider:sandbox') ne '' });
	return;
}

package BambiRedis::Connection;

use strict;
use warnings;

use Carp;
use IO::Select;

sub send    ## no critic
{
	my ($self, @words) = @_;

	print { $self->{socket} } '*' . @words . "\r\n",
	  map { '$' . length($_) . "\r\n$_\r\n" } @words;
	$self->{socket}->flush;
	return;
}

# A string, a number, undef, an array, or a reference to the text of an error.
sub receive
{
	my ($self) = @_;
	my $line = $self->line;
	my ($type, $rest) = $line =~ /^([-+:\$*])(.*)$/ or croak "not RESP: $line";

	return $rest if $type =~ /[+:]/;
	return \$rest if $type eq '-';
	return if $rest < 0;
	return [ map { scalar $self->receive } 1 .. $rest ] if $type eq '*';
	my $text = $self->bytes($rest + 2);
	return substr $text, 0, -2;
}

# What MONITOR says is a line, too.
sub line
{
	my ($self) = @_;

	$self->more until $self->{buffer} =~ s/^(.*?)\r\n//s;
	return $1;
}

sub bytes
{
	my ($self, $count) = @_;

	$self->more until length $self->{buffer} >= $count;
	return substr $self->{buffer}, 0, $count, '';
}

sub more
{
	my ($self) = @_;

	croak 'redis-server says nothing'
	  unless IO::Select->new($self->{socket})->can_read($patience);
	sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer}
	  or croak 'redis-server has closed the connection';
	return;
}

1;
