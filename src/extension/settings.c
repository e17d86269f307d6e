/*-------------------------------------------------------------------------
 *
 * settings.c
 *		Every setting of bambi.
 *
 * What names a secret, a destination or a program belongs to the operator
 * (rule K4): PGC_SIGHUP or PGC_POSTMASTER, and shown to superusers only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "settings.h"
#include "uuid.h"

char	   *bambi_databases = NULL;
int			bambi_max_in_flight = 256;
int			bambi_after_promotion = BAMBI_PROMOTION_HOLD;
int			bambi_call_timeout = 300;
int			bambi_max_response_bytes = 64 * 1024;
int			bambi_memory_budget = 64 * 1024;
int			bambi_shutdown_grace = 10;
char	   *bambi_key_service = NULL;
char	   *bambi_key_file = NULL;
int			bambi_key_validation_days = 7;
int			bambi_key_rotation_days = 90;
int			bambi_past_due_grace_days = 7;
char	   *bambi_stripe_webhook_secret_file = NULL;
bool		bambi_stripe_livemode = true;
char	   *bambi_key_service_networks = NULL;
char	   *bambi_vault_address = NULL;
char	   *bambi_vault_mount = NULL;
char	   *bambi_vault_key = NULL;
char	   *bambi_vault_namespace = NULL;
char	   *bambi_vault_token_file = NULL;
char	   *bambi_vault_approle_mount = NULL;
char	   *bambi_vault_role_id_file = NULL;
char	   *bambi_vault_secret_id_file = NULL;
char	   *bambi_aws_kms_key = NULL;
char	   *bambi_aws_kms_region = NULL;
char	   *bambi_aws_kms_endpoint = NULL;
char	   *bambi_aws_kms_credentials_file = NULL;
char	   *bambi_aws_metadata = NULL;
char	   *bambi_ca_file = NULL;
int			bambi_max_input_bytes = 64 * 1024;
char	   *bambi_store = NULL;
char	   *bambi_store_directory = NULL;
char	   *bambi_store_prefix = NULL;
char	   *bambi_store_public_url = NULL;
char	   *bambi_store_networks = NULL;
char	   *bambi_s3_endpoint = NULL;
char	   *bambi_s3_bucket = NULL;
char	   *bambi_s3_region = NULL;
char	   *bambi_s3_address_style = NULL;
char	   *bambi_s3_credentials_file = NULL;
char	   *bambi_archive_store = NULL;
char	   *bambi_archive_directory = NULL;
char	   *bambi_archive_prefix = NULL;
char	   *bambi_archive_bucket = NULL;
char	   *bambi_supabase_url = NULL;
char	   *bambi_supabase_bucket = NULL;
char	   *bambi_supabase_key_file = NULL;
bool		bambi_supabase_public = false;
char	   *bambi_link_url = NULL;
char	   *bambi_redis_url = NULL;
char	   *bambi_redis_user = NULL;
char	   *bambi_redis_password_file = NULL;
char	   *bambi_redis_networks = NULL;
char	   *bambi_redis_prefix = NULL;
int			bambi_redis_ttl = 300;
char	   *bambi_courier_path = NULL;
char	   *bambi_spool_directory = NULL;
char	   *bambi_authenticators = NULL;
char	   *bambi_debug_points = NULL;
char	   *bambi_user_id_setting = NULL;

/* Empty, or absolute: the courier has another working directory. */
static bool
check_path(char **value, void **extra, GucSource source)
{
	if (**value == '\0' || is_absolute_path(*value))
		return true;
	GUC_check_errdetail("The path must be absolute.");
	return false;
}

/* Empty, or a uuid: a typing error must not look like "nobody". */
static bool
check_user_id(char **value, void **extra, GucSource source)
{
	pg_uuid_t	id;

	if (**value == '\0' || bambi_uuid_parse(*value, &id))
		return true;
	GUC_check_errdetail("The value must be a user's id, a uuid.");
	return false;
}

static bool
check_store(char **value, void **extra, GucSource source)
{
	static const char *const known[] = {
		"database", "filesystem", "s3", "supabase"
	};

	for (size_t i = 0; i < lengthof(known); i++)
	{
		if (strcmp(*value, known[i]) == 0)
			return true;
	}
	GUC_check_errdetail("The stores are database, filesystem, s3, supabase.");
	return false;
}

static const struct config_enum_entry after_promotion_options[] = {
	{"hold", BAMBI_PROMOTION_HOLD, false},
	{"run", BAMBI_PROMOTION_RUN, false},
	{NULL, 0, false}
};

