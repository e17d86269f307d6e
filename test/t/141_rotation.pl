# A new master key: what is stored is sealed to it while generations run and
# everybody is killed; nothing is lost, and whatever happens to a key meanwhile
# happens to it.

use strict;
use warnings;

use BambiCluster;
use BambiRotation;
use Digest::SHA qw(sha256_hex);
use Test::More;

my $bambi = BambiCluster->start('rotation', conf => "autovacuum = off\n");
$bambi->lift_quota;
$bambi->sign_up('alice');

sub current
{
	return $bambi->sql(
		'SELECT kid FROM bambi.encryption_keys WHERE is_current');
}

# Column of bambi_key_rotation.
sub rotation
{
	my ($kid, $column) = @_;

	return $bambi->sql("SELECT $column FROM bambi_key_rotation
		WHERE kid = '$kid'");
}

sub wait_resealed
{
	my ($kid) = @_;

	return $bambi->poll("SELECT keys_behind = 0 FROM bambi_key_rotation
		WHERE kid = '$kid'");
}

sub key_was
{
	my ($id) = @_;

	return (map { $_->{key} } grep { $_->{generation} eq $id }
		  $bambi->ledger)[-1];
}

sub hash { return substr sha256_hex($_[0]), 0, 12 }

# ---- one key

my $id = $bambi->add_key('alice');
$bambi->checked($id);
my $first = current();
my $unchanged = "(c.*)::text FROM (SELECT id, user_id, name, is_valid,
	last_validated_at, created_at, updated_at, settings, key_hint,
	key_fingerprint, key_number, status, last_error";
my $row = $bambi->sql("SELECT $unchanged FROM bambi.api_configurations
	WHERE id = '$id') c");
my $old = $bambi->key_column($id, 'encrypted_api_key');

is(rotation($first, 'state, service, keys, keys_behind, keys_unreadable'),
	'current|file|1|0|0', 'the master key is shown');
my $second = BambiRotation::new_master_key_of($bambi);
ok(wait_resealed($first), 'what is sealed to an older one is sealed anew');
isnt($bambi->key_column($id, 'encrypted_api_key'), $old, 'really');
is($bambi->key_column($id, 'key_id'), $second, 'to the new one');
is($bambi->sql("SELECT $unchanged FROM bambi.api_configurations
	WHERE id = '$id') c"), $row, 'and nothing else of it changes');
is($bambi->sql("SELECT count(*) FROM bambi_internal.outbox"), 0,
	'nor is it checked again');
is(rotation($first, 'state, keys'), 'retiring|0', 'the old one is idle');
my $picture = $bambi->generate('alice', 'a fawn');
$bambi->wait_for_status($picture, 'succeeded', 'it opens');
is(key_was($picture), hash('sk-test-alice'), 'to the same key');

# ---- a client that sealed to the one before

$bambi->sql_as('alice', "SELECT bambi_add_key('openai', '$old', 'late')");
is($bambi->sql("SELECT count(*) FROM bambi.api_configurations
	WHERE encrypted_api_key <> ''"), 2, 'is taken');
ok(wait_resealed($first), 'and is sealed anew');

# ---- a key that is replaced meanwhile

$bambi->hold('reseal-ended');
my $third = BambiRotation::new_master_key_of($bambi);
$bambi->wait_held('reseal-ended');
$bambi->sql_as('alice', "SELECT bambi_replace_key('$id', 'sk-test-replaced')");
$bambi->release('reseal-ended');
ok(wait_resealed($second), 'all are sealed to the third');
$bambi->checked($id);
$picture = $bambi->sql_as('alice', "SELECT bambi_generate('a fawn',
	'openai/gpt-image-2', '{\"quality\": \"low\"}', '$id')");
$bambi->wait_for_status($picture, 'succeeded', 'and open');
is(key_was($picture), hash('sk-test-replaced'),
	'a key that came meanwhile is not overwritten by the one before');

# ---- retiring

sub refused
{
	my ($role, $statement, $says, $name) = @_;
	my (undef, undef, $error) = $bambi->try_as($role, $statement);

	like($error, $says, $name);
	return;
}

refused('postgres', "SELECT bambi_retire_key('$third')",
	qr/the current master key cannot be retired/, 'not the current one');
refused('postgres', "SELECT bambi_retire_key('file:none:0')",
	qr/master key is not known/, 'nor one that is not there');

# one that does not open: damaged in its last character
$bambi->sql("UPDATE bambi.api_configurations
	SET encrypted_api_key = regexp_replace(encrypted_api_key, '.{4}\$', 'AAAA')
	WHERE name = 'late'");
my $fourth = BambiRotation::new_master_key_of($bambi);
$bambi->poll("SELECT keys_behind = 1 AND keys_unreadable = 1
	FROM bambi_key_rotation WHERE kid = '$third'");
is(rotation($third, 'keys_behind, keys_unreadable, unreadable_reason'),
	'1|1|the stored key could not be opened', 'one that does not open is told');
refused('postgres', "SELECT bambi_retire_key('$third')",
	qr/keys are still sealed to this master key/, 'and keeps its master key');
$bambi->sql_as('alice', "SELECT bambi_remove_key(id)
	FROM bambi_configurations WHERE name = 'late'");
$bambi->sql("SELECT bambi_retire_key(kid) FROM bambi_key_rotation
	WHERE state = 'retiring'");
is($bambi->sql("SELECT string_agg(state, ',') FROM bambi_key_rotation"),
	'current,retired,retired,retired', 'what is idle can be retired');
refused('alice', "SELECT bambi_add_key('openai', '$old', 'too late')",
	qr/sealed to a retired public key/, 'nothing is taken for it any more');

# ---- who may, and which service can

foreach my $statement ('SELECT bambi_rotate_keys()',
	"SELECT bambi_retire_key('x')", 'SELECT * FROM bambi_key_rotation')
{
	refused('alice', $statement, qr/permission denied/, "not users: $statement");
}
my ($status, undef, $error) =
  $bambi->try_as('postgres', "\\set VERBOSITY verbose
	SELECT bambi_rotate_keys()");
like($error, qr/0A000.*makes no new versions.*before the old ones in the file/s,
	'a service that makes no versions says what to do');

# ---- by the calendar

my $log = -s $bambi->node->logfile;
$bambi->sql(
	"UPDATE bambi.encryption_keys SET created_at = now() - interval '91 days'
		WHERE is_current");
foreach (1 .. 2)
{
	my $before = $bambi->sql(
		'SELECT coalesce(max(asked_at)::text, \'never\') FROM bambi_internal.rotation');
	$bambi->sql('SELECT pg_reload_conf()');
	$bambi->poll("SELECT max(asked_at)::text IS DISTINCT FROM '$before'
		AND max(asked_at) IS NOT NULL FROM bambi_internal.rotation");
}
like(rotation($fourth, 'asked_by, error, hint'),
	qr/^bambi.key_rotation_days\|.*no new versions.*\|Put a new key before/,
	'a key that is too old is asked for, and the view tells what came of it');
my @warnings = PostgreSQL::Test::Utils::slurp_file($bambi->node->logfile, $log)
  =~ /WARNING:  the master key of bambi is older/g;
is(@warnings, 1, 'a warning tells it once');

# ---- many, and kill -9

my $rotation = BambiRotation->new($bambi, keys => 600);
$rotation->{keys}++;			# alice has one
$bambi->hold('reseal-before-commit');
$rotation->new_master_key;
my $worker = $bambi->wait_held('reseal-before-commit');
$bambi->kill9($worker);
$bambi->release('reseal-before-commit');
$bambi->bring_back;
$rotation->kill_until_done(6);
my @runs = map { $rotation->generate_some($_, 'true') }
  @{ $rotation->{users} };
$_->finish foreach @runs;
ok($rotation->settle, 'every key generates');
is($rotation->failed_opens, 0, '0 failed opens');
is($rotation->lost, 0, '0 lost');
is($bambi->sql("SELECT count(DISTINCT configuration_id)
	FROM bambi.image_generations g JOIN bambi.api_configurations c
		ON c.id = g.configuration_id
	WHERE c.name LIKE 'user%' AND g.status = 'succeeded'"), 600,
	'all of them');

$bambi->stop;
done_testing();
