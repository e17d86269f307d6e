/*-------------------------------------------------------------------------
 *
 * images.c
 *		Is this a generation that OpenAI would accept, and what would the
 *		answer be?
 *
 * Rules and error bodies are those of openai-images.amended.openapi.json and
 * of the documented cross-field limits.  What the mock cannot draw (gif, svg,
 * streams) it refuses, and says that it is the mock who refuses.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "images.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "faults.h"
#include "ledger.h"
#include "models.h"

#define MAX_PICTURES	10
#define MAX_PROMPT		32000	/* characters */
#define COLOURS			24

/* parameters; a blank before and after each */
#define EVERY_MODEL		" prompt model n quality output_format user stream " \
	"output_compression partial_images size moderation background " \
	"safety_identifier "
#define NEWEST_MODELS	" complexity frame_count frame_duration_ms svg "

#define USER_ERROR		"image_generation_user_error"
#define REQUEST_ERROR	"invalid_request_error"

long		images_picture_bytes;

/* What was asked for, after validation. */
typedef struct Wish
{
	const Model *model;
	const char *model_name;		/* as asked for, for the ledger */
	const char *prompt;
	int			n;
	const char *quality;		/* never "auto" */
	PictureWish picture;
} Wish;

/* Why not. */
typedef struct Refusal
{
	int			status;
	const char *type;
	const char *param;
	const char *code;
	char		message[512];
} Refusal;

void
answer_error(Connection *c, int status, const char *type, const char *param,
			 const char *code, const char *message)
{
	json_t	   *body = json_pack("{s:{s:s,s:s?,s:s?,s:s?}}", "error",
								 "message", message, "type", type,
								 "param", param, "code", code);
	char	   *text = json_dumps(body, JSON_COMPACT);
	char		headers[128];

	snprintf(headers, sizeof(headers),
			 "content-type: application/json\r\n"
			 "x-request-id: req_mock%012" PRIx64 "\r\n", stats.requests);
	answer_bytes(c, text, strlen(text));
	connection_answer(c, status, headers, 0);
	free(text);
	json_decref(body);
}

static bool
refuse(Refusal *why, int status, const char *type, const char *param,
	   const char *code, const char *format,...)
{
	va_list		args;

	why->status = status;
	why->type = type;
	why->param = param;
	why->code = code;
	va_start(args, format);
	vsnprintf(why->message, sizeof(why->message), format, args);
	va_end(args);
	return false;
}

/* ---- the key ---- */

/* Any key of the right look is right, unless its name says otherwise. */
static bool
is_key_valid(const char *key)
{
	return strncmp(key, "sk-", 3) == 0 &&
		strncmp(key, "sk-invalid", 10) != 0;
}

static bool
check_key(const Request *request, Refusal *why)
{
	if (is_key_valid(request->bearer))
		return true;
	return refuse(why, 401, REQUEST_ERROR, NULL, "invalid_api_key",
				  "Incorrect API key provided: sk-test*********************. "
				  "You can find your API key at "
				  "https://platform.openai.com/account/api-keys.");
}

/* ---- the request ---- */

/* NULL and JSON's null are the default. */
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

/* values: words with a blank before and after each of them */
static bool
check_word(const json_t *body, const char *name, const char *values,
		   Refusal *why)
{
	const char *given = text_of(body, name);
	char		word[64];

	if (!is_given(body, name))
		return true;
	snprintf(word, sizeof(word), " %s ", given != NULL ? given : "?");
	if (given != NULL && strchr(given, ' ') == NULL &&
		strstr(values, word) != NULL)
		return true;
	return refuse(why, 400, REQUEST_ERROR, name, "invalid_value",
				  "Invalid value: '%.60s'. Supported values are:%s.",
				  given != NULL ? given : "not a string", values);
}

static bool
check_integer(const json_t *body, const char *name, int least, int most,
			  Refusal *why)
{
	json_t	   *value = json_object_get(body, name);

	if (!is_given(body, name))
		return true;
	if (!json_is_integer(value))
		return refuse(why, 400, REQUEST_ERROR, name, "invalid_type",
					  "Invalid type for '%s': expected an integer.", name);
	if (json_integer_value(value) >= least &&
		json_integer_value(value) <= most)
		return true;
	return refuse(why, 400, REQUEST_ERROR, name, "invalid_value",
				  "Invalid '%s': expected a value from %d to %d.", name,
				  least, most);
}

