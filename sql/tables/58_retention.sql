-- How long data is kept, by kind, and what becomes of it then.
--
-- The kinds are those of this file: operators change them with
-- bambi_set_retention(), and nobody adds or removes one.

CREATE TABLE IF NOT EXISTS bambi.retention_policies (
    what          text         NOT NULL,
    keep          interval,
    ends_as       text         NOT NULL,
    pictures      text,
    keep_prompts  boolean,
    description   text         NOT NULL,
    created_at    timestamptz  NOT NULL DEFAULT now(),
    updated_at    timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (what),
    CONSTRAINT kind_of_data_is_known CHECK
        (what IN ('content', 'usage', 'audit', 'consents', 'payments')),
    -- 30 days and a month are equal intervals, but not the same time
    CONSTRAINT keep_is_whole_months CHECK
        (keep >= '1 month' AND keep <= '1200 months'
         AND extract(day FROM keep) = 0
         AND keep = make_interval(
                 months => (extract(year FROM keep) * 12
                            + extract(month FROM keep))::integer)),
    -- what lies in months can be archived by the month
    CONSTRAINT end_is_possible CHECK
        (ends_as = 'delete'
         OR ends_as = 'archive' AND what IN ('content', 'usage', 'audit')),
    CONSTRAINT pictures_are_of_content CHECK
        ((what = 'content') = (pictures IS NOT NULL)
         AND pictures IN ('reference', 'copy')),
    CONSTRAINT prompts_are_of_content CHECK
        ((what = 'content') = (keep_prompts IS NOT NULL))
);
COMMENT ON TABLE bambi.retention_policies IS
    'How long which data is kept, and what becomes of it then. Operators '
    'change it with bambi_set_retention().';
COMMENT ON COLUMN bambi.retention_policies.what IS
    'content: generations, with prompts and pictures; usage: usage_events; '
    'audit: change_log; consents: decisions that another one has replaced; '
    'payments: stripe_events that decide nothing any more.';
COMMENT ON COLUMN bambi.retention_policies.keep IS
    'How long, in whole months; NULL: as long as the account.';
COMMENT ON COLUMN bambi.retention_policies.ends_as IS
    'archive: written to the archive, then removed; delete: removed.';
COMMENT ON COLUMN bambi.retention_policies.pictures IS
    'Of content: whether the archive has copies of the pictures (copy), or '
    'says where the image store has them (reference).';
COMMENT ON COLUMN bambi.retention_policies.keep_prompts IS
    'Of content: false: prompts are not kept once a generation has ended.';
COMMENT ON COLUMN bambi.retention_policies.description IS
    'What it is, for people.';
COMMENT ON COLUMN bambi.retention_policies.created_at IS
    'When the row was made.';
COMMENT ON COLUMN bambi.retention_policies.updated_at IS
    'When the row was last changed.';

CREATE OR REPLACE TRIGGER date_the_change
    BEFORE UPDATE ON bambi.retention_policies
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION bambi_internal.set_updated_at();

ALTER TABLE bambi.retention_policies OWNER TO bambi_owner;
ALTER TABLE bambi.retention_policies ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.retention_policies');
DROP POLICY IF EXISTS user_reads ON bambi.retention_policies;
CREATE POLICY user_reads ON bambi.retention_policies
    FOR SELECT TO bambi_user
    USING (@extschema@.bambi_user_id() IS NOT NULL);
DROP POLICY IF EXISTS service_reads ON bambi.retention_policies;
CREATE POLICY service_reads ON bambi.retention_policies
    FOR SELECT TO bambi_service USING (true);
DROP POLICY IF EXISTS admin_reads ON bambi.retention_policies;
CREATE POLICY admin_reads ON bambi.retention_policies
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi.retention_policies
    TO bambi_user, bambi_service, bambi_admin;

-- Not only for new tables: every kind has its row.
INSERT INTO bambi.retention_policies
       (what, keep, ends_as, pictures, keep_prompts, description)
VALUES ('content', NULL, 'archive', 'copy', true,
        'Prompts, pictures and what else belongs to a generation.'),
       ('usage', '10 years', 'archive', NULL, NULL,
        'How much was used, and what it cost.'),
       ('audit', '3 years', 'archive', NULL, NULL,
        'Who changed what of accounts, keys, subscriptions and plans.'),
       ('consents', '10 years', 'delete', NULL, NULL,
        'What was agreed to or withdrawn, and is not the latest word.'),
       ('payments', '10 years', 'delete', NULL, NULL,
        'What the payment service told, and decides nothing any more.')
    ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION bambi_internal.retention_of(what text)
RETURNS TABLE (keep interval, ends_as text, pictures text)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT p.keep, p.ends_as, p.pictures
      FROM bambi.retention_policies AS p
     WHERE p.what = retention_of.what;
END;
COMMENT ON FUNCTION bambi_internal.retention_of(text) IS
    'How long a kind of data is kept, and what becomes of it then.';
ALTER FUNCTION bambi_internal.retention_of(text) OWNER TO bambi_owner;
REVOKE ALL ON FUNCTION bambi_internal.retention_of(text) FROM PUBLIC;

-- What a user decides alone: stricter than the operator, never laxer.
CREATE TABLE IF NOT EXISTS bambi.prompts_not_kept (
    user_id     uuid         NOT NULL,
    created_at  timestamptz  NOT NULL DEFAULT now(),

    PRIMARY KEY (user_id),
    CONSTRAINT choice_is_of_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE
);
COMMENT ON TABLE bambi.prompts_not_kept IS
    'Users who want no prompt of theirs to outlive its generation; see '
    'bambi_keep_prompts().';
COMMENT ON COLUMN bambi.prompts_not_kept.user_id IS
    'The user.';
