-- Two users in one database: neither sees, names or changes what is the
-- other's, and both see only what is for their eyes.
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
\set ON_ERROR_ROLLBACK on
\set a '\'00000000-0000-7000-8000-0000000000a1\''
\set b '\'00000000-0000-7000-8000-0000000000b1\''
\set sandbox '\'00000000-0000-7000-8000-000000000401\''
SET search_path = public;
SET client_min_messages = error;
BEGIN;

-- The same rows for both, told apart by their last letters.
INSERT INTO bambi.users (id, email, password_hash, usage_count, reset_date)
VALUES (:a, 'Tenant.A@example.com', 'hash', 3, now() + interval '1 day'),
       (:b, 'tenant.b@example.com', 'hash', 5, now() - interval '1 day');
INSERT INTO bambi.subscriptions (user_id, stripe_customer_id)
SELECT id, 'cus_' || right(id::text, 2) FROM bambi.users
 WHERE id IN (:a, :b);
INSERT INTO bambi.api_configurations
       (id, user_id, provider_id, name, encrypted_api_key, key_fingerprint)
SELECT overlay(u.id::text PLACING 'c' FROM 33)::uuid, u.id, p.id, 'mine',
       'sealed', 'f'
  FROM bambi.users u, bambi.api_providers p
 WHERE u.id IN (:a, :b) AND p.slug = 'openai';
INSERT INTO bambi.image_generations
       (user_id, configuration_id, model_id, prompt, status, finished_at)
SELECT c.user_id, c.id, :sandbox,
       s.status || ' of ' || right(c.user_id::text, 2), s.status,
       CASE s.status WHEN 'queued' THEN NULL ELSE now() END
  FROM bambi.api_configurations c,
       (VALUES ('queued'), ('failed'), ('succeeded')) s (status)
 WHERE c.user_id IN (:a, :b);
INSERT INTO bambi_internal.queue (id, user_id, provider_id, turn, claimed_by,
       claimed_at)
SELECT id, user_id, gen_random_uuid(), 1, CASE user_id WHEN :b THEN gen_random_uuid() END, now()
  FROM bambi.image_generations
 WHERE status = 'queued' AND user_id IN (:a, :b);
INSERT INTO bambi.images (generation_id, user_id, sha256)
SELECT id, user_id, repeat('0', 64) FROM bambi.image_generations
 WHERE status = 'succeeded' AND user_id IN (:a, :b);
INSERT INTO bambi.image_data (image_id, user_id, data)
SELECT id, user_id, 'bytes' FROM bambi.images WHERE user_id IN (:a, :b);
INSERT INTO bambi.generation_inputs
       (generation_id, user_id, position, format, width, height, bytes, data)
SELECT id, user_id, 1, 'png', 1, 1, 5, 'bytes' FROM bambi.image_generations
 WHERE status = 'queued' AND user_id IN (:a, :b);
INSERT INTO bambi.previews (generation_id, user_id, data, updated_at)
SELECT id, user_id, 'bytes', now() FROM bambi.image_generations
 WHERE status = 'queued' AND user_id IN (:a, :b);
INSERT INTO bambi_internal.outbox (id, user_id, errand, not_before)
VALUES (:a, :a, '{}', 'infinity'), (:b, :b, '{}', 'infinity');
INSERT INTO bambi.usage_events
       (user_id, generation_id, provider_id, model_id, images, tokens_used,
        cost, charged)
SELECT g.user_id, g.id, m.provider_id, m.id, 1, 100, 0.05, 'yes'
  FROM bambi.image_generations g JOIN bambi.models m ON m.id = g.model_id,
       generate_series(1, 2)
 WHERE g.status = 'succeeded' AND g.user_id IN (:a, :b);

SELECT format('''%s''', generation_id) AS of_b,
       format('''%s''', id) AS image_of_b
  FROM bambi.images WHERE user_id = :b \gset

-- What a session sees, view by view.
CREATE VIEW pg_temp.seen WITH (security_invoker = true) AS
SELECT 1 AS n, 'bambi_account' AS view, count(*) AS rows,
       string_agg(DISTINCT right(user_id::text, 2), ' ') AS of
  FROM bambi_account
