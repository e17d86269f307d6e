-- What gateways may ask about, and that nothing is noted for a Redis that is
-- not in use.

SET ROLE bambi_service;
SELECT bambi_cache_value('provider:sandbox') - 'description' AS provider;
SELECT value ->> 'model' AS model, value ->> 'is_active' AS is_active,
       value #>> '{capabilities,parameters,n,maximum}' AS pictures
  FROM bambi_cache_value('model:sandbox/sandbox') value;
SELECT bambi_cache_value('user:00000000-0000-7000-8000-000000000000'),
       bambi_cache_value('user:nobody'),
       bambi_cache_value('model:sandbox'),
       bambi_cache_value('provider:');
\set SHOW_CONTEXT never
SELECT bambi_cache_value('key:1');
\set VERBOSITY sqlstate
SELECT bambi_cache_value(NULL);
\set VERBOSITY default
RESET ROLE;

BEGIN;
SELECT bambi_sign_up('cached@example.com', 'correct horse') AS cached \gset
SELECT jsonb_object_keys(value) AS column
  FROM bambi_cache_value('user:' || :'cached') value ORDER BY 1;
SELECT value ->> 'plan_type' AS plan, value ->> 'generations_left' AS left_over
  FROM bambi_cache_value('user:' || :'cached') value;

-- until when it is true: the earliest of what will change it
UPDATE bambi.subscriptions
   SET plan_type = 'premium', current_period_start = now() - interval '1 day',
       current_period_end = now() + interval '3 days'
 WHERE user_id = :'cached';
SELECT until = now() + interval '3 days' AS ends_with_the_period
  FROM bambi_internal.cached('user', :'cached');
UPDATE bambi.subscriptions
   SET status = 'past_due',
       past_due_since = now() - interval '1 day'
                        * (current_setting('bambi.past_due_grace_days')::int - 1)
 WHERE user_id = :'cached';
SELECT until = now() + interval '1 day' AS ends_with_the_grace
  FROM bambi_internal.cached('user', :'cached');

SELECT bambi_internal.cache_is_on();
SELECT count(*) AS notes FROM bambi_internal.cache_outbox;
ROLLBACK;

-- a role that may change users need not be allowed to write notes
SELECT has_function_privilege('bambi_user', 'bambi_cache_value(text)',
                              'EXECUTE') AS users_may_ask,
       has_table_privilege('bambi_service', 'bambi_internal.cache_outbox',
                           'INSERT') AS services_may_note;