COMMENT ON COLUMN bambi.prompts_not_kept.created_at IS
    'Since when.';

ALTER TABLE bambi.prompts_not_kept OWNER TO bambi_owner;
ALTER TABLE bambi.prompts_not_kept ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.prompts_not_kept');
DROP POLICY IF EXISTS owner_reads ON bambi.prompts_not_kept;
CREATE POLICY owner_reads ON bambi.prompts_not_kept
    FOR SELECT TO bambi_user
    USING (user_id = @extschema@.bambi_user_id());
DROP POLICY IF EXISTS service_reads ON bambi.prompts_not_kept;
CREATE POLICY service_reads ON bambi.prompts_not_kept
    FOR SELECT TO bambi_service USING (true);
GRANT SELECT ON bambi.prompts_not_kept
    TO bambi_user, bambi_service;  -- for the view

-- How far the content of users whose plan has an end for it was removed, so
-- that nobody looks at the same months every day.
CREATE TABLE IF NOT EXISTS bambi_internal.content_removals (
    user_id     uuid    NOT NULL,
    removed_to  uuid    NOT NULL,
    passed_by   uuid[]  NOT NULL DEFAULT '{}',

    PRIMARY KEY (user_id),
    CONSTRAINT removal_is_of_user
        FOREIGN KEY (user_id) REFERENCES bambi.users (id) ON DELETE CASCADE
);
COMMENT ON TABLE bambi_internal.content_removals IS
    'How far plans.retention_days was followed, for each user whom it '
    'concerned.';
COMMENT ON COLUMN bambi_internal.content_removals.user_id IS
    'Whose generations.';
COMMENT ON COLUMN bambi_internal.content_removals.removed_to IS
    'Of no generation up to this id the content is there any more.';
COMMENT ON COLUMN bambi_internal.content_removals.passed_by IS
    'But of these: they had not ended, or somebody held them.';

ALTER TABLE bambi_internal.content_removals OWNER TO bambi_owner;
ALTER TABLE bambi_internal.content_removals ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges(
           'bambi_internal.content_removals');

-- Only a user has a plan; to anybody else the view says what holds without.
CREATE OR REPLACE VIEW @extschema@.bambi_retention
WITH (security_invoker = true) AS
SELECT p.what,
       p.description,
       CASE WHEN l.is_of_plan THEN make_interval(days => a.retention_days)
            ELSE p.keep END AS keep,
       CASE WHEN l.is_of_plan THEN 'delete' ELSE p.ends_as END AS ends_as,
       l.is_of_plan,
       l.keep_prompts,
       CASE WHEN NOT l.keep_prompts
            THEN 'Prompts are not kept once a generation has ended. '
            ELSE '' END
       || CASE WHEN l.is_of_plan
               THEN 'Kept for ' || a.retention_days
                    || CASE a.retention_days WHEN 1 THEN ' day'
                       ELSE ' days' END
                    || ', by the plan; then prompts and pictures are removed. '
                       'That there was a generation, and what it cost, stays.'
               WHEN p.keep IS NULL THEN 'Kept as long as the account.'
               ELSE 'Kept for '
                    || CASE WHEN l.months = 1 THEN '1 month'
                            WHEN l.months = 12 THEN '1 year'
                            WHEN l.months % 12 = 0
                            THEN l.months / 12 || ' years'
                            ELSE l.months || ' months' END
                    || CASE p.ends_as
                       WHEN 'archive'
                       THEN '; then moved to the operator''s archive.'
                       ELSE '; then removed.' END
          END AS in_words
  FROM bambi.retention_policies p
       LEFT JOIN @extschema@.bambi_account a
              ON p.what = 'content'
             AND a.user_id = @extschema@.bambi_user_id()
       CROSS JOIN LATERAL (
           SELECT a.retention_days IS NOT NULL
                  AND (p.keep IS NULL
                       OR make_interval(days => a.retention_days) < p.keep)
                      AS is_of_plan,
                  CASE WHEN p.keep_prompts THEN NOT EXISTS (
                      SELECT FROM bambi.prompts_not_kept n
                       WHERE n.user_id = @extschema@.bambi_user_id())
                  ELSE p.keep_prompts END AS keep_prompts,
                  (extract(year FROM p.keep) * 12
                   + extract(month FROM p.keep))::integer AS months) l;
COMMENT ON VIEW @extschema@.bambi_retention IS
    'How long your data is kept, and what becomes of it then.';
COMMENT ON COLUMN @extschema@.bambi_retention.what IS
    'content, usage, audit, consents or payments.';
COMMENT ON COLUMN @extschema@.bambi_retention.description IS
    'What that is.';
COMMENT ON COLUMN @extschema@.bambi_retention.keep IS
    'How long it is kept; NULL: as long as the account.';
COMMENT ON COLUMN @extschema@.bambi_retention.ends_as IS
    'What becomes of it then: archive or delete.';
COMMENT ON COLUMN @extschema@.bambi_retention.is_of_plan IS
    'Whether your plan says so; it says nothing where it would keep it longer '
    'than the operator.';
COMMENT ON COLUMN @extschema@.bambi_retention.keep_prompts IS
    'Of content: false: prompts are not kept once a generation has ended, '
    'because the operator or you want it so.';
COMMENT ON COLUMN @extschema@.bambi_retention.in_words IS
    'All of it in words.';
CREATE OR REPLACE TRIGGER nobody_writes
    INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.bambi_retention
    FOR EACH ROW EXECUTE FUNCTION bambi_internal.refuse_write();
ALTER VIEW @extschema@.bambi_retention OWNER TO bambi_owner;
SELECT bambi_internal.revoke_default_privileges('@extschema@.bambi_retention');
GRANT SELECT ON @extschema@.bambi_retention TO bambi_user, bambi_service;
