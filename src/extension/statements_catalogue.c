/*-------------------------------------------------------------------------
 *
 * statements_catalogue.c
 *		The statements that read the catalogue.
 *
 * None is read-only, though none writes: what they give is kept, so it has to
 * be read in a snapshot of the moment, not in that of the caller's statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_catalogue.h"

/*
 * Models with the prices that hold at a time, and the next moment at which a
 * price begins or ends or the model is retired, NULL for never.
 */
#define MODELS_AT(at) \
	"SELECT m.id, p.id, p.slug, p.slug || '/' || m.model_id," \
	"       bambi_internal.is_offered(m, p, " at ")," \
	"       p.needs_key, m.task <> 'generate', m.capabilities," \
	"       r.units, r.sizes, r.qualities, r.amounts," \
	"       least(CASE WHEN m.retired_at > " at " THEN m.retired_at END, (" \
	"         SELECT min(CASE WHEN n.valid_from > " at " THEN n.valid_from" \
	"                         ELSE n.valid_to END)" \
	"           FROM bambi.model_prices n" \
	"          WHERE n.model_id = m.id AND n.valid_to > " at "))" \
	"  FROM bambi.models m" \
	"  JOIN bambi.api_providers p ON p.id = m.provider_id" \
	BAMBI_PRICES_OF_MODEL(at)

/* $1 a name; $2, $3 its parts before and after the slash, or NULL; $4 now. */
BambiStatement bambi_catalogue_models_by_name = {
	.sql =
	MODELS_AT("$4")
	" WHERE m.model_id = $1 OR m.model_id = $3 AND p.slug = $2",
	.nargs = 4,
	.types = {TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 model, $2 now. */
BambiStatement bambi_catalogue_model_by_id = {
	.sql = MODELS_AT("$2") " WHERE m.id = $1",
	.nargs = 2,
	.types = {UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 plan_type.  Gives the columns of catalogue.c. */
BambiStatement bambi_catalogue_of_plan = {
	.sql =
	"SELECT plan_type, generations_per_period, period, weight,"
	"       generations_per_minute, max_pictures, max_waiting, models, store,"
	"       budget IS NOT NULL, default_model_id"
	"  FROM bambi.plans WHERE plan_type = $1",
	.nargs = 1,
	.types = {TEXTOID},
	.is_generic = true,
};