UNION ALL SELECT 2, 'bambi_subscription', count(*),
       string_agg(DISTINCT right(user_id::text, 2), ' ')
  FROM bambi_subscription
UNION ALL SELECT 3, 'bambi_configurations', count(*),
       string_agg(DISTINCT right(user_id::text, 2), ' ')
  FROM bambi_configurations
UNION ALL SELECT 4, 'bambi_generations', count(*),
       string_agg(DISTINCT right(user_id::text, 2), ' ')
  FROM bambi_generations
UNION ALL SELECT 5, 'bambi_images', count(*),
       string_agg(DISTINCT right(user_id::text, 2), ' ')
  FROM bambi_images
UNION ALL SELECT 6, 'bambi_usage', count(*),
       string_agg(DISTINCT right(user_id::text, 2), ' ')
  FROM bambi_usage
UNION ALL SELECT 7, 'bambi_models', least(count(*), 2), NULL FROM bambi_models
UNION ALL SELECT 8, 'bambi_providers', least(count(*), 2), NULL
  FROM bambi_providers
UNION ALL SELECT 9, 'bambi_inputs', count(*),
       string_agg(DISTINCT right(user_id::text, 2), ' ')
  FROM bambi_inputs
UNION ALL SELECT 9, 'bambi_errors', least(count(*), 2), NULL FROM bambi_errors
 ORDER BY 1;
GRANT SELECT ON pg_temp.seen TO bambi_user, bambi_service;

-- Nobody.
SET LOCAL ROLE bambi_user;
SELECT view, rows, of FROM pg_temp.seen;
RESET ROLE;

-- Somebody who has nothing here.
SET LOCAL bambi.user_id = '00000000-0000-7000-8000-0000000000d1';
SET LOCAL ROLE bambi_user;
SELECT view, rows, of FROM pg_temp.seen;
RESET ROLE;

-- A.
SET LOCAL bambi.user_id = :a;
SET LOCAL ROLE bambi_user;
SELECT view, rows, of FROM pg_temp.seen;
SELECT prompt, status, model, model_name, seconds < 60 AS has_seconds
  FROM bambi_generations ORDER BY prompt;
SELECT plan_type, generations_limit, generations_used, generations_left,
       resets_at > now() AS resets_later, email
  FROM bambi_account;
SELECT request_count, images, tokens_used, cost, currency, is_estimate,
       period_start = date_trunc('day', now(), 'UTC') AS today
  FROM bambi_usage;

-- Asking for the other by name shows nothing.
SELECT count(*) FROM bambi_generations WHERE user_id = :b;
SELECT count(*) FROM bambi_images WHERE user_id = :b;
SELECT count(*) FROM bambi_inputs WHERE user_id = :b;
SELECT count(*) FROM bambi_configurations WHERE name = 'mine';
SELECT count(*) FROM bambi.users WHERE id = :b;
SELECT count(*) FROM bambi_internal.queue;

-- Nor does an error: no condition that can fail sees another user's row.
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT count(*) FROM bambi_generations
 WHERE bambi_uuid_floor(CASE WHEN prompt = ANY ('{queued of b1}')
                             THEN timestamptz '20000-01-01'
                             ELSE created_at END) IS NOT NULL;
SELECT proname FROM pg_proc
 WHERE proname LIKE 'bambi\_%' AND proleakproof ORDER BY 1;

-- The tables behind the views: what is granted, and no more.
SELECT name, key_hint FROM bambi.api_configurations;
SELECT encrypted_api_key FROM bambi.api_configurations;
SELECT * FROM bambi.api_configurations;
SELECT password_hash FROM bambi.users;
SELECT stripe_customer_id FROM bambi.subscriptions;
SELECT allowed_networks FROM bambi.api_providers;
SELECT quota_period FROM bambi.image_generations;
SELECT turn FROM bambi_internal.queue;
SELECT * FROM bambi_internal.instance;
SELECT * FROM bambi_internal.idempotency_keys;
SELECT * FROM bambi.image_data;
SELECT data FROM bambi.generation_inputs;
SELECT storage_path FROM bambi.generation_inputs;
SELECT * FROM bambi.previews;
SELECT * FROM bambi_internal.outbox;
SELECT bambi_preview(id) FROM bambi_generations WHERE status = 'queued';
SELECT bambi_preview(:of_b);
SELECT bambi_image(:of_b);
SELECT bambi_image_url(:of_b);
SELECT bambi_image_url(:image_of_b);
SELECT bambi_edit('x', sources => ARRAY[:image_of_b]::uuid[]);
SELECT bambi_delete(:of_b);
SELECT * FROM bambi.encryption_keys;
SELECT count(*) FROM bambi.images_0;

