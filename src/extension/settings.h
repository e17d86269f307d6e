/*-------------------------------------------------------------------------
 *
 * settings.h
 *		Every setting of bambi.  What each means, its unit and its limits stand
 *		at its definition in settings.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SETTINGS_H
#define BAMBI_SETTINGS_H

/* never more calls than this, whatever bambi.max_in_flight says */
#define BAMBI_MAX_IN_FLIGHT	4096

/* What becomes of what was queued before the server was promoted. */
typedef enum BambiAfterPromotion
{
	BAMBI_PROMOTION_HOLD,
	BAMBI_PROMOTION_RUN
} BambiAfterPromotion;

extern char *bambi_databases;
extern int	bambi_max_in_flight;
extern int	bambi_after_promotion;	/* BambiAfterPromotion */
extern int	bambi_call_timeout; /* s */
extern int	bambi_max_response_bytes;	/* kB */
extern int	bambi_memory_budget;	/* kB */
extern int	bambi_shutdown_grace;	/* s */
extern char *bambi_key_service;
extern char *bambi_key_file;
extern int	bambi_key_validation_days;
extern int	bambi_key_rotation_days;
extern int	bambi_past_due_grace_days;
extern char *bambi_stripe_webhook_secret_file;
extern bool bambi_stripe_livemode;
extern char *bambi_key_service_networks;
extern char *bambi_vault_address;
extern char *bambi_vault_mount;
extern char *bambi_vault_key;
extern char *bambi_vault_namespace;
extern char *bambi_vault_token_file;
extern char *bambi_vault_approle_mount;
extern char *bambi_vault_role_id_file;
extern char *bambi_vault_secret_id_file;
extern char *bambi_aws_kms_key;
extern char *bambi_aws_kms_region;
extern char *bambi_aws_kms_endpoint;
extern char *bambi_aws_kms_credentials_file;
extern char *bambi_aws_metadata;
extern char *bambi_ca_file;
extern int	bambi_max_input_bytes;	/* kB */
extern char *bambi_store;
extern char *bambi_store_directory;
extern char *bambi_store_prefix;
extern char *bambi_store_public_url;
extern char *bambi_store_networks;
extern char *bambi_archive_store;
extern char *bambi_archive_directory;
extern char *bambi_archive_prefix;
extern char *bambi_archive_bucket;
extern char *bambi_s3_endpoint;
extern char *bambi_s3_bucket;
extern char *bambi_s3_region;
extern char *bambi_s3_address_style;
extern char *bambi_s3_credentials_file;
extern char *bambi_supabase_url;
extern char *bambi_supabase_bucket;
extern char *bambi_supabase_key_file;
extern bool bambi_supabase_public;
extern char *bambi_link_url;
extern char *bambi_redis_url;
extern char *bambi_redis_user;
extern char *bambi_redis_password_file;
extern char *bambi_redis_networks;
extern char *bambi_redis_prefix;
extern int	bambi_redis_ttl;	/* s */
extern char *bambi_courier_path;
extern char *bambi_spool_directory;
extern char *bambi_authenticators;
extern char *bambi_debug_points;
extern char *bambi_user_id_setting;

extern void bambi_define_settings(void);

/* The courier's program: bambi.courier_path, or beside the server's. */
extern const char *bambi_courier_program(void);

/* Where spools are: bambi.spool_directory, or beside the data directory. */
extern const char *bambi_spool_root(void);

#endif							/* BAMBI_SETTINGS_H */
