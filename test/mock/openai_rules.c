/*-------------------------------------------------------------------------
 *
 * openai_rules.c
 *		Is this a generation or an edit that OpenAI would accept?
 *
 * Rules and error bodies are those of openai-images.amended.openapi.json and
 * of the documented cross-field limits.  What the mock cannot draw (gif, svg)
 * it refuses, and says that it is the mock who refuses.  A server that is only
 * compatible (FAMILY_FOREIGN) takes any model and knows few rules.
 *
 *-------------------------------------------------------------------------
 */
#include "openai_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "call.h"

#define MAX_N			10
#define MAX_PROMPT		32000	/* characters, GPT image models */

/* parameters; a blank before and after each */
#define EVERY_MODEL		" prompt model n size user "
#define GPT_MODELS		" quality output_format stream output_compression " \
	"partial_images moderation background safety_identifier "
#define NEWEST_MODELS	" complexity frame_count frame_duration_ms svg "
#define EDITS			" images mask input_fidelity "
#define DALLE_MODELS	" quality response_format style "

bool		openai_serves_legacy;

bool
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
is_among(const char *name, const char *names)
{
	char		word[64];

	snprintf(word, sizeof(word), " %.60s ", name);
	return strchr(name, ' ') == NULL && strstr(names, word) != NULL;
}

static bool
check_names(const json_t *body, const Wish *wish, Refusal *why)
{
	Family		family = wish->model->family;
	const char *name;
	json_t	   *value;

	if (family == FAMILY_FOREIGN)
		return true;
	json_object_foreach((json_t *) body, name, value)
	{
		if (is_among(name, EVERY_MODEL) ||
			(family >= FAMILY_1 && is_among(name, GPT_MODELS)) ||
			(family >= FAMILY_2_6 && is_among(name, NEWEST_MODELS)) ||
			(family < FAMILY_FOREIGN && is_among(name, DALLE_MODELS)) ||
			(wish->is_edit && is_among(name, EDITS)))
			continue;
		return refuse(why, 400, REQUEST_ERROR, name,
					  "unknown_parameter", "Unknown parameter: '%.60s'.",
					  name);
	}
	return true;
}

/* Which sizes there are, for the models that have a few; else NULL. */
static const char *
sizes_of(Family family)
{
	switch (family)
	{
		case FAMILY_DALLE_2:
			return " 256x256 512x512 1024x1024 ";
		case FAMILY_DALLE_3:
			return " 1024x1024 1792x1024 1024x1792 ";
		case FAMILY_1:
			return " 1024x1024 1024x1536 1536x1024 ";
		default:
			return NULL;
	}
}

static bool
check_size(const char *size, Family family, PictureWish *picture,
		   Refusal *why)
{
	int			w;
	int			h;
	int			end = 0;
	const char *rule = NULL;
	const char *sizes = sizes_of(family);

	picture->width = picture->height = 1024;
	if (size == NULL || (strcmp(size, "auto") == 0 && family >= FAMILY_1))
		return true;
	if (sscanf(size, "%4dx%4d%n", &w, &h, &end) != 2 || size[end] != '\0' ||
		w <= 0 || h <= 0)
		rule = "Use 'auto' or WIDTHxHEIGHT.";
	else if (sizes != NULL && !is_among(size, sizes))
		rule = sizes;
	else if (sizes != NULL)
		rule = NULL;
	else if (w > 3840 || h > 3840)
		rule = "The longest edge must be less than or equal to 3840.";
	else if (family == FAMILY_FOREIGN)
		rule = NULL;
	else if (w % 16 != 0 || h % 16 != 0)
		rule = "Both edges must be multiples of 16.";
	else if (w > 3 * h || h > 3 * w)
		rule = "The aspect ratio must be between 1:3 and 3:1.";
	else if ((long) w * h < 655360 || (long) w * h > 8294400)
		rule = "The number of pixels must be between 655360 and 8294400.";
	if (rule != NULL)
		return refuse(why, 400, USER_ERROR, "size", "invalid_value",
					  rule == sizes ?
					  "Invalid size '%.40s'. Supported values are:%s." :
					  "Invalid size '%.40s'. %s", size, rule);
	picture->width = w;
	picture->height = h;
	return true;
}

