-- bambi_generate: what is queued, and every way in which it refuses.
SET search_path = public;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    given text; state text; message text; detail text; hint text;
BEGIN
    EXECUTE command INTO given;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ' ' || message,
                     regexp_replace(nullif(detail, ''),
                                    'ends at .*\.', 'ends at TIME.'),
                     nullif(hint, ''));
END
$$;
\set ada '00000000-0000-7000-8000-00000000ada1'
\set bob '00000000-0000-7000-8000-0000000000b2'
SELECT bambi_pause('test');
INSERT INTO bambi.plans (plan_type, name, generations_per_period, period,
                         weight)
VALUES ('regress', 'Regress', 30, '1 day', 4);
INSERT INTO bambi.users (id, email)
VALUES (:'ada', 'ada@generate.example'), (:'bob', 'bob@generate.example');
INSERT INTO bambi.subscriptions (user_id, plan_type)
VALUES (:'ada', 'regress');
INSERT INTO bambi.api_configurations
       (id, user_id, provider_id, name, encrypted_api_key, status)
SELECT k.id::uuid, k.owner::uuid, p.id, k.name, 'sealed', k.status
  FROM (VALUES
    ('00000000-0000-7000-8000-0000000000c1', :'ada', 'openai', 'works', 'valid'),
    ('00000000-0000-7000-8000-0000000000c2', :'ada', 'openai', 'bad', 'rejected'),
    ('00000000-0000-7000-8000-0000000000c3', :'ada', 'openai', 'x', 'valid'),
    ('00000000-0000-7000-8000-0000000000c4', :'bob', 'openai', 'his', 'valid'))
    k (id, owner, slug, name, status)
       JOIN bambi.api_providers p ON p.slug = k.slug;
UPDATE bambi.api_configurations SET encrypted_api_key = '', status = 'revoked'
 WHERE id = '00000000-0000-7000-8000-0000000000c3';
CREATE ROLE regress_bambi_person IN ROLE bambi_user;

\echo *** a plan without a default model wants a name
SET bambi.user_id = :'ada';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''a fawn'')');
RESET ROLE;
UPDATE bambi.plans SET default_model_id =
       (SELECT default_model_id FROM bambi.plans WHERE plan_type = 'free')
 WHERE plan_type = 'regress';
SET ROLE regress_bambi_person;

\echo *** what one call leaves behind
SELECT bambi_generate('a fawn in the snow') AS first \gset
SELECT id = :'first', user_id = :'ada', configuration_id, model, prompt,
       parameters, status, cost_estimate, attempts
  FROM bambi_generations;
SELECT generations_limit, generations_used, generations_left,
       resets_at > now() + interval '23 hours'
  FROM bambi_account;
RESET ROLE;
SELECT q.attempt, q.claimed_by, g.quota_period = u.reset_date
  FROM bambi_internal.queue q
       JOIN bambi.image_generations g USING (id, user_id)
       JOIN bambi.users u ON u.id = q.user_id
 WHERE q.user_id = :'ada';
\echo *** turns of a user lie a share apart, by the weight of the plan
SET ROLE regress_bambi_person;
SELECT count(bambi_generate('another')) FROM generate_series(1, 2);
RESET ROLE;
SELECT turn - lag(turn) OVER (ORDER BY turn) FROM bambi_internal.queue
 WHERE user_id = :'ada' ORDER BY turn;

\echo *** models: full name, bare name, NULL; the key that pays; the estimate
SET ROLE regress_bambi_person;
SELECT bambi_generate('a', 'openai/gpt-image-2',
    '{"quality": "high", "size": "1024x1536", "n": 2}') AS g1 \gset
SELECT bambi_generate('b', 'gpt-image-2', '{"size": "2048x1024", "user": null}')
    AS g2 \gset
SELECT bambi_generate('c', NULL, NULL, NULL, NULL) AS g3 \gset
SELECT bambi_generate('d', 'openai/gpt-image-2', configuration =>
    '00000000-0000-7000-8000-0000000000c1') AS g4 \gset
SELECT prompt, model, right(configuration_id::text, 2) AS key, parameters,
       cost_estimate
  FROM bambi_generations WHERE prompt IN ('a', 'b', 'c', 'd') ORDER BY id;

\echo *** prompts and models that are refused
SELECT pg_temp.try(format('SELECT bambi_generate(%L, %L)', prompt, model))
  FROM (VALUES (NULL, NULL), ('', NULL), (repeat('a', 32001), NULL),
               ('a', ''), ('a', '/'), ('a', 'nothing'), ('a', 'sandbox/'),
               ('a', 'openai/sandbox'), ('a', 'SANDBOX'),
               ('a', 'gpt-image-1'), ('a', 'openai/dall-e-3'),
               ('a', 'gemini-nano-banana-2.1'),
               ('a', 'google/gemini-3.1-flash-image'),
               ('a', 'imagen-4.0-generate-001'),
               ('a', 'grok-imagine-image-pro'))
    v (prompt, model);

