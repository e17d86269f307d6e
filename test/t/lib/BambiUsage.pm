# BambiUsage.pm
#	Events as calls leave them, sessions that add them up, and what must hold
#	of the sums at any moment.
#
#	my $usage = BambiUsage->new($bambi);
#	$usage->book(1000);
#	my $rolling = $usage->psql('postgres', \my $moved,
#		'SELECT bambi_rollup_usage()');
#	$usage->holds('meanwhile');		# two tests

package BambiUsage;

use strict;
use warnings;

use IPC::Run;
use Test::More;

sub new
{
	my ($class, $bambi) = @_;

	return bless { bambi => $bambi }, $class;
}

# ---- what must hold, at any moment

# Rolled up and fresh together, in one snapshot: everything, once.
our $is_exact = q{
	SELECT (SELECT concat_ws(' ', sum(request_count), sum(images), sum(cost))
			  FROM bambi_usage)
		 = (SELECT concat_ws(' ', count(*), sum(images), sum(cost))
			  FROM bambi.usage_events)};

# Sums that are not those of the marked events, by all that they are kept by.
my $wrong = q{
	WITH events AS (
		SELECT e.user_id, g.granularity,
			   date_trunc(g.granularity, e.created_at, 'UTC') AS start,
			   e.provider_id, e.configuration_id, e.request_type, e.model_id,
			   e.currency, count(*)::int AS calls, sum(e.images)::int AS images,
			   coalesce(sum(e.tokens_used), 0)::bigint AS tokens,
			   coalesce(sum(e.cost), 0) AS cost,
			   (count(*) - count(e.cost))::int AS unknown_costs,
			   bool_or(e.is_estimate) AS is_estimate
		  FROM bambi.usage_events e,
			   unnest('{hour, day, month}'::text[]) g (granularity)
		 WHERE e.is_rolled_up
		 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
	sums AS (
		SELECT user_id, granularity, period_start, provider_id,
			   configuration_id, request_type, model_id, currency,
			   request_count, images, tokens_used, cost_estimate,
			   unknown_costs, is_estimate
		  FROM bambi.api_usage)
	SELECT (SELECT count(*) FROM (TABLE events EXCEPT ALL TABLE sums) e),
		   (SELECT count(*) FROM (TABLE sums EXCEPT ALL TABLE events) s)};

# How many sums are not those of the marked events, and the other way round;
# empty if there are none.
sub wrong { return $_[0]{bambi}->sql($wrong) =~ s/^0\|0$//r }

sub holds
{
	my ($self, $says) = @_;

	is($self->{bambi}->sql($is_exact), 't', "$says: the views are exact");
	is($self->wrong, '', "$says: the sums are the marked events");
	return;
}

# Events that are not added up.
sub fresh
{
	my ($self) = @_;

	return $self->{bambi}->sql(
		'SELECT count(*) FROM bambi.usage_events WHERE NOT is_rolled_up');
}

# ---- what happens

# Events as calls would leave them: users, keys, models, hours, and costs that
# are not known.
sub book
{
	my ($self, $count) = @_;

	$self->{bambi}->sql("INSERT INTO bambi.usage_events (user_id, configuration_id,
			provider_id, model_id, request_type, images, tokens_used, cost,
			is_estimate, charged, created_at)
		SELECT c.user_id, CASE WHEN n % 3 > 0 THEN c.id END, c.provider_id,
			CASE WHEN n % 7 > 0 THEN m.id END,
			CASE WHEN n % 7 = 0 THEN 'validate' WHEN n % 5 = 0 THEN 'edit'
			ELSE 'generate' END, n % 4, CASE WHEN n % 2 = 0 THEN n END,
			CASE WHEN n % 11 > 0 THEN n * 0.000001 END, n % 13 = 0, 'yes',
			now() - n % 100 * interval '17 hours'
		  FROM generate_series(1, $count) n
		  JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS place
				  FROM bambi.api_configurations) c ON c.place = n % 3
		  CROSS JOIN LATERAL (SELECT id FROM bambi.models
				WHERE provider_id = c.provider_id
				ORDER BY id OFFSET n % 2 LIMIT 1) m");
	return;
}

# A psql of its own; its rows end in the scalar.
sub psql
{
	my ($self, $name, $out, @statements) = @_;
	my $node = $self->{bambi}->node;

	return IPC::Run::start(
		[
			$node->installed_command('psql'), '-XAtq',
			'-d', $node->connstr('bambi'), '-U', $name,
			map { ('-c', $_) } @statements
		],
		'<', \undef, '>', $out, '2>', \my $error);
}

# The process of a session that adds up, or did last; one that waits for a lock.
sub roll_up_pid
{
	my ($self, $waits) = @_;
	my $condition = $waits ? "AND wait_event_type = 'Lock'" : '';

	return (split /\n/, $self->{bambi}->sql("SELECT pid FROM pg_stat_activity
		WHERE query LIKE 'SELECT bambi_rollup_usage(%' $condition"))[0];
}

1;
