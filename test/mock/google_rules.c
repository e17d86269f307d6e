/*-------------------------------------------------------------------------
 *
 * google_rules.c
 *		Is this a call that Google would accept?
 *
 * Rules are those of google-images.openapi.json and of the protos: names come
 * in camel or in snake case, and one that is not known is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "google_rules.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "input.h"
#include "openai_rules.h"

#define MAX_GOOGLE_INPUTS	14
#define MAX_SAMPLES		4

#define BODY_NAMES		" contents generationConfig safetySettings " \
	"systemInstruction tools toolConfig cachedContent "
#define CONFIG_NAMES	" responseModalities imageConfig thinkingConfig seed " \
	"temperature topP topK candidateCount maxOutputTokens stopSequences " \
	"presencePenalty frequencyPenalty responseMimeType mediaResolution "
#define IMAGE_NAMES		" aspectRatio imageSize "
#define VERTEX_NAMES	" personGeneration imageOutputOptions labels "
#define ASPECTS			" 1:1 2:3 3:2 3:4 4:3 4:5 5:4 9:16 16:9 21:9 "
#define LONG_ASPECTS	" 1:4 4:1 1:8 8:1 "
#define IMAGEN_ASPECTS	" 1:1 3:4 4:3 9:16 16:9 "

const GoogleModel google_models[] = {
	{"gemini-nano-banana-2.1", false, true, false},
	{"gemini-3-pro-image", false, false, false},
	{"gemini-3.1-flash-lite-image", false, false, true},
	{"gemini-3.1-flash-image", true, true, false},
	{NULL, false, false, false}
};

bool
google_refuse(GoogleRefusal *why, int status, const char *word,
			  const char *reason, const char *format,...)
{
	va_list		args;

	why->status = status;
	why->word = word;
	why->reason = reason;
	va_start(args, format);
	vsnprintf(why->message, sizeof(why->message), format, args);
	va_end(args);
	return false;
}

static bool
refuse_value(GoogleRefusal *why, const char *where)
{
	return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
						 "Invalid value at %s", where);
}

/* ---- names in two spellings ---- */

static void
to_camel(const char *name, char *camel, size_t size)
{
	size_t		n = 0;

	for (; *name != '\0' && n < size - 1; name++)
		if (*name == '_' && name[1] != '\0')
			camel[n++] = toupper((unsigned char) *++name);
		else
			camel[n++] = *name;
	camel[n] = '\0';
}

static json_t *
member(const json_t *object, const char *camel)
{
	const char *name;
	json_t	   *value;

	json_object_foreach((json_t *) object, name, value)
	{
		char		spelt[64];

		to_camel(name, spelt, sizeof(spelt));
		if (strcmp(spelt, camel) == 0)
			return value;
	}
	return NULL;
}

static const char *
text(const json_t *object, const char *camel)
{
	return json_string_value(member(object, camel));
}

static bool
is_among(const char *name, const char *names)
{
	char		word[80];

	snprintf(word, sizeof(word), " %.70s ", name);
	return strchr(name, ' ') == NULL && strstr(names, word) != NULL;
}

static bool
check_names(const json_t *object, const char *names, const char *more,
			const char *where, GoogleRefusal *why)
{
	const char *name;
	json_t	   *value;

	json_object_foreach((json_t *) object, name, value)
	{
		char		camel[64];

		to_camel(name, camel, sizeof(camel));
		if (!is_among(camel, names) && !is_among(camel, more))
			return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
								 "Invalid JSON payload received. Unknown name "
								 "\"%.60s\" at '%s': Cannot find field.", name,
								 where);
	}
	return true;
}

/* ---- what comes in ---- */

static bool
read_inline_data(const json_t *data, GoogleWish *wish, unsigned char **room,
				 GoogleRefusal *why)
{
	const char *base64 = text(data, "data");
	Input	   *input = &wish->inputs[wish->input_count];

	if (wish->input_count == MAX_GOOGLE_INPUTS)
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Too many images: the most are %d.",
							 MAX_GOOGLE_INPUTS);
	if (text(data, "mimeType") == NULL || base64 == NULL)
		return refuse_value(why, "contents.parts.inline_data");
	if (!input_read_base64(base64, input, room))
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Invalid value at 'contents[0].parts[0]."
							 "inline_data.data' (TYPE_BYTES), Base64 decoding "
							 "failed");
	if (!input_is_picture(input))
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Unable to process input image. Please retry or "
							 "report in troubleshooting.");
	wish->input_count++;
	return true;
}

