-- The questions that are asked often are answered by the index that is meant
-- for them, and those about one generation read one month.
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set sandbox '\'00000000-0000-7000-8000-000000000401\''
SET search_path = public;
SET client_min_messages = error;
BEGIN;
-- Few rows are here, and a plan for many is asked for.
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL jit = off;

-- Twenty users with 74 generations each in every month that there is, whatever
-- the day.
INSERT INTO bambi.users (id, email)
SELECT format('00000000-0000-7000-8000-0000000000%s',
              lpad(to_hex(160 + n), 2, '0'))::uuid,
       format('plans.%s@example.com', n)
  FROM generate_series(1, 20) n;
INSERT INTO bambi.image_generations (id, user_id, model_id, prompt, status)
SELECT overlay(bambi_uuid_floor(to_timestamp(right(m.relname, 7),
                                             'YYYY_MM')::timestamp
                                AT TIME ZONE 'UTC'
                                + n * interval '9 hours')::text
               PLACING right(u.id::text, 12) FROM 25)::uuid,
       u.id, :sandbox, 'x', 'succeeded'
  FROM bambi.users u, generate_series(1, 74) n,
       pg_inherits JOIN pg_class m ON m.oid = inhrelid
 WHERE u.email LIKE 'plans.%'
   AND inhparent = 'bambi.image_generations'::regclass;
INSERT INTO bambi.images (generation_id, user_id)
SELECT id, user_id FROM bambi.image_generations WHERE prompt = 'x';
SELECT id AS one FROM bambi.image_generations WHERE user_id = :a
 ORDER BY id LIMIT 1 \gset
ANALYZE bambi.image_generations, bambi.images;

-- Whether a query uses an index of that name; what it reads in another way
-- than from a place in an index; whether it sorts what has an order; how many
-- months it reads.
CREATE FUNCTION pg_temp.plan_of(query text, wanted text, OUT as_meant boolean,
                                OUT reads_whole text, OUT sorts boolean,
                                OUT months text)
LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    SELECT bool_or(n ->> 'Index Name' ~ wanted),
           string_agg(DISTINCT regexp_replace(n ->> 'Relation Name',
                                              '_\d{4}_\d\d', ''), ', ')
               FILTER (WHERE n ->> 'Node Type' = 'Seq Scan'
                          OR n ->> 'Node Type' LIKE 'Index%'
                             AND n -> 'Index Cond' IS NULL
                             AND n ->> 'Index Name' !~ wanted),
           query ~ 'ORDER BY'
           AND coalesce(bool_or(n ->> 'Node Type' LIKE '%Sort'), false),
           CASE count(DISTINCT n ->> 'Relation Name')
                    FILTER (WHERE n ->> 'Relation Name' ~ '_\d{4}_\d\d$')
                WHEN 0 THEN NULL WHEN 1 THEN 'one' ELSE 'several' END
      INTO as_meant, reads_whole, sorts, months
      FROM jsonb_path_query(plan, 'strict $.**') n
     WHERE jsonb_typeof(n) = 'object' AND n ? 'Node Type';
END
$$;

CREATE TABLE pg_temp.plans
    (number integer, question text, wanted text, query text);
GRANT SELECT ON pg_temp.plans TO bambi_user;

-- As a user, through the views.
INSERT INTO pg_temp.plans VALUES
    (1, 'newest 50 generations', '^image_generations_.*_user_id_id_idx$',
     'SELECT * FROM bambi_generations ORDER BY id DESC LIMIT 50'),
    (2, 'the next 50', '^image_generations_.*_user_id_id_idx$',
     format('SELECT * FROM bambi_generations WHERE id < %L '
            'ORDER BY id DESC LIMIT 50',
            bambi_uuid_floor(now() + interval '20 days'))),
    (3, 'one generation', '^image_generations_.*(_user_id_id_idx|_pkey)$',
     format('SELECT * FROM bambi_generations WHERE id = %L', :'one')),
    (4, 'pictures of a generation', '^images_\d_generation_id_user_id_',
     format('SELECT * FROM bambi_images WHERE generation_id = %L', :'one')),
    (5, 'one picture', '^images_\d_(user_id_id_idx|pkey)$',
     format('SELECT * FROM bambi_images WHERE id = %L', :'one')),
    (6, 'newest 50 pictures', '^images_\d_user_id_id_idx$',
     'SELECT * FROM bambi_images ORDER BY id DESC LIMIT 50'),
    (7, 'keys', '^configuration_', 'SELECT * FROM bambi_configurations'),
    (8, 'usage that is fresh', '^usage_events_.*_user_id_id_idx$',
     'SELECT * FROM bambi_usage'),
    (11, 'usage that is rolled up', '^one_sum_per_period$',
     'SELECT * FROM bambi_usage_by_model'),
    (9, 'account', '^users_pkey$', 'SELECT * FROM bambi_account'),
    (10, 'subscription', '^one_subscription_per_user$',
     'SELECT * FROM bambi_subscription'),
    (12, 'what is spent of budgets', '^usage_events_.*_pkey$',
     'SELECT * FROM bambi_budgets');
SET LOCAL bambi.user_id = :a;
SET LOCAL ROLE bambi_user;
SELECT question, p.*
  FROM pg_temp.plans, pg_temp.plan_of(query, wanted) p ORDER BY number;

