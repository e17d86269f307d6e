# Whatever a provider answers, the generation ends as what it cost, memory stays
# bounded, and the neighbours do not notice.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my ($budget, $largest) = (16, 16);	# MB
my $bambi = BambiCluster->start('bad_answers', conf => <<"CONF");
bambi.memory_budget = '${budget}MB'
bambi.max_response_bytes = '${largest}MB'
bambi.call_timeout = '25s'
CONF
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
$bambi->point_to_mock(qw(google xai));
my %model = (
	openai => 'openai/gpt-image-2',
	google => 'google/gemini-nano-banana-2.1',
	xai => 'xai/grok-imagine-image-2.0');
foreach my $provider (sort keys %model)
{
	$bambi->add_key($_, undef, $provider) foreach qw(alice bob);
}
my $courier = $bambi->courier_pid;

# Status, error code, and as what it was booked: charged, perhaps charged, or
# not (what is uncertain is booked when that ends).
my $paid = 'failed unknown yes';
my $failed = 'failed unknown unknown';
my $lost = 'uncertain provider_unavailable -';
my $too_large = 'uncertain response_too_large -';
my %expected = (
	'endless' => $too_large,
	'head' => $too_large,
	'truncated' => $lost,
	'oversized' => $too_large,
	'gzip-bomb' => $too_large,
	'slow-body' => 'uncertain timeout -',
	'json' => $paid,
	'deep' => $failed,
	'base64' => $paid,
	'not-a-picture' => $paid,
	'huge-header-png' => $paid,
	'huge-header-jpeg' => $paid,
	'gif' => 'succeeded - yes',
	'empty-200' => $failed,
	'status-999' => $lost,
	'garbage' => $lost);
my $used = $bambi->usage_of('alice');

# Queues several in one session; their ids, in order.
sub queue_all
{
	my ($name, @wishes) = @_;

	return split /\n/, $bambi->sql_as($name,
		join '', map { "SELECT bambi_generate('$_->[0]', '$_->[1]');\n" }
		  @wishes);
}

# The bad ones all at once, and good ones beside them.
my @wishes = map {
	my $kind = $_;
	map { [ "$_ $kind", "[[mock bad=$kind]] a fawn", $model{$_} ] }
	  sort keys %model
} sort keys %expected;
my %bad;
@bad{ map { $_->[0] } @wishes } =
  queue_all('alice', map { [ @$_[ 1, 2 ] ] } @wishes);
# as many that tell no length as would fill the memory many times over
my @endless = queue_all('alice', ([ '[[mock bad=endless]] a fawn',
			$model{openai} ]) x 24);
my @good = queue_all('bob', map { [ 'a fawn', $_->[2] ] } @wishes);
my $good = join ', ', map { "'$_'" } @good;
ok($bambi->poll("SELECT bool_and(status = 'succeeded')
		FROM bambi.image_generations WHERE id IN ($good)"),
	'all neighbours succeed');
is($bambi->sql("SELECT count(*) FROM bambi.images
	WHERE generation_id IN ($good)"), scalar @good, 'each with its picture');
is($bambi->sql("SELECT max(attempts) FROM bambi.image_generations
	WHERE id IN ($good)"), 1, 'at the first attempt');
ok($bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)'),
	'all others come to their end');

my %state = map { split /\|/ } split /\n/, $bambi->sql(
	"SELECT g.id, concat_ws(' ', g.status, coalesce(g.error_code, '-'),
			coalesce(u.charged, '-'))
		FROM bambi.image_generations g
		LEFT JOIN bambi.usage_events u ON u.generation_id = g.id
	WHERE g.user_id = '$bambi->{user}{alice}'");
foreach my $what (sort keys %bad)
{
	my ($provider, $kind) = split / /, $what;

	is($state{ $bad{$what} }, $expected{$kind}, $what);
}
my %ends;
$ends{ $state{$_} }++ foreach @endless;
is_deeply(\%ends, { $too_large => scalar @endless }, 'many endless ones');
my $kept = grep { !/^failed/ } values %state;
is($bambi->usage_of('alice') - $used, $kept,
	'what failed gave its place in the quota back, the rest keeps it');
is($bambi->sql("SELECT max(attempts) FROM bambi.image_generations
	WHERE prompt LIKE '[[mock bad=%'"), 1, 'nothing was sent twice');

# ---- nobody has suffered

is($bambi->sql('SELECT courier_starts FROM bambi_status()'), 1,
	'one courier has done it all');
is($bambi->courier_pid, $courier, 'and lives');
my ($peak) = PostgreSQL::Test::Utils::slurp_file("/proc/$courier/status") =~
  /^VmHWM:\s+(\d+)/m;
note "the courier had at most $peak kB";
# a sanitizer's own memory would count
cmp_ok($peak / 1024, '<', $budget + $largest + 64,
	'whose memory was bounded')
  unless $ENV{BAMBI_SANITIZED};
unlike(
	PostgreSQL::Test::Utils::slurp_file($bambi->node->logfile),
	qr/terminated by signal|PANIC|courier has died/,
	'the log tells of no crash');
my $id = $bambi->generate('alice', 'a fawn afterwards');
$bambi->wait_for_status($id, 'succeeded', 'afterwards all is well');

$bambi->stop;
done_testing();
