/*-------------------------------------------------------------------------
 *
 * statements_retention.c
 *		The worker's statements about what is past its time.
 *
 * Each does a part of a round: $1 the place that the part before gave (NULL:
 * the beginning), $2 now.  Gives the next place (NULL: the end) and how many
 * rows were removed.  Like all of the worker's they pass by what a client's
 * transaction may hold locked (rule D12).
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