static bool
check_names(const json_t *body, const Model *model, Refusal *why)
{
	const char *name;
	json_t	   *value;

	json_object_foreach((json_t *) body, name, value)
	{
		char		word[64];

		snprintf(word, sizeof(word), " %.60s ", name);
		if (strchr(name, ' ') == NULL &&
			(strstr(EVERY_MODEL, word) != NULL ||
			 (model->family >= FAMILY_2_6 && strstr(NEWEST_MODELS, word) != NULL)))
			continue;
		return refuse(why, 400, REQUEST_ERROR, name,
					  "unknown_parameter", "Unknown parameter: '%.60s'.",
					  name);
	}
	return true;
}

static bool
check_size(const char *size, const Model *model, PictureWish *picture,
		   Refusal *why)
{
	int			w;
	int			h;
	int			end = 0;
	const char *rule = NULL;

	picture->width = picture->height = 1024;
	if (size == NULL || strcmp(size, "auto") == 0)
		return true;
	if (sscanf(size, "%4dx%4d%n", &w, &h, &end) != 2 || size[end] != '\0' ||
		w <= 0 || h <= 0)
		rule = "Use 'auto' or WIDTHxHEIGHT.";
	else if (model->family < FAMILY_2)
	{
		if (!(w == 1024 && h == 1024) && !(w == 1536 && h == 1024) &&
			!(w == 1024 && h == 1536))
			rule = "Supported values are: '1024x1024', '1024x1536', "
				"'1536x1024', and 'auto'.";
	}
	else if (w > 3840 || h > 3840)
		rule = "The longest edge must be less than or equal to 3840.";
	else if (w % 16 != 0 || h % 16 != 0)
		rule = "Both edges must be multiples of 16.";
	else if (w > 3 * h || h > 3 * w)
		rule = "The aspect ratio must be between 1:3 and 3:1.";
	else if ((long) w * h < 655360 || (long) w * h > 8294400)
		rule = "The number of pixels must be between 655360 and 8294400.";
	if (rule != NULL)
		return refuse(why, 400, USER_ERROR, "size", "invalid_value",
					  "Invalid size '%.40s'. %s", size, rule);
	picture->width = w;
	picture->height = h;
	return true;
}

static bool
check_format(const json_t *body, const Model *model, PictureWish *picture,
			 Refusal *why)
{
	const char *format = text_of(body, "output_format");
	const char *background = text_of(body, "background");
	json_t	   *compression = json_object_get(body, "output_compression");

	if (!check_word(body, "output_format", model->family >= FAMILY_2_6 ?
					" png jpeg webp gif svg " : " png jpeg webp ", why) ||
		!check_word(body, "background", " transparent opaque auto ", why) ||
		!check_word(body, "moderation", " low auto ", why) ||
		!check_integer(body, "output_compression", 0, 100, why) ||
		!check_integer(body, "partial_images", 0, 3, why))
		return false;

	if (format == NULL || strcmp(format, "png") == 0)
		picture->format = FORMAT_PNG;
	else if (strcmp(format, "jpeg") == 0)
		picture->format = FORMAT_JPEG;
	else if (strcmp(format, "webp") == 0)
		picture->format = FORMAT_WEBP;
	else
		return refuse(why, 400, USER_ERROR, "output_format", "invalid_value",
					  "The mock provider does not draw '%s'.", format);
	if (json_is_true(json_object_get(body, "stream")))
		return refuse(why, 400, USER_ERROR, "stream", "invalid_value",
					  "The mock provider does not stream.");

	picture->is_transparent = background != NULL &&
		strcmp(background, "transparent") == 0;
	if (picture->is_transparent && picture->format == FORMAT_JPEG)
		return refuse(why, 400, USER_ERROR, "background", "invalid_value",
					  "Transparent background is not supported for JPEG "
					  "output format.");
	picture->compression = json_is_integer(compression) ?
		json_integer_value(compression) : 100;
	if (picture->compression < 100 && picture->format == FORMAT_PNG)
		return refuse(why, 400, USER_ERROR, "output_compression",
					  "invalid_value", "Compression less than 100 is not "
					  "supported for PNG output format.");
	return true;
}

