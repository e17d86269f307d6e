/*-------------------------------------------------------------------------
 *
 * gemini.c
 *		generateContent: the request, and what the answer says.
 *
 * Parameters are flat and have names of ours; a table says where each stands
 * in the request.  What is not in the table is refused, and not left out in
 * silence, since the picture would be paid for.
 *
 * What blocks a picture comes with the status of success, as one of a growing
 * number of words.  Only an answer that ends as answers with a picture do is
 * a success, and a word that is not known is no such end.
 *
 *-------------------------------------------------------------------------
 */
#include "gemini.h"

#include <limits.h>
#include <string.h>

#include "../base64.h"
#include "google_error.h"

/* Of one generation, and MAX_PICTURES by chance. */
#define MAX_COUNT		10

/* Documented: 14 pictures, and 20 MB for the request as it is sent. */
#define MAX_INPUT_PICTURES	14
#define MAX_INPUT_BYTES	(20 * 1000 * 1000)

#define MAX_REQUEST_ID	200
/* As much of what the model says as a message shows. */
#define MAX_WORDS		FAULT_MESSAGE_MAX

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* Where a field stands in the request. */
typedef enum Place
{
	IN_REQUEST,
	IN_CONFIG,
	IN_IMAGE,
	IN_OUTPUT,
	IN_THINKING
} Place;

typedef struct Field
{
	const char *ours;
	const char *theirs;
	Place		place;
	json_type	type;			/* JSON_REAL: any number */
	bool		is_of_vertex;	/* alone */
} Field;

static const Field fields[] = {
	{"aspect_ratio", "aspectRatio", IN_IMAGE, JSON_STRING, false},
	{"image_size", "imageSize", IN_IMAGE, JSON_STRING, false},
	{"person_generation", "personGeneration", IN_IMAGE, JSON_STRING, true},
	{"output_format", "mimeType", IN_OUTPUT, JSON_STRING, true},
	{"output_compression", "compressionQuality", IN_OUTPUT, JSON_INTEGER,
	true},
	{"thinking_level", "thinkingLevel", IN_THINKING, JSON_STRING, false},
	{"seed", "seed", IN_CONFIG, JSON_INTEGER, false},
	{"temperature", "temperature", IN_CONFIG, JSON_REAL, false},
	{"top_p", "topP", IN_CONFIG, JSON_REAL, false},
	{"top_k", "topK", IN_CONFIG, JSON_REAL, false},
	{"response_modalities", "responseModalities", IN_CONFIG, JSON_ARRAY,
	false},
	{"safety_settings", "safetySettings", IN_REQUEST, JSON_ARRAY, false},
	{"system_instruction", "systemInstruction", IN_REQUEST, JSON_STRING,
	false},
	{"labels", "labels", IN_REQUEST, JSON_OBJECT, true},
};

/* promptFeedback.blockReason */
static const char *const block_reasons[] = {
	"SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY",
	"MODEL_ARMOR", "JAILBREAK", "OTHER",
};

/* finishReason: the output was blocked. */
static const char *const blocked_ends[] = {
	"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
	"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
	"MODEL_ARMOR",
};

/* finishReason: what there is of pictures is whole. */
static const char *const good_ends[] = {
	"STOP", "MAX_TOKENS",
};

/* finishReason: with words and no picture, the model has declined. */
static const char *const declined_ends[] = {
	"STOP", "NO_IMAGE",
};

static bool
is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

/* ---- asking ---- */

