# Two years of generations: what is asked for often reads the months and the
# indexes that it should, and no more rows than it shows.  What was read is told
# by EXPLAIN ANALYZE, and by auto_explain of what the machinery runs itself;
# nothing is timed.
#
#	THOUSANDS	of generations (default 200)

use strict;
use warnings;

use BambiCluster;
use BambiPlans;
use Test::More;

my $thousands = $ENV{THOUSANDS} || 200;
my $months = 24;
my $a_month = 60;
my $bambi = BambiCluster->start('growth', conf => <<CONF);
shared_buffers = 256MB
max_wal_size = 8GB
autovacuum = off
jit = off
shared_preload_libraries = 'bambi,auto_explain'
auto_explain.log_analyze = on
auto_explain.log_format = json
auto_explain.log_nested_statements = on
CONF
$bambi->sign_up($_) foreach qw(alice carol);
$bambi->lift_quota;
my $plans = BambiPlans->new($bambi);
$plans->grow($months, $thousands * 1000, alice => $a_month);
my $rows = $bambi->sql('SELECT count(*) FROM bambi.image_generations');
$bambi->poll('SELECT bambi_rollup_usage() = 0');
$bambi->sql('VACUUM ANALYZE');

my @all = $plans->months_of('image_generations');
my ($now, @ahead) = grep { $_ ge $plans->month(0) } @all;
is(scalar @all, $months + 4, "there are $months months before this one");
cmp_ok($rows, '>=', $thousands * 1000, 'and as many generations as asked for');

# ---- what users ask for

my $alice = $bambi->{user}{alice};
my $generations = 'image_generations_';
my $of_user = qr/^image_generations_.*_user_id_id_idx$/;
my $of_event = qr/^usage_events_.*_user_id_id_idx$/;
my $by_key = qr/^image_generations_.*(_pkey|_user_id_id_idx)$/;

# A week in the middle of a month, long ago: its bounds as people write them,
# and as they are known only when a query runs.
my $seventh = $plans->month(7);
my $from = $plans->start_of(7) =~ s/01 00:00:00Z$/10 00:00:00Z/r;
my $to = $from =~ s/10 00:00:00Z$/17 00:00:00Z/r;
my ($first, $last) = map { "bambi_uuid_floor('$_')" } $from, $to;
my ($later_first, $later_last) =
  map { "bambi_uuid_floor(timestamptz '$_' + interval '0')" } $from, $to;