static size_t
characters(const char *text)
{
	size_t		n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static bool
check_request(const json_t *body, Wish *wish, Refusal *why)
{
	const char *prompt = text_of(body, "prompt");
	const char *quality = text_of(body, "quality");
	json_t	   *n = json_object_get(body, "n");

	if (!json_is_object(body))
		return refuse(why, 400, REQUEST_ERROR, NULL, NULL,
					  "We could not parse the JSON body of your request.");
	wish->model_name = text_of(body, "model");
	if (wish->model_name == NULL)
		wish->model_name = "dall-e-2";	/* the documented, removed default */
	wish->model = model_find(wish->model_name);
	if (wish->model == NULL || wish->model->family == FAMILY_GONE)
		return refuse(why, 404, REQUEST_ERROR, NULL, "model_not_found",
					  wish->model == NULL ?
					  "The model `%.80s` does not exist or you do not have "
					  "access to it." :
					  "The model `%.80s` has been deprecated, learn more "
					  "here: https://platform.openai.com/docs/deprecations",
					  wish->model_name);
	if (!check_names(body, wish->model, why))
		return false;
	if (prompt == NULL || prompt[0] == '\0')
		return refuse(why, 400, REQUEST_ERROR, "prompt",
					  "missing_required_parameter",
					  "Missing required parameter: 'prompt'.");
	if (characters(prompt) > MAX_PROMPT)
		return refuse(why, 400, REQUEST_ERROR, "prompt",
					  "string_above_max_length",
					  "Invalid 'prompt': string too long. Expected a string "
					  "with maximum length %d.", MAX_PROMPT);
	if (!check_integer(body, "n", 1, MAX_PICTURES, why) ||
		!check_word(body, "quality", wish->model->family >= FAMILY_2_5 ?
					" low medium high xhigh max auto " :
					" low medium high auto ", why) ||
		!check_word(body, "complexity", " low medium high ", why) ||
		!check_size(text_of(body, "size"), wish->model, &wish->picture,
					why) ||
		!check_format(body, wish->model, &wish->picture, why))
		return false;

	wish->prompt = prompt;
	wish->n = json_is_integer(n) ? json_integer_value(n) : 1;
	wish->quality = quality == NULL || strcmp(quality, "auto") == 0 ?
		"medium" : quality;
	return true;
}

/* ---- the answer ---- */

static unsigned
colour_of(const char *prompt)
{
	unsigned	h = 2166136261u;

	for (; *prompt != '\0'; prompt++)
		h = (h ^ (unsigned char) *prompt) * 16777619u;
	return h % COLOURS;
}

static void
answer_pictures(Connection *c, const Wish *wish, const Plan *plan,
				uint64_t sequence)
{
	static const char *const formats[] = {"png", "jpeg", "webp"};
	PictureWish picture = wish->picture;
	int			text = (characters(wish->prompt) + 3) / 4;
	int			image = wish->n * model_output_tokens(wish->model,
													  wish->quality,
													  picture.width,
													  picture.height);
	char		headers[160];

	picture.bytes = plan->picture_bytes > 0 ? plan->picture_bytes :
		images_picture_bytes;
	picture.colour = picture.bytes > 0 ? 0 : colour_of(wish->prompt);
	answer_text(c, "{\"created\":%" PRId64 ",\"background\":\"%s\","
				"\"output_format\":\"%s\",\"quality\":\"%s\","
				"\"size\":\"%dx%d\",\"data\":[", now_us() / 1000000,
				picture.is_transparent ? "transparent" : "opaque",
				formats[picture.format], wish->quality, picture.width,
				picture.height);
	for (int i = 0; i < wish->n; i++)
	{
		answer_text(c, i == 0 ? "{\"b64_json\":\"" : ",{\"b64_json\":\"");
		answer_blob(c, picture_get(&picture));
		answer_text(c, "\"}");
		picture.colour++;
	}
	answer_text(c, "],\"usage\":{\"input_tokens\":%d,\"output_tokens\":%d,"
				"\"total_tokens\":%d,\"input_tokens_details\":"
				"{\"text_tokens\":%d,\"image_tokens\":0},"
				"\"output_tokens_details\":"
				"{\"image_tokens\":%d,\"text_tokens\":0}}}",
				text, image, text + image, text, image);
	snprintf(headers, sizeof(headers),
			 "content-type: application/json\r\nopenai-processing-ms: %ld\r\n"
			 "x-request-id: req_mock%012" PRIx64 "\r\n", plan->delay_ms,
			 sequence);
	connection_answer(c, 200, headers, plan->delay_ms);
}

static const char *
fault_name(const Plan *plan)
{
	if (plan->reset == RESET_AFTER)
		return "reset=after";
	if (plan->reset == RESET_BODY)
		return "reset=body";
	return plan->fixture != NULL ? plan->fixture->id : NULL;
}

/* The call is valid: book it, then let it end as the plan says. */
static void
accept_call(Connection *c, const Request *request, const Wish *wish,
			const Plan *plan)
{
	Entry		entry = {
		.model = wish->model_name,
		.n = wish->n,
		.accepted = true,
		.charged = plan->fixture == NULL || plan->fixture->charged,
		.status = plan->reset == RESET_AFTER ? 0 :
		plan->fixture != NULL ? plan->fixture->status : 200,
		.fault = fault_name(plan),
	};
	uint64_t	sequence;

	if (plan->charged != CHARGED_AS_IS)
		entry.charged = plan->charged == CHARGED_YES;
	if (c->is_stale)
	{
		entry.status = 0;
		entry.charged = true;
		entry.fault = "stale";
	}
	sequence = ledger_append(request, &entry);
	if (c->is_stale)
	{
		connection_close(c);
		return;
	}

	c->is_call = true;
	if (++stats.in_flight > stats.max_in_flight)
		stats.max_in_flight = stats.in_flight;
	c->is_held = plan->hold;
	c->cut_answer = plan->reset == RESET_BODY;
	c->is_stale = plan->stale == STALE_NEXT;
	c->close_after |= plan->stale == STALE_IDLE;
	if (plan->reset == RESET_AFTER)
		connection_reset(c);
	else if (plan->fixture != NULL)
	{
		answer_bytes(c, plan->fixture->body, strlen(plan->fixture->body));
		connection_answer(c, plan->fixture->status, plan->fixture->headers,
						  plan->delay_ms);
	}
	else
		answer_pictures(c, wish, plan, sequence);
}

void
images_generate(Connection *c, const Request *request)
{
	json_t	   *body = json_loadb(request->body, request->body_length, 0, NULL);
	Wish		wish = {.model_name = ""};
	Refusal		why = {0};
	Plan		plan;
	const char *wrong;
	bool		is_valid;

	is_valid = check_key(request, &why) && check_request(body, &wish, &why);
	if (is_valid && (wrong = faults_plan(wish.prompt, &plan)) != NULL)
		is_valid = refuse(&why, 400, USER_ERROR, "prompt", "invalid_value",
						  "%s", wrong);
	if (is_valid)
		accept_call(c, request, &wish, &plan);
	else
	{
		Entry		entry = {
			.model = wish.model_name,
			.n = wish.n,
			.status = why.status,
			.fault = why.code,
		};

		ledger_append(request, &entry);
		answer_error(c, why.status, why.type, why.param, why.code,
					 why.message);
	}
	json_decref(body);
}

void
images_models(Connection *c, const Request *request, const char *model)
{
	Refusal		why;
	bool		is_first = true;

	if (!check_key(request, &why))
	{
		answer_error(c, why.status, why.type, why.param, why.code,
					 why.message);
		return;
	}
	if (model == NULL)
		answer_text(c, "{\"object\":\"list\",\"data\":[");
	for (const Model *m = models; m->name != NULL; m++)
	{
		if (m->family == FAMILY_GONE ||
			(model != NULL && strcmp(model, m->name) != 0))
			continue;
		answer_text(c, "%s{\"id\":\"%s\",\"object\":\"model\","
					"\"created\":1776729600,\"owned_by\":\"system\"}",
					is_first ? "" : ",", m->name);
		is_first = false;
	}
	if (model != NULL && is_first)
	{
		answer_error(c, 404, REQUEST_ERROR, "model", "model_not_found",
					 "The model does not exist.");
		return;
	}
	if (model == NULL)
		answer_text(c, "]}");
	connection_answer(c, 200, "content-type: application/json\r\n", 0);
}
