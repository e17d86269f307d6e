/*-------------------------------------------------------------------------
 *
 * request.h
 *		What a request for pictures means: for whom, by which model, paid
 *		with which key, at what price.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_REQUEST_H
#define BAMBI_REQUEST_H

#include "fmgr.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "catalogue.h"
#include "parameters.h"
#include "price.h"
#include "quota.h"

typedef struct BambiRequest
{
	/* as asked */
	pg_uuid_t	user;
	text	   *prompt;			/* NULL only where a price is asked for */
	char	   *model_name;		/* NULL: the plan's default */
	Jsonb	   *parameters;		/* without nulls */
	int			inputs;			/* pictures to edit, 0 for a new one */
	pg_uuid_t  *configuration;	/* NULL: the only key of that provider */
	TimestampTz now;

	/* as found by bambi_request_look */
	BambiQuota	quota;
	bool		has_budget;		/* the user, a key or the plan */
	const BambiOffers *offers;	/* that the name may mean, or NULL */
	const BambiOffer *offer;	/* that it means, or NULL */
	int32		key_count;		/* keys that may pay */
	pg_uuid_t  *key;			/* one of them */
	char	   *key_status;
	bool		key_fits;		/* is of the provider */

	/* as found by bambi_request_resolve_model */
	BambiModel	model_rules;
	BambiEstimate price;
	Numeric		estimate;		/* price.high: rather too much; or NULL */

	/* as found by bambi_request_resolve_key; NULL if none is needed */
	pg_uuid_t  *paid_with;
} BambiRequest;

/*
 * Takes prompt, model and parameters from the arguments first, first + 1 and
 * first + 2 of a function; the rest as asked is cleared.  The user is set.
 */
extern void bambi_request_take(BambiRequest *request, FunctionCallInfo fcinfo,
							   int first);

/* The same without a prompt: model and parameters are first and first + 1. */
extern void bambi_request_take_model(BambiRequest *request,
									 FunctionCallInfo fcinfo, int first);

/*
 * Reads everything about it that the functions below need (inputs is set by
 * then); BAMBI_NOT_SIGNED_IN unless the user is there and active.
 */
extern void bambi_request_look(BambiRequest *request);

/*
 * Which model, whether it can do this, and the price; raises what a client
 * should know otherwise.
 */
extern void bambi_request_resolve_model(BambiRequest *request);

/*
 * BAMBI_FORBIDDEN unless the user's plan allows the model that was found, and
 * as many pictures.
 */
extern void bambi_request_require_plan(const BambiRequest *request);

/*
 * BAMBI_TOO_MANY if as many of the user's wait as the plan allows, by what was
 * read: early, and for nothing.
 */
extern void bambi_request_require_room(const BambiRequest *request);

/*
 * The same once it is queued, when its reservation holds the user's row: of
 * sessions that ask at the same moment one gets the last place.
 */
extern void bambi_request_require_place(const BambiRequest *request);

/* Which key pays (rule K7: never another one than meant). */
extern void bambi_request_resolve_key(BambiRequest *request);

/*
 * From a user's turn in the queue to the next one (start-time fair queuing):
 * it shrinks with the weight of the plan.
 */
#define BAMBI_TURN_UNIT	1000000 /* the step at weight 1 */
extern int64 bambi_turn_step(int32 weight);

#endif							/* BAMBI_REQUEST_H */
