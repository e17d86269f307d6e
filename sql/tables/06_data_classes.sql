-- What every column holds, and what the change log says of it.
--
-- A test compares this list with the columns that there are.  It is code, not
-- data: every run of this file brings it back to what stands here.

CREATE TABLE IF NOT EXISTS bambi.data_classes (
    relation     text  NOT NULL,
    column_name  text  NOT NULL,
    class        text  NOT NULL,
    logged       text,

    PRIMARY KEY (relation, column_name),
    CONSTRAINT class_is_known CHECK
        (class IN ('secret', 'content', 'personal', 'usage', 'money',
                   'technical')),
    CONSTRAINT logged_is_known CHECK (logged IN ('values', 'name')),
    CONSTRAINT secrets_and_content_are_not_logged CHECK
        (class NOT IN ('secret', 'content')
         OR logged IS DISTINCT FROM 'values')
);
COMMENT ON TABLE bambi.data_classes IS
    'The class of data that each column of bambi''s tables holds.';
COMMENT ON COLUMN bambi.data_classes.relation IS
    'Table, with its schema.';
COMMENT ON COLUMN bambi.data_classes.column_name IS
    'Column.';
COMMENT ON COLUMN bambi.data_classes.class IS
    'secret (never shown to anybody), content (what people asked for and got, '
    'and what may quote it), personal (tells of a person), usage (how much '
    'was used), money (what it costs, who pays how), technical (the rest; '
    'ids, too: they say nothing once the row that they name is gone).';
COMMENT ON COLUMN bambi.data_classes.logged IS
    'What change_log keeps of a change: values (old and new), name (only that '
    'it changed), or nothing (NULL).';

ALTER TABLE bambi.data_classes OWNER TO bambi_owner;
ALTER TABLE bambi.data_classes ENABLE ROW LEVEL SECURITY;
SELECT bambi_internal.revoke_default_privileges('bambi.data_classes');
DROP POLICY IF EXISTS admin_reads ON bambi.data_classes;
CREATE POLICY admin_reads ON bambi.data_classes
    FOR SELECT TO bambi_admin USING (true);
GRANT SELECT ON bambi.data_classes TO bambi_admin;

