# Links to pictures: the database's own are good for whoever has them, until
# they end, and a wrong one tells nothing; those of a store are asked for
# through worker and courier, and whoever cannot be served is told at once.

use strict;
use warnings;

use BambiCluster;
use Digest::SHA qw(hmac_sha256 sha256_hex);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64url decode_base64url);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $places = 8;                 # for sessions that ask the courier
my $pictures = PostgreSQL::Test::Utils::tempdir('pictures');
my $bambi = BambiCluster->start('links',
	conf => "bambi.store_directory = '$pictures'\n");
my $node = $bambi->node;
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;

sub call_of
{
	my ($id, $expires) = @_;
	my $more = defined $expires ? ", '$expires'" : '';

	return "SELECT bambi_image_url('$id'$more)";
}

sub token_of
{
	my ($id, $expires) = @_;
	my $url = $bambi->sql_as('alice', call_of($id, $expires));

	die "no link: $url" unless $url =~ /[?]token=([\w-]+)$/;
	return $1;
}

sub error_of
{
	my ($name, $statement) = @_;
	my (undef, undef, $error) =
	  $bambi->try_as($name, "\\set VERBOSITY verbose\n$statement");

	return $error;
}

my $id = $bambi->draw('alice', 'a fawn');
like(
	error_of('alice', call_of($id)),
	qr/55000: bambi.link_url is not set.*HINT:.*rpc\/bambi_image_by_link/s,
	'without an address to send people to there are no links');

$bambi->sql('CREATE ROLE anon LOGIN', 'CREATE ROLE carol LOGIN',
	'CREATE ROLE nobody LOGIN IN ROLE bambi_user');
my $by_link = 'has_function_privilege($$anon$$,
	$$bambi_image_by_link(text)$$, $$EXECUTE$$)';
is($bambi->sql("SELECT $by_link"), 'f', 'a role anon may do nothing at first');
$bambi->sql('SELECT bambi_setup()');
is($bambi->sql("SELECT $by_link"), 't', 'bambi_setup() lets it follow links');
is( $bambi->sql("SELECT string_agg(p.oid::regprocedure::text, ' '
			ORDER BY p.proname)
	  FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid
	  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'bambi'
	 WHERE d.classid = 'pg_proc'::regclass
	   AND has_function_privilege('anon', p.oid, 'EXECUTE')
	   AND NOT has_function_privilege('carol', p.oid, 'EXECUTE')"),
	'bambi_image_by_link(text) bambi_stripe_webhook(json) '
	  . 'bambi_internal.image_by_link(text) bambi_internal.stripe_webhook(json)',
	'and send events of Stripe, and nothing else');

# ---- links of our own

my $key_file = $node->basedir . '/storage.key';
my $wall = IO::Socket::INET->new(
	Listen => 64,
	LocalAddr => '127.0.0.1',
	LocalPort => 0) or die "cannot listen: $!";
append_to_file($key_file, "key\n");
chmod 0600, $key_file;
$node->append_conf('postgresql.conf', <<"CONF");
bambi.link_url = 'https://example.com/rpc/bambi_image_by_link'
bambi.supabase_url = 'http://127.0.0.1:@{[ $wall->sockport ]}'
bambi.supabase_bucket = 'pictures'
bambi.supabase_key_file = '$key_file'
bambi.store_networks = '127.0.0.1/32'
CONF
$node->restart;

sub seen_by
{
	my ($name, $token) = @_;

	return $bambi->sql_as($name,
		"SELECT encode(sha256(bambi_image_by_link('$token')), 'hex')");
}

my $asked = int time;
my $token = token_of($id);
my ($picture, $until) = unpack 'H32 x16 Q>', decode_base64url($token);
is( unpack('H32', decode_base64url(token_of($bambi->image_of($id, 'id')))),
	$picture,
	'generation and image lead to the same picture');
