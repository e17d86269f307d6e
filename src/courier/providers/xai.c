/*-------------------------------------------------------------------------
 *
 * xai.c
 *		The images protocol of xAI.
 *
 * It resembles OpenAI's, and differs where it costs: edits are JSON, an
 * answer says what it cost, a picture that moderation took back is billed all
 * the same, and the status of an error says little without its message.
 *
 * A deferred request is paid for when it has been taken, so from then on
 * nothing but a final answer ends it: its result is asked for as often as it
 * takes, until the runner's deadline.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "../retry.h"
#include "provider.h"

/* exchange.step */
#define ASK		0
#define READ	1
#define POLL	2
#define READ_POLL	3

#define FIRST_POLL_MS	1000
#define LONGEST_POLL_MS (10 * 1000)

/* What the edits take. */
#define MAX_XAI_INPUTS	5
#define MAX_INPUT_BYTES (20 * 1024 * 1024)

#define MAX_REQUEST_ID	200
#define MAX_REVISED_PROMPT	(16 * 1024)
#define MAX_URL			4096
/* A dearer answer is not believed: no ten pictures cost that. */
#define MAX_COST_TICKS	(1000 * TICKS_PER_USD)

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

/* What an error says, by its status and a piece of its message. */
typedef struct ErrorSign
{
	long		status;
	const char *piece;
	FaultClass	class;
} ErrorSign;

static const ErrorSign error_signs[] = {
	{400, "Incorrect API key", FAULT_INVALID_KEY},
	{400, "rejected by content moderation", FAULT_CONTENT_BLOCKED},
	{400, "Model not found", FAULT_MODEL_NOT_FOUND},
	{403, "used all available credits", FAULT_QUOTA_EXHAUSTED},
	{403, "monthly spending limit", FAULT_QUOTA_EXHAUSTED},
	{403, "usage guidelines", FAULT_CONTENT_BLOCKED},
	{403, "SAFETY_CHECK_TYPE", FAULT_CONTENT_BLOCKED},
	{429, "used all available credits", FAULT_QUOTA_EXHAUSTED},
	{429, "monthly spending limit", FAULT_QUOTA_EXHAUSTED},
};

/* How a deferred request failed, where its message does not decide. */
static const struct
{
	const char *code;
	long		status;			/* as if it had been this one */
}			deferred_codes[] =

{
	{"invalid_argument", 400},
	{"failed_precondition", 400},
	{"permission_denied", 403},
	{"service_unavailable", 503},
	{"internal_error", 500},
};

/*
 * Decided here, whatever the parameters say; or refused by xAI; or, as with
 * "output", the picture would go elsewhere.
 */
static const char *const own_fields[] = {
	"model", "prompt", "image", "images", "response_format", "size", "style",
	"output",
};

/* ---- asking ---- */

static bool
is_own_field(const char *name)
{
	for (size_t i = 0; i < lengthof(own_fields); i++)
	{
		if (strcmp(own_fields[i], name) == 0)
			return true;
	}
	return false;
}

/* Bytes, unless addresses are wished for; a deferred one has nothing else. */
static const char *
response_format(const Generation *g)
{
	const char *wish = json_string_value(json_object_get(g->parameters,
														 "response_format"));

	if (json_is_true(json_object_get(g->parameters, "deferred")) ||
		(wish != NULL && strcmp(wish, "url") == 0))
		return "url";
	return "b64_json";
}

/* Why the pictures will not do, or NULL. */
static const char *
find_unfit_input(const Generation *g)
{
	if (g->mask != NULL)
		return "xAI takes no mask";
	if (g->input_count > MAX_XAI_INPUTS)
		return "xAI takes at most 5 pictures";
	for (int i = 0; i < g->input_count; i++)
	{
		const char *format = g->inputs[i].format;

		if (g->inputs[i].len > MAX_INPUT_BYTES)
			return "xAI takes no picture of more than 20 MiB";
		if (strcmp(format, "png") != 0 && strcmp(format, "jpeg") != 0 &&
			strcmp(format, "webp") != 0)
			return "xAI takes pictures in png, jpeg or webp";
	}
	return NULL;
}

/* NULL if memory is out. */
static json_t *
image_object(Exchange *x, const Input *input)
{
	const char *prefix = arena_printf(x->arena, "data:image/%s;base64,",
									  input->format);

	return json_pack("{s:o, s:s}", "url",
					 exchange_base64(prefix, input->bytes, input->len),
					 "type", "image_url");
}

