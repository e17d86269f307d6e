-- Ids carry their time, ascend, and translate back and forth.
SET search_path = public;
SET timezone = 'UTC';

SELECT bambi_uuid_floor('2026-11-24 12:00:00.123456Z');
SELECT bambi_uuid_time('019ab5c2-1d7b-7000-8000-000000000000');
SELECT bambi_uuid_time(bambi_uuid_floor(t)) = date_trunc('milliseconds', t)
  FROM (VALUES ('2026-11-24 12:00:00.123999Z'::timestamptz),
               ('1970-01-01 00:00:00Z'), ('2000-01-01 00:00:00Z'),
               ('9999-12-31 23:59:59.999Z')) v (t);

-- out of what an id can say: the ends of the order, or an error
SELECT bambi_uuid_floor('-infinity'), bambi_uuid_floor('infinity');
SELECT bambi_uuid_floor('1969-07-20 20:17:40Z') = bambi_uuid_floor('epoch');
SELECT bambi_uuid_floor('10890-01-01 00:00:00Z');
SELECT bambi_uuid_floor(NULL) IS NULL, bambi_uuid_time(NULL) IS NULL;

-- version and variant; now; strictly ascending in a session
SELECT bambi_uuid_v7()::text
       ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
SELECT abs(extract(epoch FROM bambi_uuid_time(bambi_uuid_v7())
                              - clock_timestamp())) < 1;
SELECT count(*), count(DISTINCT id), bool_and(id > before) AS ascending
  FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before
          FROM (SELECT n, bambi_uuid_v7() AS id
                  FROM generate_series(1, 100000) n OFFSET 0) made) compared;
SELECT id >= bambi_uuid_floor(bambi_uuid_time(id)) AS not_below_its_floor
  FROM bambi_uuid_v7() id;
