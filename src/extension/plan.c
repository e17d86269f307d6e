/*-------------------------------------------------------------------------
 *
 * plan.c
 *		May a user of this plan ask for that?
 *
 * How often and how much is quota.c's question.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan.h"
#include "refuse.h"

void
bambi_plan_require(const BambiQuota *quota, bool allows_model,
				   const BambiModel *model, Jsonb *parameters)
{
	int			pictures;

	if (!allows_model)
		bambi_refuse(BAMBI_FORBIDDEN, "the plan does not allow this model",
					 psprintf("Plan \"%s\" has no \"%s\".", quota->plan,
							  model->name),
					 "See bambi_account.models for those that it has, or take a larger plan.");
	if (quota->max_pictures == 0)
		return;
	pictures = bambi_parameters_count(model, parameters);
	if (pictures > quota->max_pictures)
		bambi_refuse(BAMBI_FORBIDDEN,
					 "the plan does not allow so many pictures",
					 psprintf("Plan \"%s\" allows %d in one generation, and \"n\" is %d.",
							  quota->plan, quota->max_pictures, pictures),
					 "Ask for fewer, or take a larger plan.");
}
