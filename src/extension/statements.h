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
