# Pictures that come as addresses are fetched without the key, only from where
# the provider may have them, over three redirects at most; what cannot be had
# that way fails as what was paid.

use strict;
use warnings;

use BambiCluster;
use IO::Socket::INET;
use Test::More;

my $bambi = BambiCluster->start('urls', mock => ['--legacy'], conf => <<'CONF');
bambi.max_response_bytes = '1MB'
bambi.memory_budget = '4MB'
bambi.call_timeout = '10s'
CONF
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
$bambi->point_to_mock('xai');
$bambi->add_key('alice', undef, undef, '{"response_format": "url"}');
$bambi->add_key('alice', undef, 'xai');
$bambi->add_key('bob');
my $courier = $bambi->courier_pid;

sub dall_e
{
	my ($prompt, $parameters) = @_;

	return $bambi->generate('alice', $prompt, 'openai/dall-e-2',
		$parameters // '{"size": "256x256"}');
}

# An address where nobody may call, and whether somebody has.
sub listener
{
	my ($address) = @_;

	return IO::Socket::INET->new(
		Listen => 16,
		LocalAddr => $address,
		LocalPort => 0,
		Blocking => 0) || die "cannot listen: $!";
}

my ($port, $host) = (listener('127.0.0.1'), listener('127.0.0.2'));
my $inner = '127.0.0.1:' . $port->sockport;
my $listed = '127.0.0.2:' . $host->sockport;

# a name that the operator lists is not yet an address that may be connected
$bambi->sql("UPDATE bambi.api_providers
	SET settings = '{\"image_hosts\": [\"127.0.0.2\"]}' WHERE slug = 'openai'");

# ---- all of them at once

my $used = $bambi->usage_of('alice');
my %bad = map { $_ => dall_e("[[mock picture=$_]] a fawn") } (
	qw(missing slow endless oversized truncated redirect:4),
	"redirect-to:http://$inner/x", "redirect-to:https://$inner/x",
	"redirect-to:https://$listed/x", 'redirect-to:https://localhost:1/x',
	'redirect-to:file:///etc/passwd');

my $id = dall_e('two fawns', '{"size": "256x256", "n": 2}');
$bambi->wait_for_status($id, 'succeeded', 'pictures are fetched');
is($bambi->sql("SELECT string_agg(format || ' ' || width, ', ')
	FROM bambi.images WHERE generation_id = '$id'"),
	'png 256, png 256', 'and are what was asked for');
is($bambi->column_of($id, 'cost'), '0.032000', 'for the price of two');
my $other = $bambi->generate('bob', 'the same in base64', 'openai/dall-e-2',
	'{"size": "256x256"}');
$bambi->wait_for_status($other, 'succeeded', 'bytes in the answer work, too');

$id = $bambi->generate('alice', 'a revised fawn', 'openai/dall-e-3',
	'{}');
$bambi->wait_for_status($id, 'succeeded', 'DALL-E 3');
is($bambi->sql("SELECT revised_prompt FROM bambi.images
	WHERE generation_id = '$id'"), 'A picture, revised.',
	'tells its own prompt');
$id = dall_e('[[mock picture=redirect:3]] a fawn');
$bambi->wait_for_status($id, 'succeeded', 'three redirects are followed');
$id = $bambi->generate('alice', 'a fawn by address',
	'xai/grok-imagine-image-2.0', '{"response_format": "url"}');
$bambi->wait_for_status($id, 'succeeded', 'xAI\'s addresses are fetched');

# ---- what is not to be had

foreach my $what (sort keys %bad)
{
	$id = $bad{$what};
	$bambi->wait_for_status($id, 'failed', "$what: failed");
	my $code = $what =~ /^redirect-to/ ? 'address_refused' : 'unknown';
	is($bambi->column_of($id, 'error_code, cost'),
		"$code|0.016000", "$what: and paid");
	is($bambi->sql("SELECT string_agg(cost || ' ' || charged, ', ')
		FROM bambi.usage_events WHERE generation_id = '$id'"),
		'0.016000 yes', "$what: and booked");
	isnt($bambi->column_of($id, 'error_message'), '', "$what: with a reason");
}
is(scalar(grep { $_->accept } $port, $host), 0,
	'nobody has connected where nobody may');
my $stats = $bambi->mock_stats;
is($stats->{credentials_leaked}, 0, 'no key went with a fetch');
cmp_ok($stats->{downloads}, '>=', 15, 'of which there were some');
is($bambi->usage_of('alice') - $used, 4,
	'only what has pictures counts for the quota');
$id = dall_e('a fawn afterwards');
$bambi->wait_for_status($id, 'succeeded', 'afterwards all is well');

# what has come waits in memory for what is still to come: 180 MB in all
$bambi->set('bambi.call_timeout' => '5min');
my @many = map {
	dall_e("[[mock bytes=900000]] ten fawns, $_", '{"size": "256x256", "n": 10}')
} 1 .. 20;
$bambi->wait_for_status($_, 'succeeded', 'many at once have their turns')
  foreach @many;

is($bambi->courier_pid, $courier, 'it is the same courier');
my ($peak) = PostgreSQL::Test::Utils::slurp_file("/proc/$courier/status") =~
  /^VmHWM:\s+(\d+)/m;
note "the courier had at most $peak kB";
# a sanitizer's own memory would count
cmp_ok($peak / 1024, '<', 4 + 1 + 64, 'whose memory was bounded')
  unless $ENV{BAMBI_SANITIZED};

$bambi->stop;
done_testing();
