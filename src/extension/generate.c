/*-------------------------------------------------------------------------
 *
 * generate.c
 *		bambi_generate and bambi_edit: from a call to a row in the queue.
 *
 * Three statements do it: one reads all that decides and is the user's (the
 * catalogue keeps the rest in memory), one reserves, and so locks the user's row, one queues behind what is queued of the user's by then.
 * Where there is a budget, a fourth one judges what that has come to.
 * Pictures to edit are kept beside what was queued, before the commit.
 * An idempotency key takes some more, so that of two sessions that ask the
 * same at once, one queues and the other gets the same id.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "budget.h"
#include "client.h"
#include "edit_inputs.h"
#include "identity.h"
#include "months.h"
#include "point.h"
#include "refuse.h"
#include "request.h"
#include "shmem.h"
#include "statements_client.h"
#include "uuid.h"
#include "web.h"

/* As the table's constraint has it, in characters. */
#define LONGEST_KEY		255

/* What a statement of queuing takes. */
#define QUEUE_VALUES	16

/* Keys that others delete while we look for them: an accident, not a rule. */
#define MOST_LOOKS		10

typedef unsigned char RequestHash[PG_SHA256_DIGEST_LENGTH];

/* A request that is to be queued once. */
typedef struct Once
{
	char	   *key;			/* NULL: queued as often as it is asked */
	RequestHash hash;
} Once;

/* How it was asked. */
typedef struct Call
{
	const char *path;			/* at PostgREST */
	BambiRequest request;
	Once		once;
	const BambiEditInputs *inputs;	/* NULL: nothing is edited */
} Call;

PG_FUNCTION_INFO_V1(bambi_generate);
PG_FUNCTION_INFO_V1(bambi_edit);

static void
hash_part(pg_cryptohash_ctx *hash, const void *data, uint32 length)
{
	if (pg_cryptohash_update(hash, (const uint8 *) &length,
							 sizeof(length)) < 0 ||
		pg_cryptohash_update(hash, data, length) < 0)
		elog(ERROR, "could not hash a request");
}

/*
 * What makes two requests the same: all that was asked, as it was asked.  So
 * a repeated request stays the same when the plan's default model changes.
 */
static void
hash_request(const Call *call, RequestHash result)
{
	const BambiRequest *request = &call->request;
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	const char *model = request->model_name ? request->model_name : "";
	StringInfoData parameters;

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not hash a request");

	initStringInfo(&parameters);
	(void) JsonbToCString(&parameters, &request->parameters->root, 0);

	hash_part(hash, VARDATA_ANY(request->prompt),
			  VARSIZE_ANY_EXHDR(request->prompt));
	hash_part(hash, model, strlen(model));
	hash_part(hash, parameters.data, parameters.len);
	hash_part(hash, request->configuration,
			  request->configuration ? UUID_LEN : 0);
	if (call->inputs)
		bambi_edit_inputs_hash(call->inputs, hash);

	if (pg_cryptohash_final(hash, result, sizeof(RequestHash)) < 0)
		elog(ERROR, "could not hash a request");
	pg_cryptohash_free(hash);
}

static void
require_same_request(const RequestHash mine, bytea *other)
{
	if (VARSIZE_ANY_EXHDR(other) != sizeof(RequestHash) ||
		memcmp(VARDATA_ANY(other), mine, sizeof(RequestHash)) != 0)
		bambi_refuse(BAMBI_KEY_REUSED, NULL,
					 "This key was used before with other arguments.",
					 "Use a new key for every new request.");
}

static char *
take_idempotency_key(FunctionCallInfo fcinfo, int n, const char *path)
{
	text	   *argument = bambi_text_argument(fcinfo, n, NULL);
	char	   *key = NULL;
	int			length;

	if (argument)
		key = text_to_cstring(argument);
	else if (bambi_web_request_is(path))
		key = bambi_web_header("idempotency-key");
	if (key == NULL)
		return NULL;

	length = pg_mbstrlen(key);
	if (length == 0 || length > LONGEST_KEY)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("idempotency key must have 1 to %d characters",
							  LONGEST_KEY),
					 NULL, NULL);
	return key;
}

