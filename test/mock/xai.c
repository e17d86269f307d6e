/*-------------------------------------------------------------------------
 *
 * xai.c
 *		Answers in xAI's protocol.
 *
 * Rules, error bodies and prices are those of xai-images.openapi.json and
 * prices.json.  A picture to edit is billed, too; how much is nowhere said
 * for sure, so INPUT_TICKS is made up.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "xai.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "call.h"
#include "document.h"
#include "gallery.h"
#include "input.h"

#define MAX_N			10
#define MAX_EDITED		5
#define MAX_DEFERRED	1024	/* the oldest goes first */
#define CENT_TICKS		100000000LL
#define INPUT_TICKS		20000000LL

#define ASPECTS			" auto 1:1 3:4 4:3 9:16 16:9 2:3 3:2 9:19.5 19.5:9 " \
	"9:20 20:9 1:2 2:1 21:9 5:2 "

typedef struct XaiModel
{
	const char *name;
	bool		is_newest;		/* knows qualities */
} XaiModel;

static const XaiModel models[] = {
	{"grok-imagine-image-2.0", true},
	{"grok-imagine-image", false},
	{"grok-imagine-image-quality", true},	/* silently answered by 2.0 */
	{"grok-imagine-image-pro", true},
	{NULL, false}
};

typedef struct XaiWish
{
	const XaiModel *model;
	const char *model_name;
	const char *prompt;
	bool		is_edit;
	int			n;
	bool		by_url;
	bool		is_deferred;
	PictureWish picture;
	long long	ticks;			/* what the whole call costs */
	Input		inputs[MAX_INPUTS];
	int			input_count;
	void	   *kept;			/* what the inputs stand in */
} XaiWish;

typedef struct XaiRefusal
{
	int			status;
	const char *code;			/* NULL: the answer has none */
	char		message[512];
} XaiRefusal;

/* What a deferred request will have. */
typedef struct Deferred
{
	uint64_t	number;
	Plan		plan;
	PictureWish picture;
	int			n;
	long long	ticks;
} Deferred;

static Deferred deferred[MAX_DEFERRED];
static uint64_t deferred_count;

static bool
refuse(XaiRefusal *why, int status, const char *code, const char *format,...)
{
	va_list		args;

	why->status = status;
	why->code = code;
	va_start(args, format);
	vsnprintf(why->message, sizeof(why->message), format, args);
	va_end(args);
	return false;
}

static void
answer_refusal(Connection *c, const XaiRefusal *why)
{
	document_answer(c, why->status, "content-type: application/json\r\n",
					json_pack("{s:s*,s:o}", "code", why->code, "error",
							  document_text(why->message)));
}

/* ---- the key ---- */

static bool
check_key(const Request *request, XaiRefusal *why)
{
	const char *key = request->bearer;

	if (key[0] == '\0')
		return refuse(why, 401, "unauthenticated", "No authorization header "
					  "or an invalid authorization token is provided.");
	if (strncmp(key, "xai-", 4) != 0 || strncmp(key, "xai-invalid", 11) == 0)
		return refuse(why, 400, "invalid-argument", "Incorrect API key "
					  "provided. You can obtain an API key from "
					  "https://console.x.ai.");
	return true;
}

static bool
is_blocked(const Request *request)
{
	return strncmp(request->bearer, "xai-blocked", 11) == 0;
}

static bool
check_rights(const Request *request, XaiRefusal *why)
{
	if (!check_key(request, why))
		return false;
	return !is_blocked(request) ||
		refuse(why, 403, "permission-denied",
			   "The API key is blocked or disabled.");
}

/* ---- the request ---- */