static bool
read_parts(const json_t *parts, GoogleWish *wish, unsigned char **room,
		   GoogleRefusal *why)
{
	json_t	   *part;
	size_t		i;

	if (json_array_size(parts) == 0)
		return refuse_value(why, "contents.parts: must not be empty");
	json_array_foreach((json_t *) parts, i, part)
	{
		const char *words = text(part, "text");
		json_t	   *data = member(part, "inlineData");
		json_t	   *file = member(part, "fileData");

		if (words != NULL)
			strcat(wish->prompt, words);
		else if (data != NULL && !read_inline_data(data, wish, room, why))
			return false;
		else if (data == NULL && file == NULL)
			return refuse_value(why, "contents.parts: required oneof field "
								"'data' must have one initialized field");
	}
	return true;
}

static bool
read_contents(const json_t *contents, const Place *place, GoogleWish *wish,
			  GoogleRefusal *why)
{
	json_t	   *content;
	size_t		i;
	unsigned char *room;

	if (json_array_size(contents) == 0)
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "* GenerateContentRequest.contents: contents is "
							 "not specified");
	wish->prompt = calloc(1, wish->body_length + 1);
	room = wish->kept = input_room(1 + wish->body_length / MAX_IMAGE_URL);
	json_array_foreach((json_t *) contents, i, content)
	{
		const char *role = text(content, "role");

		if (role == NULL ? place->is_vertex :
			strcmp(role, "user") != 0 && strcmp(role, "model") != 0)
			return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
								 "Please use a valid role: user, model.");
		if (!read_parts(member(content, "parts"), wish, &room, why))
			return false;
	}
	return true;
}

/* ---- what shall come out ---- */

static void
choose_size(PictureWish *picture, const char *aspect, double side)
{
	double		w = 1;
	double		h = 1;

	if (aspect != NULL)
		sscanf(aspect, "%lf:%lf", &w, &h);
	picture->width = (int) (side * sqrt(w / h) / 16) * 16;
	picture->height = (int) (side * sqrt(h / w) / 16) * 16;
}

static bool
check_output(const json_t *options, GoogleWish *wish, GoogleRefusal *why)
{
	const char *type = text(options, "mimeType");
	json_t	   *quality = member(options, "compressionQuality");

	if (type != NULL && strcmp(type, "image/png") == 0)
		wish->picture.format = FORMAT_PNG;
	else if (type != NULL && strcmp(type, "image/jpeg") == 0)
		wish->picture.format = FORMAT_JPEG;
	else if (type != NULL)
		return refuse_value(why, "image_output_options.mime_type");
	if (json_is_integer(quality))
		wish->picture.compression = json_integer_value(quality);
	return true;
}

static bool
check_image(const json_t *image, const Place *place, GoogleWish *wish,
			GoogleRefusal *why)
{
	const char *aspect = text(image, "aspectRatio");
	const char *size = text(image, "imageSize");
	bool		is_odd = wish->model->is_odd;

	if (!check_names(image, IMAGE_NAMES, place->is_vertex ? VERTEX_NAMES : "",
					 "generation_config.image_config", why) ||
		!check_output(member(image, "imageOutputOptions"), wish, why))
		return false;
	if (aspect != NULL && !is_among(aspect, ASPECTS) &&
		!(is_odd && is_among(aspect, LONG_ASPECTS)))
		return refuse_value(why, "generation_config.image_config.aspect_ratio");
	if (size != NULL && !is_among(size, wish->model->only_1k ? " 1K " :
								  is_odd ? " 512 1K 2K 4K " : " 1K 2K 4K "))
		return refuse_value(why, "generation_config.image_config.image_size");
	wish->size = size != NULL ? size : "1K";
	choose_size(&wish->picture, aspect, strcmp(wish->size, "512") == 0 ? 512 :
				atof(wish->size) * 1024);
	return true;
}

static bool
check_modalities(const json_t *modalities, GoogleWish *wish,
				 GoogleRefusal *why)
{
	bool		wants_image = modalities == NULL;
	json_t	   *row;
	size_t		i;

	json_array_foreach((json_t *) modalities, i, row)
	{
		const char *word = json_string_value(row);

		if (word == NULL || !is_among(word, " IMAGE TEXT "))
			return refuse_value(why, "generation_config.response_modalities");
		wants_image |= strcmp(word, "IMAGE") == 0;
		wish->wants_text |= strcmp(word, "TEXT") == 0;
	}
	return wants_image ||
		google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
					  "The requested combination of response modalities is "
					  "not supported by the model.");
}