/* The values that both statements of queuing take. */
static void
set_values(const Call *call, const pg_uuid_t *id, TimestampTz period,
		   Datum *values, char *nulls)
{
	const BambiRequest *request = &call->request;
	const BambiEditInputs *inputs = call->inputs;
	const BambiPlan *plan = request->quota.plan;

	memset(nulls, ' ', QUEUE_VALUES);
	values[0] = UUIDPGetDatum(&request->user);
	values[1] = UUIDPGetDatum(id);
	values[2] = TimestampTzGetDatum(period);
	nulls[3] = nulls[4] = 'n';
	values[5] = UUIDPGetDatum(request->paid_with);
	if (request->paid_with == NULL)
		nulls[5] = 'n';
	values[6] = UUIDPGetDatum(&request->offer->id);
	values[7] = PointerGetDatum(request->prompt);
	values[8] = JsonbPGetDatum(request->parameters);
	values[9] = NumericGetDatum(request->estimate);
	if (request->estimate == NULL)
		nulls[9] = 'n';
	if (plan->store)
		values[10] = CStringGetTextDatum(plan->store);
	else
		nulls[10] = 'n';
	values[11] = Int64GetDatum(bambi_virtual_time());
	values[12] = Int64GetDatum(bambi_turn_step(plan->weight));
	values[13] = UUIDPGetDatum(&request->offer->provider);
	values[14] = Int16GetDatum(inputs ? inputs->count + inputs->has_mask : 0);
	values[15] = Int32GetDatum(inputs ? inputs->kept_bytes : 0);
}

/* After either of them. */
static void
tell_worker(void)
{
	bool		is_null;

	bambi_queued_at_commit(DatumGetInt64(bambi_result(0, 1, &is_null)));
}

static void
queue(const Call *call, const pg_uuid_t *id)
{
	const BambiRequest *request = &call->request;
	TimestampTz period;
	Datum		values[QUEUE_VALUES];
	char		nulls[QUEUE_VALUES];

	if (!bambi_quota_reserve(&request->user, &request->quota, request->now,
							 &period))
		bambi_quota_refuse(&request->user);
	set_values(call, id, period, values, nulls);
	bambi_execute(&bambi_client_queue, values, nulls);
	tell_worker();
}

/* The generation that the key was used for, if it was. */
static bool
find_request(const Call *call, pg_uuid_t *id)
{
	const Once *once = &call->once;
	Datum		values[2];
	bool		is_null;

	values[0] = UUIDPGetDatum(&call->request.user);
	values[1] = CStringGetTextDatum(once->key);
	if (bambi_execute(&bambi_client_find_request, values, NULL) == 0)
		return false;
	require_same_request(once->hash,
						 DatumGetByteaPP(bambi_result(0, 2, &is_null)));
	*id = *DatumGetUUIDP(bambi_result(0, 1, &is_null));
	return true;
}

/* False if the key is there by now. */
static bool
try_to_queue(const Call *call, const pg_uuid_t *id, TimestampTz period)
{
	const Once *once = &call->once;
	Datum		values[QUEUE_VALUES];
	char		nulls[QUEUE_VALUES];
	bytea	   *hash = palloc(VARHDRSZ + sizeof(RequestHash));

	SET_VARSIZE(hash, VARHDRSZ + sizeof(RequestHash));
	memcpy(VARDATA(hash), once->hash, sizeof(RequestHash));

	set_values(call, id, period, values, nulls);
	values[3] = CStringGetTextDatum(once->key);
	values[4] = PointerGetDatum(hash);
	nulls[3] = nulls[4] = ' ';
	if (bambi_execute(&bambi_client_queue_once, values, nulls) == 0)
		return false;
	tell_worker();
	return true;
}

/*
 * Queues, unless the key is there by now: then *id becomes that one's, and
 * this is false.  The reservation comes first, since a key without its
 * generation cannot be stored; and the last place may have been taken by this
 * very request, asked in another session.
 */
static bool
queue_once(const Call *call, pg_uuid_t *id)
{
	const BambiRequest *request = &call->request;
	TimestampTz period;

	if (!bambi_quota_reserve(&request->user, &request->quota, request->now,
							 &period))
	{
		if (find_request(call, id))
			return false;
		bambi_quota_refuse(&request->user);
	}

	for (int look = 0; look < MOST_LOOKS; look++)
	{
		if (try_to_queue(call, id, period))
			return true;
		if (find_request(call, id))
		{
			bambi_quota_unreserve(&request->user, &request->quota);
			return false;
		}
	}
	bambi_refuse(BAMBI_TRY_LATER, NULL, NULL, NULL);
}