-- Of a user's row the log must show no value that the user may not read, and
-- nothing that changes with every generation.
DELETE FROM bambi.data_classes;
INSERT INTO bambi.data_classes (relation, class, logged, column_name)
SELECT l.relation, l.class, l.logged, unnest(string_to_array(l.columns, ' '))
  FROM (VALUES
    ('bambi.api_configurations', 'technical', NULL,
     'id user_id created_at updated_at is_valid last_validated_at key_id'),
    ('bambi.api_configurations', 'technical', 'values',
     'provider_id status max_in_flight'),
    ('bambi.api_configurations', 'technical', 'name', 'key_number'),
    ('bambi.api_configurations', 'personal', 'values', 'name settings'),
    ('bambi.api_configurations', 'content', NULL, 'last_error'),
    ('bambi.api_configurations', 'secret', NULL,
     'encrypted_api_key key_hint key_fingerprint'),

    ('bambi.api_providers', 'technical', NULL, 'id created_at updated_at'),
    ('bambi.api_providers', 'technical', 'values',
     'name slug description website_url api_base_url is_active adapter '
     'needs_key settings allowed_networks home_url max_in_flight '
     'max_in_flight_per_key'),

    ('bambi.api_usage', 'technical', NULL,
     'id user_id configuration_id provider_id model_id created_at '
     'updated_at'),
    ('bambi.api_usage', 'usage', NULL,
     'request_type request_count images tokens_used period_start period_end '
     'granularity'),
    ('bambi.api_usage', 'money', NULL,
     'cost_estimate currency is_estimate unknown_costs'),

    ('bambi.archives', 'technical', NULL,
     'id table_name month state ends_as pictures is_asked manifest '
     'manifest_sha256 revision is_stale row_count picture_count bytes '
     'rows_left_out next_number after_user after_id is_planned begun_by '
     'attempts not_before last_error created_at updated_at verified_at '
     'archived_at restored_at'),

    ('bambi.budgets', 'technical', NULL,
     'id user_id configuration_id created_at updated_at'),
    ('bambi.budgets', 'money', NULL, 'amount currency period'),

    ('bambi.change_log', 'technical', NULL,
     'id user_id table_name row_key operation columns created_at'),
    ('bambi.change_log', 'personal', NULL,
     'old_values new_values changed_by session_role role'),

    ('bambi.data_classes', 'technical', NULL,
     'relation column_name class logged'),

    ('bambi.encryption_keys', 'technical', NULL,
     'kid service public_key is_current created_at retired_at'),

    ('bambi.error_codes', 'technical', NULL,
     'error_code meaning advice ends_as key_effect gives_back_quota '
     'may_be_billed created_at updated_at'),

    ('bambi.generation_inputs', 'technical', NULL,
     'generation_id user_id position image_id format width height bytes '
     'store'),
    ('bambi.generation_inputs', 'content', NULL, 'data storage_path'),

    ('bambi.image_data', 'technical', NULL, 'image_id user_id'),
    ('bambi.image_data', 'content', NULL, 'data'),

    ('bambi.image_generations', 'technical', NULL,
     'id user_id configuration_id model_id status created_at updated_at '
     'attempts progress quota_period error_code held_reason '
     'cancel_requested_at provider_request_id started_at finished_at'),
    ('bambi.image_generations', 'content', NULL,
     'prompt parameters error_message'),
    ('bambi.image_generations', 'usage', NULL, 'tokens_used'),
    ('bambi.image_generations', 'money', NULL,
     'cost_estimate cost cost_source'),

    ('bambi.images', 'technical', NULL,
     'id generation_id width height format created_at user_id position bytes '
     'store'),
    ('bambi.images', 'content', NULL,
     'storage_path url sha256 revised_prompt'),

    ('bambi.model_prices', 'technical', NULL, 'id'),
    ('bambi.model_prices', 'technical', 'values', 'model_id'),
    ('bambi.model_prices', 'money', 'values',
     'unit size quality price currency valid_from valid_to source'),

    ('bambi.models', 'technical', NULL, 'id created_at updated_at'),
    ('bambi.models', 'technical', 'values',
     'provider_id name model_id description capabilities is_active task '
     'deprecated_at retired_at successor_id'),

    ('bambi.plans', 'technical', NULL, 'created_at updated_at'),
    ('bambi.plans', 'technical', 'values',
     'plan_type name description generations_per_period period '
     'default_model_id weight rank max_waiting generations_per_minute '
     'max_in_flight max_pictures models key_checks_per_minute '
     'key_checks_per_hour store retention_days is_active'),
    ('bambi.plans', 'money', 'values', 'budget budget_currency'),

    ('bambi.previews', 'technical', NULL, 'generation_id user_id updated_at'),
    ('bambi.previews', 'content', NULL, 'data'),

    ('bambi.prompts_not_kept', 'technical', NULL, 'user_id'),
    ('bambi.prompts_not_kept', 'personal', NULL, 'created_at'),

    ('bambi.retention_policies', 'technical', NULL, 'created_at updated_at'),
    ('bambi.retention_policies', 'technical', 'values',
     'what keep ends_as pictures keep_prompts description'),

    ('bambi.stripe_events', 'technical', NULL,
     'event_id type created livemode api_version object_id user_id '
     'named_by received_at outcome error_code'),
    ('bambi.stripe_events', 'money', NULL,
     'customer_id subscription_id facts'),

    ('bambi.stripe_prices', 'technical', NULL, 'created_at updated_at'),
    ('bambi.stripe_prices', 'money', 'values', 'price plan_type'),

    ('bambi.subscriptions', 'technical', NULL,
     'id user_id created_at updated_at'),
    ('bambi.subscriptions', 'money', 'values',
     'plan_type status current_period_start current_period_end '
     'cancel_at_period_end cancel_at next_plan_type past_due_since '
     'payment_status'),
    ('bambi.subscriptions', 'money', 'name',
     'stripe_customer_id stripe_subscription_id stripe_price_id'),

    ('bambi.usage_events', 'technical', NULL,
     'id user_id generation_id attempt configuration_id provider_id model_id '
     'created_at is_rolled_up'),
    ('bambi.usage_events', 'usage', NULL,
     'request_type images tokens_used usage'),
    ('bambi.usage_events', 'money', NULL,
     'cost cost_source currency is_estimate charged'),

    ('bambi.users', 'technical', NULL, 'id created_at updated_at'),
    ('bambi.users', 'technical', 'values', 'is_active'),
    ('bambi.users', 'personal', NULL, 'last_login_at'),
    ('bambi.users', 'personal', 'values', 'email'),
    ('bambi.users', 'personal', 'name', 'auth_provider auth_provider_id'),
    ('bambi.users', 'secret', 'name', 'password_hash'),
    ('bambi.users', 'usage', NULL,
     'usage_count reset_date period_start recent_starts'),

    ('bambi_internal.archive_erasures', 'technical', NULL,
     'user_id object_id is_done'),

    ('bambi_internal.archive_objects', 'technical', NULL,
     'id archive_id kind state name number version first_user last_user '
     'first_id last_id row_count bytes sha256 content_sha256 object_id '
     'item_id position store'),
    ('bambi_internal.archive_objects', 'content', NULL, 'location'),

    ('bambi_internal.archive_touches', 'technical', NULL,
     'id archive_id user_id row_id'),

    ('bambi_internal.cache_outbox', 'technical', NULL, 'kind name is_change'),

    ('bambi_internal.cache_series', 'technical', NULL, 'only_row series'),

    ('bambi_internal.carried_costs', 'technical', NULL,
     'id user_id archive_id object_id configuration_id'),
    ('bambi_internal.carried_costs', 'money', NULL,
     'currency cost unpriced'),

    ('bambi_internal.carried_months', 'technical', NULL, 'archive_id'),

    ('bambi_internal.content_removals', 'technical', NULL,
     'user_id removed_to passed_by'),

    ('bambi_internal.idempotency_keys', 'technical', NULL,
     'user_id generation_id created_at'),
    ('bambi_internal.idempotency_keys', 'content', NULL, 'key request_hash'),

    ('bambi_internal.instance', 'technical', NULL,
     'only_row version system_identifier database_oid is_paused '
     'paused_reason created_at updated_at'),
    ('bambi_internal.instance', 'secret', NULL,
     'fingerprint_secret link_secret'),

    ('bambi_internal.key_checks', 'technical', NULL, 'user_id'),
    ('bambi_internal.key_checks', 'usage', NULL, 'times'),

    ('bambi_internal.outbox', 'technical', NULL,
     'id user_id created_at attempts not_before'),
    ('bambi_internal.outbox', 'content', NULL, 'errand last_error'),

    ('bambi_internal.queue', 'technical', NULL,
     'id user_id configuration_id provider_id turn waits_for attempt tries '
     'deaths claimed_by claimed_at not_before cancel_requested store inputs '
     'input_bytes timeline'),
    ('bambi_internal.queue', 'money', NULL, 'cost_estimate'),

    ('bambi_internal.rotation', 'technical', NULL,
     'only_row asked_at is_scheduled kid error hint'),

    ('bambi_internal.stripe_customers', 'technical', NULL,
     'user_id events'),
    ('bambi_internal.stripe_customers', 'money', NULL, 'customer_id'),

    ('bambi_internal.stripe_users', 'technical', NULL, 'user_id changes'),

    ('bambi_internal.unreadable_keys', 'technical', NULL,
     'configuration_id user_id key_number target reason tried_at')
       ) l (relation, class, logged, columns);