\echo *** parameters that are refused
SELECT pg_temp.try(format('SELECT bambi_generate(''a'', %L, %L)', model,
                          parameters))
  FROM (VALUES
    ('sandbox', '[]'), ('sandbox', '"size"'), ('sandbox', '1'),
    ('sandbox', '{"size": "7x7"}'), ('sandbox', '{"size": 7}'),
    ('sandbox', '{"size": ["512x512"]}'), ('sandbox', '{"quality": "low"}'),
    ('gpt-image-2', '{"size": "7x7"}'), ('gpt-image-2', '{"size": "1024"}'),
    ('gpt-image-2', '{"size": "1024x"}'), ('gpt-image-2', '{"size": "x1024"}'),
    ('gpt-image-2', '{"size": "1024x1024x"}'),
    ('gpt-image-2', '{"size": "01024x1024"}'),
    ('gpt-image-2', '{"size": "1040x1000"}'),
    ('gpt-image-2', '{"size": "3856x1024"}'),
    ('gpt-image-2', '{"size": "3840x1024"}'),
    ('gpt-image-2', '{"size": "512x512"}'),
    ('gpt-image-2', '{"size": "99999999999999999999x1"}'),
    ('gpt-image-2', '{"n": 0}'), ('gpt-image-2', '{"n": 11}'),
    ('gpt-image-2', '{"n": 1.5}'), ('gpt-image-2', '{"n": 2.0}'),
    ('gpt-image-2', '{"n": "2"}'), ('gpt-image-2', '{"n": true}'),
    ('gpt-image-2', '{"n": 1e400}'),
    ('gpt-image-2', '{"quality": "best"}'),
    ('gpt-image-2', '{"user": 1}'),
    ('gpt-image-2', '{"prompt": "another"}'),
    ('gpt-image-2', '{"output_format": "gif"}'),
    ('gpt-image-2', '{"background": "transparent", "output_format": "jpeg"}'),
    ('gpt-image-2', '{"partial_images": 2}'),
    ('gpt-image-2', '{"partial_images": 2, "stream": false}'),
    ('gpt-image-2', '{"partial_images": 4, "stream": true}'),
    ('google/gemini-3-pro-image', '{"image_size": "512"}'),
    ('google/gemini-3-pro-image', '{"image_size": "1k"}'),
    ('google/gemini-3-pro-image', '{"labels": {}}'),
    ('google/gemini-3-pro-image', '{"safety_settings": "none"}'),
    ('vertex/gemini-3-pro-image', '{"output_compression": 80}'),
    ('vertex/gemini-3-pro-image', '{"output_compression": 80,
                                    "output_format": "png"}'),
    ('grok-imagine-image-2.0', '{"size": "1024x1024"}'),
    ('grok-imagine-image-2.0', '{"quality": "high"}'),
    ('grok-imagine-image-2.0', '{"storage_options": true}'),
    ('grok-imagine-image', '{"quality": "low"}'),
    ('gpt-image-2.6-flare', '{"frame_count": 8}'),
    ('gpt-image-2.6-flare', '{"frame_count": 65, "output_format": "gif"}'),
    ('gpt-image-2.6-flare', '{"output_format": "svg"}'),
    ('gpt-image-2', '{"output_compression": 50}'),
    ('gpt-image-2', '{"output_compression": 50, "output_format": "png"}'),
    ('gpt-image-2', '{"output_compression": 101, "output_format": "webp"}'))
    v (model, parameters);
SELECT pg_temp.try(format('SELECT bambi_generate(''a'', ''gpt-image-2'', %L)',
    jsonb_build_object('user', repeat('u', 129))));
SELECT pg_temp.try(format('SELECT bambi_generate(''a'', ''gpt-image-2'', %L)',
    jsonb_build_object(repeat('u', 129), 1)));
\echo *** and some at the edge that are not
SELECT count(bambi_generate('edge', 'gpt-image-2.6-flare', parameters))
  FROM (VALUES (jsonb '{"n": 10, "size": "3072x1024"}'),
               ('{"background": "transparent"}'),
               ('{"stream": true, "partial_images": 3}'),
               ('{"output_format": "gif", "frame_count": 2}'),
               ('{"output_compression": 0, "output_format": "webp"}'),
               ('{"size": "1024x640"}')) v (parameters);

\echo *** keys that do not fit
SELECT pg_temp.try(format('SELECT bambi_generate(''a'', %L, NULL, %L)', model,
                          '00000000-0000-7000-8000-0000000000' || key))
  FROM (VALUES ('gpt-image-2', 'c2'), ('gpt-image-2', 'c3'),
               ('gpt-image-2', 'c4'), ('gpt-image-2', 'ff'),
               ('sandbox', 'c1')) v (model, key);
RESET ROLE;
INSERT INTO bambi.api_configurations
       (id, user_id, provider_id, name, encrypted_api_key)
SELECT '00000000-0000-7000-8000-0000000000c5', :'ada', id, 'Second one', 'sealed'
  FROM bambi.api_providers WHERE slug = 'openai';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''gpt-image-2'')');
RESET ROLE;
UPDATE bambi.api_configurations SET status = 'dead'
 WHERE user_id = :'ada' AND status <> 'revoked';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''gpt-image-2'')');
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''gpt-image-2'', NULL,
    ''00000000-0000-7000-8000-0000000000c5'')');

