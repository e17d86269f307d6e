-- Consents that are past their time: those go that others replaced long ago;
-- the last word stays, but for persons who were erased long ago.
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
BEGIN;
SELECT bambi_pause('test');
\set ada '00000000-0000-7000-8000-00000000ada7'
\set bob '00000000-0000-7000-8000-00000000b0b7'
\set eve '00000000-0000-7000-8000-00000000eee7'
INSERT INTO bambi.users (id, email, reset_date)
VALUES (:'ada', 'ada@consents.example', now()),
       (:'bob', 'bob@consents.example', now());
INSERT INTO bambi.users (id, auth_provider, reset_date)
VALUES (:'eve', 'none', now());
INSERT INTO bambi.consents (id, user_id, purpose, granted, version, created_at)
SELECT bambi_uuid_floor(now() - make_interval(years => years)), who, purpose,
       granted, version, now() - make_interval(years => years)
  FROM (VALUES (9, :'ada'::uuid, 'news', true, 'first'),
               (8, :'ada', 'news', false, 'replaced 4 years ago'),
               (4, :'ada', 'news', true, 'replaced 2 years ago'),
               (2, :'ada', 'news', false, 'last'),
               (7, :'ada', 'processing', true, 'the only one'),
               (6, :'bob', 'news', true, 'the only one of bob'),
               (5, :'eve', 'processing', true, 'of who was erased'))
       c (years, who, purpose, granted, version);
UPDATE bambi.users SET is_active = false, erased_at = now() - interval '4 years'
 WHERE id = :'eve';
CREATE FUNCTION pg_temp.left_over() RETURNS text LANGUAGE sql
RETURN (SELECT string_agg(version, ', ' ORDER BY id) FROM bambi.consents
         WHERE user_id::text LIKE '00000000-0000-7000-8000-00000000%');

\echo *** ten years, and for good
SELECT place, removed FROM bambi_internal.remove_old_consents(NULL, now());
SELECT bambi_set_retention('consents', NULL);
SELECT place, removed FROM bambi_internal.remove_old_consents(
           NULL, now() + interval '50 years');
\echo *** five years: erased four years ago is not past its time yet
SELECT bambi_set_retention('consents', '5 years');
SELECT place, removed FROM bambi_internal.remove_old_consents(NULL, now());
SELECT pg_temp.left_over();
\echo *** three years
SELECT bambi_set_retention('consents', '3 years');
SELECT place, removed FROM bambi_internal.remove_old_consents(NULL, now());
SELECT pg_temp.left_over();
SELECT place, removed FROM bambi_internal.remove_old_consents(NULL, now());

\echo *** many, in parts
INSERT INTO bambi.consents (id, user_id, purpose, granted, version, created_at)
SELECT (left(bambi_uuid_floor(now() - interval '10 years')::text, 24)
        || lpad(to_hex(n), 12, '0'))::uuid, :'bob', 'news', true, 'many',
       now() - interval '10 years'
  FROM generate_series(1, 1200) n;
CREATE FUNCTION pg_temp.round(OUT parts integer, OUT removed bigint)
LANGUAGE plpgsql AS $$
DECLARE
    place text;
    part  integer;
BEGIN
    parts := 0;
    removed := 0;
    LOOP
        SELECT r.place, r.removed INTO place, part
          FROM bambi_internal.remove_old_consents(place, now()) r;
        removed := removed + part;
        parts := parts + 1;
        EXIT WHEN place IS NULL;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.round();
SELECT pg_temp.left_over();
ROLLBACK;