is($picture, $bambi->image_of($id, 'id') =~ tr/-//dr, 'which is that image');
ok($until >= $asked + 3600 && $until <= time + 3601,
	'a link is good for an hour');
foreach my $name (qw(anon nobody bob alice))
{
	is(seen_by($name, $token), $bambi->image_of($id, 'sha256'),
		"whoever has it sees the picture: $name");
}
like(
	error_of('carol', "SELECT bambi_image_by_link('$token')"),
	qr/42501: permission denied/,
	'but for roles that have nothing to do with bambi');
foreach my $table (qw(bambi_images bambi.images bambi.image_data))
{
	like(error_of('anon', "SELECT count(*) FROM $table"),
		qr/42501/, "anon reads nothing of $table");
	next unless $table eq 'bambi_images';
	is($bambi->sql_as('nobody', "SELECT count(*) FROM $table"),
		0, 'and who is no user sees no row');
}

$bambi->sql("UPDATE bambi.plans SET store = 'filesystem'");
my $filed = $bambi->draw('alice', 'a fawn in a file');
is($bambi->image_of($filed, 'store'), 'filesystem',
	'another one lies in a file');
is( seen_by('anon', token_of($filed)),
	$bambi->image_of($filed, 'sha256'),
	'a link leads to that as well');
unlink "$pictures/" . $bambi->image_of($filed, 'storage_path');
like(
	error_of('anon',
		"SELECT bambi_image_by_link('@{[ token_of($filed) ]}')"),
	qr/PT404: image is not in the database/,
	'or says that the file is not there');
$bambi->sql('UPDATE bambi.plans SET store = NULL');

# ---- wrong ones, which are all alike

# As the server makes them: its secret signs image, user and end.
my $link_secret = pack 'H*', $bambi->sql(
	"SELECT encode(link_secret, 'hex') FROM bambi_internal.instance");

sub signed
{
	my ($image, $user, $ends) = @_;
	my $said = pack 'H32 H32 q>', map { tr/-//dr } $image, $user, $ends;

	return encode_base64url($said . hmac_sha256($said, $link_secret));
}

my @ours = ($bambi->image_of($id, 'id'), $bambi->{user}{alice});
is(signed(@ours, $until), $token, 'a link is signed as is said');

my $deleted = $bambi->draw('alice', 'deleted');
my $dead = token_of($deleted);
is(seen_by('anon', $dead), $bambi->image_of($deleted, 'sha256'),
	'a picture is seen');
$bambi->sql_as('alice', "SELECT bambi_delete('$deleted')");

my $ends = $until;
$ends++ until signed(@ours, $ends) =~ /-/ && signed(@ours, $ends) =~ /_/;
my $special = signed(@ours, $ends);
is(seen_by('anon', $special), $bambi->image_of($id, 'sha256'),
	'all characters of the alphabet are read');

my %wrong = (
	'none' => '',
	'cut' => substr($token, 0, -1),
	'cut by four' => substr($token, 0, -4),
	'longer' => $token . 'A',
	'padded' => $token . '====',
	'in the other alphabet' => $special =~ tr{-_}{+/}r,
	'no base64' => '*' x length $token,
	'not ASCII' => "\x{c3}\x{a4}" x (length($token) / 2),
	'long' => 'A' x 100_000,
	'of a deleted picture' => $dead,
	'ended' => signed(@ours, int(time) - 1),
	'ended long ago' => signed(@ours, -1),
	'of another user' => signed($ours[0], $bambi->{user}{bob}, $until),
	'of no picture' => signed(reverse(@ours), $until));
foreach my $place (0, 21, 22, 42, 43, 52, 53, 95)
{
	my $changed = $token;

	substr($changed, $place, 1) = substr($changed, $place, 1) eq 'A' ? 'B' : 'A';
	$wrong{"changed at $place"} = $changed;
}
my $refusal = qr/PT404: link is not valid/;
my $said = error_of('anon', "SELECT bambi_image_by_link('$dead')");
like($said, $refusal, 'a wrong link is refused');
is( join(', ',
		grep {
			error_of('anon',
				"SELECT bambi_image_by_link('$wrong{$_}')") ne $said
		} sort keys %wrong),
	'',
	'whatever is wrong with it, in the same words');
$token = token_of($id, '1 second');
$bambi->wait_until('the end of a link', sub {
		return error_of('anon', "SELECT bambi_image_by_link('$token')") eq
		  $said;
	});
pass('one that has ended is a wrong one');
like(error_of('anon', 'SELECT bambi_image_by_link(NULL)'),
	qr/22023: argument "token" is missing/, 'it has to be there');

# ---- what may be asked for

foreach my $expires ('-1 second', '0.5 seconds', '7 days 1 second', '1 month',
	'-100000 years', '300000 years', '1000000000 days')
{
	like(error_of('alice', call_of($id, $expires)),
		qr/22023: expires is out of range/, "not for $expires");
}
like(
	error_of('alice', call_of($id, '0')),
	qr/PT409: image has no lasting address/,
	'nor for good');
ok(token_of($id, '7 days'), 'but for seven days');
like(error_of('bob', call_of($id)),
	qr/PT404: image does not exist/, 'nor for a picture of somebody else');
like(error_of('nobody', call_of($id)),
	qr/PT401: not signed in/, 'nor by nobody');
like(error_of('anon', call_of($id)),
	qr/42501: permission denied/, 'nor by anon');
like(error_of('alice', 'SELECT bambi_image_url(NULL)'),
	qr/22023: argument "id" is missing/, 'nor for nothing');

# ---- links that the courier is asked for

$bambi->sql("UPDATE bambi.images SET store = 'supabase',
	storage_path = 'a/fawn.png' WHERE generation_id = '$id'");

# Asks in a session of its own; what comes of it is told by told().
sub ask
{
	my $ask = { answer => '', error => '' };

	$ask->{run} = IPC::Run::start(
		[
			$node->installed_command('psql'), '-XAtq',
			'-d', $node->connstr('bambi'), '-U', 'alice',
			'-c', call_of($id)
		],
		'<', \undef, '>', \$ask->{answer}, '2>', \$ask->{error});
	return $ask;
}

sub told
{
	my ($ask) = @_;

	$ask->{run}->finish;
	return $ask->{answer} || $ask->{error};
}

sub is_over
{
	my ($ask) = @_;

	$ask->{run}->pump_nb if $ask->{run}->pumpable;
	return !$ask->{run}->pumpable;
}

sub is_asked { return IO::Select->new($wall)->can_read(0) }

# What the store is asked next.
sub next_question
{
	$bambi->wait_until('a question to the store', \&is_asked);
	return $wall->accept || die "cannot accept: $!";
}

sub give_link
{
	my ($caller) = @_;
	my $body = '{"signedURL":"/object/sign/pictures/a/fawn.png?token=t"}';

	print $caller "HTTP/1.1 200 OK\r\nContent-Length: ",
	  length($body), "\r\nConnection: close\r\n\r\n", $body;
	close $caller;
	return;
}

my $link = qr{^http://127[.]0[.]0[.]1:\d+/storage/v1/object/sign/pictures};
my $waiting = "FROM pg_stat_activity WHERE usename = 'alice'
	AND wait_event_type = 'Extension'";

sub wait_for_askers
{
	my ($count) = @_;

	$bambi->poll("SELECT count(*) = $count $waiting")
	  or die "there are not $count sessions that ask";
	return;
}

# A test of its own: that an ask ends without a link, and not because its time
# is over.
sub is_refused
{
	my ($why, $says, $ask) = @_;
	my $error = $ask ? told($ask) : error_of('alice', call_of($id));

	return like($error, qr/try again later.*$why/s, $says);
}

my $ask = ask();
give_link(next_question());
like(told($ask), $link, 'a store is asked for a link');

my @asks = map { ask() } 1 .. $places;
my @questions = map { next_question() } 1 .. $places;
is_refused('Too many sessions ask', 'there are only so many places');
give_link(shift @questions);
$bambi->poll("SELECT count(*) < $places $waiting");
$ask = ask();
push @questions, next_question();
pass('one that is answered makes a place free');

$bambi->sql("SELECT pg_cancel_backend(pid) $waiting");
is(scalar(grep { /canceling statement/ } map { told($_) } @asks, $ask),
	$places, 'those that wait can be cancelled');
close $_ foreach @questions;
$bambi->wait_until('free places', sub {
		$ask = ask();
		$bambi->wait_until('the store or a refusal',
			sub { return is_asked() || is_over($ask) });
		return is_asked();
	});
give_link(next_question());
like(told($ask), $link, 'their places are free when the store has answered');

# a worker that stands still does not pass on what it is asked
my $worker = $bambi->worker_pid;
kill 'STOP', $worker;
@asks = map { ask() } 1 .. $places;
wait_for_askers($places);
is_refused('Too many sessions ask', 'nor are there more while it stands');
$bambi->sql("SELECT pg_terminate_backend(pid) $waiting");
told($_) foreach @asks;
$ask = ask();
wait_for_askers(1);
kill 'CONT', $worker;
give_link(next_question());
like(told($ask), $link, 'what ended sessions have asked is not passed on');

kill 'STOP', $worker;
$ask = ask();
wait_for_askers(1);
kill 'TERM', $worker;
kill 'CONT', $worker;
give_link(next_question());
like(told($ask), $link, 'what a worker left behind, the next one asks');

$ask = ask();
my $caller = next_question();
$bambi->kill9($bambi->courier_pid);
is_refused('the courier is gone', 'a courier dies that was asked', $ask);
$bambi->courier_pid;
$bambi->poll("SELECT courier_pid IS NOT NULL FROM bambi_status()");

$node->append_conf('postgresql.conf', "bambi.databases = ''");
$node->reload;
$bambi->poll("SELECT s.worker_pid IS NULL FROM bambi_status() s");
is_refused('has no', 'there is no worker');

$bambi->stop;
done_testing();
