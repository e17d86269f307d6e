/*-------------------------------------------------------------------------
 *
 * statements.h
 *		How C runs SQL: every statement is a constant text with its argument
 *		types, planned at first use and kept for the session.
 *
 * The worker's statements stand in statements_worker.c, those of functions
 * that clients call in statements_client.c.  No SQL is built from pieces.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_H
#define BAMBI_STATEMENTS_H

#include "executor/spi.h"

#define BAMBI_MAX_ARGUMENTS	24

/*
 * The plan pl of user u at a time, and the subscription s that may grant it:
 * the rule is bambi_internal.plan_in_force.
 */
#define BAMBI_PLAN_OF_USER(at) \
	"  LEFT JOIN bambi.subscriptions s ON s.user_id = u.id" \
	"  JOIN bambi.plans pl ON pl.plan_type = bambi_internal.plan_in_force(" \
	"         s.status, s.plan_type, s.next_plan_type, s.current_period_end," \
	"         s.cancel_at_period_end, s.past_due_since, " at ")"

/*
 * The last turn of a user in the line, or NULL; in this order, because the
 * index has it.
 */
#define BAMBI_LAST_TURN(user) \
	"(SELECT turn FROM bambi_internal.queue" \
	"  WHERE user_id = " user " AND waits_for IS NULL" \
	"  ORDER BY waits_for DESC, turn DESC LIMIT 1)"

/* Where a cost is from that is the estimate. */
#define BAMBI_SOURCE_OF(estimate) \
	"CASE WHEN " estimate " IS NOT NULL THEN 'table' END"

/*
 * Whether the operator or the user wants no prompt to outlive its generation;
 * and what that means for the row of one that ends, and for the pictures that it was
 * given, which nothing can be made of any more.
 */
#define BAMBI_FORGETS_PROMPTS(user) \
	"((SELECT NOT keep_prompts FROM bambi.retention_policies" \
	"   WHERE what = 'content')" \
	" OR EXISTS (SELECT FROM bambi.prompts_not_kept k" \
	"             WHERE k.user_id = " user "))"
#define BAMBI_FORGET_PROMPT(row, is_wanted) \
	"prompt = CASE WHEN " is_wanted " THEN '' ELSE " row ".prompt END," \
	" parameters = CASE WHEN " is_wanted " THEN '{}'" \
	" ELSE " row ".parameters END"
#define BAMBI_EMPTY_INPUTS \
	"UPDATE bambi.generation_inputs i" \
	"   SET data = NULL, store = NULL, storage_path = NULL"

/* The prices of model m that hold at a time, a row r of arrays. */
#define BAMBI_PRICES_OF_MODEL(at) \
	"  LEFT JOIN LATERAL (" \
	"    SELECT array_agg(r.unit) AS units, array_agg(r.size) AS sizes," \
	"           array_agg(r.quality) AS qualities," \
	"           array_agg(r.price) AS amounts" \
	"      FROM bambi.model_prices r" \
	"     WHERE r.model_id = m.id AND r.currency = 'USD'" \
	"       AND r.valid_from <= " at " AND r.valid_to > " at ") r ON true"

typedef struct BambiStatement
{
	const char *sql;
	int			nargs;
	Oid			types[BAMBI_MAX_ARGUMENTS];
	bool		is_read_only;	/* runs on the active snapshot */
	bool		is_generic;		/* never planned for particular values */
	SPIPlanPtr	plan;			/* NULL until first use */
} BambiStatement;

/*
 * Runs a statement and returns SPI_processed; rows are in SPI_tuptable.
 * nulls as for SPI_execute_plan, or NULL.  Raises what the statement raises,
 * and BAMBI_NOT_SET_UP where the tables are missing.  SPI is connected.
 */
extern uint64 bambi_execute(BambiStatement *statement, Datum *values,
							const char *nulls);

/* Column (from 1) of a row of the last result; true in *is_null for NULL. */
extern Datum bambi_result(uint64 row, int column, bool *is_null);

/* The same as text in the current memory context, NULL for NULL. */
extern char *bambi_result_text(uint64 row, int column);

#endif							/* BAMBI_STATEMENTS_H */