static bool
check_archive_store(char **value, void **extra, GucSource source)
{
	if (**value == '\0' || strcmp(*value, "filesystem") == 0 ||
		strcmp(*value, "s3") == 0)
		return true;
	GUC_check_errdetail("Archives are kept in filesystem or s3; empty is no archive.");
	return false;
}

static bool
check_address_style(char **value, void **extra, GucSource source)
{
	if (strcmp(*value, "path") == 0 || strcmp(*value, "host") == 0)
		return true;
	GUC_check_errdetail("The styles are path and host.");
	return false;
}

/*
 * A session that loads the library by itself may define nothing that is fixed
 * at the server's start: that would end it.
 */
static void
define_worker_settings(void)
{
	GucContext	at_start = PGC_POSTMASTER;

	if (!process_shared_preload_libraries_in_progress)
		at_start = PGC_SIGHUP;

	DefineCustomStringVariable("bambi.databases",
							   "Databases that get a worker, separated by commas.",
							   NULL,
							   &bambi_databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.max_in_flight",
							"Most calls of one database that run at a time.",
							NULL,
							&bambi_max_in_flight, 256, 1, BAMBI_MAX_IN_FLIGHT,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("bambi.after_promotion",
							 "What becomes of generations that were queued "
							 "before the server was promoted.",
							 "The old primary may have sent them, and the "
							 "standby not have heard of it.",
							 &bambi_after_promotion, BAMBI_PROMOTION_HOLD,
							 after_promotion_options,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.courier_path",
							   "The program bambi-courier.",
							   "Empty: the one beside the server's programs.",
							   &bambi_courier_path, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
	DefineCustomStringVariable("bambi.spool_directory",
							   "Where answers wait that no worker has taken.",
							   "Empty: \"bambi-spool\" beside the data directory.",
							   &bambi_spool_directory, "",
							   at_start, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
	DefineCustomIntVariable("bambi.shutdown_grace",
							"Time that a courier takes to end calls when it "
							"is told to stop.",
							NULL,
							&bambi_shutdown_grace, 10, 0, 3600,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

static void
define_call_settings(void)
{
	DefineCustomIntVariable("bambi.call_timeout",
							"Longest time that a provider may take to answer.",
							NULL,
							&bambi_call_timeout, 300, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.max_response_bytes",
							"Largest answer of a provider.",
							NULL,
							&bambi_max_response_bytes, 64 * 1024,
							64, 256 * 1024,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.memory_budget",
							"Memory for answers that arrive at one time.",
							"One answer may always go on.",
							&bambi_memory_budget, 64 * 1024,
							1024, 4 * 1024 * 1024,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.max_input_bytes",
							"Largest sum of pictures that one generation edits.",
							NULL,
							&bambi_max_input_bytes, 64 * 1024, 64, 256 * 1024,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.ca_file",
							   "Certificates that providers are checked by.",
							   "Empty: those of the system.",
							   &bambi_ca_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
}

/* One that only operators see and set, at any reload. */
static void
define_text(const char *name, const char *description, const char *more,
			char **variable, const char *otherwise,
			GucStringCheckHook check)
{
	DefineCustomStringVariable(name, description, more, variable, otherwise,
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, check, NULL,
							   NULL);
}

static void
define_archive_settings(void)
{
	/* functions of this extension ask whether there is an archive */
	DefineCustomStringVariable("bambi.archive_store",
							   "Where months that are past their time are kept.",
							   "filesystem or s3; empty: there is no archive.",
							   &bambi_archive_store, "",
							   PGC_SIGHUP, 0,
							   check_archive_store, NULL, NULL);
	define_text("bambi.archive_directory",
				"Directory of the archive in filesystem.", NULL,
				&bambi_archive_directory, "", check_path);
	define_text("bambi.archive_prefix",
				"What names in the archive begin with.", NULL,
				&bambi_archive_prefix, "", NULL);
	define_text("bambi.archive_bucket",
				"Bucket of the archive in s3.",
				"Empty: that of bambi.s3_bucket.",
				&bambi_archive_bucket, "", NULL);
}

static void
define_store_settings(void)
{
	define_text("bambi.store", "Where pictures are kept.",
				"database, filesystem, s3 or supabase; a plan may say otherwise.",
				&bambi_store, "database", check_store);
	define_text("bambi.store_directory",
				"Directory of the store \"filesystem\".", NULL,
				&bambi_store_directory, "", check_path);
	define_text("bambi.store_prefix",
				"What keys of objects in s3 and supabase begin with.", NULL,
				&bambi_store_prefix, "", NULL);
	define_text("bambi.store_public_url",
				"Address below which anybody may fetch objects of s3 or supabase.",
				"Empty: nobody may, and links expire.",
				&bambi_store_public_url, "", NULL);
	define_text("bambi.store_networks",
				"Private networks that a store's address may lie in.", NULL,
				&bambi_store_networks, "", NULL);
	define_text("bambi.s3_endpoint", "Address of the store \"s3\".", NULL,
				&bambi_s3_endpoint, "", NULL);
	define_text("bambi.s3_bucket", "Its bucket.", NULL,
				&bambi_s3_bucket, "", NULL);
	define_text("bambi.s3_region", "Its region.", NULL,
				&bambi_s3_region, "us-east-1", NULL);
	define_text("bambi.s3_address_style",
				"Where the bucket stands in its addresses: path or host.", NULL,
				&bambi_s3_address_style, "path", check_address_style);
	define_text("bambi.s3_credentials_file",
				"File with its credentials, in the form that AWS's programs share.",
				NULL,
				&bambi_s3_credentials_file, "", check_path);
	define_text("bambi.supabase_url",
				"Address of the project of the store \"supabase\".", NULL,
				&bambi_supabase_url, "", NULL);
	define_text("bambi.supabase_bucket", "Its bucket.", NULL,
				&bambi_supabase_bucket, "", NULL);
	define_text("bambi.supabase_key_file", "File with its service key.", NULL,
				&bambi_supabase_key_file, "", check_path);
	DefineCustomBoolVariable("bambi.supabase_public",
							 "Whether its bucket is public.", NULL,
							 &bambi_supabase_public, false,
							 PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.link_url",
							   "Address at which bambi_image_by_link answers.",
							   "Links to pictures in database and filesystem begin with it.",
							   &bambi_link_url, "",
							   PGC_SIGHUP, 0,
							   NULL, NULL, NULL);
}

static void
define_key_settings(void)
{
	DefineCustomStringVariable("bambi.key_service",
							   "What holds the master key: vault, awskms or file.",
							   "Empty: no keys can be stored.",
							   &bambi_key_service, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.key_file",
							   "PEM file of the key service \"file\".",
							   NULL,
							   &bambi_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_path, NULL, NULL);
	DefineCustomIntVariable("bambi.key_validation_days",
							"Days after which a key is checked again.",
							"0: never.",
							&bambi_key_validation_days, 7, 0, 3650,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("bambi.key_rotation_days",
							"Days after which the master key is rotated.",
							"0: only by bambi_rotate_keys().",
							&bambi_key_rotation_days, 90, 0, 3650,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	define_text("bambi.key_service_networks",
				"Private networks that the key service may be in.",
				"Plain http only there.",
				&bambi_key_service_networks, "", NULL);
	define_text("bambi.vault_address",
				"Address of the key service \"vault\": HashiCorp Vault or OpenBao.",
				NULL,
				&bambi_vault_address, "", NULL);
	define_text("bambi.vault_mount",
				"Mount of its transit engine.",
				NULL,
				&bambi_vault_mount, "transit", NULL);
	define_text("bambi.vault_key",
				"Its key: rsa-3072 or rsa-4096.",
				NULL,
				&bambi_vault_key, "", NULL);
	define_text("bambi.vault_namespace",
				"Its namespace.",
				NULL,
				&bambi_vault_namespace, "", NULL);
	define_text("bambi.vault_token_file",
				"File with a token for it.",
				NULL,
				&bambi_vault_token_file, "", check_path);
	define_text("bambi.vault_approle_mount",
				"Mount of its AppRole login.",
				NULL,
				&bambi_vault_approle_mount, "approle", NULL);
	define_text("bambi.vault_role_id_file",
				"File with the role id of the login.",
				NULL,
				&bambi_vault_role_id_file, "", check_path);
	define_text("bambi.vault_secret_id_file",
				"File with the secret id of the login.",
				NULL,
				&bambi_vault_secret_id_file, "", check_path);
	define_text("bambi.aws_kms_key",
				"Key of the key service \"awskms\": id, ARN or alias.",
				NULL,
				&bambi_aws_kms_key, "", NULL);
	define_text("bambi.aws_kms_region",
				"Its region.",
				NULL,
				&bambi_aws_kms_region, "", NULL);
	define_text("bambi.aws_kms_endpoint",
				"Its address.",
				"Empty: that of AWS in the region.",
				&bambi_aws_kms_endpoint, "", NULL);
	define_text("bambi.aws_kms_credentials_file",
				"File with its credentials, in the form that AWS's programs share.",
				NULL,
				&bambi_aws_kms_credentials_file, "", check_path);
	define_text("bambi.aws_metadata",
				"Address of the instance metadata service, for the credentials of the machine's role.",
				NULL,
				&bambi_aws_metadata, "", NULL);
}

static void
define_plan_settings(void)
{
	DefineCustomIntVariable("bambi.past_due_grace_days",
							"Days that a plan is still granted when its payment is missing or its renewal is unheard of.",
							NULL,
							&bambi_past_due_grace_days, 7, 0, 60,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	define_text("bambi.stripe_webhook_secret_file",
				"File with the signing secret of Stripe's webhook.",
				"A secret a line, two while it is rolled.",
				&bambi_stripe_webhook_secret_file, "", check_path);
	DefineCustomBoolVariable("bambi.stripe_livemode",
							 "Whether Stripe's events count that mean real money.",
							 "Off: those of test mode and sandboxes do.",
							 &bambi_stripe_livemode, true,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
}

/* The user and the password stand elsewhere: this one is shown. */
static bool
check_redis_url(char **value, void **extra, GucSource source)
{
	static const char *const schemes[] = {"redis://", "rediss://", "unix:/"};

	if (**value == '\0')
		return true;
	for (size_t i = 0; i < lengthof(schemes); i++)
	{
		size_t		len = strlen(schemes[i]);

		if (strncmp(*value, schemes[i], len) == 0 && (*value)[len] != '\0' &&
			strchr(*value, '@') == NULL)
			return true;
	}
	GUC_check_errdetail("It is redis://HOST:PORT/DATABASE, the same with rediss, or unix:/PATH, without user and password.");
	return false;
}

static void
define_redis_settings(void)
{
	define_text("bambi.redis_url", "Redis, where gateways find what changed.",
				"redis://, rediss:// (TLS) or unix:/PATH; empty: none.",
				&bambi_redis_url, "", check_redis_url);
	define_text("bambi.redis_user", "Its ACL user.", "Empty: default.",
				&bambi_redis_user, "", NULL);
	define_text("bambi.redis_password_file", "File with the password.", NULL,
				&bambi_redis_password_file, "", check_path);
	define_text("bambi.redis_networks",
				"Private networks that its address may lie in.",
				"Without TLS only there.",
				&bambi_redis_networks, "", NULL);
	define_text("bambi.redis_prefix",
				"What keys and the channel begin with, before the database.",
				NULL,
				&bambi_redis_prefix, "bambi", NULL);
	DefineCustomIntVariable("bambi.redis_ttl",
							"How long a value lives that nobody changes.",
							NULL,
							&bambi_redis_ttl, 300, 2, 86400,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

static void
define_identity_settings(void)
{
	DefineCustomStringVariable("bambi.authenticators",
							   "Roles whose sessions may speak for users by "
							   "request.jwt.claims.",
							   NULL,
							   &bambi_authenticators, "authenticator",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("bambi.user_id",
							   "The user that a login role is.",
							   "Set by ALTER ROLE ... SET bambi.user_id.",
							   &bambi_user_id_setting, "",
							   PGC_SUSET, 0,
							   check_user_id, NULL, NULL);
}

void
bambi_define_settings(void)
{
	define_worker_settings();
	define_call_settings();
	define_store_settings();
	define_archive_settings();
	define_key_settings();
	define_plan_settings();
	define_redis_settings();
	define_identity_settings();
	DefineCustomStringVariable("bambi.debug_points",
							   "Directory of files that hold a process at a "
							   "labelled point.",
							   "For tests.",
							   &bambi_debug_points, "",
							   PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							   check_path, NULL, NULL);
	MarkGUCPrefixReserved("bambi");
}

const char *
bambi_courier_program(void)
{
	static char path[MAXPGPATH];

	if (bambi_courier_path[0])
		return bambi_courier_path;
	strlcpy(path, my_exec_path, sizeof(path));
	get_parent_directory(path);
	join_path_components(path, path, "bambi-courier");
	return path;
}

const char *
bambi_spool_root(void)
{
	static char path[MAXPGPATH];

	if (bambi_spool_directory[0])
		return bambi_spool_directory;
	strlcpy(path, DataDir, sizeof(path));
	get_parent_directory(path);
	join_path_components(path, path, "bambi-spool");
	return path;
}
