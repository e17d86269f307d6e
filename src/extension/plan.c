/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Which plan does a user have, and may it ask for that?
 *
 * How often and how much is quota.c's question.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "plan.h"
#include "refuse.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(bambi_plan_in_force);

/* Arguments of bambi_plan_in_force. */
enum
{
	STATUS,
	PLAN_TYPE,
	NEXT_PLAN_TYPE,
	CURRENT_PERIOD_END,
	CANCEL_AT_PERIOD_END,
	PAST_DUE_SINCE,
	AT
};

static bool
is_within_grace(TimestampTz since, TimestampTz at)
{
	return since > at - bambi_past_due_grace_days * USECS_PER_DAY;
}

/* The argument whose plan holds, or -1 for the free one. */
static int
plan_argument(FunctionCallInfo fcinfo)
{
	char	   *status;
	TimestampTz at;
	TimestampTz end;

	if (PG_ARGISNULL(STATUS))
		return -1;
	at = PG_GETARG_TIMESTAMPTZ(AT);
	status = text_to_cstring(PG_GETARG_TEXT_PP(STATUS));
	if (strcmp(status, "past_due") == 0)
	{
		if (PG_ARGISNULL(PAST_DUE_SINCE) ||
			!is_within_grace(PG_GETARG_TIMESTAMPTZ(PAST_DUE_SINCE), at))
			return -1;
	}
	else if (strcmp(status, "active") != 0 && strcmp(status, "trialing") != 0)
		return -1;

	if (PG_ARGISNULL(CURRENT_PERIOD_END))
		return PLAN_TYPE;
	end = PG_GETARG_TIMESTAMPTZ(CURRENT_PERIOD_END);
	if (end > at)
		return PLAN_TYPE;
	/* the news of a renewal may be late */
	if (PG_GETARG_BOOL(CANCEL_AT_PERIOD_END) || !is_within_grace(end, at))
		return -1;
	return PG_ARGISNULL(NEXT_PLAN_TYPE) ? PLAN_TYPE : NEXT_PLAN_TYPE;
}

/*
 * The one rule of which plan a subscription grants at a time.  Arguments:
 * status text, plan_type text, next_plan_type text,
 * current_period_end timestamptz, cancel_at_period_end boolean,
 * past_due_since timestamptz, at timestamptz.
 */
Datum
bambi_plan_in_force(PG_FUNCTION_ARGS)
{
	int			n = plan_argument(fcinfo);

	if (n < 0)
		PG_RETURN_TEXT_P(cstring_to_text(BAMBI_FREE_PLAN));
	PG_RETURN_DATUM(PG_GETARG_DATUM(n));
}

/* Each is provider/model, or provider and a slash and a star. */
static bool
names_model(const char *pattern, const char *name)
{
	const char *slash = strchr(name, '/');

	if (strcmp(pattern, name) == 0)
		return true;
	return slash && strncmp(pattern, name, slash + 1 - name) == 0 &&
		strcmp(pattern + (slash + 1 - name), "*") == 0;
}

static bool
allows_model(const BambiQuota *quota, const BambiModel *model)
{
	Datum	   *patterns;
	bool	   *nulls;
	int			count;

	if (quota->plan->models == NULL)
		return true;
	deconstruct_array(quota->plan->models, TEXTOID, -1, false, TYPALIGN_INT,
					  &patterns, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i] &&
			names_model(TextDatumGetCString(patterns[i]), model->name))
			return true;
	}
	return false;
}

void
bambi_plan_require(const BambiQuota *quota, const BambiModel *model,
				   Jsonb *parameters)
{
	int			pictures;

	if (!allows_model(quota, model))
		bambi_refuse(BAMBI_FORBIDDEN, "the plan does not allow this model",
					 psprintf("Plan \"%s\" has no \"%s\".", quota->plan->type,
							  model->name),
					 "See bambi_account.models for those that it has, or take a larger plan.");
	if (quota->plan->max_pictures == 0)
		return;
	pictures = bambi_parameters_count(model, parameters);
	if (pictures > quota->plan->max_pictures)
		bambi_refuse(BAMBI_FORBIDDEN,
					 "the plan does not allow so many pictures",
					 psprintf("Plan \"%s\" allows %d in one generation, and \"n\" is %d.",
							  quota->plan->type, quota->plan->max_pictures,
							  pictures),
					 "Ask for fewer, or take a larger plan.");
}
