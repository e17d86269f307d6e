/*-------------------------------------------------------------------------
 *
 * plan.h
 *		What a plan lets its users ask for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PLAN_H
#define BAMBI_PLAN_H

#include "utils/jsonb.h"

#include "parameters.h"
#include "quota.h"

/*
 * BAMBI_FORBIDDEN unless the plan allows the model, which the statement that
 * read it has found out, and as many pictures as the parameters ask for.
 */
extern void bambi_plan_require(const BambiQuota *quota, bool allows_model,
							   const BambiModel *model, Jsonb *parameters);

#endif							/* BAMBI_PLAN_H */
