-- What operators look at: spend, failures, latency, users.
--
-- They read everybody's rows, so they are for bambi_admin alone.  A
-- materialised view knows no row-level security: it stays in the schema that
-- is not exposed, and nobody else has a grant on it.  bambi_refresh_reports()
-- fills them anew while others read.

CREATE MATERIALIZED VIEW IF NOT EXISTS bambi.report_spend AS
SELECT period_start, provider_id, currency,
       sum(request_count) AS request_count,
       sum(images) AS images,
       sum(tokens_used) AS tokens_used,
       CASE WHEN sum(unknown_costs) < sum(request_count) THEN sum(cost)
       END AS cost,
       sum(unknown_costs) AS unknown_costs,
       bool_or(is_estimate OR unknown_costs > 0) AS is_estimate
  FROM bambi_internal.usage
 WHERE granularity = 'day'
   AND period_start >= date_trunc('month', now(), 'UTC')
                       - interval '13 months'
 GROUP BY period_start, provider_id, currency;
COMMENT ON MATERIALIZED VIEW bambi.report_spend IS
    'Spend by provider and day (UTC) of the last thirteen months.';
CREATE UNIQUE INDEX IF NOT EXISTS report_spend_is_unique
    ON bambi.report_spend (period_start, provider_id, currency);
ALTER MATERIALIZED VIEW bambi.report_spend OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('bambi.report_spend');
GRANT SELECT ON bambi.report_spend TO bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_report_spend
WITH (security_invoker = true) AS
SELECT r.period_start, p.slug AS provider, r.currency, r.request_count,
       r.images, r.tokens_used, r.cost, r.unknown_costs, r.is_estimate
  FROM bambi.report_spend r
       JOIN bambi.api_providers p ON p.id = r.provider_id;
COMMENT ON VIEW @extschema@.bambi_report_spend IS
    'What each provider was paid by the keys of all users, by day (UTC), '
    'for thirteen months. For operators.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.period_start IS
    'First moment of the day.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.provider IS
    'Its slug.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.currency IS
    'Of the cost: ISO 4217.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.request_count IS
    'Calls, checks of keys included.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.images IS
    'Pictures.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.tokens_used IS
    'Tokens, as far as they are known.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.cost IS
    'Cost, as far as it is known; NULL: of no call.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.unknown_costs IS
    'Calls of which the cost is not known.';
COMMENT ON COLUMN @extschema@.bambi_report_spend.is_estimate IS
    'Whether some of the cost is an estimate or not known.';
ALTER VIEW @extschema@.bambi_report_spend OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_report_spend');
GRANT SELECT ON @extschema@.bambi_report_spend TO bambi_admin;

CREATE MATERIALIZED VIEW IF NOT EXISTS bambi.report_outcomes AS
SELECT date_trunc('day', g.created_at, 'UTC') AS period_start, m.provider_id,
       g.model_id,
       CASE WHEN g.status = 'failed' THEN coalesce(g.error_code, 'unknown')
            ELSE '' END AS error_code,
       count(*) AS generations
  FROM bambi.image_generations g
       JOIN bambi.models m ON m.id = g.model_id
 WHERE g.status IN ('succeeded', 'failed')
   AND g.id >= @extschema@.bambi_uuid_floor(
                   date_trunc('day', now(), 'UTC') - interval '91 days')
 GROUP BY 1, 2, 3, 4;
COMMENT ON MATERIALIZED VIEW bambi.report_outcomes IS
    'Generations by day (UTC) that they were asked for, model and how they '
    'ended, of the last 92 days. error_code is empty for those that '
    'succeeded.';
CREATE UNIQUE INDEX IF NOT EXISTS report_outcomes_is_unique
    ON bambi.report_outcomes (period_start, model_id, error_code);
ALTER MATERIALIZED VIEW bambi.report_outcomes OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('bambi.report_outcomes');
GRANT SELECT ON bambi.report_outcomes TO bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_report_failures
WITH (security_invoker = true) AS
SELECT r.period_start, p.slug AS provider, m.model_id AS model, r.error_code,
       r.failures, t.generations,
       round(r.failures / t.generations, 4) AS failure_rate
  FROM (SELECT period_start, provider_id, model_id,
               CASE WHEN grouping(error_code) = 0 THEN error_code
               END AS error_code,
               coalesce(sum(generations) FILTER (WHERE error_code <> ''), 0)
                   AS failures
          FROM bambi.report_outcomes
         GROUP BY period_start, provider_id, model_id,
                  GROUPING SETS ((), (error_code))) r
       JOIN (SELECT period_start, model_id, sum(generations) AS generations
               FROM bambi.report_outcomes
              GROUP BY period_start, model_id) t
         ON t.period_start = r.period_start AND t.model_id = r.model_id
       JOIN bambi.models m ON m.id = r.model_id
       JOIN bambi.api_providers p ON p.id = r.provider_id
 WHERE r.error_code IS DISTINCT FROM '';
COMMENT ON VIEW @extschema@.bambi_report_failures IS
    'How many generations failed, and of what, by day (UTC) that they were '
    'asked for and model, for 92 days. Those that were cancelled or have no'
    ' end yet are not counted. For operators.';
COMMENT ON COLUMN @extschema@.bambi_report_failures.period_start IS
    'First moment of the day.';
COMMENT ON COLUMN @extschema@.bambi_report_failures.provider IS
    'Its slug.';
COMMENT ON COLUMN @extschema@.bambi_report_failures.model IS
    'Its name at the provider.';
