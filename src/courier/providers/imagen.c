/*-------------------------------------------------------------------------
 *
 * imagen.c
 *		Imagen's :predict, as Vertex served it: request and answer.
 *
 * Google has retired these models; servers of this shape remain.  Only
 * making pictures from a prompt is spoken, not editing.
 *
 * A filtered picture is left out of an answer of success, or has a reason in
 * its place, and is not charged.
 *
 *-------------------------------------------------------------------------
 */
#include "imagen.h"

#include <string.h>

#include "google_error.h"

#define MODEL_PREFIX	"imagen-"

#define MAX_COUNT		4
/* As much as of any other prompt. */
#define MAX_REVISED_PROMPT	(16 * 1024)

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

typedef struct Field
{
	const char *ours;
	const char *theirs;
	bool		is_output_option;
} Field;

static const Field fields[] = {
	{"n", "sampleCount", false},
	{"aspect_ratio", "aspectRatio", false},
	{"image_size", "sampleImageSize", false},
	{"negative_prompt", "negativePrompt", false},
	{"seed", "seed", false},
	{"guidance_scale", "guidanceScale", false},
	{"person_generation", "personGeneration", false},
	{"safety_setting", "safetySetting", false},
	{"language", "language", false},
	{"enhance_prompt", "enhancePrompt", false},
	{"add_watermark", "addWatermark", false},
	{"output_format", "mimeType", true},
	{"output_compression", "compressionQuality", true},
};

bool
imagen_has(const char *model)
{
	return strncmp(model, MODEL_PREFIX, strlen(MODEL_PREFIX)) == 0;
}

/* ---- asking ---- */

static json_int_t
wanted_pictures(const Generation *g)
{
	const json_t *n = json_object_get(g->parameters, "n");

	return json_is_integer(n) ? json_integer_value(n) : 1;
}

/* Why the request cannot be sent as a whole, or NULL. */
static const char *
check(const Generation *g)
{
	const json_t *n = json_object_get(g->parameters, "n");
	const json_t *format = json_object_get(g->parameters, "output_format");
	const char *name = json_string_value(format);
	const json_t *seed = json_object_get(g->parameters, "seed");
	const json_t *watermark = json_object_get(g->parameters, "add_watermark");

	if (g->input_count > 0 || g->mask != NULL)
		return "Imagen models make pictures from a prompt alone";
	if (n != NULL && !json_is_null(n) &&
		(!json_is_integer(n) || wanted_pictures(g) < 1 ||
		 wanted_pictures(g) > MAX_COUNT))
		return "\"n\" must be a number from 1 to 4";
	if (format != NULL && !json_is_null(format) &&
		(name == NULL ||
		 (strcmp(name, "png") != 0 && strcmp(name, "jpeg") != 0)))
		return "\"output_format\" must be png or jpeg";
	if (seed != NULL && !json_is_null(seed) && !json_is_false(watermark))
		return "\"seed\" needs \"add_watermark\" to be false";
	return NULL;
}

static const Field *
find_field(const char *name)
{
	for (size_t i = 0; i < lengthof(fields); i++)
	{
		if (strcmp(fields[i].ours, name) == 0)
			return &fields[i];
	}
	return NULL;
}

/* Why a parameter cannot be sent, or NULL when it stands where it belongs. */
static const char *
add_parameter(Exchange *x, const char *name, json_t *value,
			  json_t *parameters, json_t *output_options)
{
	const Field *field = find_field(name);

	if (field == NULL)
		return arena_printf(x->arena,
							"\"%.64s\" is no parameter of Imagen models",
							name);
	if (strcmp(name, "output_format") == 0)
		value = json_sprintf("image/%s", json_string_value(value));
	else
		json_incref(value);
	json_object_set_new(field->is_output_option ? output_options : parameters,
						field->theirs, value);
	return NULL;
}

json_t *
imagen_body(Exchange *x, const Generation *g)
{
	const char *why = check(g);
	json_t	   *parameters = json_pack("{s:i, s:b}", "sampleCount", 1,
									   "includeRaiReason", 1);
	json_t	   *output_options = json_object();
	json_t	   *body;
	const char *name;
	json_t	   *value;

	json_object_foreach(g->parameters, name, value)
	{
		if (why == NULL && !json_is_null(value))
			why = add_parameter(x, name, value, parameters, output_options);
	}
	if (json_object_size(output_options) > 0)
		json_object_set(parameters, "outputOptions", output_options);
	json_decref(output_options);
	if (why != NULL)
	{
		exchange_fail(x, FAULT_BAD_REQUEST, why);
		json_decref(parameters);
		return NULL;
	}
	/* frees what it was given, if the prompt is not UTF-8 */
	body = json_pack("{s:o, s:[{s:s}]}", "parameters", parameters,
					 "instances", "prompt", g->prompt);
	if (body == NULL)
		exchange_fail(x, FAULT_INTERNAL, "the request is not UTF-8");
	return body;
}

/* ---- reading ---- */

static void
take_picture(Exchange *x, const json_t *prediction, Outcome *outcome)
{
	int			index = exchange_picture_index(x, json_object_get(prediction, "bytesBase64Encoded"));
	const char *prompt = json_string_value(json_object_get(prediction,
														   "prompt"));
	OutcomePicture *taken;

	if (index < 0 || x->reply.pictures[index].is_broken ||
		x->reply.pictures[index].len == 0)
		return;
	taken = &outcome->pictures[outcome->picture_count++];
	taken->picture = x->reply.pictures[index];
	memset(&x->reply.pictures[index], 0, sizeof(Picture));
	if (prompt != NULL)
		taken->revised_prompt = exchange_scrub(x, prompt,
											   MAX_REVISED_PROMPT);
}

static Next
fail_empty(Exchange *x, const json_t *predictions, const char *reason)
{
	if (x->reply.picture_count > 0)
		return google_fail_answer(x, FAULT_UNKNOWN, CHARGED_YES,
								  "the provider's answer holds no whole "
								  "picture");
	if (reason == NULL && json_array_size(predictions) > 0)
		return google_fail_answer(x, FAULT_UNKNOWN, CHARGED_UNKNOWN,
								  "the provider's answer holds no picture");
	return google_fail_answer(x, FAULT_CONTENT_BLOCKED, CHARGED_NO,
							  reason != NULL ? reason :
							  "all pictures were filtered");
}

Next
imagen_read(Exchange *x, const Generation *g, Outcome *outcome)
{
	Next		next = google_check(x);
	const json_t *root;
	const json_t *predictions;
	const char *reason = NULL;
	size_t		i;
	json_t	   *prediction;

	if (next != NEXT_DONE)
		return next;
	root = exchange_json(x);
	if (!json_is_object(root))
		return google_fail_answer(x, FAULT_UNKNOWN,
								  x->reply.picture_count > 0 ? CHARGED_YES :
								  CHARGED_UNKNOWN,
								  "the provider's answer is no JSON document");
	predictions = json_object_get(root, "predictions");
	json_array_foreach(predictions, i, prediction)
	{
		const char *text =
		json_string_value(json_object_get(prediction,
										  "raiFilteredReason"));

		take_picture(x, prediction, outcome);
		if (reason == NULL && text != NULL && text[0] != '\0')
			reason = text;
	}
	if (outcome->picture_count == 0)
		return fail_empty(x, predictions, reason);
	if (outcome->picture_count < wanted_pictures(g))
		outcome->note = exchange_scrub(x, reason != NULL ? reason :
									   "some of the pictures were filtered",
									   FAULT_MESSAGE_MAX);
	return NEXT_DONE;
}