-- Nothing is written directly, neither one's own nor the other's.
INSERT INTO bambi.image_generations (user_id, model_id, prompt)
VALUES (:a, :sandbox, 'x');
INSERT INTO bambi_generations (user_id, model_id, prompt)
VALUES (:b, :sandbox, 'x');
UPDATE bambi.users SET usage_count = 0 WHERE id = :a;
UPDATE bambi.users SET usage_count = 0 WHERE id = :b;
UPDATE bambi_images SET position = 2 WHERE user_id = :a;
UPDATE bambi.subscriptions SET plan_type = 'premium' WHERE user_id = :a;
UPDATE bambi_subscription SET plan_type = 'premium' WHERE user_id = :a;
UPDATE bambi_account SET plan_type = 'premium' WHERE user_id = :a;
DELETE FROM bambi_usage WHERE user_id = :a;
INSERT INTO bambi_models (name) VALUES ('x');
UPDATE bambi.model_prices SET price = 0 WHERE price > 0;
DELETE FROM bambi.images WHERE user_id = :b;
DELETE FROM bambi_images WHERE user_id = :b;
DELETE FROM bambi.usage_events WHERE user_id = :a;
DELETE FROM bambi_internal.queue WHERE user_id = :a;
DELETE FROM bambi_inputs WHERE user_id = :a;
INSERT INTO bambi_internal.outbox (id, user_id, errand) VALUES (:a, :a, '{}');
DELETE FROM bambi_internal.outbox WHERE user_id = :a;
TRUNCATE bambi.users CASCADE;
INSERT INTO bambi_internal.queue (id, user_id, turn)
SELECT id, user_id, 0 FROM bambi.image_generations LIMIT 1;
SELECT bambi_internal.ensure_months(1);
-- Nor is the identity.
SET bambi.user_id = '00000000-0000-7000-8000-0000000000b1';
SET LOCAL bambi.user_id = '00000000-0000-7000-8000-0000000000b1';
SELECT set_config('bambi.user_id', '00000000-0000-7000-8000-0000000000b1',
                  true);
RESET ROLE;

-- B: the period is over, and what is claimed is running.
SET LOCAL bambi.user_id = :b;
SET LOCAL ROLE bambi_user;
SELECT view, rows, of FROM pg_temp.seen;
SELECT prompt, status FROM bambi_generations ORDER BY prompt;
SELECT prompt FROM bambi_generations WHERE status = 'running';
SELECT plan_type, generations_limit, generations_used, generations_left,
       resets_at
  FROM bambi_account;
RESET ROLE;

-- A paid plan, what remains of it when it is not paid, one without a limit,
-- and one that was more generous once.
UPDATE bambi.subscriptions SET plan_type = 'premium' WHERE user_id = :a;
SET LOCAL bambi.user_id = :a;
SET LOCAL ROLE bambi_user;
SELECT plan_type, generations_limit, generations_left FROM bambi_account;
RESET ROLE;
UPDATE bambi.subscriptions SET status = 'unpaid' WHERE user_id = :a;
SET LOCAL ROLE bambi_user;
SELECT plan_type, generations_limit, generations_left FROM bambi_account;
SELECT plan_type, status FROM bambi_subscription;
RESET ROLE;
UPDATE bambi.plans SET generations_per_period = 2 WHERE plan_type = 'free';
SET LOCAL ROLE bambi_user;
SELECT generations_limit, generations_used, generations_left
  FROM bambi_account;
RESET ROLE;
UPDATE bambi.plans SET generations_per_period = NULL
 WHERE plan_type = 'free';
SET LOCAL ROLE bambi_user;
SELECT generations_limit, generations_used, generations_left
  FROM bambi_account;
RESET ROLE;