/* One stands in "image", which takes no list; several in "images". */
static bool
add_inputs(Exchange *x, const Generation *g, json_t *body)
{
	json_t	   *images;

	if (g->input_count == 1)
		return json_object_set_new(body, "image",
								   image_object(x, &g->inputs[0])) == 0;
	images = json_array();
	for (int i = 0; i < g->input_count; i++)
	{
		if (json_array_append_new(images,
								  image_object(x, &g->inputs[i])) != 0)
		{
			json_decref(images);
			return false;
		}
	}
	return json_object_set_new(body, "images", images) == 0;
}

static Next
ask(Exchange *x, const Generation *g)
{
	bool		is_edit = g->input_count > 0;
	const char *unfit = find_unfit_input(g);
	json_t	   *body;
	const char *name;
	json_t	   *value;

	if (unfit != NULL)
		return exchange_fail(x, FAULT_BAD_REQUEST, unfit);
	body = json_pack("{s:s, s:s, s:s}", "model", g->model, "prompt",
					 g->prompt, "response_format", response_format(g));
	if (body == NULL)
		return exchange_fail(x, FAULT_INTERNAL, "the request is not UTF-8");
	json_object_foreach(g->parameters, name, value)
	{
		if (!is_own_field(name) && !json_is_null(value))
			json_object_set(body, name, value);
	}
	if (is_edit && !add_inputs(x, g, body))
	{
		json_decref(body);
		return exchange_fail(x, FAULT_INTERNAL, "out of memory");
	}

	exchange_post(x, is_edit ? "/images/edits" : "/images/generations", body);
	exchange_bearer(x);
	exchange_header(x, "X-Client-Request-Id", g->client_request_id);
	x->request.is_paid = true;
	x->request.ordinal = 1;
	x->request.picture_path = "data[].b64_json";
	x->step = READ;
	return NEXT_SEND;
}

/* ---- reading errors ---- */

/* What the answer says that it cost, or -1. */
static int64_t
read_ticks(const json_t *root)
{
	const json_t *ticks = json_object_get(json_object_get(root, "usage"),
										  "cost_in_usd_ticks");
	json_int_t	value = json_integer_value(ticks);

	if (!json_is_integer(ticks) || value < 0 || value > MAX_COST_TICKS)
		return -1;
	return value;
}

static Charged
charged_by(int64_t ticks, Charged otherwise)
{
	if (ticks < 0)
		return otherwise;
	return ticks > 0 ? CHARGED_YES : CHARGED_NO;
}

/* {"error":"..."}, {"error":{"message":...}} or {"message":...}; or NULL. */
static const char *
read_message(const json_t *root)
{
	const json_t *error = json_object_get(root, "error");

	if (json_is_string(error))
		return json_string_value(error);
	if (!json_is_object(error))
		error = root;
	return json_string_value(json_object_get(error, "message"));
}

static FaultClass
class_of(long status, const char *message)
{
	for (size_t i = 0; message != NULL && i < lengthof(error_signs); i++)
	{
		if (error_signs[i].status == status &&
			strstr(message, error_signs[i].piece) != NULL)
			return error_signs[i].class;
	}
	switch (status)
	{
		case 403:
			return FAULT_INVALID_KEY;
		case 404:
			return FAULT_MODEL_NOT_FOUND;
		default:
			return fault_of_status(status);
	}
}

/*
 * By status and message; root may be NULL.  The codes that xAI sends beside
 * them differ from time to time for the same fault.
 */
static Next
fail_by_status(Exchange *x, long status, const json_t *root,
			   Outcome *outcome)
{
	const char *message = read_message(root);
	FaultClass	class = class_of(status, message);
	bool		is_open = status >= 500 || status == 408;
	Charged		charged = is_open ? CHARGED_UNKNOWN : CHARGED_NO;
	Fault	   *fault = &x->fault;

	/* the finished picture was taken back, which is billed */
	if (status == 400 && class == FAULT_CONTENT_BLOCKED)
		charged = CHARGED_YES;
	if (message == NULL || message[0] == '\0')
		message = arena_printf(x->arena,
							   "the provider answered HTTP status %ld",
							   status);
	exchange_fail(x, class, message);
	outcome->cost_ticks = read_ticks(root);
	fault->charged = charged_by(outcome->cost_ticks, charged);
	fault->may_have_cost = is_open && fault->charged != CHARGED_NO;
	fault->may_repeat = class == FAULT_RATE_LIMITED &&
		fault->charged == CHARGED_NO;
	if (fault->may_repeat)
		fault->retry_after_ms =
			retry_hint_ms(exchange_reply_header(x, "retry-after-ms"),
						  exchange_reply_header(x, "retry-after"),
						  exchange_reply_header(x, "date"));
	return NEXT_FAIL;
}

