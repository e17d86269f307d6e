# bambi_rotate_keys() and bambi.key_rotation_days with a key service that makes
# versions: a small one that speaks as Vault does, and asks the program openssl.

use strict;
use warnings;

use BambiCluster;
use IO::Socket::INET;
use IPC::Run;
use JSON::PP;
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

my $bambi = BambiCluster->start('rotate_vault');
my $dir = $bambi->node->basedir;

# ---- the key service

sub openssl
{
	my ($input, @command) = @_;
	my ($out, $error) = ('', '');

	IPC::Run::run([ 'openssl', @command ], '<', \$input, '>', \$out,
		'2>', \$error) or die "openssl @command: $error";
	return $out;
}

sub versions { return scalar(my @files = glob "$dir/version.*.pem") }

sub make_version
{
	my $file = "$dir/version." . (versions() + 1) . '.pem';

	openssl('', 'genrsa', '-out', "$file.tmp", 3072);
	rename "$file.tmp", $file or die;
	return;
}

sub describe_key
{
	my %keys = map { ($_ => { public_key =>
				openssl('', qw(rsa -pubout -in), "$dir/version.$_.pem") }) }
	  1 .. versions();

	return { data => { type => 'rsa-3072', keys => \%keys,
			latest_version => versions() } };
}

sub decrypt
{
	my ($body) = @_;
	my (undef, $version, $wrapped) =
	  split /:v?/, decode_json($body)->{ciphertext};
	my $plain = openssl(decode_base64($wrapped), qw(pkeyutl -decrypt -inkey),
		"$dir/version.$version.pem",
		map { ('-pkeyopt', $_) } qw(rsa_padding_mode:oaep rsa_oaep_md:sha256
		  rsa_mgf1_md:sha256));

	return { data => { plaintext => encode_base64($plain, '') } };
}

# (status, JSON)
sub reply_to
{
	my ($method, $path, $body) = @_;

	return (200, describe_key()) if "$method $path" eq 'GET /v1/transit/keys/bambi';
	return (200, decrypt($body)) if $path eq '/v1/transit/decrypt/bambi';
	return (403, { errors => ['permission denied'] }) if -e "$dir/refuse";
	return (400, { errors => ['lease is not renewable'] })
	  unless $path eq '/v1/transit/keys/bambi/rotate';
	make_version();
	return (200, {});
}

sub serve
{
	my ($listener) = @_;

	while (my $client = $listener->accept)
	{
		my $head = '';
		my $body = '';

		while (my $line = <$client>)
		{
			$head .= $line;
			last if $line eq "\r\n";
		}
		read $client, $body, $1 if $head =~ /^content-length: (\d+)/mi;
		my ($status, $json) =
		  reply_to($head =~ /^(\S+) (\S+)/ ? ($1, $2) : ('', ''), $body);
		my $text = encode_json($json);
		print $client "HTTP/1.1 $status x\r\nConnection: close\r\n"
		  . 'Content-Length: ' . length($text) . "\r\n\r\n$text";
		close $client;
	}
	return;
}

make_version();
my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1')
  or die "no socket: $!";
my $server = fork;
if ($server == 0)
{
	serve($listener);
	POSIX::_exit(0);
}
END { kill 'KILL', $server if $server }

append_to_file("$dir/token", 's.token');
chmod 0600, "$dir/token";
$bambi->set(
	'bambi.vault_address' => 'http://127.0.0.1:' . $listener->sockport,
	'bambi.vault_key' => 'bambi',
	'bambi.vault_token_file' => "$dir/token",
	'bambi.key_service_networks' => '127.0.0.1/32',
	'bambi.key_service' => 'vault');

sub current
{
	return $bambi->sql(
		'SELECT kid FROM bambi.encryption_keys WHERE is_current');
}

sub wait_current
{
	my ($version, $says) = @_;

	ok($bambi->poll("SELECT EXISTS (SELECT FROM bambi.encryption_keys
		WHERE is_current AND kid = 'vault:transit/bambi:$version')"), $says)
	  or diag(current());
	return;
}

sub wait_resealed
{
	my ($says) = @_;

	ok($bambi->poll('SELECT sum(keys_behind) = 0 AND sum(keys) = 1
		FROM bambi_key_rotation'), $says);
	is($bambi->sql('SELECT key_id FROM bambi.api_configurations'), current(),
		'to the current version');
	return;
}

# ---- by hand

wait_current(1, 'the first version is sealed to');
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->checked($bambi->add_key('alice'));
is($bambi->sql('SELECT bambi_rotate_keys()'), 'vault:transit/bambi:2',
	'bambi_rotate_keys() makes a version');
is(current(), 'vault:transit/bambi:2', 'which is sealed to at once');
wait_resealed('what was stored is sealed anew');
$bambi->wait_for_status($bambi->generate('alice', 'a fawn'), 'succeeded',
	'and opens');
is($bambi->sql("SELECT asked_by, error IS NULL FROM bambi_key_rotation
	WHERE state = 'current'"), 'bambi_rotate_keys|t', 'the view tells who asked');

append_to_file("$dir/refuse", '');
my (undef, undef, $error) = $bambi->try_as('postgres',
	"\\set VERBOSITY verbose\nSELECT bambi_rotate_keys()");
like($error, qr/55000.*could not be rotated.*Vault answered 403: permission/s,
	'what the service refuses is told');
unlink "$dir/refuse";

# ---- by the calendar

sub grow_old
{
	$bambi->sql("UPDATE bambi.encryption_keys
			SET created_at = now() - interval '91 days' WHERE is_current",
		'SELECT pg_reload_conf()');
	return;
}

grow_old();
wait_current(3, 'a version that is too old is followed by another');
wait_resealed('what was stored is sealed to that');
$bambi->poll("SELECT asked_by = 'bambi.key_rotation_days'
	FROM bambi_key_rotation WHERE state = 'current'");
is($bambi->sql("SELECT error IS NULL FROM bambi_key_rotation
	WHERE state = 'current'"), 't', 'and the view tells');
is(versions(), 3, 'once');

# ---- kill -9 between the request and its answer

$bambi->hold('errand-ended');
grow_old();
$bambi->wait_held('errand-ended');
$bambi->kill9($bambi->worker_pid);
$bambi->release('errand-ended');
$bambi->bring_back;
wait_current(4, 'a version whose maker died is found');
wait_resealed('and sealed to');
$bambi->wait_for_status($bambi->generate('alice', 'a fawn'), 'succeeded',
	'everything opens');
is(versions(), 4, 'and nobody made another one');

$bambi->sql("SELECT bambi_retire_key('vault:transit/bambi:1')");
$bambi->stop;
done_testing();