-- A service sees everybody, but no key either, and writes nothing.
SET LOCAL bambi.user_id = '';
SET LOCAL ROLE bambi_service;
SELECT count(*) FROM bambi_generations WHERE user_id IN (:a, :b);
SELECT count(*) FROM bambi_account WHERE user_id IN (:a, :b);
SELECT encrypted_api_key FROM bambi.api_configurations;
SELECT password_hash FROM bambi.users;
SELECT count(*) FROM bambi_inputs WHERE user_id IN (:a, :b);
SELECT data FROM bambi.generation_inputs;
SELECT * FROM bambi_internal.outbox;
UPDATE bambi.users SET usage_count = 0 WHERE id = :a;
RESET ROLE;

-- An operator keeps the catalogue, and does not see users.
SET LOCAL ROLE bambi_admin;
UPDATE bambi.plans SET weight = 2 WHERE plan_type = 'free';
SELECT weight, updated_at >= now() AS dated FROM bambi.plans
 WHERE plan_type = 'free';
SELECT count(*) > 0 FROM bambi.model_prices;
SELECT prompt FROM bambi.image_generations;
SELECT email FROM bambi.users;
SELECT fingerprint_secret FROM bambi_internal.instance;
SELECT link_secret FROM bambi_internal.instance;
SELECT data FROM bambi.generation_inputs;
SELECT count(*) FROM bambi_internal.outbox WHERE user_id IN (:a, :b);
SELECT count(*) <= 1 FROM bambi_internal.instance WHERE version <> '';
RESET ROLE;

-- Even the machinery cannot mix two users' rows: keys end in the user.
INSERT INTO bambi.image_generations
       (user_id, configuration_id, model_id, prompt)
SELECT :a, id, :sandbox, 'with the key of b' FROM bambi.api_configurations
 WHERE user_id = :b;
INSERT INTO bambi.images (generation_id, user_id, position)
SELECT id, :a, 2 FROM bambi.image_generations WHERE user_id = :b LIMIT 1;
INSERT INTO bambi.image_data (image_id, user_id, data)
SELECT id, :a, 'x' FROM bambi.images WHERE user_id = :b;
INSERT INTO bambi_internal.idempotency_keys
       (user_id, key, generation_id, request_hash)
SELECT :a, 'k', id, 'x' FROM bambi.image_generations
 WHERE user_id = :b LIMIT 1;

-- E-mail is unique whatever its case; one subscription a user; one name a key
-- that is not removed; a removed one has no key.
INSERT INTO bambi.users (email) VALUES ('tenant.a@EXAMPLE.com');
INSERT INTO bambi.subscriptions (user_id) VALUES (:a);
INSERT INTO bambi.api_configurations (user_id, provider_id, name)
SELECT user_id, provider_id, name FROM bambi.api_configurations
 WHERE user_id = :a;
UPDATE bambi.api_configurations SET status = 'revoked' WHERE user_id = :a;
UPDATE bambi.api_configurations
   SET status = 'revoked', encrypted_api_key = ''
 WHERE user_id = :a;
INSERT INTO bambi.api_configurations (user_id, provider_id, name)
SELECT user_id, provider_id, name FROM bambi.api_configurations
 WHERE user_id = :a;
UPDATE bambi.users SET usage_count = -1 WHERE id = :a;
UPDATE bambi.image_generations SET status = 'lost' WHERE user_id = :a;
UPDATE bambi.image_generations SET parameters = '[]' WHERE user_id = :a;

-- A user who goes takes along what is theirs, and nothing else.
DELETE FROM bambi.users WHERE id = :a;
SELECT right(user_id::text, 2) AS of, count(*)
  FROM (SELECT user_id FROM bambi.subscriptions
        UNION ALL SELECT user_id FROM bambi.api_configurations
        UNION ALL SELECT user_id FROM bambi.image_generations
        UNION ALL SELECT user_id FROM bambi_internal.queue
        UNION ALL SELECT user_id FROM bambi.images
        UNION ALL SELECT user_id FROM bambi.image_data
        UNION ALL SELECT user_id FROM bambi.generation_inputs
        UNION ALL SELECT user_id FROM bambi.previews
        UNION ALL SELECT user_id FROM bambi.usage_events) rest
 WHERE user_id IN (:a, :b) GROUP BY user_id ORDER BY 1;
ROLLBACK;