static Next
fail_charged(Exchange *x, FaultClass class, Charged charged,
			 const char *message)
{
	exchange_fail(x, class, message);
	x->fault.charged = charged;
	return NEXT_FAIL;
}

/* ---- reading pictures ---- */

/* Takes the picture of an item of "data", or where it is; false if neither. */
static bool
take_picture(Exchange *x, const json_t *item, OutcomePicture *taken)
{
	Reply	   *reply = &x->reply;
	const char *url = json_string_value(json_object_get(item, "url"));
	const char *revised = json_string_value(json_object_get(item,
															"revised_prompt"));
	int			index = exchange_picture_index(x, json_object_get(item, "b64_json"));

	if (index >= 0 && !reply->pictures[index].is_broken &&
		reply->pictures[index].len > 0)
	{
		taken->picture = reply->pictures[index];
		memset(&reply->pictures[index], 0, sizeof(Picture));
	}
	else if (index < 0 && url != NULL && url[0] != '\0' &&
			 strlen(url) <= MAX_URL)
		taken->url = arena_strdup(x->arena, url);
	else
		return false;
	if (revised != NULL && revised[0] != '\0')
		taken->revised_prompt = exchange_scrub(x, revised, MAX_REVISED_PROMPT);
	return true;
}

static Next
read_pictures(Exchange *x, json_t *root, Outcome *outcome)
{
	json_t	   *data = json_object_get(root, "data");
	int64_t		ticks = read_ticks(root);
	int			blocked = 0;
	size_t		i;
	json_t	   *item;

	outcome->cost_ticks = ticks;
	json_array_foreach(data, i, item)
	{
		if (json_is_false(json_object_get(item, "respect_moderation")))
			blocked++;
		else if (outcome->picture_count < MAX_PICTURES &&
				 take_picture(x, item,
							  &outcome->pictures[outcome->picture_count]))
			outcome->picture_count++;
	}
	if (outcome->picture_count > 0)
	{
		if (blocked > 0)
		{
			outcome->missing_billed = MIN(blocked, MAX_PICTURES);
			outcome->note = "the provider's moderation kept a picture back";
		}
		return NEXT_DONE;
	}
	if (blocked > 0 || (json_is_array(data) && json_array_size(data) == 0))
		return fail_charged(x, FAULT_CONTENT_BLOCKED,
							charged_by(ticks, CHARGED_UNKNOWN),
							"the provider's moderation kept the picture back");
	return fail_charged(x, FAULT_UNKNOWN,
						x->reply.picture_count > 0 ? CHARGED_YES :
						charged_by(ticks, CHARGED_UNKNOWN),
						"the provider's answer holds no whole picture");
}

/* ---- deferred requests ---- */

/* It becomes a part of an address. */
static bool
is_plain_id(const char *id)
{
	size_t		len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							 "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return len > 0 && len <= MAX_REQUEST_ID && id[len] == '\0';
}

/* The request stays in x while the runner waits, and is sent as it is. */
static Next
poll_later(Exchange *x, int ms)
{
	x->sleep_ms = ms;
	x->step = POLL;
	return NEXT_SLEEP;
}

static Next
begin_polling(Exchange *x, const char *id)
{
	if (!is_plain_id(id))
	{
		fail_charged(x, FAULT_UNKNOWN, CHARGED_UNKNOWN,
					 "the provider's request id is no plain identifier");
		x->fault.may_have_cost = true;
		return NEXT_FAIL;
	}
	exchange_get(x, arena_printf(x->arena, "/images/%s", id));
	exchange_bearer(x);
	x->request.picture_path = "data[].b64_json";
	return poll_later(x, FIRST_POLL_MS);
}

/* The answer to a request that may have been deferred. */
static Next
read_answer(Exchange *x, Outcome *outcome)
{
	json_t	   *root = exchange_json(x);
	const char *id = json_string_value(json_object_get(root, "request_id"));

	if (root == NULL)
		return fail_charged(x, FAULT_UNKNOWN,
							x->reply.picture_count > 0 ? CHARGED_YES :
							CHARGED_UNKNOWN,
							"the provider's answer is no JSON document");
	if (id != NULL && !json_is_array(json_object_get(root, "data")))
		return begin_polling(x, id);
	return read_pictures(x, root, outcome);
}