COMMENT ON COLUMN @extschema@.bambi_report_failures.error_code IS
    'What failed: bambi_errors; NULL: all of it together, with 0 if nothing'
    ' did.';
COMMENT ON COLUMN @extschema@.bambi_report_failures.failures IS
    'Generations that failed so.';
COMMENT ON COLUMN @extschema@.bambi_report_failures.generations IS
    'Generations that succeeded or failed.';
COMMENT ON COLUMN @extschema@.bambi_report_failures.failure_rate IS
    'failures of generations, 0 to 1.';
ALTER VIEW @extschema@.bambi_report_failures OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_report_failures');
GRANT SELECT ON @extschema@.bambi_report_failures TO bambi_admin;

CREATE MATERIALIZED VIEW IF NOT EXISTS bambi.report_latency AS
SELECT date_trunc('day', g.created_at, 'UTC') AS period_start, m.provider_id,
       g.model_id, count(*) AS generations,
       percentile_cont('{0.5, 0.95, 0.99}'::float8[]) WITHIN GROUP (
           ORDER BY extract(epoch FROM g.finished_at - g.started_at)::float8)
           AS seconds
  FROM bambi.image_generations g
       JOIN bambi.models m ON m.id = g.model_id
 WHERE g.status = 'succeeded'
   AND g.id >= @extschema@.bambi_uuid_floor(
                   date_trunc('day', now(), 'UTC') - interval '91 days')
 GROUP BY 1, 2, 3;
COMMENT ON MATERIALIZED VIEW bambi.report_latency IS
    'How long calls took that succeeded, by day (UTC) that they were asked '
    'for and model, of the last 92 days.';
CREATE UNIQUE INDEX IF NOT EXISTS report_latency_is_unique
    ON bambi.report_latency (period_start, model_id);
ALTER MATERIALIZED VIEW bambi.report_latency OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('bambi.report_latency');
GRANT SELECT ON bambi.report_latency TO bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_report_latency
WITH (security_invoker = true) AS
SELECT r.period_start, p.slug AS provider, m.model_id AS model, r.generations,
       round(r.seconds[1]::numeric, 3) AS p50_seconds,
       round(r.seconds[2]::numeric, 3) AS p95_seconds,
       round(r.seconds[3]::numeric, 3) AS p99_seconds
  FROM bambi.report_latency r
       JOIN bambi.models m ON m.id = r.model_id
       JOIN bambi.api_providers p ON p.id = r.provider_id;
COMMENT ON VIEW @extschema@.bambi_report_latency IS
    'How long calls took, from the claim to the answer, by day (UTC) that '
    'they were asked for and model, for 92 days. Of generations that '
    'succeeded. For operators.';
COMMENT ON COLUMN @extschema@.bambi_report_latency.period_start IS
    'First moment of the day.';
COMMENT ON COLUMN @extschema@.bambi_report_latency.provider IS
    'Its slug.';
COMMENT ON COLUMN @extschema@.bambi_report_latency.model IS
    'Its name at the provider.';
COMMENT ON COLUMN @extschema@.bambi_report_latency.generations IS
    'Generations that succeeded.';
COMMENT ON COLUMN @extschema@.bambi_report_latency.p50_seconds IS
    'Half of the calls took this long at the most.';
COMMENT ON COLUMN @extschema@.bambi_report_latency.p95_seconds IS
    '95 of 100 did.';
COMMENT ON COLUMN @extschema@.bambi_report_latency.p99_seconds IS
    '99 of 100 did.';
ALTER VIEW @extschema@.bambi_report_latency OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_report_latency');
GRANT SELECT ON @extschema@.bambi_report_latency TO bambi_admin;

CREATE MATERIALIZED VIEW IF NOT EXISTS bambi.report_active_users AS
SELECT granularity, period_start, count(DISTINCT user_id) AS users
  FROM bambi_internal.usage
 WHERE granularity IN ('day', 'month')
   AND request_type <> 'validate'
   AND period_start >= date_trunc('month', now(), 'UTC')
                       - interval '13 months'
 GROUP BY granularity, period_start;
COMMENT ON MATERIALIZED VIEW bambi.report_active_users IS
    'Users for whom a provider worked, by day and month (UTC), of the last '
    'thirteen months.';
CREATE UNIQUE INDEX IF NOT EXISTS report_active_users_is_unique
    ON bambi.report_active_users (granularity, period_start);
ALTER MATERIALIZED VIEW bambi.report_active_users OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('bambi.report_active_users');
GRANT SELECT ON bambi.report_active_users TO bambi_admin;

CREATE OR REPLACE VIEW @extschema@.bambi_report_active_users
WITH (security_invoker = true) AS
SELECT granularity, period_start, users FROM bambi.report_active_users;
COMMENT ON VIEW @extschema@.bambi_report_active_users IS
    'How many users generated or edited something, by day and month (UTC), '
    'for thirteen months. For operators.';
COMMENT ON COLUMN @extschema@.bambi_report_active_users.granularity IS
    'day or month.';
COMMENT ON COLUMN @extschema@.bambi_report_active_users.period_start IS
    'First moment of it.';
COMMENT ON COLUMN @extschema@.bambi_report_active_users.users IS
    'Users for whom a provider worked, whatever came of it.';
ALTER VIEW @extschema@.bambi_report_active_users OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges(
           '@extschema@.bambi_report_active_users');
GRANT SELECT ON @extschema@.bambi_report_active_users TO bambi_admin;
