# A database of the version before, with users, keys, generations done, queued
# and in flight, goes on with this version: after each step of the upgrade all
# waits and nothing is lost, and the catalogue ends as that of a fresh install.
# The other way round the worker waits too, and clients are refused.

use strict;
use warnings;

use BambiCatalogue;
use BambiCluster;
use BambiInstallation;
use BambiWire;
use Test::More;
use PostgreSQL::Test::Utils;

my $old = '0.9';
my $installation = BambiInstallation->new;
$installation->build("bambi-$old");
$installation->put("bambi-$old");

my $bambi = BambiCluster->start(
	'upgrade',
	install_path => $installation->path,
	conf => "bambi.max_in_flight = 2\n");
my $node = $bambi->node;

my $new = slurp_file($installation->{sharedir} . '/extension/bambi.control');
($new) = $new =~ /^default_version = '(.*)'/m;

sub extension_version
{
	return $bambi->sql(
		"SELECT extversion FROM pg_extension WHERE extname = 'bambi'");
}

sub install
{
	my ($version) = @_;

	$bambi->stop('fast');
	$version ? $installation->put("bambi-$version") : $installation->put_this;
	$node->start;
	return;
}

# A test of its own: that the worker has nothing to do with these tables, and
# says so.
sub pauses
{
	my ($because, $says) = @_;

	return ok(
		$bambi->poll("SELECT s.worker = 'paused' AND
			s.last_error = \$e\$$because\$e\$ FROM bambi_status() s"),
		$says)
	  || diag($bambi->sql('SELECT worker, last_error FROM bambi_status()'));
}

# A test of its own: that a client is refused, for the reason.
sub refuses
{
	my ($wire, $statement, $versions, $remedy, $says) = @_;
	my (undef, $error) = $wire->query($statement);

	return is_deeply(
		[ @{ $error // {} }{qw(C M D H)} ],
		[
			'PT503', 'bambi is being upgraded',
			"Versions do not fit together: $versions.",
			"Try again later. An operator is to $remedy."
		],
		$says);
}

# Rows of tables that a client's call may change.
sub rows
{
	return $bambi->sql("SELECT md5(string_agg(r, ' ' ORDER BY r)) FROM (
		SELECT q::text AS r FROM bambi_internal.queue q UNION ALL
		SELECT u::text FROM bambi.users u UNION ALL
		SELECT g::text FROM bambi.image_generations g) rows");
}

is(extension_version(), $old, "version $old is there");
isnt($new, $old, "and $new is to be");

# ---- a life with the version before

$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
my %key = map { $_ => $bambi->add_key($_) } qw(alice bob);
my %picture;
foreach my $user (qw(alice bob))
{
	my $id = $bambi->generate($user, "a fawn of $user");

	$bambi->wait_for_status($id, 'succeeded');
	$picture{$user} = $bambi->picture_of($user, $id);
	$bambi->{done}{$user} = $id;
}
is($bambi->checked($_), 'valid', 'a key is checked') foreach values %key;
$bambi->sql(
	'SELECT bambi_rollup_usage()',
	"DELETE FROM bambi.model_prices WHERE unit LIKE 'partial%'",
	"DELETE FROM bambi.error_codes WHERE error_code = 'rate_limited'",
	"UPDATE bambi.error_codes SET advice = 'Ask us.'
		WHERE error_code = 'written_off'");
$bambi->sql('ANALYZE');
my $prices = $bambi->sql('SELECT count(*) FROM bambi.model_prices');
my %was_there = map { $_ => 1 } split /\n/,
  $bambi->sql("SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p')
	AND relnamespace IN ('bambi'::regnamespace,
		'bambi_internal'::regnamespace)");

my @in_flight =
  map { $bambi->generate('alice', "[[mock hold]] runs meanwhile $_") } 1 .. 2;
$bambi->wait_in_flight(2);
my @queued = map { $bambi->generate($_, "waits for $_") } qw(bob alice bob);
push @queued, $bambi->edit('bob', 'an edit waits',
	sources => [ $bambi->image_of($bambi->{done}{bob}, 'id') ]);
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('bambi') ],
	'a dump of it');

$node->safe_psql('postgres', 'CREATE DATABASE another');
$node->safe_psql('another',
	'CREATE EXTENSION bambi CASCADE; SELECT bambi_setup()');

# ---- the library is replaced

my $courier = $bambi->courier_pid;
install();
my $versions = "library $new, extension $old, tables $old";
my $remedy = 'run ALTER EXTENSION bambi UPDATE, then SELECT bambi_setup()';
pauses("$versions: $remedy", 'the new library waits for ALTER EXTENSION');
like(slurp_file($node->logfile), qr/bambi pauses: \Q$versions\E/,
	'and says so in the log');
my $alice = BambiWire->new($node, 'bambi', 'alice');
my $before = rows();
foreach my $call (
	"SELECT bambi_generate('new', 'openai/gpt-image-2')",
	"SELECT bambi_cancel('$queued[1]')",
	"SELECT * FROM bambi_wait('$in_flight[0]', '1 s')",
	"SELECT bambi_image('$bambi->{done}{alice}')",
	"SELECT bambi_validate_key('$key{alice}')")
{
	my ($name) = $call =~ /(bambi_\w+)/;

	refuses($alice, $call, $versions, $remedy, "$name is refused");
}
my ($rows) = $alice->query('SELECT count(*) FROM bambi_generations');
is($rows->[0][0], 4, 'views show what they showed');
my (undef, undef, $error) = $bambi->try_as('postgres', 'SELECT bambi_setup()');
like($error, qr/do not fit together/, 'bambi_setup() refuses, too');

$bambi->mock('release');
$bambi->wait_until('the old courier to leave',
	sub { !$bambi->is_alive($courier) });
is(scalar(() = glob $bambi->spool . '/*/*/*.answer'),
	2, 'the answers wait in the spool');

# ---- the functions are replaced

$bambi->sql('ALTER EXTENSION bambi UPDATE');
is(extension_version(), $new, "the extension is $new");
$versions = "library $new, extension $new, tables $old";
$remedy = 'run SELECT bambi_setup()';
pauses("$versions: $remedy", 'the worker waits for bambi_setup()');
refuses($alice, "SELECT bambi_generate('new', 'openai/gpt-image-2')",
	$versions, $remedy, 'the same session is refused, for another reason');
is(rows(), $before, 'no call has changed anything');
is($bambi->status_of($_), 'queued', 'a generation waits')
  foreach @in_flight, @queued;
is(scalar $bambi->ledger, 4, 'and was not sent');
is_deeply([ $bambi->couriers ], [], 'as there is no courier');

# ---- the tables are brought up

is( $bambi->sql('SELECT bambi_setup()'),
	"Brought the tables of bambi $old to $new.",
	'bambi_setup() brings up the tables');
foreach my $id (@in_flight, @queued)
{
	$bambi->wait_for_status($id, 'succeeded', 'a generation goes on');
	is(scalar $bambi->charges_of($id), 1, 'and is charged once');
	is($bambi->column_of($id, 'attempts'), 1, 'with one attempt');
}
$bambi->ledger_is_equal;
$bambi->quota_adds_up;
foreach my $user (qw(alice bob))
{
	ok($bambi->picture_of($user, $bambi->{done}{$user}) eq $picture{$user},
		"the picture of $user is what it was");
}
($rows) =
  $alice->query("SELECT bambi_generate('new', 'openai/gpt-image-2')");
$bambi->wait_for_status($rows->[0][0], 'succeeded',
	'the session that was refused generates');
$bambi->sign_up('carol');
is($bambi->checked($bambi->add_key('carol')), 'valid', 'a key is added');
is($bambi->sql('SELECT count(*) FROM bambi.model_prices'),
	$prices, 'a row that the operator deleted does not come back');
is( $bambi->sql("SELECT advice FROM bambi.error_codes
		WHERE error_code = 'written_off'"),
	'Ask us.', 'nor a text that the operator changed');
like($bambi->sql('SELECT bambi_setup()'), qr/already/, 'that was all');

is( $bambi->sql('SELECT count(*) FROM pg_statistic s
		JOIN pg_attribute a ON a.attrelid = starelid AND attnum = staattnum
		WHERE attstattarget = 0'),
	0, 'the planner keeps nothing of what it is to keep nothing of');

# ---- all is as if made anew

my @upgraded = catalogue($node, 'bambi');
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh',
	'CREATE EXTENSION bambi CASCADE; SELECT bambi_setup()');
my @fresh = catalogue($node, 'fresh');
same_catalogue(\@upgraded, \@fresh, 'the catalogue is that of a fresh install');

# What the tables hold that code relies on, and those that are new.
sub seeds
{
	my ($database, $table) = @_;

	return $node->safe_psql($database, "SELECT string_agg(row::text, E'\\n'
			ORDER BY row::text COLLATE \"C\")
		FROM (SELECT to_jsonb(t) - '{id,created_at,updated_at,advice}'::text[]
			AS row FROM $table t) rows");
}

my @new_tables = grep { !$was_there{$_} } split /\n/,
  $node->safe_psql('fresh',
	"SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p')
		AND relnamespace IN ('bambi'::regnamespace,
			'bambi_internal'::regnamespace) AND NOT relispartition");
foreach my $table ('bambi.data_classes', 'bambi.error_codes', @new_tables)
{
	next unless seeds('fresh', $table);
	is(seeds('bambi', $table), seeds('fresh', $table), "so is $table");
}

is( $node->safe_psql('another', 'BEGIN; ALTER EXTENSION bambi UPDATE;
		SELECT bambi_setup(); COMMIT'),
	"Brought the tables of bambi $old to $new.",
	'both steps in one transaction');
same_catalogue([ catalogue($node, 'another') ],
	\@fresh, 'the catalogue is the same');

# ---- a dump of the version before, restored

$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok(
	[
		'pg_restore', '-1', '--exit-on-error', '-d',
		$node->connstr('restored'), $dump
	],
	"a dump of $old is restored");
is( $node->safe_psql('restored', 'SELECT bambi_setup()'),
	"Brought the tables of bambi $old to $new.",
	'and brought up');
same_catalogue([ catalogue($node, 'restored') ],
	\@fresh, 'its catalogue is that of a fresh install, too');
is( $node->safe_psql('restored', 'SELECT count(*) FROM bambi_generations'),
	8, 'with its rows');

# ---- the extension goes on while the library stays

my $next = '9.9';
foreach my $step ("$new--$next", "$next--$new")
{
	append_to_file($installation->share . "/bambi--$step.sql",
		"SELECT bambi_internal.wake_worker();\n");
}
my $late = $bambi->generate('alice', '[[mock hold]] runs meanwhile');
$bambi->wait_in_flight(1);
$courier = $bambi->courier_pid;
$bambi->sql("ALTER EXTENSION bambi UPDATE TO '$next'");
$versions = "library $new, extension $next, tables $new";
$remedy = "install bambi $next and restart the server";
pauses("$versions: $remedy", 'a library that is too old waits');
refuses($alice, "SELECT bambi_generate('new', 'openai/gpt-image-2')",
	$versions, $remedy, 'a session that has generated is refused');
$bambi->mock('release');
$bambi->wait_until('the courier to leave',
	sub { !$bambi->is_alive($courier) });
is($bambi->status_of($late), 'queued', 'the answer waits in the spool');
$bambi->sql("ALTER EXTENSION bambi UPDATE TO '$new'");
$bambi->wait_for_status($late, 'succeeded', 'until versions fit again');
is(scalar $bambi->charges_of($late), 1, 'and is charged once');

# ---- the library before comes back

$bambi->sql('SELECT bambi_pause()');
my $waiting = $bambi->generate('bob', 'waits');
my $calls = scalar $bambi->ledger;
install($old);
$bambi->sql('SELECT bambi_resume()');
ok( $bambi->poll(
		"SELECT s.worker = 'paused' AND s.last_error LIKE '%different versions'
			FROM bambi_status() s"),
	"library $old waits with tables of $new");
(undef, undef, $error) = $bambi->try_as('postgres', 'SELECT bambi_setup()');
like($error, qr/do not fit together/, 'and bambi_setup() refuses');
install();
$bambi->wait_for_status($waiting, 'succeeded', "library $new goes on");
is(scalar $bambi->ledger, $calls + 1, 'nobody else has sent anything');
$bambi->ledger_is_equal;

note 'counted: ' . @upgraded . ' lines of the catalogue, '
  . (@in_flight + @queued + 2) . ' generations over an upgrade';
$bambi->stop;
done_testing();
