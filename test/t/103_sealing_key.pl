# What a client seals to bambi_sealing_key() by RFC 7516 alone opens in the
# courier.  Nothing of bambi seals here: RSA, AES and its counter mode are the
# program openssl's, and the rest of GCM is reckoned below.

use strict;
use warnings;

use BambiCluster;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Math::BigInt;
use MIME::Base64 qw(encode_base64url decode_base64url);
use PostgreSQL::Test::Utils;
use Test::More;

my $bambi = BambiCluster->start('sealing_key');
my $dir = $bambi->node->basedir;
my $user = $bambi->sign_up('alice');
$bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
	WHERE is_current)');

sub openssl
{
	my ($input, @command) = @_;
	my ($out, $error) = ('', '');

	IPC::Run::run([ 'openssl', @command ], '<', \$input, '>', \$out,
		'2>', \$error) or die "openssl @command: $error";
	return $out;
}

# ---- the key is the master key's public half, and no more

my $jwk = decode_json($bambi->sql_as('alice', 'SELECT bambi_sealing_key()'));
is_deeply([ sort keys %$jwk ], [ sort qw(kty use alg kid n e) ],
	'the key has these members');
is("$jwk->{kty} $jwk->{use} $jwk->{alg}", 'RSA enc RSA-OAEP-256',
	'it is for sealing');
is( $jwk->{kid},
	$bambi->sql('SELECT kid FROM bambi.encryption_keys WHERE is_current'),
	'by its name');
my $modulus = openssl('', qw(rsa -noout -modulus -in), "$dir/master.pem");
is('Modulus=' . uc(unpack 'H*', decode_base64url($jwk->{n})) . "\n",
	$modulus, 'n is the modulus of the master key');
is(unpack('H*', decode_base64url($jwk->{e})), '010001', 'e is its exponent');

# ---- sealing

# SubjectPublicKeyInfo of n and e, which openssl builds from its own notation
sub public_key_file
{
	my $file = "$dir/public";
	my $conf = "$dir/public.conf";
	my ($n, $e) =
	  map { uc unpack 'H*', decode_base64url($jwk->{$_}) } qw(n e);

	append_to_file($conf, <<"CONF");
asn1 = SEQUENCE:info
[info]
algorithm = SEQUENCE:algorithm
key = BITWRAP,SEQUENCE:rsa
[algorithm]
oid = OID:rsaEncryption
parameter = NULL
[rsa]
n = INTEGER:0x$n
e = INTEGER:0x$e
CONF
	openssl('', qw(asn1parse -noout -genconf), $conf, '-out', $file);
	return $file;
}

