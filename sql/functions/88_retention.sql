-- How long data is kept: what operators and users call, and what the worker
-- does every day.  Months that go to the archive are not its business.

CREATE FUNCTION bambi_internal.check_retention(
    what text, keep interval, ends_as text, pictures text,
    keep_prompts boolean)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    months CONSTANT integer :=
        extract(year FROM keep) * 12 + extract(month FROM keep);
BEGIN
    IF NOT EXISTS (SELECT FROM bambi.retention_policies AS p
                    WHERE p.what = check_retention.what) THEN
        RAISE EXCEPTION 'kind of data is not known'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'See bambi.retention_policies for those that are.';
    END IF;
    IF keep <= '0' OR keep > '1200 months' OR extract(day FROM keep) <> 0
       OR keep <> make_interval(months => months) THEN
        RAISE EXCEPTION 'data is kept for whole months'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'From one month to 100 years.',
                  HINT = 'Write ''18 months'' or ''2 years''; NULL is as long '
                         'as the account.';
    END IF;
    IF what = 'usage' AND months < 12 THEN
        RAISE EXCEPTION 'usage is kept for a year at least'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Budgets of a year are summed up from it.';
    END IF;
    IF ends_as NOT IN ('archive', 'delete')
       OR ends_as = 'archive' AND what NOT IN ('content', 'usage', 'audit')
    THEN
        RAISE EXCEPTION 'data cannot end so'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'content, usage and audit end as ''archive'' or '
                         '''delete'', all other data as ''delete''.';
    END IF;
    IF pictures NOT IN ('reference', 'copy') THEN
        RAISE EXCEPTION 'pictures cannot be archived so'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Write ''copy'' or ''reference''.';
    END IF;
    IF what <> 'content'
       AND (pictures IS NOT NULL OR keep_prompts IS NOT NULL) THEN
        RAISE EXCEPTION 'only content has prompts and pictures'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave out "pictures" and "keep_prompts".';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.check_retention(
    text, interval, text, text, boolean) FROM PUBLIC;
ALTER FUNCTION bambi_internal.check_retention(
    text, interval, text, text, boolean) OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.check_retention(
    text, interval, text, text, boolean) IS
    'Raises what is wrong with the arguments of bambi_set_retention.';

CREATE FUNCTION @extschema@.bambi_set_retention(
    what text, keep interval, ends_as text DEFAULT NULL,
    pictures text DEFAULT NULL, keep_prompts boolean DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- nobody writes to the table
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM bambi_internal.require_tables();
    PERFORM bambi_internal.check_retention(what, keep, ends_as, pictures,
                                           keep_prompts);
    UPDATE bambi.retention_policies AS p
       SET keep = bambi_set_retention.keep,
           ends_as = coalesce(bambi_set_retention.ends_as, p.ends_as),
           pictures = coalesce(bambi_set_retention.pictures, p.pictures),
           keep_prompts = coalesce(bambi_set_retention.keep_prompts,
                                   p.keep_prompts)
     WHERE p.what = bambi_set_retention.what;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) FROM PUBLIC;
ALTER FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) TO bambi_admin;
COMMENT ON FUNCTION @extschema@.bambi_set_retention(
    text, interval, text, text, boolean) IS
    'Sets how long a kind of data is kept (NULL: as long as the account) and '
    'what becomes of it then; what is left out stays as it is. The kinds and '
    'what holds stand in bambi.retention_policies. It acts with the next '
    'round of the worker, once a day, or bambi_maintain().
What is gone does not come back if it is set to longer. '
    'Errors: 22023 "kind of data is not known", "data is kept for whole '
    'months", "usage is kept for a year at least", "data cannot end so", '
    '"pictures cannot be archived so", "only content has prompts and '
    'pictures"; 55000 "bambi is not set up".';

-- ---- what users may call

CREATE FUNCTION bambi_internal.keep_prompts(keep boolean)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- changes a table that users may only read
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_keep_prompts';
REVOKE ALL ON FUNCTION bambi_internal.keep_prompts(boolean) FROM PUBLIC;
ALTER FUNCTION bambi_internal.keep_prompts(boolean) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.keep_prompts(boolean) TO bambi_user;
COMMENT ON FUNCTION bambi_internal.keep_prompts(boolean) IS
    'What bambi_keep_prompts calls.';

CREATE FUNCTION @extschema@.bambi_keep_prompts(keep boolean)
RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.keep_prompts($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_keep_prompts(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_keep_prompts(boolean)
    TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_keep_prompts(boolean) IS
    'Says whether prompts of yours are kept once their generation has ended.
false: prompt, parameters and what the provider made of the prompt are '
    'emptied when it ends, from now on; what has failed cannot be tried again '
    'then. true: they are kept, unless the operator keeps none: see '
    'bambi_retention. '
    'Errors: PT401; 22023 without an argument.';

-- ---- plans.retention_days

CREATE FUNCTION bambi_internal.remove_content(
    "user" uuid, generations uuid[], at timestamptz)
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    needed CONSTANT uuid[] := ARRAY(
        SELECT i.generation_id
          FROM bambi_internal.queue AS q
               JOIN bambi.generation_inputs AS n
                   ON n.generation_id = q.id AND n.user_id = q.user_id
               JOIN bambi.images AS i
                   ON i.id = n.image_id AND i.user_id = n.user_id
         WHERE q.user_id = "user" AND q.inputs > 0
           AND n.storage_path IS NOT NULL);
    gone   CONSTANT uuid[] := ARRAY(
        SELECT g.id
          FROM unnest(generations) AS w (id)
               JOIN bambi.image_generations AS g ON g.id = w.id
         WHERE g.user_id = "user"
           AND g.status IN ('succeeded', 'failed', 'cancelled')
           AND g.id <> ALL (needed)
           FOR NO KEY UPDATE OF g SKIP LOCKED);
BEGIN
    DELETE FROM bambi.images AS i USING unnest(gone) AS w (id)
     WHERE i.generation_id = w.id AND i.user_id = "user";
    DELETE FROM bambi.generation_inputs AS n USING unnest(gone) AS w (id)
     WHERE n.generation_id = w.id AND n.user_id = "user";
    DELETE FROM bambi.previews AS p USING unnest(gone) AS w (id)
     WHERE p.generation_id = w.id AND p.user_id = "user";
    DELETE FROM bambi_internal.idempotency_keys AS k
     USING unnest(gone) AS w (id)
     WHERE k.generation_id = w.id AND k.user_id = "user";
    UPDATE bambi.image_generations AS g
       SET prompt = '', parameters = '{}', error_message = NULL,
           updated_at = at
      FROM unnest(gone) AS w (id)
     WHERE g.id = w.id AND g.user_id = "user";
    RETURN gone;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.remove_content(
    uuid, uuid[], timestamptz) FROM PUBLIC;
ALTER FUNCTION bambi_internal.remove_content(uuid, uuid[], timestamptz)
    OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.remove_content(
    uuid, uuid[], timestamptz) IS
    'Removes what generations of a user were asked for and gave. Passes by '
    'what has not ended, what is held by somebody, and pictures that a '
    'pending edit needs; gives those that it did.';

CREATE FUNCTION bambi_internal.remove_content_to(
    "user" uuid, old_to uuid, most integer, at timestamptz,
    OUT removed integer, OUT has_more boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    seen_to uuid;
    passed  uuid[];
    seen   uuid[];
    gone    uuid[];
BEGIN
    removed := 0;
    has_more := false;
    -- who deletes a user holds all that is the user's
    PERFORM FROM bambi.users AS u
      WHERE u.id = "user" FOR KEY SHARE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT r.removed_to, r.passed_by INTO seen_to, passed
      FROM bambi_internal.content_removals AS r
     WHERE r.user_id = "user";
    seen := ARRAY(
        SELECT g.id FROM bambi.image_generations AS g
         WHERE g.user_id = "user" AND g.id <= old_to
           AND g.id > coalesce(seen_to,
                               '00000000-0000-0000-0000-000000000000')
         ORDER BY g.id LIMIT most);
    has_more := cardinality(seen) = most;
    gone := bambi_internal.remove_content("user", seen || ARRAY(
                SELECT p FROM unnest(passed) p WHERE p <= old_to), at);
    removed := cardinality(gone);
    INSERT INTO bambi_internal.content_removals AS r
           (user_id, removed_to, passed_by)
    VALUES ("user",
            CASE WHEN has_more THEN seen[most]
                 ELSE greatest(old_to, seen_to) END,
            ARRAY(SELECT g.id
                    FROM unnest(passed || seen) AS w (id)
                         JOIN bambi.image_generations AS g ON g.id = w.id
                   WHERE g.user_id = "user" AND g.id <> ALL (gone)))
        ON CONFLICT (user_id) DO UPDATE
       SET removed_to = excluded.removed_to, passed_by = excluded.passed_by;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.remove_content_to(
    uuid, uuid, integer, timestamptz) FROM PUBLIC;
ALTER FUNCTION bambi_internal.remove_content_to(
    uuid, uuid, integer, timestamptz) OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.remove_content_to(
    uuid, uuid, integer, timestamptz) IS
    'Removes the content of a user''s generations up to an id, of the oldest '
    'first, and so many at the most; gives how many, and whether others may '
    'be left.';

-- A user's months are looked at again only from where the last look ended;
-- where there was nothing to remove, that is noted once a month.
CREATE FUNCTION bambi_internal.content_is_due(
    "user" uuid, old_to uuid)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    seen_to uuid;
    passed  uuid[];
BEGIN
    SELECT r.removed_to, r.passed_by INTO seen_to, passed
      FROM bambi_internal.content_removals AS r
     WHERE r.user_id = "user";
    RETURN seen_to IS NULL OR passed <> '{}'
        OR seen_to < @extschema@.bambi_uuid_floor(
               @extschema@.bambi_uuid_time(old_to) - interval '31 days')
        OR EXISTS (SELECT FROM bambi.image_generations AS g
                    WHERE g.user_id = "user"
                      AND g.id > seen_to AND g.id <= old_to);
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.content_is_due(uuid, uuid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.content_is_due(uuid, uuid)
    OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.content_is_due(uuid, uuid) IS
    'Whether remove_content_to() has anything to do for a user.';

CREATE FUNCTION bambi_internal.remove_old_content(
    INOUT place text, at timestamptz, OUT removed integer)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_users       CONSTANT integer := 500;
    most_generations CONSTANT integer := 100;
    is_end boolean := true;
    person record;
    part   record;
BEGIN
    removed := 0;
    IF NOT EXISTS (SELECT FROM bambi.plans AS p
                    WHERE p.retention_days IS NOT NULL) THEN
        place := NULL;
        RETURN;
    END IF;
    FOR person IN
        WITH w AS MATERIALIZED (
            SELECT u.id FROM bambi.users AS u
             WHERE u.id > coalesce(place,
                       '00000000-0000-0000-0000-000000000000')::uuid
             ORDER BY u.id LIMIT most_users)
        SELECT w.id, @extschema@.bambi_uuid_floor(
                         at - make_interval(days => p.retention_days))
                         AS old_to
          FROM w
               LEFT JOIN bambi.subscriptions AS s ON s.user_id = w.id
               LEFT JOIN bambi.plans AS p ON p.plan_type =
                   bambi_internal.plan_in_force(
                       s.status, s.plan_type, s.next_plan_type,
                       s.current_period_end, s.cancel_at_period_end,
                       s.past_due_since, at)
         ORDER BY w.id
    LOOP
        is_end := false;
        IF person.old_to IS NOT NULL
           AND bambi_internal.content_is_due(person.id, person.old_to) THEN
            SELECT * INTO part
              FROM bambi_internal.remove_content_to(
                       person.id, person.old_to, most_generations, at);
            removed := removed + part.removed;
            EXIT WHEN part.has_more;
        END IF;
        place := person.id;
        EXIT WHEN removed >= most_generations;
    END LOOP;
    IF is_end THEN
        place := NULL;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION bambi_internal.remove_old_content(text, timestamptz)
    FROM PUBLIC;
ALTER FUNCTION bambi_internal.remove_old_content(text, timestamptz)
    OWNER TO bambi_owner;
COMMENT ON FUNCTION bambi_internal.remove_old_content(text, timestamptz) IS
    'A part of a round over all users, short enough for a transaction of its '
    'own: from the place (NULL: the first user) that the part before gave; '
    'gives the next one, NULL at the end, and how many generations lost '
    'their content.';