/* What PostgREST is to answer, beside the id. */
static void
answer(const char *path, const pg_uuid_t *id)
{
	char		printed[UUID_TEXT_SIZE];

	if (!bambi_web_request_is(path))
		return;
	bambi_uuid_print(id, printed);
	bambi_web_answer("202",
					 psprintf("[{\"Location\": \"/bambi_generations?id=eq.%s\"}, {\"Retry-After\": \"2\"}]",
							  printed));
}

/* Which model, whether it can do this, whose key: all but the quota. */
static void
resolve(Call *call)
{
	BambiRequest *request = &call->request;
	const BambiEditInputs *inputs = call->inputs;

	bambi_request_look(request);
	bambi_request_resolve_model(request);
	bambi_request_require_plan(request);
	if (inputs)
		bambi_inputs_check(&request->model_rules, inputs->facts,
						   inputs->count,
						   inputs->has_mask ? &inputs->mask_facts : NULL);
	bambi_request_resolve_key(request);
	bambi_request_require_room(request);
}

/* From what was asked to the id of what is queued, now or before. */
static Datum
enqueue(Call *call)
{
	BambiRequest *request = &call->request;
	bool		is_new = true;
	pg_uuid_t	id;

	if (call->once.key)
		hash_request(call, call->once.hash);

	/* what was queued before is answered whatever has changed since */
	if (call->once.key)
		bambi_require_user(&request->user);
	if (call->once.key && find_request(call, &id))
	{
		answer(call->path, &id);
		return bambi_return_uuid(&id);
	}

	resolve(call);
	bambi_uuid_make(&id);
	bambi_month_require(&id);
	bambi_wake_at_commit(BAMBI_WAKE_QUEUE);
	if (call->once.key)
		is_new = queue_once(call, &id);
	else
		queue(call, &id);
	if (is_new)
		bambi_request_require_place(request);
	if (is_new && request->has_budget)
		bambi_budget_require(&request->user, request->paid_with,
							 &request->price);
	if (is_new && call->inputs)
		bambi_edit_inputs_store(call->inputs, &request->user, &id);

	answer(call->path, &id);
	BAMBI_POINT("enqueue-before-commit");
	return bambi_return_uuid(&id);
}

/*
 * Arguments: prompt text, model text, parameters jsonb, configuration uuid,
 * idempotency_key text.
 */
static Datum
generate(PG_FUNCTION_ARGS)
{
	Call		call = {.path = "/rpc/bambi_generate"};

	bambi_require_identity(&call.request.user);
	bambi_request_take(&call.request, fcinfo, 0);
	call.request.configuration = bambi_uuid_argument(fcinfo, 3, NULL);
	call.once.key = take_idempotency_key(fcinfo, 4, call.path);
	return enqueue(&call);
}

Datum
bambi_generate(PG_FUNCTION_ARGS)
{
	return bambi_client_call(generate, fcinfo);
}

/*
 * Arguments: prompt text, images bytea[], mask bytea, model text, parameters
 * jsonb, configuration uuid, idempotency_key text, sources uuid[].
 */
static Datum
edit(PG_FUNCTION_ARGS)
{
	Call		call = {.path = "/rpc/bambi_edit"};
	BambiEditInputs *inputs = palloc(sizeof(BambiEditInputs));

	bambi_require_identity(&call.request.user);
	bambi_request_take_model(&call.request, fcinfo, 3);
	call.request.prompt = bambi_text_argument(fcinfo, 0, "prompt");
	call.request.configuration = bambi_uuid_argument(fcinfo, 5, NULL);
	call.once.key = take_idempotency_key(fcinfo, 6, call.path);
	bambi_edit_inputs_take(inputs, fcinfo, 1, 7, &call.request.user);
	call.inputs = inputs;
	call.request.inputs = inputs->count;
	return enqueue(&call);
}

Datum
bambi_edit(PG_FUNCTION_ARGS)
{
	return bambi_client_call(edit, fcinfo);
}
