-- bambi_set_plan: a plan without a payment.
\set SHOW_CONTEXT never
SET client_min_messages = error;
-- a day may have 23 hours elsewhere
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
\set ada '00000000-0000-7000-8000-00000005e71a'
BEGIN;
INSERT INTO bambi.users (id) VALUES (:'ada');
CREATE VIEW pg_temp.account AS
SELECT a.plan_type, s.status, s.cancel_at_period_end,
       s.current_period_end - now() AS ends_in
  FROM bambi_account a
       LEFT JOIN bambi.subscriptions s ON s.user_id = a.user_id
 WHERE a.user_id = '00000000-0000-7000-8000-00000005e71a';
TABLE pg_temp.account;
\echo *** for good, until a time, and back
SET LOCAL ROLE bambi_admin;
SELECT bambi_set_plan(:'ada', 'premium');
RESET ROLE;
TABLE pg_temp.account;
SELECT bambi_set_plan(:'ada', 'premium', now() + interval '30 days');
TABLE pg_temp.account;
SELECT bambi_set_plan(:'ada', 'premium', 'infinity');
TABLE pg_temp.account;
SELECT bambi_set_plan(:'ada', 'free');
TABLE pg_temp.account;
\echo *** what cannot be
SAVEPOINT so_far;
SELECT bambi_set_plan('00000000-0000-7000-8000-00000005e71b', 'premium');
ROLLBACK TO so_far;
SELECT bambi_set_plan(:'ada', 'golden');
ROLLBACK TO so_far;
SELECT bambi_set_plan(:'ada', NULL);
ROLLBACK TO so_far;
SELECT bambi_set_plan(:'ada', 'premium', now());
ROLLBACK TO so_far;
UPDATE bambi.subscriptions SET stripe_subscription_id = 'sub_set_plan'
 WHERE user_id = :'ada';
SELECT bambi_set_plan(:'ada', 'premium');
ROLLBACK TO so_far;
SET LOCAL ROLE bambi_service;
SELECT bambi_set_plan(:'ada', 'premium');
ROLLBACK TO so_far;
SET LOCAL ROLE bambi_user;
SELECT bambi_set_plan(:'ada', 'premium');
ROLLBACK;
