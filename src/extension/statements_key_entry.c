/*-------------------------------------------------------------------------
 *
 * statements_key_entry.c
 *		The statements by which a user's key is brought, replaced and removed.
 *
 * Like those of statements_client.c they run as the owner of the tables: each
 * names the user, as a value, wherever it touches what belongs to one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_key_entry.h"

/*
 * What a key is sealed with: $1 provider's slug.  Gives the provider's id,
 * is_active, needs_key, name, then kid, public_key and fingerprint_secret, NULL
 * where there is none yet.
 */
BambiStatement bambi_client_sealing = {
	.sql =
	"SELECT p.id, p.is_active, p.needs_key, p.name, k.kid, k.public_key,"
	"       i.fingerprint_secret"
	"  FROM bambi.api_providers p"
	"  LEFT JOIN bambi.encryption_keys k ON k.is_current"
	"  LEFT JOIN bambi_internal.instance i ON true"
	" WHERE p.slug = $1",
	.nargs = 1,
	.types = {TEXTOID},
	.is_generic = true,
};

/* kid and public_key (PEM) of what keys are sealed to now. */
BambiStatement bambi_client_sealing_key = {
	.sql =
	"SELECT kid, public_key FROM bambi.encryption_keys WHERE is_current",
	.is_read_only = true,
	.is_generic = true,
};

/*
 * $1 kid.  Whether it is retired, and whether it is what is sealed to now; no
 * row for one that is not known.  The lock keeps it from being retired before
 * what is sealed to it is there to be seen.
 */
BambiStatement bambi_client_known_kid = {
	.sql =
	"SELECT retired_at IS NOT NULL, is_current FROM bambi.encryption_keys"
	" WHERE kid = $1 FOR KEY SHARE",
	.nargs = 1,
	.types = {TEXTOID},
	.is_generic = true,
};

/*
 * $1 id, $2 user, $3 provider, $4 name or NULL, $5 the provider's name,
 * $6 sealed key, $7 settings, $8 hint, $9 fingerprint, $10 kid.  Without a
 * name it takes the provider's, numbered where that is in use.  A row, unless
 * the name is in use.
 */
BambiStatement bambi_client_add_key = {
	.sql =
	"INSERT INTO bambi.api_configurations (id, user_id, provider_id, name,"
	"       encrypted_api_key, settings, key_hint, key_fingerprint, key_id)"
	" SELECT $1, $2, $3, coalesce($4, ("
	"          SELECT w.name FROM ("
	"            SELECT n, $5 || CASE WHEN n > 1 THEN ' ' || n ELSE '' END"
	"              FROM generate_series(1, 1 + ("
	"                     SELECT count(*) FROM bambi.api_configurations"
	"                      WHERE user_id = $2)) n) w(n, name)"
	"           WHERE NOT EXISTS ("
	"                   SELECT FROM bambi.api_configurations c"
	"                    WHERE c.user_id = $2 AND c.name = w.name"
	"                      AND c.status <> 'revoked')"
	"           ORDER BY w.n LIMIT 1)),"
	"        $6, coalesce($7, '{}'), $8, $9, $10"
	" ON CONFLICT DO NOTHING",
	.nargs = 10,
	.types = {UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID,
	TEXTOID, TEXTOID, TEXTOID},
	.is_generic = true,
};

/* $1 configuration, $2 user.  Gives status, the provider's slug, needs_key. */
BambiStatement bambi_client_lock_key = {
	.sql =
	"SELECT c.status, p.slug, p.needs_key FROM bambi.api_configurations c"
	"  JOIN bambi.api_providers p ON p.id = c.provider_id"
	" WHERE c.id = $1 AND c.user_id = $2 FOR NO KEY UPDATE OF c",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/*
 * $1 configuration, $2 user, $3 now, $4 sealed key, $5 hint, $6 fingerprint,
 * $7 kid.
 */
BambiStatement bambi_client_replace_key = {
	.sql =
	"UPDATE bambi.api_configurations"
	"   SET encrypted_api_key = $4, key_hint = $5, key_fingerprint = $6,"
	"       key_id = $7, key_number = key_number + 1,"
	"       status = 'pending', is_valid = NULL,"
	"       last_validated_at = NULL, last_error = NULL, updated_at = $3"
	" WHERE id = $1 AND user_id = $2",
	.nargs = 7,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID},
	.is_generic = true,
};

/* $1 configuration, $2 user, $3 now. */
BambiStatement bambi_client_remove_key = {
	.sql =
	"UPDATE bambi.api_configurations"
	"   SET encrypted_api_key = '', key_hint = NULL, key_fingerprint = NULL,"
	"       key_id = NULL, status = 'revoked', is_valid = false,"
	"       last_error = NULL, updated_at = $3"
	" WHERE id = $1 AND user_id = $2",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};