\echo *** a bare name that two providers have, until one is inactive
RESET ROLE;
BEGIN;
INSERT INTO bambi.api_providers (name, slug, adapter, needs_key)
VALUES ('Other', 'other', 'sandbox', false);
INSERT INTO bambi.models (provider_id, name, model_id)
SELECT id, 'Other', 'sandbox' FROM bambi.api_providers WHERE slug = 'other';
SET LOCAL ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''sandbox'')');
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''other/sandbox'')');
RESET ROLE;
UPDATE bambi.api_providers SET is_active = false WHERE slug = 'other';
SET LOCAL ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''sandbox'')');
SELECT pg_temp.try('SELECT bambi_generate(''a'', ''other/sandbox'')');
ROLLBACK;

\echo *** the same idempotency key: the same generation, once
SET ROLE regress_bambi_person;
SELECT generations_used AS before FROM bambi_account \gset
SELECT bambi_generate('once', 'sandbox', '{"n": 1, "size": "512x512"}',
                      idempotency_key => 'key 1') AS once \gset
SELECT bambi_generate('once', 'sandbox', '{"size":"512x512","n":1}',
                      idempotency_key => 'key 1') = :'once';
SELECT pg_temp.try(format('SELECT bambi_generate(%s,
                                  idempotency_key => ''key 1'')', arguments))
  FROM (VALUES ('''twice'', ''sandbox'', ''{"n": 1, "size": "512x512"}'''),
               ('''once'', NULL, ''{"n": 1, "size": "512x512"}'''),
               ('''once'', ''sandbox'''),
               ('''oncesandbox''')) v (arguments);
SELECT generations_used - :before AS taken FROM bambi_account;
SELECT pg_temp.try('SELECT bambi_generate(''a'', idempotency_key => '''')');
SELECT pg_temp.try(format('SELECT bambi_generate(''a'', idempotency_key => %L)',
                          repeat('k', 256)));
\echo *** a key whose transaction was rolled back is free
BEGIN;
SELECT count(bambi_generate('x', idempotency_key => 'key 2'));
ROLLBACK;
SELECT count(bambi_generate('y', idempotency_key => 'key 2'));
\echo *** the key of another user is another key
RESET ROLE;
SET bambi.user_id = :'bob';
SET ROLE regress_bambi_person;
SELECT bambi_generate('mine', idempotency_key => 'key 1') <> :'once';

\echo *** the quota of the plan, to its last place
RESET ROLE;
SET bambi.user_id = :'ada';
UPDATE bambi.users SET usage_count = 28 WHERE id = :'ada';
SET ROLE regress_bambi_person;
SELECT count(bambi_generate('last')) FROM generate_series(1, 2);
SELECT pg_temp.try('SELECT bambi_generate(''too many'')');
SELECT pg_temp.try('SELECT bambi_generate(''x'', idempotency_key => ''key 3'')');
SELECT bambi_generate('once', 'sandbox', '{"n": 1, "size": "512x512"}',
                      idempotency_key => 'key 1') = :'once' AS still_answered;
SELECT generations_used, generations_left FROM bambi_account;
\echo *** a new period begins by itself, at the same hour
RESET ROLE;
UPDATE bambi.users
   SET reset_date = date_trunc('hour', now()) - interval '2377 hours'
 WHERE id = :'ada';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''new'')');
SELECT generations_used, resets_at = date_trunc('hour', now())
                                     + interval '23 hours'
  FROM bambi_account;
\echo *** a refused statement takes nothing
RESET ROLE;
UPDATE bambi.users SET usage_count = 29 WHERE id = :'ada';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''a''), bambi_generate(''b'')');
SELECT generations_left FROM bambi_account;
\echo *** a smaller plan counts at once, and one without a limit
RESET ROLE;
UPDATE bambi.plans SET generations_per_period = 1 WHERE plan_type = 'regress';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''over'')');
RESET ROLE;
UPDATE bambi.plans SET generations_per_period = 0 WHERE plan_type = 'regress';
UPDATE bambi.users SET reset_date = NULL WHERE id = :'ada';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''none at all'')');
RESET ROLE;
UPDATE bambi.plans SET generations_per_period = NULL
 WHERE plan_type = 'regress';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''no limit'')');
\echo *** a subscription that is over is the free plan
RESET ROLE;
UPDATE bambi.subscriptions SET status = 'canceled' WHERE user_id = :'ada';
UPDATE bambi.users SET usage_count = 10 WHERE id = :'ada';
SET ROLE regress_bambi_person;
SELECT pg_temp.try('SELECT bambi_generate(''over'')');

\echo *** a transaction that only reads cannot queue
BEGIN READ ONLY;
SELECT pg_temp.try('SELECT bambi_generate(''a'')');
ROLLBACK;

RESET ROLE;
DELETE FROM bambi.users WHERE email LIKE '%@generate.example';
DELETE FROM bambi.plans WHERE plan_type = 'regress';
DROP ROLE regress_bambi_person;
SELECT bambi_resume();
