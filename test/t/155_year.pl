# A year goes by, in which nobody but the worker makes months: the server's
# clock is moved on from month to month, generations and changes come on both
# sides of each midnight, and at the end all months are alike.

use strict;
use warnings;

use BambiCluster;
use File::Basename qw(dirname);
use Test::More;

my $months = 13;
my $bambi = BambiCluster->start('year');
my $node = $bambi->node;
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->stop;

# ---- a clock that can be moved on

my $clock = "$bambi->{dir}/clock";

sub move_clock
{
	my ($seconds) = @_;

	# in place, since it is mapped
	open my $file, -e $clock ? '+<' : '+>', $clock or die "$clock: $!";
	syswrite($file, pack 'q', $seconds) == 8 or die "$clock: $!";
	close $file;
	return;
}

PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-o',
	"$clock.so", dirname(__FILE__) . '/lib/clock.c');
move_clock(0);
{
	local $ENV{LD_PRELOAD} = "$clock.so";
	local $ENV{BAMBI_CLOCK} = $clock;
	$node->start;
}

# ---- the months

sub months_of
{
	my ($table) = @_;

	return $bambi->sql("SELECT count(*) FROM pg_inherits
		WHERE inhparent = '$table'::regclass");
}

my $start = $bambi->sql(
	"SELECT date_trunc('month', now() AT TIME ZONE 'UTC')");
my %months_before = map { $_ => months_of($_) }
  split /\n/, $bambi->sql('SELECT parent FROM bambi_internal.monthly_tables()');
is(scalar keys %months_before, 3, 'three tables have months');
my $succeeded = 0;
foreach my $n (1 .. $months)
{
	# before and after the month ends, and when the worker has looked again
	foreach my $seconds (-60, 5, 90_000)
	{
		move_clock($bambi->sql("SELECT extract(epoch FROM
			('$start'::timestamp + $n * interval '1 month'
				+ $seconds * interval '1 second') AT TIME ZONE 'UTC')::bigint")
			- time);
		my $id = $bambi->generate('alice', 'a fawn', 'sandbox');
		$bambi->poll("SELECT status = 'succeeded' FROM bambi.image_generations
			WHERE id = '$id'");
		$succeeded++ if $bambi->status_of($id) eq 'succeeded';
		$bambi->sql("UPDATE bambi.plans SET weight = weight + 1
			WHERE plan_type = 'free'");
	}
	$bambi->poll("SELECT bambi_internal.has_month(parent,
			date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months')
		FROM bambi_internal.monthly_tables() ORDER BY 1 LIMIT 1");
}
is($succeeded, 3 * $months, 'generations succeed on both sides of each midnight');
is( $bambi->sql("SELECT count(*), count(DISTINCT g.tableoid),
		bool_and(tableoid::regclass::text = 'bambi.image_generations_' ||
			to_char(created_at AT TIME ZONE 'UTC', 'YYYY_MM'))
		FROM bambi.image_generations g"),
	3 * $months . '|' . ($months + 1) . '|t',
	'each is in its month');
is( $bambi->sql("SELECT count(*), count(DISTINCT tableoid)
		FROM bambi.change_log WHERE 'weight' = ANY (columns)"),
	3 * $months . '|' . ($months + 1), 'each change, too');
is( $bambi->sql("SELECT count(*), count(DISTINCT tableoid)
		FROM bambi.usage_events"),
	3 * $months . '|' . ($months + 1), 'and what each cost');

# ---- all alike

# Everything that the catalogues say of a month, but its name, time and oids.
my $shape = <<'SQL';
WITH month AS (
	SELECT i.inhparent, c.*,
	       to_timestamp(right(c.relname, 7), 'YYYY_MM')::timestamp AS starts
	  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	 WHERE i.inhparent IN (SELECT parent FROM bambi_internal.monthly_tables())),
line AS (
	SELECT oid, concat_ws('|', 'table', relowner::regrole, relacl,
			relrowsecurity, relforcerowsecurity, reloptions, relpersistence,
			pg_get_expr(relpartbound, oid)
			= format('FOR VALUES FROM (%L) TO (%L)',
				bambi_uuid_floor(starts AT TIME ZONE 'UTC'),
				bambi_uuid_floor((starts + interval '1 month')
					AT TIME ZONE 'UTC'))) AS text
	  FROM month
	UNION ALL
	SELECT m.oid, concat_ws('|', 'column', attnum, attname, atttypid::regtype,
			atttypmod, attnotnull, attgenerated, attstorage, attacl,
			attstattarget, pg_get_expr(adbin, adrelid),
			col_description(m.oid, attnum))
	  FROM month m JOIN pg_attribute ON attrelid = m.oid
	       LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	 WHERE attnum > 0 AND NOT attisdropped
	UNION ALL
	SELECT m.oid, concat_ws('|', 'constraint', conname, contype, convalidated,
			coninhcount, conislocal, CASE
			WHEN conname = 'created_in_its_month' THEN
				(pg_get_constraintdef(k.oid) = format('CHECK (((created_at >= '
					'%L::timestamp with time zone) AND (created_at < '
					'%L::timestamp with time zone)))',
					starts AT TIME ZONE 'UTC',
					(starts + interval '1 month') AT TIME ZONE 'UTC'))::text
			ELSE pg_get_constraintdef(k.oid) END)
	  FROM month m JOIN pg_constraint k ON conrelid = m.oid
	 WHERE contype <> 'p'
	UNION ALL
	SELECT m.oid, concat_ws('|', 'index', indisunique, indisprimary, indisvalid,
			replace(pg_get_indexdef(indexrelid), m.relname, 'month'),
			(SELECT inhparent::regclass FROM pg_inherits
			  WHERE inhrelid = indexrelid))
	  FROM month m JOIN pg_index ON indrelid = m.oid
	UNION ALL
	SELECT m.oid, concat_ws('|', 'trigger', tgfoid::regproc, tgtype,
			tgconstrrelid::regclass, tgenabled, count(*))
	  FROM month m JOIN pg_trigger ON tgrelid = m.oid
	 GROUP BY m.oid, tgfoid, tgtype, tgconstrrelid, tgenabled
	UNION ALL
	SELECT m.oid, concat_ws('|', 'policy', polname)
	  FROM month m JOIN pg_policy ON polrelid = m.oid),
shape AS (
	SELECT m.inhparent, m.oid, m.relname, count(*) AS lines,
	       string_agg(l.text, E'\n' ORDER BY l.text) AS text
	  FROM month m JOIN line l USING (oid) GROUP BY 1, 2, 3)
SQL

my ($leaves, $facts) = (0, 0);
foreach my $table (sort keys %months_before)
{
	my $count = months_of($table);
	is($count, $months_before{$table} + $months, "$table has a year more");
	is( $bambi->sql("$shape SELECT count(DISTINCT text) FROM shape
			WHERE inhparent = '$table'::regclass"),
		1, 'and all its months are alike')
	  or diag($bambi->sql("$shape SELECT max(relname), text FROM shape
			WHERE inhparent = '$table'::regclass GROUP BY text"));

	my ($rls, $grants, $lines) = split /\|/, $bambi->sql("$shape
		SELECT bool_and(relrowsecurity), count(*) FILTER (WHERE EXISTS (
			SELECT FROM aclexplode(relacl) a WHERE a.grantee <> relowner)),
			sum(lines)
		  FROM shape JOIN pg_class c USING (oid)
		 WHERE inhparent = '$table'::regclass");
	is($rls, 't', 'with row-level security');
	is($grants, 0, 'and no grants');
	is( $bambi->sql("SELECT count(*) FROM pg_inherits i
			JOIN pg_attribute ON attrelid = inhrelid AND attgenerated <> ''
				AND attname = 'created_at'
			WHERE inhparent = '$table'::regclass AND NOT EXISTS (
				SELECT FROM pg_constraint WHERE conrelid = inhrelid
					AND conname = 'created_in_its_month' AND convalidated)"),
		0, "and the check on created_at, where that is the id's");
	$leaves += $count;
	$facts += $lines;
}

# ---- the planner leaves out the others by that check

my ($from, $until) = split /\|/, $bambi->sql("SELECT
	('$start'::timestamp + interval '40 days') AT TIME ZONE 'UTC',
	('$start'::timestamp + interval '41 days') AT TIME ZONE 'UTC'");
my $plan = $bambi->sql("EXPLAIN SELECT FROM bambi.image_generations
	WHERE created_at >= '$from' AND created_at < '$until'");
my %touched = map { $_ => 1 } $plan =~ /(image_generations_\d{4}_\d\d)/g;
is(scalar keys %touched, 1, 'a day by created_at is one month for the planner')
  or diag($plan);

note("counted: $months months went by, $leaves partitions alike in $facts "
	  . "facts of the catalogue, $succeeded generations around midnights");

$bambi->stop;
done_testing();