/* The provider's own word that there will be no picture. */
static Next
read_failure(Exchange *x, const json_t *root, Outcome *outcome)
{
	const json_t *error = json_object_get(root, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	long		status = 500;

	for (size_t i = 0; code != NULL && i < lengthof(deferred_codes); i++)
	{
		if (strcmp(deferred_codes[i].code, code) == 0)
			status = deferred_codes[i].status;
	}
	return fail_by_status(x, status, root, outcome);
}

/*
 * Whether asking for the result again cannot help: the key is no longer
 * taken, or nobody understands the question.
 */
static bool
is_poll_refused(const Reply *reply)
{
	return reply->status == 400 || reply->status == 401 ||
		reply->status == 403 || reply->transport == TRANSPORT_ADDRESS ||
		reply->transport == TRANSPORT_TOO_LARGE ||
		reply->transport == TRANSPORT_CANCELLED;
}

static Next
read_poll(Exchange *x, Outcome *outcome)
{
	int			pause = MIN(MAX(2 * x->sleep_ms, FIRST_POLL_MS),
							LONGEST_POLL_MS);
	json_t	   *root = NULL;
	const char *status;

	if (is_poll_refused(&x->reply))
	{
		if (x->reply.status != 0)
			fail_by_status(x, x->reply.status, exchange_json(x), outcome);
		else
			exchange_fail_transport(x);
		/* what became of the picture is not known */
		x->fault.charged = charged_by(outcome->cost_ticks, CHARGED_UNKNOWN);
		x->fault.may_have_cost = true;
		x->fault.may_repeat = false;
		return NEXT_FAIL;
	}
	if (x->reply.transport == TRANSPORT_OK && x->reply.status == 200)
		root = exchange_json(x);
	status = json_string_value(json_object_get(root, "status"));
	if (status != NULL && strcmp(status, "failed") == 0)
		return read_failure(x, root, outcome);
	if (status != NULL && strcmp(status, "done") == 0)
		return read_pictures(x, root, outcome);
	return poll_later(x, pause);
}

/* ---- the steps ---- */

static void
begin_outcome(Outcome *outcome)
{
	outcome->cost_ticks = -1;
	outcome->usage = (Usage)
	{
		-1, -1, -1, -1, -1, -1, -1
	};
}

static Next
xai_generate(Exchange *x, const Generation *g, Outcome *outcome)
{
	const char *request_id = exchange_reply_header(x, "x-request-id");
	long		status = x->reply.status;

	switch (x->step)
	{
		case ASK:
			begin_outcome(outcome);
			return ask(x, g);
		case POLL:
			x->step = READ_POLL;
			return NEXT_SEND;
		case READ_POLL:
			return read_poll(x, outcome);
	}

	if (request_id != NULL)
		outcome->provider_request_id = exchange_scrub(x, request_id,
													  MAX_REQUEST_ID);
	/* a refusal is one, also if the rest of it was lost */
	if (x->reply.transport != TRANSPORT_OK && (status < 400 || status > 499))
		return exchange_fail_transport(x);
	if (status < 200 || status > 299)
		return fail_by_status(x, status, exchange_json(x), outcome);
	return read_answer(x, outcome);
}

/* ---- the key ---- */

/* A key that is known may still not be good for anything. */
static Next
read_key(Exchange *x)
{
	static const struct
	{
		const char *flag;
		const char *message;
	}			flags[] =
	{
		{"api_key_blocked", "the provider has blocked the key"},
		{"api_key_disabled", "the key is disabled"},
		{"team_blocked", "the provider has blocked the team of the key"},
	};
	const json_t *root = exchange_json(x);

	if (!json_is_object(root))
		return exchange_fail(x, FAULT_UNKNOWN,
							 "the provider's answer is no JSON document");
	for (size_t i = 0; i < lengthof(flags); i++)
	{
		if (json_is_true(json_object_get(root, flags[i].flag)))
			return exchange_fail(x, FAULT_INVALID_KEY, flags[i].message);
	}
	return NEXT_DONE;
}

static Next
xai_validate(Exchange *x, const char *model)
{
	long		status = x->reply.status;
	Outcome		unpaid = {0};

	(void) model;
	if (x->step == ASK)
	{
		exchange_get(x, "/api-key");
		exchange_bearer(x);
		x->step = READ;
		return NEXT_SEND;
	}
	if (x->reply.transport != TRANSPORT_OK && (status < 400 || status > 499))
		return exchange_fail_transport(x);
	if (status < 200 || status > 299)
		return fail_by_status(x, status, exchange_json(x), &unpaid);
	return read_key(x);
}

static const char *const image_hosts[] = {"imgen.x.ai", NULL};

const ProviderAdapter provider_xai = {
	.name = "xai",
	.needs_key = true,
	.generate = xai_generate,
	.validate = xai_validate,
	.image_hosts = image_hosts,
};
