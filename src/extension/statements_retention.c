/*-------------------------------------------------------------------------
 *
 * statements_retention.c
 *		The statements about what is kept no longer.
 *
 * Each of the worker's does a part of a round: $1 the place that the part before gave (NULL:
 * the beginning), $2 now.  Gives the next place (NULL: the end) and how many
 * rows were removed.  They pass by what a client's transaction may hold locked
 * (rule D12).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_retention.h"

/* Content of generations, by plans.retention_days. */
BambiStatement bambi_retention_content = {
	.sql =
	"SELECT place, removed FROM bambi_internal.remove_old_content($1, $2)",
	.nargs = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* Events of Stripe that decide nothing any more. */
BambiStatement bambi_retention_payments = {
	.sql =
	"SELECT place, removed FROM bambi_internal.remove_old_payments($1, $2)",
	.nargs = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* ---- for clients: $1 user ---- */

BambiStatement bambi_retention_keep_prompts = {
	.sql = "DELETE FROM bambi.prompts_not_kept WHERE user_id = $1",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

BambiStatement bambi_retention_forget_prompts = {
	.sql =
	"INSERT INTO bambi.prompts_not_kept (user_id) VALUES ($1)"
	" ON CONFLICT DO NOTHING",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};
