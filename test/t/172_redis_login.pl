# TLS, an ACL user that may do no more than it must, a database number and a
# Unix socket; nobody is trusted without a good certificate, and the password
# stands in a file that only the server's user can read.

use strict;
use warnings;

use BambiCluster;
use BambiRedis;
use PostgreSQL::Test::Utils;
use Test::More;

my $bambi = BambiCluster->start('redis_login');
my $dir = $bambi->{dir};
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $password = 'a-password-of-this-test';
my $refusals = 0;

mkdir "$dir/tls", 0700;
system_or_bail($^X, 'test/clients/certificates.pl', "$dir/tls");
my $redis = BambiRedis->start("$dir/redis", port => $port, config => <<"CONF");
port 0
bind 127.0.0.1
tls-port $port
tls-cert-file $dir/tls/good.crt
tls-key-file $dir/tls/good.key
tls-ca-cert-file $dir/tls/ca.crt
tls-auth-clients no
databases 4
user bambi on >$password ~bambi:* resetchannels &bambi:* -\@all +eval +get +set +del +publish +select
CONF
append_to_file("$dir/password", "$password\n");
chmod 0600, "$dir/password";
$bambi->sign_up('alice');
my $alice = "user:$bambi->{user}{alice}";

my %good = (
	ca_file => "$dir/tls/ca.crt",
	redis_url => "rediss://127.0.0.1:$port/3",
	redis_user => 'bambi',
	redis_password_file => "$dir/password");

# A test of its own: that it does not come to a connection, and why.
sub is_refused
{
	my ($says, $why, %with) = @_;

	$bambi->set('bambi.redis_url' => '');
	$bambi->poll('SELECT NOT bambi_internal.cache_is_on()');
	$redis->connect_to($bambi, %good, %with);
	ok( $bambi->poll("SELECT last_error ~ '$why' FROM bambi_status()"),
		"$says is refused")
	  or diag($bambi->sql('SELECT last_error FROM bambi_status()'));
	is($bambi->sql('SELECT bambi_internal.cache_is_on()'),
		'f', 'and nothing is written');
	$refusals++;
	return;
}

# ---- what must not be

is_refused('a certificate of a stranger', 'no certificate that can be trusted',
	ca_file => "$dir/tls/stranger.crt");
is_refused('the address of another name', 'no certificate that can be trusted',
	redis_url => "rediss://localhost:$port");
is_refused('an address in no network', 'not in bambi.redis_networks',
	redis_networks => '10.0.0.0/8');
is_refused('what is no network', 'bambi.redis_networks has "10.0.0.0/x", which',
	redis_networks => '10.0.0.0/x');
append_to_file("$dir/wrong", 'another');
chmod 0600, "$dir/wrong";
is_refused('a wrong password', 'Redis said WRONGPASS',
	redis_password_file => "$dir/wrong");
append_to_file("$dir/open", $password);
chmod 0644, "$dir/open";
is_refused('a password that others may read', 'must have mode 0600 or 0400',
	redis_password_file => "$dir/open");
is_refused('a user who may not write there', 'Redis said NOPERM',
	redis_prefix => 'elsewhere');
my ($status, $rows, $error) =
  $bambi->try_as('postgres',
	"ALTER SYSTEM SET bambi.redis_url = 'redis://bambi:secret\@localhost'");
like($error, qr/invalid value/, 'a password in the address is refused');
($status, $rows, $error) = $bambi->try_as('alice', 'SHOW bambi.redis_url');
like($error, qr/must be superuser|permission denied/,
	'users do not see where Redis is');

# ---- what works

sub works
{
	my ($says) = @_;

	$redis->wait_until_written($bambi);
	my $id = $bambi->generate('alice', $says, 'sandbox');
	$bambi->wait_for_status($id, 'succeeded');
	$redis->becomes_true($bambi, $alice, "$says: values come");
	return;
}

$redis->cmd('SELECT', 3);
$redis->connect_to($bambi, %good, redis_prefix => 'bambi');
works('with TLS, a user and a database');
my $log = slurp_file($bambi->node->logfile);
like($log, qr/WRONGPASS/, 'the server\'s log tells of refusals');
unlike($log, qr/\Q$password\E/, 'and does not know the password');

$redis->cmd('SELECT', 0);
$redis->connect_to($bambi, %good, redis_url => "unix:$dir/redis/socket",
	redis_prefix => 'bambi');
works('by the socket of this machine');

note "counted: $refusals ways to be refused, 2 to be let in";
done_testing();