my $one = $bambi->sql("SELECT min(id::text) FROM bambi.image_generations
	WHERE user_id = '$alice' AND id >= $first");

sub asks
{
	my ($name, $what, $query, @read) = @_;
	my $plan = $plans->ask($name, $query);

	$plan->is_read($what, @read);
	return $plan;
}

my $newest = asks('alice', 'the newest 50',
	'SELECT * FROM bambi_generations ORDER BY id DESC LIMIT 50',
	$generations, [ $now, @ahead ], $of_user, 50);
is($newest->{rows}, 50, 'there are 50');
cmp_ok($newest->count_left_out, '==', $months, 'all others are left out');
is($newest->count_nodes('Sort|Merge'), 0, 'and nothing is sorted');
asks('alice', '50 of before',
	"SELECT * FROM bambi_generations WHERE id < $last ORDER BY id DESC LIMIT 50",
	$generations, [ $seventh, $plans->month(8) ], $of_user, 50);
asks('carol', 'the newest 50 of who has none',
	'SELECT * FROM bambi_generations ORDER BY id DESC LIMIT 50',
	$generations, [@all], $of_user, 0);
asks('alice', 'one by its id',
	"SELECT * FROM bambi_generations WHERE id = '$one'",
	$generations, [$seventh], $by_key, 1);
my $week = asks('alice', 'a week by ids',
	"SELECT * FROM bambi_generations WHERE id >= $first AND id < $last",
	$generations, [$seventh], $of_user, 'shown');
cmp_ok($week->{rows}, '>', 0, 'there are some');
asks('alice', 'a week by ids that are known later',
	"SELECT * FROM bambi_generations
		WHERE id >= $later_first AND id < $later_last",
	$generations, [$seventh], $of_user, 'shown');
asks('alice', 'a week by created_at',
	"SELECT * FROM bambi_generations
		WHERE created_at >= '$from' AND created_at < '$to'",
	$generations, [$seventh], $of_user, $a_month + 2);

# ---- pictures: cut by user, not by month

my $of_images = qr/^images_\d(_pkey|_user_id_id_idx)$/;
asks('alice', 'the newest 50 pictures',
	'SELECT * FROM bambi_images ORDER BY id DESC LIMIT 50',
	'images_', undef, $of_images, 50);
my $pictures = asks('alice', 'pictures of a week',
	"SELECT * FROM bambi_images WHERE id >= $first AND id < $last",
	'images_', undef, $of_images, 'shown');
cmp_ok($pictures->{rows}, '>', 0, 'there are some');
is($pictures->count_tables('^images_\d'), 1, 'in one of the four parts');
my $both = asks('alice', 'a generation with its pictures',
	"SELECT * FROM bambi_generations g JOIN bambi_images i
		ON i.generation_id = g.id WHERE g.id = '$one'",
	$generations, [$seventh], $by_key, 1);
$both->is_read('its pictures', 'images_', undef,
	qr/^images_\d_generation_id_user_id_position/, 1);

# ---- usage

my $past = $plans->start_of(9);
my $usage = asks('alice', 'usage of a month',
	"SELECT * FROM bambi_usage_by_month WHERE period_start = '$past'",
	'api_usage', undef, qr/^one_sum_per_period$/, 1);
is($usage->{rows}, 1, 'there is one');
$usage->is_read('events that are not added up', 'usage_events_', [@all],
	$of_event, 0);
asks('alice', 'usage of a month, by day',
	"SELECT * FROM bambi_usage WHERE period_start >= '$past'
		AND period_start < timestamptz '$past' + interval '1 month'",
	'api_usage', undef, qr/^one_sum_per_period$/, 'shown');
$bambi->sql_as('alice', 'SELECT bambi_set_budget(100)');
asks('alice', 'a budget of this month', 'SELECT * FROM bambi_budgets',
	'usage_events_', [ $now, @ahead ], qr/^usage_events_.*_pkey$/,
	$a_month + 2);

# ---- what the machinery reads for a generation, from the call to the picture

$plans->explain_all;
$bambi->draw('carol', 'a fawn');
my @run = $plans->explained(qr/DELETE FROM bambi_internal.queue/);

# The plan of a statement that has come to a table.
sub plan_of
{
	my ($text, $table) = @_;
	my ($found) = grep { $_->[0] =~ $text && $_->[1]->scans("^$table") } @run;

	return $found ? $found->[1] : BAIL_OUT("nothing ran like $text");
}

my $claim = plan_of(qr/SET claimed_by = \$1/, $generations);
$claim->is_read('a claim', $generations, [ $now, @ahead ], $by_key, 1);
$claim->is_read('a claim in the queue', 'queue$', undef,
	qr/^queue_(in_turn|pkey)$/, 2);
plan_of(qr/INSERT INTO bambi_internal.queue/, 'queue$')
  ->is_read('a turn', 'queue$', undef, qr/^queue_of_user$/, 1);
my $settle = plan_of(qr/DELETE FROM bambi_internal.queue/, $generations);
$settle->is_read('a settle', $generations, [ $now, @ahead ], $by_key, 1);
$settle->is_read('a settle in the queue', 'queue$', undef, qr/^queue_pkey$/, 2);

# The rest: what waits for a decision has an index of its own, which is empty.
my @older = grep {
	grep { $_ lt $now } $_->[1]->months_read($generations)
} @run;
is_deeply(
	[ grep { $_->[0] !~ /held_reason IS NOT NULL/
		  || $_->[1]->rows_read($generations) > 0 } @older ],
	[], 'nothing else reads an older month, but for what is to be decided');

my $bytes = $bambi->sql("SELECT string_agg(bytes || ' of ' || parent, ', ')
	FROM (SELECT inhparent::regclass AS parent,
			(sum(pg_total_relation_size(inhrelid)) / $rows)::integer AS bytes
		FROM pg_inherits WHERE inhparent = ANY ('{bambi.image_generations,
			bambi.images, bambi.usage_events}'::regclass[])
		GROUP BY 1) s");
note('counted: ', $rows, ' generations in ', scalar @all,
	" months; bytes for each: $bytes");
done_testing();
