# BambiPlans.pm
#	Years of rows, and what queries on them have read.
#
#	my $plans = BambiPlans->new($bambi);
#	$plans->grow(24, 100_000, alice => 120);	# months, rows, hers a month
#	my $plan = $plans->ask('alice', 'SELECT ...');
#	$plan->is_read('what', [months], qr/index/, $most_rows);	# three tests
#
# A month is named as its partitions are: 2026_11.

package BambiPlans;

use strict;
use warnings;

use JSON::PP;
use Test::More;

sub new
{
	my ($class, $bambi) = @_;
	my $self = bless { bambi => $bambi }, $class;

	# one and the same month, should the test run over its end
	$self->{present} = $bambi->sql(
		"SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date");
	return $self;
}

# The first day of a month, so many ago.
sub start_of
{
	my ($self, $ago) = @_;

	return $self->{bambi}->sql("SELECT date '$self->{present}'
		- $ago * interval '1 month'") . 'Z';
}

sub month
{
	my ($self, $ago) = @_;

	return $self->{bambi}->sql("SELECT to_char(date '$self->{present}'
		- $ago * interval '1 month', 'YYYY_MM')");
}

sub months_of
{
	my ($self, $table) = @_;

	return split /\n/, $self->{bambi}->sql("SELECT right(relname, 7)
		FROM pg_inherits JOIN pg_class ON oid = inhrelid
		WHERE inhparent = 'bambi.$table'::regclass ORDER BY 1");
}

# ---- years of rows

# Generations that succeeded, with a picture and an event each, evenly over the
# months before this one and the whole of this one; and of some users so many a
# month, of which nothing is added up yet, nor of this month. The checks of
# foreign keys would take most of the time.
sub grow
{
	my ($self, $months, $rows, %of_user) = @_;
	my $bambi = $self->{bambi};
	my $users = 2000;
	my ($start, $end) = map { "timestamptz '" . $self->start_of($_) . "'" }
	  $months, -1;
	my $insert = <<SQL;
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt, parameters,
	status, attempts, cost_estimate, cost, cost_source, started_at,
	finished_at, updated_at)
SELECT overlay(bambi_uuid_floor(t.at)::text
		PLACING '%d' || lpad(to_hex(n), 11, '0') FROM 25)::uuid, %s, m.id,
	'a fawn in the snow, in the morning light', '{"size": "1024x1024"}',
	'succeeded', 1, 0.04, 0.04, 'table', t.at, t.at, t.at
  FROM bambi.models m, generate_series(1, %d) n,
	LATERAL (SELECT $end - n * (($end - $start) / (%3\$d + 1)) AS at) t
 WHERE m.model_id = 'sandbox'
SQL
	my $many = "('00000000-0000-7000-8001-'
		|| lpad(to_hex(n % $users), 12, '0'))::uuid";

	$bambi->poll("SELECT bool_and(bambi_internal.has_month(parent, month)
			OR bambi_internal.make_month(parent, month, settings))
		FROM bambi_internal.monthly_tables(), generate_series(1, $months) n,
			LATERAL (SELECT date '$self->{present}'
				- n * interval '1 month' AS month) m")
	  or die 'the months could not be made';
	$bambi->sql(join ';', 'SET session_replication_role = replica',
		"INSERT INTO bambi.users (id, email)
			SELECT $many, n || '\@growth.example'
			FROM generate_series(0, $users - 1) n",
		sprintf($insert, 0, $many, $rows),
		(map { sprintf($insert, 1, "'$bambi->{user}{$_}'::uuid",
			$of_user{$_} * ($months + 1)) } keys %of_user),
		"INSERT INTO bambi.usage_events (id, user_id, generation_id, attempt,
				provider_id, model_id, images, cost, cost_source, charged,
				created_at, is_rolled_up)
			SELECT g.id, user_id, g.id, 1, provider_id, m.id, 1, cost,
				cost_source, 'yes', finished_at, user_id::text LIKE '%-8001-%'
					AND finished_at < date '$self->{present}'
			FROM bambi.image_generations g JOIN bambi.models m
				ON m.id = g.model_id",
		"INSERT INTO bambi.images (id, generation_id, user_id, width, height,
				format, bytes, sha256, store, storage_path, created_at)
			SELECT id, id, user_id, 1024, 1024, 'png', 1500000,
				repeat('0', 64), 'filesystem', user_id || '/' || id,
				finished_at
			FROM bambi.image_generations");
	return;
}

# ---- what was read

