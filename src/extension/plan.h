/*-------------------------------------------------------------------------
 *
 * plan.h
 *		Which plan a user has, and what it lets the user ask for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PLAN_H
#define BAMBI_PLAN_H

#include "utils/jsonb.h"

#include "parameters.h"
#include "quota.h"

/* plans.plan_type of whoever has no other. */
#define BAMBI_FREE_PLAN	"free"

/*
 * BAMBI_FORBIDDEN unless the plan allows the model, and as many pictures as
 * the parameters ask for.
 */
extern void bambi_plan_require(const BambiQuota *quota,
							   const BambiModel *model, Jsonb *parameters);

#endif							/* BAMBI_PLAN_H */
