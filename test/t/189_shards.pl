# A shard is cut in two by logical replication, as docs/scaling.md has it: each
# user is whole in one of them, goes on there, and what operators change of the
# catalogue in one is known to the open sessions of the other.

use strict;
use warnings;

use BambiCluster;
use Test::More;

my $users = 24;
my $bambi = BambiCluster->start('shards', conf => <<CONF);
wal_level = logical
max_wal_senders = 4
max_replication_slots = 4
bambi.databases = 'bambi,second'
CONF
my $node = $bambi->node;
$bambi->lift_quota;

sub second
{
	my ($statement) = @_;

	return $node->safe_psql('second', $statement);
}

$node->safe_psql('postgres', 'CREATE DATABASE second');
second('CREATE EXTENSION bambi CASCADE');
second('SELECT bambi_setup()');
second("SELECT bambi_pause('being filled')");
$bambi->sql("INSERT INTO bambi.users (id, email)
	SELECT bambi_uuid_v7(), n || '\@example.com'
	FROM generate_series(1, $users) n");

# What each of these users asks for.
sub everybody_asks
{
	my ($database, $prompt) = @_;

	$node->safe_psql($database, "DO \$\$
		DECLARE
			who uuid;
		BEGIN
			FOR who IN SELECT id FROM bambi.users LOOP
				PERFORM set_config('bambi.user_id', who::text, false);
				PERFORM bambi_generate('$prompt', 'sandbox');
			END LOOP;
		END \$\$");
	return;
}

everybody_asks('bambi', 'a fawn');
$bambi->poll("SELECT count(*) = $users FROM bambi.images");

# ---- the users of the second shard

my $theirs = 'uuid_hash(id) % 2 <> 0';
my $moving = $bambi->sql("SELECT count(*) FROM bambi.users WHERE $theirs");
$bambi->sql($bambi->sql(<<'SQL'));
SELECT format('CREATE PUBLICATION second FOR TABLE %s '
              'WITH (publish_via_partition_root = true)',
              string_agg(format('%s WHERE (uuid_hash(%I) %% 2 <> 0)',
                                c.oid::regclass, a.attname), ', '))
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
   AND a.attname = CASE c.oid WHEN 'bambi.users'::regclass
                              THEN 'id' ELSE 'user_id' END
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND a.attnotnull
   AND c.oid::regclass::text IN (SELECT relation FROM bambi.data_classes)
SQL

# A subscription to the same server cannot make its slot itself.
sub subscribe
{
	my ($database, $name, $to) = @_;

	$node->safe_psql($to,
		"SELECT pg_create_logical_replication_slot('$name', 'pgoutput')");
	$node->safe_psql($database, "CREATE SUBSCRIPTION $name
		CONNECTION '" . $node->connstr . " dbname=$to user=postgres'
		PUBLICATION $name WITH (create_slot = false)");
	ok( $node->poll_query_until($database,
			"SELECT count(*) > 0 AND bool_and(srsubstate = 'r')
				FROM pg_subscription_rel"),
		"$name is filled");
	return;
}

subscribe('second', 'second', 'bambi');
everybody_asks('bambi', 'another fawn');
$bambi->sql("SELECT bambi_pause('cutting')");
$bambi->poll('SELECT count(*) = 0 FROM bambi_internal.queue
	WHERE claimed_by IS NOT NULL');
$node->wait_for_catchup('second');

my $whole = "SELECT (SELECT string_agg(md5(u::text), ' ' ORDER BY id)
		FROM bambi.users u WHERE $theirs),
	(SELECT string_agg(md5(g::text), ' ' ORDER BY id)
		FROM bambi.image_generations g WHERE uuid_hash(user_id) % 2 <> 0),
	(SELECT string_agg(md5(i::text), ' ' ORDER BY id)
		FROM bambi.images i WHERE uuid_hash(user_id) % 2 <> 0),
	(SELECT string_agg(md5(d::text), ' ' ORDER BY image_id)
		FROM bambi.image_data d WHERE uuid_hash(user_id) % 2 <> 0),
	(SELECT string_agg(id::text, ' ' ORDER BY id)
		FROM bambi_internal.queue WHERE uuid_hash(user_id) % 2 <> 0)";
is(second($whole), $bambi->sql($whole), 'what is theirs is there, row by row');
is(second("SELECT count(*) FROM bambi.users WHERE NOT $theirs"),
	0, 'and nothing else');

second('DROP SUBSCRIPTION second');
$bambi->sql('DROP PUBLICATION second');
$bambi->sql("BEGIN; DELETE FROM bambi.users WHERE $theirs;
	DELETE FROM bambi_internal.outbox WHERE uuid_hash(user_id) % 2 <> 0; COMMIT");
$bambi->sql('SELECT bambi_resume()');
second('SELECT bambi_resume()');
everybody_asks($_, 'a third fawn') foreach qw(bambi second);
my %has = (bambi => $users - $moving, second => $moving);
foreach my $database (sort keys %has)
{
	ok( $node->poll_query_until($database,
			"SELECT count(*) = 3 * $has{$database}
				FROM bambi.image_generations WHERE status = 'succeeded'"),
		"all of $database succeed, what waited included");
}

# ---- what operators change

$bambi->sql('CREATE PUBLICATION catalogue
	FOR TABLE bambi.model_prices, bambi.plans');
second('TRUNCATE bambi.model_prices');
second('DELETE FROM bambi.plans');
subscribe('second', 'catalogue', 'bambi');
my $session = $node->background_psql('second');
$session->query_safe(second("SELECT format('SET bambi.user_id = %L', id)
	FROM bambi.users LIMIT 1"));
my $ask = "SELECT trim_scale(high) FROM bambi_estimate('sandbox')";
is($session->query_safe($ask), 0, 'a price');
$bambi->sql("UPDATE bambi.model_prices r SET price = 7
	FROM bambi.models m WHERE m.id = r.model_id AND m.model_id = 'sandbox'");
$node->wait_for_catchup('catalogue');
is($session->query_safe($ask), 7, 'is another one in a session that has read it');
$session->quit;

note("counted: $moving of $users users moved");
done_testing();
