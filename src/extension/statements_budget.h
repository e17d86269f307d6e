/*-------------------------------------------------------------------------
 *
 * statements_budget.h
 *		The statements about budgets; arguments and results stand at each in
 *		statements_budget.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_BUDGET_H
#define BAMBI_STATEMENTS_BUDGET_H

#include "statements.h"

extern BambiStatement bambi_budget_overrun;
extern BambiStatement bambi_budget_touch_user;
extern BambiStatement bambi_budget_price_again;

extern BambiStatement bambi_budget_key;
extern BambiStatement bambi_budget_set;
extern BambiStatement bambi_budget_remove;

#endif							/* BAMBI_STATEMENTS_BUDGET_H */