-- Newest first walks the months in order: an Append, no merge and no sort.
CREATE FUNCTION pg_temp.nodes_of(query text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query
    LOOP
        RETURN NEXT trim(regexp_replace(line, '\d{4}_\d\d|g_\d+$', '*', 'g'),
                         ' ->');
    END LOOP;
END
$$;
SELECT DISTINCT node
  FROM pg_temp.nodes_of('SELECT id FROM bambi_generations '
                        'ORDER BY id DESC LIMIT 50') node;
-- Bounds that are known only when the query runs prune as well.
SELECT count(*) AS subplans_removed
  FROM pg_temp.nodes_of(
           'SELECT id FROM bambi_generations '
           'WHERE id >= bambi_uuid_floor(now() + interval ''70 days'')') node
 WHERE node LIKE '%Subplans Removed%';
RESET ROLE;

-- As the machinery.
SET LOCAL bambi.user_id = '';
INSERT INTO pg_temp.plans VALUES
    (21, 'user by e-mail', '^email_is_unique$',
     'SELECT FROM bambi.users WHERE lower(email) = ''x'''),
    (22, 'users by use', '^user_by_usage_count$',
     'SELECT FROM bambi.users WHERE usage_count > 100'),
    (23, 'user of another service', '^user_by_auth_provider$',
     'SELECT FROM bambi.users WHERE auth_provider = ''x'' '
     'AND auth_provider_id = ''x'''),
    (24, 'subscription of a customer', '^stripe_customer_is_unique$',
     'SELECT FROM bambi.subscriptions WHERE stripe_customer_id = ''x'''),
    (25, 'subscription by Stripe''s name', '^stripe_subscription_is_unique$',
     'SELECT FROM bambi.subscriptions WHERE stripe_subscription_id = ''x'''),
    (26, 'model by name', '^model_by_name$',
     'SELECT FROM bambi.models WHERE model_id = ''x'''),
    (27, 'prices of a model', '^one_price_from_a_time$',
     format('SELECT FROM bambi.model_prices WHERE model_id = %L', :'one')),
    (28, 'generation by its key',
     '^image_generations_.*(_user_id_id_idx|_pkey)$',
     format('SELECT FROM bambi.image_generations '
            'WHERE id = %L AND user_id = %L', :'one', :a)),
    (29, 'generations to decide', '^image_generations_.*_user_id_id_idx1$',
     'SELECT min(finished_at) FROM bambi.image_generations '
     'WHERE status = ''uncertain'' AND held_reason IS NOT NULL'),
    (30, 'generations with a key',
     '^image_generations_.*_configuration_id_user_id_idx$',
     format('SELECT FROM bambi.image_generations '
            'WHERE configuration_id = %L AND user_id = %L', :'one', :a)),
    (31, 'generations with a model', '^image_generations_.*_model_id_idx$',
     format('SELECT FROM bambi.image_generations WHERE model_id = %L',
            :'one')),
    (32, 'who is next', '^queue_in_turn$',
     'SELECT id FROM bambi_internal.queue WHERE (turn, id) > '
     '(5, ''00000000-0000-7000-8000-000000000000'') '
     'AND waits_for IS NULL AND claimed_by IS NULL '
     'ORDER BY turn, id LIMIT 100'),
    (33, 'last turn of a user', '^queue_of_user$',
     format('SELECT turn FROM bambi_internal.queue WHERE user_id = %L '
            'AND waits_for IS NULL ORDER BY waits_for DESC, turn DESC LIMIT 1',
            :a)),
    (34, 'who wants to cancel', '^queue_to_cancel$',
     'SELECT id FROM bambi_internal.queue WHERE cancel_requested'),
    (35, 'who waits for a time', '^queue_to_wait$',
     'SELECT min(not_before) FROM bambi_internal.queue '
     'WHERE not_before IS NOT NULL'),
    (36, 'request by its key', '^idempotency_keys_pkey$',
     format('SELECT FROM bambi_internal.idempotency_keys '
            'WHERE user_id = %L AND key = ''x''', :a)),
    (37, 'bytes of a picture', '^image_data_pkey$',
     format('SELECT FROM bambi.image_data WHERE image_id = %L '
            'AND user_id = %L', :'one', :a)),
    (38, 'usage of a period', '^usage_by_period$',
     'SELECT FROM bambi.api_usage WHERE period_start >= now()'),
    (40, 'ledger of a user since', '^usage_events_.*_pkey$',
     format('SELECT FROM bambi.usage_events WHERE user_id = %L AND id >= %L',
            :a, :'one')),
    (41, 'events that are fresh', '^usage_events_.*_user_id_id_idx$',
     'SELECT FROM bambi.usage_events WHERE NOT is_rolled_up '
     'ORDER BY user_id, id LIMIT 10'),
    (39, 'keys under a master key', '^configuration_by_key_id$',
     'SELECT FROM bambi.api_configurations WHERE key_id = ''x'''),
    (40, 'who is next in a lane', '^queue_in_lane$',
     format('SELECT id FROM bambi_internal.queue WHERE waits_for = %L '
            'AND user_id = %L AND id >= %L AND claimed_by IS NULL '
            'ORDER BY id LIMIT 10', :'one', :a, :'one')),
    (41, 'the next lane', '^queue_in_lane$',
     format('SELECT waits_for, user_id FROM bambi_internal.queue '
            'WHERE waits_for IS NOT NULL '
            'AND (waits_for, user_id) > (%L, %L) '
            'ORDER BY waits_for, user_id LIMIT 1', :'one', :a)),
    (42, 'keys with a limit', '^configuration_with_limit$',
     'SELECT FROM bambi.api_configurations WHERE max_in_flight IS NOT NULL '
     'LIMIT 1');
SELECT question, p.*
  FROM pg_temp.plans, pg_temp.plan_of(query, wanted) p
 WHERE number > 20 ORDER BY number;
ROLLBACK;
