/*-------------------------------------------------------------------------
 *
 * statements_budget.c
 *		The statements about budgets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "statements_budget.h"

/*
 * A budget that a generation which is queued by now does not keep to: $1 user,
 * $2 key or NULL, $3 currency of prices, $4 whether its price is known.  Gives
 * scope, amount, currency, period, spent, reserved, resets_at; no row if all is
 * well.
 */
BambiStatement bambi_budget_overrun = {
	.sql =
	"SELECT b.scope, b.amount, b.currency, b.period, b.spent, b.reserved,"
	"       b.resets_at"
	"  FROM bambi_internal.budgets_of($1, $2) b"
	" WHERE b.currency <> $3 OR NOT $4 OR b.spent + b.reserved > b.amount"
	" ORDER BY b.scope LIMIT 1",
	.nargs = 4,
	.types = {UUIDOID, UUIDOID, TEXTOID, BOOLOID},
	.is_generic = true,
};

/*
 * $1 user.  Locks the row as a reservation does, and changes it: a lock alone
 * would not tell another transaction with an older snapshot that it is too
 * late.
 */
BambiStatement bambi_budget_touch_user = {
	.sql = "UPDATE bambi.users SET usage_count = usage_count WHERE id = $1",
	.nargs = 1,
	.types = {UUIDOID},
	.is_generic = true,
};

/*
 * What decides about the price of a generation that is there: $1 id, $2 user,
 * $3 now.  Gives the model's full name, capabilities, parameters, length of the
 * prompt, pictures to edit, then units, sizes, qualities and amounts.
 */
BambiStatement bambi_budget_price_again = {
	.sql =
	"SELECT p.slug || '/' || m.model_id, m.capabilities, g.parameters,"
	"       char_length(g.prompt),"
	"       (SELECT count(*)::int FROM bambi.generation_inputs n"
	"         WHERE n.generation_id = g.id AND n.user_id = g.user_id"
	"           AND n.position > 0),"
	"       r.units, r.sizes, r.qualities, r.amounts"
	"  FROM bambi.image_generations g"
	"  JOIN bambi.models m ON m.id = g.model_id"
	"  JOIN bambi.api_providers p ON p.id = m.provider_id"
	BAMBI_PRICES_OF_MODEL("$3")
	" WHERE g.id = $1 AND g.user_id = $2",
	.nargs = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 configuration, $2 user.  Gives status. */
BambiStatement bambi_budget_key = {
	.sql =
	"SELECT status FROM bambi.api_configurations"
	" WHERE id = $1 AND user_id = $2",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};

/*
 * $1 id of a new one, $2 user, $3 configuration or NULL, $4 amount,
 * $5 currency, $6 period, $7 now.
 */
BambiStatement bambi_budget_set = {
	.sql =
	"INSERT INTO bambi.budgets AS b (id, user_id, configuration_id, amount,"
	"       currency, period, created_at, updated_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
	" ON CONFLICT (user_id, configuration_id) DO UPDATE"
	"    SET amount = excluded.amount, currency = excluded.currency,"
	"        period = excluded.period, updated_at = excluded.updated_at",
	.nargs = 7,
	.types = {UUIDOID, UUIDOID, UUIDOID, NUMERICOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID},
	.is_generic = true,
};

/* $1 user, $2 configuration or NULL. */
BambiStatement bambi_budget_remove = {
	.sql =
	"DELETE FROM bambi.budgets"
	" WHERE user_id = $1 AND configuration_id IS NOT DISTINCT FROM $2",
	.nargs = 2,
	.types = {UUIDOID, UUIDOID},
	.is_generic = true,
};