static const char *
text_of(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

static bool
is_given(const json_t *body, const char *name)
{
	json_t	   *value = json_object_get(body, name);

	return value != NULL && !json_is_null(value);
}

static bool
check_word(const json_t *body, const char *name, const char *values,
		   XaiRefusal *why)
{
	const char *given = text_of(body, name);
	char		word[64];

	if (!is_given(body, name))
		return true;
	snprintf(word, sizeof(word), " %.60s ", given != NULL ? given : "?");
	if (given != NULL && strchr(given, ' ') == NULL &&
		strstr(values, word) != NULL)
		return true;
	return refuse(why, 422, NULL, "Failed to deserialize the JSON body into "
				  "the target type: %s: unknown variant `%.40s`, expected "
				  "one of%s", name, given != NULL ? given : "?", values);
}

static bool
check_model(const json_t *body, XaiWish *wish, XaiRefusal *why)
{
	wish->model_name = text_of(body, "model");
	if (wish->model_name == NULL)
		wish->model_name = models[0].name;
	for (const XaiModel *m = models; m->name != NULL; m++)
		if (strcmp(m->name, wish->model_name) == 0)
			wish->model = m;
	return wish->model != NULL ||
		refuse(why, 404, "not-found", "The model %.80s does not exist or "
			   "your team does not have access to it.", wish->model_name);
}

/* About a megapixel (1k) or four (2k), in that shape, in steps of 16. */
static void
choose_size(const json_t *body, PictureWish *picture)
{
	const char *aspect = text_of(body, "aspect_ratio");
	const char *resolution = text_of(body, "resolution");
	double		side = resolution == NULL ? 1024 : atof(resolution) * 1024;
	double		w = 1;
	double		h = 1;

	if (aspect != NULL && sscanf(aspect, "%lf:%lf", &w, &h) != 2)
		w = h = 1;
	picture->width = (int) (side * sqrt(w / h) / 16) * 16;
	picture->height = (int) (side * sqrt(h / w) / 16) * 16;
	picture->format = FORMAT_JPEG;
	picture->compression = 90;
}

static long long
ticks_of(const json_t *body, const XaiWish *wish)
{
	const char *quality = text_of(body, "quality");
	const char *resolution = text_of(body, "resolution");
	bool		is_medium = quality != NULL && strcmp(quality, "auto") != 0 ?
	strcmp(quality, "low") != 0 : wish->is_edit;
	int			cents = 2;

	if (wish->model->is_newest)
		cents = 4 + 2 * is_medium +
			2 * (resolution != NULL && strcmp(resolution, "1k") != 0);
	return wish->n * cents * CENT_TICKS + wish->input_count * INPUT_TICKS;
}

static bool
check_inputs(const json_t *body, XaiWish *wish, XaiRefusal *why)
{
	json_t	   *one = json_object_get(body, "image");
	json_t	   *many = json_object_get(body, "images");
	size_t		count = json_array_size(many);
	unsigned char *room;

	if (json_is_array(one))
		return refuse(why, 422, NULL, "Failed to deserialize the JSON body "
					  "into the target type: image: invalid type: sequence");
	if ((one == NULL) == (many == NULL) || (one == NULL && count == 0))
		return refuse(why, 400, "invalid-argument",
					  "Exactly one of image and images is needed.");
	if (count > MAX_EDITED)
		return refuse(why, 400, "invalid-argument",
					  "At most %d images can be edited.", MAX_EDITED);
	if (one != NULL)
		count = 1;
	room = wish->kept = input_room(count);
	for (size_t i = 0; i < count; i++)
	{
		json_t	   *row = one != NULL ? one : json_array_get(many, i);
		Input	   *input = &wish->inputs[wish->input_count++];
		const char *url = text_of(row, "url");

		if (!input_read(url, text_of(row, "file_id"), input, &room) ||
			(!input_is_reference(input) && !input_is_picture(input)))
			return refuse(why, 400, "invalid-argument",
						  "Image %zu is no image.", i);
	}
	return true;
}

static bool
check_request(const json_t *body, XaiWish *wish, XaiRefusal *why)
{
	const char *response = text_of(body, "response_format");
	json_t	   *n = json_object_get(body, "n");

	if (!json_is_object(body))
		return refuse(why, 422, NULL,
					  "Failed to parse the request body as JSON");
	if (is_given(body, "size") || is_given(body, "style"))
		return refuse(why, 400, "400", "Argument not supported: %s",
					  is_given(body, "size") ? "size" : "style");
	wish->prompt = text_of(body, "prompt");
	if (!check_model(body, wish, why))
		return false;
	if (wish->prompt == NULL || wish->prompt[0] == '\0')
		return refuse(why, 400, "invalid-argument", "A prompt is needed.");
	if (is_given(body, "quality") && !wish->model->is_newest)
		return refuse(why, 400, "400", "Argument not supported: quality");
	if (is_given(body, "n") && (!json_is_integer(n) ||
								json_integer_value(n) < 1 ||
								json_integer_value(n) > MAX_N))
		return refuse(why, 400, "invalid-argument",
					  "n must be between 1 and 10 inclusive");
	if (!check_word(body, "aspect_ratio", ASPECTS, why) ||
		!check_word(body, "resolution", " 1k 1.5k 2k ", why) ||
		!check_word(body, "quality", " low medium high auto ", why) ||
		!check_word(body, "response_format", " url b64_json ", why) ||
		(wish->is_edit && !check_inputs(body, wish, why)))
		return false;

	wish->n = is_given(body, "n") ? json_integer_value(n) : 1;
	wish->by_url = response == NULL || strcmp(response, "url") == 0;
	wish->is_deferred = json_is_true(json_object_get(body, "deferred"));
	if (wish->is_deferred && !wish->by_url)
		return refuse(why, 400, "invalid-argument", "A deferred request "
					  "gives only urls.");
	choose_size(body, &wish->picture);
	wish->picture.colour = prompt_colour(wish->prompt);
	wish->ticks = ticks_of(body, wish);
	return true;
}

/* ---- the answer ---- */

static void
gather_data(Connection *c, const Request *request, const Plan *plan,
			const PictureWish *first, int n, bool by_url)
{
	PictureWish picture = *first;
	char		url[MAX_URL];

	answer_text(c, "\"data\":[");
	for (int i = 0; i < n; i++)
	{
		answer_text(c, "%s{\"mime_type\":\"image/jpeg\","
					"\"respect_moderation\":true,", i > 0 ? "," : "");
		if (by_url)
		{
			gallery_hang(request, plan, &picture, url);
			answer_text(c, "\"url\":\"%s\"}", url);
		}
		else
		{
			answer_text(c, "\"b64_json\":\"");
			answer_blob(c, call_picture(plan, &picture));
			answer_text(c, "\"}");
		}
		picture.colour++;
	}
	answer_text(c, "]");
}

static void
gather_usage(Connection *c, long long ticks)
{
	answer_text(c, ",\"usage\":{\"cost_in_usd_ticks\":%lld}", ticks);
}

/* The forms of moderation; see faults.h.  Returns the status. */
static int
gather_block(Connection *c, const Plan *plan, long long ticks)
{
	if (strcmp(plan->block, "prompt") == 0)
	{
		answer_text(c, "{\"error\":\"Content violates usage guidelines. "
					"Failed check: SAFETY_CHECK_TYPE_X\"}");
		return 403;
	}
	if (strcmp(plan->block, "flag") == 0)
		answer_text(c, "{\"data\":[{\"respect_moderation\":false}]");
	else if (strcmp(plan->block, "empty") == 0)
		answer_text(c, "{\"data\":[]");
	else
		answer_text(c, "{\"code\":\"invalid-argument\",\"error\":"
					"\"Generated image rejected by content moderation.\"");
	gather_usage(c, ticks);
	answer_text(c, "}");
	return strcmp(plan->block, "flag") == 0 ||
		strcmp(plan->block, "empty") == 0 ? 200 : 400;
}

static void
book_block(const Plan *plan, Entry *entry)
{
	bool		is_prompt = strcmp(plan->block, "prompt") == 0;
	bool		is_output = strcmp(plan->block, "output") == 0;

	entry->charged = !is_prompt;
	entry->status = is_prompt ? 403 : is_output ? 400 : 200;
}

static void
defer(Connection *c, const XaiWish *wish, const Plan *plan)
{
	Deferred   *d = &deferred[++deferred_count % MAX_DEFERRED];

	d->number = deferred_count;
	d->plan = *plan;
	d->picture = wish->picture;
	d->n = wish->n;
	d->ticks = wish->ticks;
	answer_text(c, "{\"request_id\":\"mock-%" PRIu64 "\"}", d->number);
}

static void
answer_call(Connection *c, const Request *request, const Call *call,
			const Plan *plan, uint64_t sequence)
{
	const XaiWish *wish = call->wish;
	bool		by_url = plan->form == FORM_AS_ASKED ? wish->by_url :
	plan->form == FORM_URL;
	char		headers[160];
	int			status = 200;

	if (plan->block[0] != '\0')
		status = gather_block(c, plan, wish->ticks);
	else if (wish->is_deferred)
		defer(c, wish, plan);
	else
	{
		answer_text(c, "{");
		gather_data(c, request, plan, &wish->picture, wish->n, by_url);
		gather_usage(c, wish->ticks);
		answer_text(c, "}");
	}
	call_headers(headers, sizeof(headers), plan, sequence);
	connection_answer(c, status, headers, plan->delay_ms);
}

static void
answer_deferred(Connection *c, const Request *request, const char *id)
{
	uint64_t	number = strncmp(id, "mock-", 5) == 0 ?
	strtoull(id + 5, NULL, 10) : 0;
	Deferred   *d = &deferred[number % MAX_DEFERRED];
	XaiRefusal	why;
	int			status = 200;

	if (number == 0 || d->number != number)
	{
		refuse(&why, 404, "not-found", "There is no such request.");
		answer_refusal(c, &why);
		return;
	}
	answer_text(c, "{\"request_id\":\"mock-%" PRIu64 "\",", number);
	if (d->plan.pending > 0)
	{
		d->plan.pending--;
		answer_text(c, "\"status\":\"pending\"}");
		status = 202;
	}
	else if (d->plan.deferred_fails)
		answer_text(c, "\"status\":\"failed\",\"error\":{\"code\":"
					"\"internal_error\",\"message\":\"It went wrong.\"}}");
	else
	{
		answer_text(c, "\"status\":\"done\",");
		gather_data(c, request, &d->plan, &d->picture, d->n, true);
		gather_usage(c, d->ticks);
		answer_text(c, "}");
	}
	connection_answer(c, status, "content-type: application/json\r\n", 0);
}

void
xai_reset(void)
{
	memset(deferred, 0, sizeof(deferred));
	deferred_count = 0;
}

/* ---- calls ---- */

static void
decide(Connection *c, const Request *request, const json_t *body,
	   XaiWish *wish, XaiRefusal *why)
{
	Plan		plan;
	const char *wrong;
	bool		is_valid = check_rights(request, why) &&
	(strncasecmp(request->content_type, "application/json", 16) == 0 ||
	 refuse(why, 415, NULL, "Expected request with `Content-Type: "
			"application/json`")) &&
	check_request(body, wish, why);
	Call		call = {
		.entry = {
			.provider = "xai",
			.model = wish->model_name != NULL ? wish->model_name : "",
			.n = wish->n,
			.inputs = wish->inputs,
			.input_count = wish->input_count,
		},
		.opening = "{\"data\":[{\"mime_type\":\"image/jpeg\",\"b64_json\":\"",
		.closing = "\"}],\"usage\":{\"cost_in_usd_ticks\":200000000}}",
		.wish = wish,
		.answer = answer_call,
		.book_block = book_block,
	};

	if (is_valid && (wrong = faults_plan(wish->prompt, &plan)) != NULL)
		is_valid = refuse(why, 400, "mock_directive", "%s", wrong);
	if (is_valid)
	{
		if (plan.ticks >= 0)
			wish->ticks = plan.ticks;
		call.entry.ticks = wish->ticks;
		call_accept(c, request, &call, &plan);
		return;
	}
	call_refuse(request, &call, why->status, why->code);
	answer_refusal(c, why);
}

static void
make_pictures(Connection *c, const Request *request, bool is_edit)
{
	json_t	   *body = json_loadb(request->body, request->body_length, 0, NULL);
	XaiWish		wish = {.is_edit = is_edit};
	XaiRefusal	why;

	decide(c, request, body, &wish, &why);
	free(wish.kept);
	json_decref(body);
}

static void
answer_key(Connection *c, const Request *request)
{
	const char *blocked = is_blocked(request) ? "true" : "false";

	answer_text(c, "{\"redacted_api_key\":\"xai-...mock\",\"user_id\":\"u\","
				"\"name\":\"mock\",\"create_time\":\"2026-11-23T00:00:00Z\","
				"\"modify_time\":\"2026-11-23T00:00:00Z\",\"modified_by\":"
				"\"u\",\"team_id\":\"t\",\"acls\":[\"api-key:model:*\","
				"\"api-key:endpoint:*\"],\"api_key_id\":\"k\","
				"\"team_blocked\":false,\"api_key_blocked\":%s,"
				"\"api_key_disabled\":false}", blocked);
	connection_answer(c, 200, "content-type: application/json\r\n", 0);
}

static void
answer_models(Connection *c)
{
	answer_text(c, "{\"object\":\"list\",\"data\":[");
	for (const XaiModel *m = models; m->name != NULL; m++)
		answer_text(c, "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":"
					"1776729600,\"owned_by\":\"xai\",\"aliases\":[]}",
					m == models ? "" : ",", m->name);
	answer_text(c, "]}");
	connection_answer(c, 200, "content-type: application/json\r\n", 0);
}

void
xai_answer(Connection *c, const Request *request, const char *path)
{
	bool		is_get = strcmp(request->method, "GET") == 0;
	bool		is_check = is_get && strcmp(path, "/api-key") == 0;
	XaiRefusal	why;

	stats.key_checks += is_check;
	if (!is_get && strcmp(path, "/images/generations") == 0)
		make_pictures(c, request, false);
	else if (!is_get && strcmp(path, "/images/edits") == 0)
		make_pictures(c, request, true);
	else if (!check_key(request, &why))
		answer_refusal(c, &why);
	else if (is_check)
		answer_key(c, request);
	else if (!check_rights(request, &why))
		answer_refusal(c, &why);
	else if (is_get && strcmp(path, "/models") == 0)
		answer_models(c);
	else if (is_get && strncmp(path, "/images/", 8) == 0)
		answer_deferred(c, request, path + 8);
	else
	{
		refuse(&why, 404, "not-found", "The requested resource was not found.");
		answer_refusal(c, &why);
	}
}