# A product in GCM's field; the first bit is the highest power's lowest.
sub product
{
	my ($x, $y) = map { Math::BigInt->from_bytes($_) } @_;
	my $product = Math::BigInt->bzero;
	my $r = Math::BigInt->from_hex('e1' . '00' x 15);

	foreach my $bit (split //, unpack 'B*', $_[0])
	{
		$product->bxor($y) if $bit;
		my $is_odd = $y->is_odd;
		$y->brsft(1);
		$y->bxor($r) if $is_odd;
	}
	return substr "\0" x 16 . $product->to_bytes, -16;
}

sub padded { return $_[0] . "\0" x (-length($_[0]) % 16) }

# (ciphertext, tag) of AES-256-GCM, NIST SP 800-38D
sub gcm
{
	my ($key, $iv, $aad, $plain) = @_;
	my $hex = unpack 'H*', $key;
	my $block = sub {
		return openssl($_[0], qw(enc -aes-256-ecb -nopad -K), $hex);
	};
	my $h = $block->("\0" x 16);
	my $cipher = openssl($plain, qw(enc -aes-256-ctr -K), $hex,
		'-iv', unpack('H*', $iv . pack 'N', 2));
	my $hash = "\0" x 16;

	foreach my $piece (
		unpack '(a16)*',
		padded($aad) . padded($cipher)
		  . pack('Q>2', 8 * length $aad, 8 * length $cipher))
	{
		$hash = product($hash ^ $piece, $h);
	}
	return ($cipher, $hash ^ $block->($iv . pack 'N', 1));
}

sub seal
{
	my ($secret, %header) = @_;
	my $head = encode_base64url(encode_json({
				alg => 'RSA-OAEP-256', enc => 'A256GCM',
				kid => $jwk->{kid}, %header }));
	my ($cek, $iv) = (openssl('', qw(rand 32)), openssl('', qw(rand 12)));
	my $wrapped = openssl($cek, qw(pkeyutl -encrypt -pubin -keyform DER),
		'-inkey', public_key_file(),
		map { ('-pkeyopt', $_) } qw(rsa_padding_mode:oaep
		  rsa_oaep_md:sha256 rsa_mgf1_md:sha256));

	return join '.', $head, map { encode_base64url($_) } $wrapped, $iv,
	  gcm($cek, $iv, $head, $secret);
}

# test case 16 of the GCM specification
my ($cipher, $tag) = gcm(
	pack('H*', 'feffe9928665731c6d6a8f9467308308' x 2),
	pack('H*', 'cafebabefacedbaddecaf888'),
	pack('H*', 'feedfacedeadbeeffeedfacedeadbeefabaddad2'),
	pack('H*', 'd9313225f88406e5a55909c5aff5269a'
		  . '86a7a9531534f7da2e4c303d8a318a72'
		  . '1c3c0c95956809532fcf0e2449a6b525'
		  . 'b16aedf5aa0de657ba637b39'));
is(unpack('H*', $tag), '76fc6ece0f4e1768cddf8853bb2d551b',
	'the GCM of this test is that of its specification');

my $secret = 'sk-test-sealed-by-alice-herself';
my $sealed = seal($secret, sub => $user, prv => 'openai');
ok($bambi->add_key('alice', $sealed), 'a key that was sealed so is taken');
is($bambi->sql('SELECT encrypted_api_key FROM bambi.api_configurations'),
	$sealed, 'and stored as it came');
$bambi->wait_for_status($bambi->generate('alice', 'a sealed fawn'),
	'succeeded', 'the courier opens it');
is((map { $_->{key} } $bambi->ledger)[-1],
	substr(sha256_hex($secret), 0, 12), 'and sends it');

# ---- before there is a key

$bambi->sql('UPDATE bambi.encryption_keys SET is_current = false');
my (undef, undef, $error) =
  $bambi->try_as('alice', 'SELECT bambi_sealing_key()');
like($error, qr/there is no key to seal with yet/,
	'without one the function says so');

# ---- and who may not

$bambi->sql('CREATE ROLE stranger LOGIN');
(undef, undef, $error) =
  $bambi->try_as('stranger', 'SELECT bambi_sealing_key()');
like($error, qr/permission denied/, 'strangers are not told');

# ---- credentials of AWS in the server's environment

delete @ENV{qw(AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY)};

sub complaint
{
	$bambi->node->restart;
	$bambi->wait_for_server;
	$bambi->poll('SELECT last_error IS NOT NULL FROM bambi_status()');
	return $bambi->sql('SELECT last_error FROM bambi_status()');
}

$bambi->node->append_conf('postgresql.conf', <<'CONF');
bambi.key_service = 'awskms'
bambi.aws_kms_key = 'alias/bambi'
bambi.aws_kms_region = 'eu-central-1'
bambi.aws_kms_endpoint = 'http://127.0.0.1:1'
bambi.key_service_networks = '127.0.0.1/32'
CONF
like(complaint(), qr/in the server's environment/, 'without any AWS is not asked');
$ENV{AWS_ACCESS_KEY_ID} = 'AKIDOFTHISTEST';
$ENV{AWS_SECRET_ACCESS_KEY} = 'secret-of-this-test';
like(complaint(), qr/AWS KMS could not be reached/,
	'those of the environment get to the courier');

$bambi->stop;
done_testing();