bool
google_check_content(const json_t *body, const Place *place, GoogleWish *wish,
					 GoogleRefusal *why)
{
	json_t	   *config = member(body, "generationConfig");
	json_t	   *count = member(config, "candidateCount");
	json_t	   *seed = member(config, "seed");

	if (!json_is_object(body))
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Invalid JSON payload received.");
	wish->n = 1;
	wish->picture.format = place->is_vertex ? FORMAT_PNG : FORMAT_JPEG;
	wish->picture.compression = 90;
	if (!check_names(body, BODY_NAMES, place->is_vertex ? VERTEX_NAMES : "",
					 "", why) ||
		!check_names(config, CONFIG_NAMES, "", "generation_config", why) ||
		!check_modalities(member(config, "responseModalities"), wish, why) ||
		!check_image(member(config, "imageConfig"), place, wish, why))
		return false;
	if (count != NULL && json_integer_value(count) != 1)
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Multiple candidates is not enabled for this "
							 "model");
	if (seed != NULL && !json_is_integer(seed))
		return refuse_value(why, "generation_config.seed");
	return read_contents(member(body, "contents"), place, wish, why);
}

/* ---- Imagen ---- */

static bool
read_reference(const json_t *image, GoogleWish *wish, unsigned char **room,
			   GoogleRefusal *why)
{
	const char *base64 = text(image, "bytesBase64Encoded");

	if (base64 == NULL || wish->input_count == MAX_SAMPLES ||
		!input_read_base64(base64, &wish->inputs[wish->input_count], room))
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Invalid image in the request.");
	wish->input_count++;
	return true;
}

static bool
read_instance(const json_t *instance, GoogleWish *wish, GoogleRefusal *why)
{
	const char *prompt = text(instance, "prompt");
	json_t	   *image = member(instance, "image");
	json_t	   *references = member(instance, "referenceImages");
	json_t	   *reference;
	unsigned char *room = wish->kept = input_room(MAX_SAMPLES);
	size_t		i;

	wish->prompt = strdup(prompt != NULL ? prompt : "");
	if (prompt == NULL && image == NULL)
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Text prompt is missing.");
	if (image != NULL && !read_reference(image, wish, &room, why))
		return false;
	json_array_foreach(references, i, reference)
	{
		if (!read_reference(member(reference, "referenceImage"), wish, &room,
							why))
			return false;
	}
	return true;
}

bool
google_check_predict(const json_t *body, GoogleWish *wish, GoogleRefusal *why)
{
	json_t	   *instances = member(body, "instances");
	json_t	   *parameters = member(body, "parameters");
	json_t	   *samples = member(parameters, "sampleCount");
	const char *aspect = text(parameters, "aspectRatio");
	const char *size = text(parameters, "sampleImageSize");

	if (json_array_size(instances) != 1)
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "Exactly one instance is needed.");
	wish->n = samples != NULL ? json_integer_value(samples) : 4;
	if (wish->n < 1 || wish->n > MAX_SAMPLES)
		return google_refuse(why, 400, "INVALID_ARGUMENT", NULL,
							 "sampleCount must be between 1 and 4.");
	if (aspect != NULL && !is_among(aspect, IMAGEN_ASPECTS))
		return refuse_value(why, "parameters.aspectRatio");
	if (size != NULL && !is_among(size, " 1K 2K "))
		return refuse_value(why, "parameters.sampleImageSize");
	wish->size = size != NULL ? size : "1K";
	wish->tells_reason = json_is_true(member(parameters, "includeRaiReason"));
	wish->picture.format = FORMAT_PNG;
	wish->picture.compression = 75;
	choose_size(&wish->picture, aspect, atof(wish->size) * 1024);
	return check_output(member(parameters, "outputOptions"), wish, why) &&
		read_instance(json_array_get(instances, 0), wish, why);
}

/* ---- models ---- */

bool
google_check_model(const Place *place, GoogleWish *wish, GoogleRefusal *why)
{
	bool		is_predict = strcmp(place->method, "predict") == 0;

	for (const GoogleModel *m = google_models; m->name != NULL; m++)
		if (strcmp(m->name, place->model) == 0 && !is_predict &&
			(place->is_vertex || !m->on_vertex_only))
			wish->model = m;
	if (wish->model != NULL ||
		(strncmp(place->model, "imagen-", 7) == 0 && is_predict &&
		 place->has_project && openai_serves_legacy))
		return true;
	if (!place->is_vertex)
		return google_refuse(why, 404, "NOT_FOUND", NULL,
							 "models/%s is not found for API version v1beta, "
							 "or is not supported for %s. Call ListModels to "
							 "see the list of available models and their "
							 "supported methods.", place->model, place->method);
	return google_refuse(why, 404, "NOT_FOUND", NULL,
						 "Publisher Model `projects/%s/locations/%s/"
						 "publishers/google/models/%s` was not found or your "
						 "project does not have access to it.", place->project,
						 place->location, place->model);
}