static bool
check_format(const json_t *body, Wish *wish, Refusal *why)
{
	const char *format = text_of(body, "output_format");
	const char *background = text_of(body, "background");
	json_t	   *compression = json_object_get(body, "output_compression");
	PictureWish *picture = &wish->picture;

	if (!check_word(body, "output_format",
					wish->model->family >= FAMILY_2_6 ?
					" png jpeg webp gif svg " : " png jpeg webp ", why) ||
		!check_word(body, "background", " transparent opaque auto ", why) ||
		!check_word(body, "moderation", " low auto ", why) ||
		!check_integer(body, "output_compression", 0, 100, why))
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

static bool
check_stream(const json_t *body, Wish *wish, Refusal *why)
{
	json_t	   *stream = json_object_get(body, "stream");

	if (!check_integer(body, "partial_images", 0, 3, why))
		return false;
	if (is_given(body, "stream") && !json_is_boolean(stream))
		return refuse(why, 400, REQUEST_ERROR, "stream", "invalid_type",
					  "Invalid type for 'stream': expected a boolean.");
	wish->streams = json_is_true(stream);
	wish->partial_images =
		json_integer_value(json_object_get(body, "partial_images"));
	if (wish->partial_images > 0 && !wish->streams)
		return refuse(why, 400, REQUEST_ERROR, "partial_images",
					  "invalid_value", "'partial_images' is only supported "
					  "when 'stream' is true.");
	return true;
}

static bool
check_model(const json_t *body, Wish *wish, Refusal *why)
{
	wish->model_name = text_of(body, "model");
	if (wish->model_name == NULL)
		wish->model_name = "dall-e-2";	/* the documented, removed default */
	if (wish->is_foreign)
	{
		wish->model = &foreign_model;
		return true;
	}
	wish->model = model_find(wish->model_name);
	if (wish->model != NULL && wish->model->family != FAMILY_GONE &&
		(wish->model->family >= FAMILY_FOREIGN || openai_serves_legacy))
		return true;
	return refuse(why, 404, REQUEST_ERROR, NULL, "model_not_found",
				  wish->model == NULL ?
				  "The model `%.80s` does not exist or you do not have "
				  "access to it." :
				  "The model `%.80s` has been deprecated, learn more "
				  "here: https://platform.openai.com/docs/deprecations",
				  wish->model_name);
}

static bool
check_prompt(const json_t *body, Wish *wish, Refusal *why)
{
	Family		family = wish->model->family;
	size_t		most = family == FAMILY_DALLE_2 ? 1000 :
	family == FAMILY_DALLE_3 ? 4000 : MAX_PROMPT;

	wish->prompt = text_of(body, "prompt");
	if (wish->prompt == NULL || wish->prompt[0] == '\0')
		return refuse(why, 400, REQUEST_ERROR, "prompt",
					  "missing_required_parameter",
					  "Missing required parameter: 'prompt'.");
	if (characters(wish->prompt) > most)
		return refuse(why, 400, REQUEST_ERROR, "prompt",
					  "string_above_max_length",
					  "Invalid 'prompt': string too long. Expected a string "
					  "with maximum length %zu.", most);
	return true;
}

static const char *
qualities_of(Family family)
{
	if (family >= FAMILY_2_5)
		return " low medium high xhigh max auto ";
	if (family >= FAMILY_1)
		return " low medium high auto ";
	return " standard hd low medium high auto ";
}

bool
check_request(const json_t *body, Wish *wish, Refusal *why)
{
	const char *quality = text_of(body, "quality");
	const char *response = text_of(body, "response_format");
	json_t	   *n = json_object_get(body, "n");
	Family		family;

	if (!json_is_object(body))
		return refuse(why, 400, REQUEST_ERROR, NULL, NULL,
					  "We could not parse the JSON body of your request.");
	if (!check_model(body, wish, why))
		return false;
	family = wish->model->family;
	if (!check_names(body, wish, why) ||
		!check_prompt(body, wish, why) ||
		!check_integer(body, "n", 1, family == FAMILY_DALLE_3 ? 1 : MAX_N,
					   why) ||
		!check_word(body, "quality", qualities_of(family), why) ||
		!check_word(body, "style", " vivid natural ", why) ||
		!check_word(body, "response_format", " url b64_json ", why) ||
		!check_word(body, "complexity", " low medium high ", why) ||
		!check_word(body, "input_fidelity", " low high ", why) ||
		!check_size(text_of(body, "size"), family, &wish->picture, why) ||
		!check_format(body, wish, why) ||
		!check_stream(body, wish, why))
		return false;

	wish->n = json_is_integer(n) ? json_integer_value(n) : 1;
	wish->quality = quality == NULL || strcmp(quality, "auto") == 0 ?
		"medium" : quality;
	wish->by_url = response != NULL ? strcmp(response, "url") == 0 :
		family < FAMILY_FOREIGN;
	return true;
}