# All nodes of a plan, as EXPLAIN (FORMAT json) has them.
sub nodes_of
{
	my ($plan) = @_;

	return ($plan, map { nodes_of($_) } @{ $plan->{Plans} // [] });
}

sub of_plan
{
	my ($self, $plan) = @_;

	return bless { nodes => [ nodes_of($plan) ], rows => $plan->{'Actual Rows'} },
	  ref $self || $self;
}

# From now on the log has the plan of every statement, the machinery's as well.
sub explain_all
{
	my ($self) = @_;
	my $node = $self->{bambi}->node;

	$self->{bambi}->stop;
	$node->append_conf('postgresql.conf',
		"auto_explain.log_min_duration = 0\n");
	$self->{log_from} = -s $node->logfile;
	$node->start;
	return;
}

# [text, plan] of each statement since, in the order of their ends; the log is
# read once there is one of that text in it.
sub explained
{
	my ($self, $last) = @_;
	my @run;

	$self->{bambi}->wait_until('its plan',
		sub {
			my $log = PostgreSQL::Test::Utils::slurp_file(
				$self->{bambi}->node->logfile, $self->{log_from});
			@run = ();
			while ($log =~ /  plan:\n((?:\t.*\n)+)/g)
			{
				# the end of it may not be written yet
				my $said = eval { decode_json($1 =~ s/^\t//mgr) } or next;
				push @run,
				  [ $said->{'Query Text'}, $self->of_plan($said->{Plan}) ];
			}
			return grep { $_->[0] =~ $last } @run;
		});
	return @run;
}

# As a user, with ANALYZE.
sub ask
{
	my ($self, $name, $query) = @_;
	my $said = $self->{bambi}
	  ->sql_as($name, "EXPLAIN (ANALYZE, FORMAT json) $query");

	return $self->of_plan(decode_json($said)->[0]{Plan});
}

sub count_nodes
{
	my ($self, $type) = @_;

	return scalar grep { $_->{'Node Type'} =~ /$type/ } @{ $self->{nodes} };
}

# Scans that were run, and the names of their tables; of bitmaps the index.
sub scans
{
	my ($self, $table) = @_;

	return grep {
		$_->{'Node Type'} =~ /Scan/
		  && ($_->{'Relation Name'} // $_->{'Index Name'} // '') =~ /$table/
		  && $_->{'Actual Loops'} > 0
	} @{ $self->{nodes} };
}

sub months_read
{
	my ($self, $table) = @_;
	my %month;

	foreach my $scan ($self->scans("^$table"))
	{
		$month{$1} = 1
		  if ($scan->{'Relation Name'} // '') =~ /_(\d{4}_\d\d)$/;
	}
	return sort keys %month;
}

# Partitions that stand in the plan and were not run, or were taken out of it
# when it was.
sub count_left_out
{
	my ($self) = @_;
	my $count = 0;

	foreach my $node (@{ $self->{nodes} })
	{
		$count += $node->{'Subplans Removed'} // 0;
		$count++ if ($node->{'Relation Name'} // '') =~ /_\d{4}_\d\d$/
		  && $node->{'Actual Loops'} == 0;
	}
	return $count;
}

sub count_tables
{
	my ($self, $table) = @_;
	my %name = map { ($_->{'Relation Name'} // '') => 1 } $self->scans($table);

	delete $name{''};
	return scalar keys %name;
}

sub rows_read
{
	my ($self, $table) = @_;
	my $rows = 0;

	foreach my $scan ($self->scans("^$table"))
	{
		next if $scan->{'Node Type'} eq 'Bitmap Index Scan';
		$rows += $scan->{'Actual Loops'} *
		  ($scan->{'Actual Rows'} + ($scan->{'Rows Removed by Filter'} // 0)
			  + ($scan->{'Rows Removed by Index Recheck'} // 0));
	}
	return $rows;
}

# Indexes that were run, and "TABLE whole" for what was read without one; what
# is empty, as months ahead are, is best read so.
sub ways
{
	my ($self, $table) = @_;
	my %way;

	foreach my $scan ($self->scans("^$table"))
	{
		next if $scan->{'Node Type'} eq 'Bitmap Heap Scan'
		  || $scan->{'Node Type'} eq 'Seq Scan'
		  && !$scan->{'Actual Rows'} && !$scan->{'Rows Removed by Filter'};
		$way{ $scan->{'Index Name'} // "$scan->{'Relation Name'} whole" } = 1;
	}
	return sort keys %way;
}

# Three tests: no other months of a table than these (undef: it has none), by
# no other way than indexes of that name, no more rows than so many ("shown":
# than it gave).
sub is_read
{
	my ($self, $says, $table, $months, $index, $most) = @_;
	my %may = map { $_ => 1 } @{ $months // [] };
	my @others = grep { !$may{$_} } $self->months_read($table);
	my @ways = $self->ways($table);

	is("@others", '', "$says: no other month is read");
	ok(@ways > 0 && !grep({ $_ !~ $index } @ways), "$says: by its index")
	  or diag("by @ways");
	cmp_ok($self->rows_read($table), '<=',
		$most eq 'shown' ? $self->{rows} : $most,
		"$says: reads what it shows");
	return;
}

1;