static int
wanted_pictures(const Generation *g)
{
	const json_t *n = json_object_get(g->parameters, "n");

	return json_is_integer(n) ? (int) json_integer_value(n) : 1;
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

static bool
has_type(const json_t *value, json_type type)
{
	return type == JSON_REAL ? json_is_number(value) :
		json_typeof(value) == type;
}

/* Without a picture among them there would be nothing but words to pay. */
static bool
asks_for_picture(const json_t *modalities)
{
	size_t		i;
	json_t	   *modality;

	json_array_foreach(modalities, i, modality)
	{
		if (json_is_string(modality) &&
			strcmp(json_string_value(modality), "IMAGE") == 0)
			return true;
	}
	return false;
}

/* A parameter's value as it is sent, and new; NULL if it will not do. */
static json_t *
translate(const Field *field, json_t *value)
{
	const char *text = json_string_value(value);

	if (!has_type(value, field->type))
		return NULL;
	if (strcmp(field->ours, "response_modalities") == 0 &&
		!asks_for_picture(value))
		return NULL;
	if (strcmp(field->ours, "system_instruction") == 0)
		return json_pack("{s:[{s:s}]}", "parts", "text", text);
	if (strcmp(field->ours, "output_format") == 0)
	{
		if (strcmp(text, "png") != 0 && strcmp(text, "jpeg") != 0)
			return NULL;
		return json_sprintf("image/%s", text);
	}
	return json_incref(value);
}

/* The object of this name in another one, which is made if it is not there. */
static json_t *
child(json_t *parent, const char *name)
{
	json_t	   *object = json_object_get(parent, name);

	if (object == NULL)
	{
		object = json_object();
		json_object_set_new(parent, name, object);
	}
	return object;
}

static json_t *
object_at(json_t *body, Place place)
{
	json_t	   *config;

	if (place == IN_REQUEST)
		return body;
	config = child(body, "generationConfig");
	switch (place)
	{
		case IN_IMAGE:
			return child(config, "imageConfig");
		case IN_OUTPUT:
			return child(child(config, "imageConfig"), "imageOutputOptions");
		case IN_THINKING:
			return child(config, "thinkingConfig");
		default:
			return config;
	}
}

/* Why a parameter cannot be sent, or NULL when it stands in the body. */
static const char *
add_parameter(Exchange *x, json_t *body, const char *name, json_t *value,
			  bool is_vertex)
{
	const Field *field = find_field(name);
	json_t	   *theirs;

	if (strcmp(name, "n") == 0)
	{
		if (json_is_integer(value) && json_integer_value(value) >= 1 &&
			json_integer_value(value) <= MAX_COUNT)
			return NULL;
		return "\"n\" must be a number from 1 to 10";
	}
	if (field == NULL)
		return arena_printf(x->arena,
							"\"%.64s\" is no parameter of Gemini models",
							name);
	if (field->is_of_vertex && !is_vertex)
		return arena_printf(x->arena, "only Vertex takes \"%s\", not the "
							"Gemini API", name);
	theirs = translate(field, value);
	if (theirs == NULL)
		return arena_printf(x->arena,
							"\"%s\" has a value that is not possible", name);
	json_object_set_new(object_at(body, field->place), field->theirs, theirs);
	return NULL;
}

/* Why the input pictures cannot be sent, or NULL. */
static const char *
check_inputs(const Generation *g)
{
	size_t		total = 0;

	if (g->mask != NULL)
		return "Gemini models take no mask";
	if (g->input_count > MAX_INPUT_PICTURES)
		return "Gemini models take at most 14 pictures";
	for (int i = 0; i < g->input_count; i++)
	{
		if (g->inputs[i].len > MAX_INPUT_BYTES)
			return "a picture is too large for Gemini models";
		total += BASE64_ENCODED(g->inputs[i].len);
	}
	if (total > MAX_INPUT_BYTES)
		return "the pictures are too large for Gemini models: together more "
			"than 20 MB as base64";
	return NULL;
}

static bool
add_input(json_t *parts, const Input *input)
{
	json_t	   *data = exchange_base64("", input->bytes, input->len);

	if (data == NULL)
		return false;
	json_array_append_new(parts,
						  json_pack("{s:{s:o, s:o}}", "inlineData", "mimeType",
									json_sprintf("image/%s", input->format),
									"data", data));
	return true;
}

json_t *
gemini_body(Exchange *x, const Generation *g, bool is_vertex)
{
	const char *why = check_inputs(g);
	json_t	   *parts = json_array();
	json_t	   *body = json_pack("{s:[{s:s, s:o}], s:{s:[s]}}",
								 "contents", "role", "user", "parts", parts,
								 "generationConfig",
								 "responseModalities", "IMAGE");
	json_t	   *prompt = json_string(g->prompt);
	const char *name;
	json_t	   *value;

	json_object_foreach(g->parameters, name, value)
	{
		if (why == NULL && !json_is_null(value))
			why = add_parameter(x, body, name, value, is_vertex);
	}
	if (why != NULL)
		exchange_fail(x, FAULT_BAD_REQUEST, why);
	else if (prompt == NULL)
	{
		why = "the request is not UTF-8";
		exchange_fail(x, FAULT_INTERNAL, why);
	}
	if (why != NULL)
	{
		json_decref(prompt);
		json_decref(body);
		return NULL;
	}

	json_array_append_new(parts, json_pack("{s:o}", "text", prompt));
	for (int i = 0; i < g->input_count; i++)
	{
		if (!add_input(parts, &g->inputs[i]))
		{
			exchange_fail(x, FAULT_INTERNAL, "a picture is too large");
			json_decref(body);
			return NULL;
		}
	}
	return body;
}

/* ---- tokens ---- */

static void
add_tokens(long *sum, long tokens)
{
	if (tokens < 0)
		return;
	*sum = (*sum > 0 ? *sum : 0) + tokens;
}

/* Of a list of modalities; -1 if there is no such list. */
static long
read_modality(const json_t *usage, const char *list, const char *modality)
{
	const json_t *details = json_object_get(usage, list);
	long		sum = json_is_array(details) ? 0 : -1;
	size_t		i;
	json_t	   *detail;

	json_array_foreach(details, i, detail)
	{
		const char *name = json_string_value(json_object_get(detail,
															 "modality"));

		if (name != NULL && strcmp(name, modality) == 0)
			add_tokens(&sum, exchange_count(detail, "tokenCount"));
	}
	return sum;
}

/* Adds to what the calls before have taken. */
static void
add_usage(const json_t *usage, bool has_picture, Usage *sum)
{
	if (json_is_array(json_object_get(usage, "promptTokensDetails")))
	{
		add_tokens(&sum->text_input,
				   read_modality(usage, "promptTokensDetails", "TEXT"));
		add_tokens(&sum->image_input,
				   read_modality(usage, "promptTokensDetails", "IMAGE"));
	}
	else
		add_tokens(&sum->text_input, exchange_count(usage, "promptTokenCount"));
	add_tokens(&sum->text_input_cached,
			   read_modality(usage, "cacheTokensDetails", "TEXT"));
	add_tokens(&sum->image_input_cached,
			   read_modality(usage, "cacheTokensDetails", "IMAGE"));
	if (json_is_array(json_object_get(usage, "candidatesTokensDetails")))
	{
		add_tokens(&sum->text_output,
				   read_modality(usage, "candidatesTokensDetails", "TEXT"));
		add_tokens(&sum->image_output,
				   read_modality(usage, "candidatesTokensDetails", "IMAGE"));
	}
	else
		add_tokens(has_picture ? &sum->image_output : &sum->text_output,
				   exchange_count(usage, "candidatesTokenCount"));
	/* thoughts are paid like words */
	add_tokens(&sum->text_output, exchange_count(usage, "thoughtsTokenCount"));
	add_tokens(&sum->total, exchange_count(usage, "totalTokenCount"));
}

/* ---- pictures and words ---- */

/* Hands a part's picture over, if it has one that is whole. */
static void
take_picture(Exchange *x, const json_t *part, Outcome *outcome)
{
	int			index = exchange_picture_index(x, json_object_get(json_object_get(part, "inlineData"), "data"));
	Picture    *picture;

	if (index < 0 || outcome->picture_count == MAX_PICTURES)
		return;
	picture = &x->reply.pictures[index];
	if (picture->is_broken || picture->len == 0)
		return;
	outcome->pictures[outcome->picture_count++].picture = *picture;
	memset(picture, 0, sizeof(*picture));
}

/* Interim pictures and words are none. */
static bool
is_thought(const json_t *part)
{
	return json_is_true(json_object_get(part, "thought"));
}

static const json_t *
parts_of(const json_t *candidate)
{
	return json_object_get(json_object_get(candidate, "content"), "parts");
}

/* How a candidate ended; without a word for it it just stopped. */
static const char *
end_of(const json_t *candidate)
{
	const json_t *reason = json_object_get(candidate, "finishReason");

	if (reason == NULL || json_is_null(reason))
		return "STOP";
	return json_is_string(reason) ? json_string_value(reason) : "no word";
}

/* Of all candidates that ended well; false if there is no whole one. */
static bool
take_pictures(Exchange *x, const json_t *candidates, Outcome *outcome)
{
	int			before = outcome->picture_count;
	size_t		i;
	size_t		j;
	json_t	   *candidate;
	json_t	   *part;

	json_array_foreach(candidates, i, candidate)
	{
		if (!is_one_of(end_of(candidate), good_ends, lengthof(good_ends)))
			continue;
		json_array_foreach(parts_of(candidate), j, part)
		{
			if (!is_thought(part))
				take_picture(x, part, outcome);
		}
	}
	return outcome->picture_count > before;
}

/* What a candidate says in words, cut to a message's length; or NULL. */
static const char *
words_of(Exchange *x, const json_t *candidate)
{
	const char *words = "";
	size_t		i;
	json_t	   *part;

	json_array_foreach(parts_of(candidate), i, part)
	{
		const char *text = json_string_value(json_object_get(part, "text"));

		if (text != NULL && text[0] != '\0' && !is_thought(part) &&
			strlen(words) < MAX_WORDS)
			words = arena_printf(x->arena, "%s%s%.*s", words,
								 words[0] != '\0' ? " " : "", MAX_WORDS, text);
	}
	return words[0] != '\0' ? words : NULL;
}

/* ---- how it ended ---- */

/* No candidate at all: step 1 of the order in which blocks are looked for. */
static Next
fail_prompt(Exchange *x, const json_t *root)
{
	const json_t *feedback = json_object_get(root, "promptFeedback");
	const char *reason = json_string_value(json_object_get(feedback,
														   "blockReason"));
	const char *why = json_string_value(json_object_get(feedback,
														"blockReasonMessage"));

	if (reason == NULL)
		return google_fail_answer(x, FAULT_UNKNOWN, CHARGED_UNKNOWN,
								  "the provider's answer is empty");
	return google_fail_answer(x,
							  is_one_of(reason, block_reasons,
										lengthof(block_reasons)) ?
							  FAULT_CONTENT_BLOCKED : FAULT_UNKNOWN,
							  CHARGED_UNKNOWN,
							  arena_printf(x->arena,
										   "the prompt was blocked (%.64s)%s%s",
										   reason, why != NULL ? ": " : "",
										   why != NULL ? why : ""));
}

/* Steps 2 to 4; has_bytes: pictures came, even if only interim ones. */
static Next
fail_candidate(Exchange *x, const json_t *candidate, bool has_bytes)
{
	const char *reason = end_of(candidate);
	const char *why = json_string_value(json_object_get(candidate,
														"finishMessage"));
	const char *words = words_of(x, candidate);
	Charged		charged = has_bytes || words != NULL ? CHARGED_YES :
	CHARGED_UNKNOWN;

	if (is_one_of(reason, blocked_ends, lengthof(blocked_ends)))
		return google_fail_answer(x, FAULT_CONTENT_BLOCKED, charged,
								  arena_printf(x->arena,
											   "the picture was blocked "
											   "(%s)%s%s", reason,
											   why != NULL ? ": " : "",
											   why != NULL ? why : ""));
	if (words != NULL &&
		is_one_of(reason, declined_ends, lengthof(declined_ends)))
		return google_fail_answer(x, FAULT_CONTENT_BLOCKED, charged,
								  arena_printf(x->arena,
											   "the model answered in words: "
											   "%s", words));
	return google_fail_answer(x, FAULT_UNKNOWN, charged,
							  arena_printf(x->arena,
										   "the answer holds no picture that "
										   "can be used (%.64s)%s%s",
										   reason, why != NULL ? ": " : "",
										   why != NULL ? why : ""));
}

static Next
read_answer(Exchange *x, Outcome *outcome)
{
	bool		has_bytes = x->reply.picture_count > 0;
	const json_t *root = exchange_json(x);
	const json_t *candidates = json_object_get(root, "candidates");
	const json_t *candidate = json_array_get(candidates, 0);
	const char *id = json_string_value(json_object_get(root, "responseId"));

	if (root == NULL)
		return google_fail_answer(x, FAULT_UNKNOWN,
								  has_bytes ? CHARGED_YES : CHARGED_UNKNOWN,
								  "the provider's answer is no JSON document");
	if (id != NULL)
		outcome->provider_request_id = exchange_scrub(x, id, MAX_REQUEST_ID);
	add_usage(json_object_get(root, "usageMetadata"), has_bytes,
			  &outcome->usage);
	if (candidate == NULL)
		return fail_prompt(x, root);
	if (take_pictures(x, candidates, outcome))
		return NEXT_DONE;
	return fail_candidate(x, candidate, has_bytes);
}

Next
gemini_read(Exchange *x, const Generation *g, Outcome *outcome)
{
	Next		next = google_check(x);

	if (next == NEXT_DONE)
		next = read_answer(x, outcome);
	if (next == NEXT_FAIL || outcome->picture_count >= wanted_pictures(g))
		return next;
	x->request.ordinal++;
	return NEXT_SEND;
}
