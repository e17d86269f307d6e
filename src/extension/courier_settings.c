/*-------------------------------------------------------------------------
 *
 * courier_settings.c
 *		What the courier is told of the server's settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/json.h"

#include "courier_link.h"
#include "courier_settings.h"
#include "settings.h"

static void
add_text(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, "\"%s\":", name);
	escape_json(json, value ? value : "");
	appendStringInfoChar(json, ',');
}

static void
add_number(StringInfo json, const char *name, int64 value)
{
	appendStringInfo(json, "\"%s\":" INT64_FORMAT ",", name, value);
}

void
bambi_courier_send_settings(void)
{
	FrameHead	head = {.type = FRAME_SETTINGS};
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	add_text(&json, "database", MyBgworkerEntry->bgw_extra);
	add_text(&json, "ca_file", bambi_ca_file);
	add_text(&json, "key_service", bambi_key_service);
	add_text(&json, "key_file", bambi_key_file);
	add_text(&json, "key_service_networks", bambi_key_service_networks);
	add_text(&json, "vault_address", bambi_vault_address);
	add_text(&json, "vault_mount", bambi_vault_mount);
	add_text(&json, "vault_key", bambi_vault_key);
	add_text(&json, "vault_namespace", bambi_vault_namespace);
	add_text(&json, "vault_token_file", bambi_vault_token_file);
	add_text(&json, "vault_approle_mount", bambi_vault_approle_mount);
	add_text(&json, "vault_role_id_file", bambi_vault_role_id_file);
	add_text(&json, "vault_secret_id_file", bambi_vault_secret_id_file);
	add_text(&json, "aws_kms_key", bambi_aws_kms_key);
	add_text(&json, "aws_kms_region", bambi_aws_kms_region);
	add_text(&json, "aws_kms_endpoint", bambi_aws_kms_endpoint);
	add_text(&json, "aws_kms_credentials_file", bambi_aws_kms_credentials_file);
	add_text(&json, "aws_metadata", bambi_aws_metadata);
	add_text(&json, "data_directory", DataDir);
	add_text(&json, "debug_points", bambi_debug_points);
	add_text(&json, "store_directory", bambi_store_directory);
	add_text(&json, "store_prefix", bambi_store_prefix);
	add_text(&json, "store_public_url", bambi_store_public_url);
	add_text(&json, "store_networks", bambi_store_networks);
	add_text(&json, "archive_store", bambi_archive_store);
	add_text(&json, "archive_directory", bambi_archive_directory);
	add_text(&json, "archive_prefix", bambi_archive_prefix);
	add_text(&json, "archive_bucket", bambi_archive_bucket);
	add_text(&json, "s3_endpoint", bambi_s3_endpoint);
	add_text(&json, "s3_bucket", bambi_s3_bucket);
	add_text(&json, "s3_region", bambi_s3_region);
	add_text(&json, "s3_address_style", bambi_s3_address_style);
	add_text(&json, "s3_credentials_file", bambi_s3_credentials_file);
	add_text(&json, "supabase_url", bambi_supabase_url);
	add_text(&json, "supabase_bucket", bambi_supabase_bucket);
	add_text(&json, "supabase_key_file", bambi_supabase_key_file);
	add_text(&json, "supabase_public", bambi_supabase_public ? "on" : "off");
	add_text(&json, "redis_url", bambi_redis_url);
	add_text(&json, "redis_user", bambi_redis_user);
	add_text(&json, "redis_password_file", bambi_redis_password_file);
	add_text(&json, "redis_networks", bambi_redis_networks);
	add_text(&json, "redis_prefix", bambi_redis_prefix);
	add_number(&json, "max_in_flight", bambi_max_in_flight);
	add_number(&json, "call_timeout_ms", bambi_call_timeout * INT64CONST(1000));
	add_number(&json, "max_response_bytes",
			   bambi_max_response_bytes * INT64CONST(1024));
	add_number(&json, "byte_budget", bambi_memory_budget * INT64CONST(1024));
	add_number(&json, "shutdown_grace_ms",
			   bambi_shutdown_grace * INT64CONST(1000));
	json.data[json.len - 1] = '}';
	bambi_courier_append(&head, NULL, json.data);
	pfree(json.data);
}
