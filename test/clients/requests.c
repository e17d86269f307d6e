/*-------------------------------------------------------------------------
 *
 * requests.c
 *		Has the adapters ask for pictures, and lets somebody else answer.
 *
 * Each case is one generation.  What its adapter wants to send is printed as
 * a line of JSON,
 *		{"case", "provider", "method", "url", "headers", "is_paid",
 *		 "body" (JSON) or "text" (not JSON) or "form" (its parts)}
 * and the answer is read as a line of JSON, {"status", "headers", "body"},
 * until the adapter comes to its end:
 *		{"case", "provider", "end": "done", "pictures": N}
 *		{"case", "provider", "end": "failed", "class", "message"}
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "../unit/play.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

#define OPENAI \
	.provider = "openai", .base_url = "https://api.openai.com/v1", \
	.key = "sk-test0123456789abcdef"
#define XAI \
	.provider = "xai", .base_url = "https://api.x.ai/v1", \
	.key = "xai-test0123456789abcdef"

#define GEMINI \
	.provider = "google", \
	.base_url = "https://generativelanguage.googleapis.com/v1", \
	.key = "AIzaTest0123456789abcdef", .model = "gemini-nano-banana-2.1"
#define EXPRESS \
	.provider = "vertex", .base_url = "https://aiplatform.googleapis.com", \
	.key = "AQ.Test0123456789abcdef"
/* key NULL: that of a service account */
#define VERTEX \
	.provider = "vertex", .base_url = "https://aiplatform.googleapis.com"

typedef struct Case
{
	const char *name;
	const char *provider;
	const char *base_url;
	const char *key;
	const char *model;
	const char *parameters;		/* JSON, or NULL */
	const char *settings;		/* the same, of the provider */
	int			input_count;
	bool		has_mask;
} Case;

static const Case cases[] = {
	{.name = "plain", OPENAI,.model = "gpt-image-2"},
	{.name = "every field", OPENAI,.model = "gpt-image-2",
		.parameters = "{\"n\":2,\"size\":\"1536x1024\",\"quality\":\"low\","
		"\"output_format\":\"webp\",\"output_compression\":80,"
	"\"background\":\"opaque\",\"moderation\":\"low\",\"user\":\"ada\"}"},
	{.name = "newest fields", OPENAI,.model = "gpt-image-2.6-flare",
		.parameters = "{\"complexity\":\"low\",\"quality\":\"max\","
	"\"safety_identifier\":\"ada\"}"},
	{.name = "dall-e-3", OPENAI,.model = "dall-e-3",
		.parameters = "{\"size\":\"1792x1024\",\"quality\":\"hd\","
	"\"style\":\"vivid\"}"},
	{.name = "stream", OPENAI,.model = "gpt-image-2",
	.parameters = "{\"stream\":true,\"partial_images\":2}"},
	{.name = "edit", OPENAI,.model = "gpt-image-2",
		.parameters = "{\"n\":2,\"size\":\"1024x1024\",\"quality\":\"low\","
	"\"output_format\":\"jpeg\"}",.input_count = 1,.has_mask = true},
	{.name = "edit as JSON", OPENAI,.model = "gpt-image-2",
		.parameters = "{\"n\":2,\"size\":\"1024x1024\",\"quality\":\"low\"}",
		.settings = "{\"edit_body\":\"json\"}",.input_count = 2,
	.has_mask = true},
	{.name = "plain", XAI,.model = "grok-imagine-image"},
	{.name = "every field", XAI,.model = "grok-imagine-image-2.0",
		.parameters = "{\"n\":2,\"aspect_ratio\":\"19.5:9\","
		"\"resolution\":\"2k\",\"quality\":\"low\",\"user\":\"ada\","
		"\"storage_options\":{\"filename\":\"cat.jpeg\","
	"\"expires_after\":3600}}"},
	{.name = "by address", XAI,.model = "grok-imagine-image",
	.parameters = "{\"response_format\":\"url\"}"},
	{.name = "deferred", XAI,.model = "grok-imagine-image",
	.parameters = "{\"deferred\":true}"},
	{.name = "edit of one", XAI,.model = "grok-imagine-image-2.0",
	.parameters = "{\"quality\":\"auto\"}",.input_count = 1},
	{.name = "edit of five", XAI,.model = "grok-imagine-image-2.0",
	.input_count = 5},
	{.name = "plain", GEMINI},
	{.name = "every field", GEMINI,
		.parameters = "{\"n\":2,\"aspect_ratio\":\"16:9\",\"image_size\":\"2K\","
		"\"thinking_level\":\"HIGH\",\"seed\":7,\"temperature\":0.5,"
		"\"top_p\":0.5,\"top_k\":3,\"system_instruction\":\"no dogs\","
		"\"response_modalities\":[\"TEXT\",\"IMAGE\"],\"safety_settings\":"
		"[{\"category\":\"HARM_CATEGORY_HARASSMENT\",\"threshold\":"
	"\"BLOCK_ONLY_HIGH\"}]}"},
	{.name = "edit of two", GEMINI,.input_count = 2},
	{.name = "express", EXPRESS,.model = "gemini-nano-banana-2.1"},
	{.name = "express edit", EXPRESS,.model = "gemini-nano-banana-2.1",
	.input_count = 3},
	{.name = "every field", VERTEX,.model = "gemini-3-pro-image",
		.parameters = "{\"aspect_ratio\":\"21:9\",\"image_size\":\"4K\","
		"\"person_generation\":\"ALLOW_ADULT\",\"output_format\":\"jpeg\","
		"\"output_compression\":80,\"labels\":{\"team\":\"cats\"}}",
	.settings = "{\"location\":\"us-central1\"}"},
	{.name = "Imagen", VERTEX,.model = "imagen-4.0-generate-001",
		.parameters = "{\"n\":2,\"aspect_ratio\":\"16:9\",\"image_size\":\"2K\","
		"\"negative_prompt\":\"dog\",\"seed\":7,\"add_watermark\":false,"
		"\"guidance_scale\":5,\"person_generation\":\"allow_adult\","
		"\"safety_setting\":\"block_only_high\",\"language\":\"en\","
		"\"enhance_prompt\":true,\"output_format\":\"jpeg\","
	"\"output_compression\":80}"},
};

static json_t *
headers_json(const Request *request)
{
	json_t	   *headers = json_object();
	const Header *header;

	for (header = request->headers; header != NULL; header = header->next)
		json_object_set_new(headers, header->name,
							json_string(header->value));
	return headers;
}

static json_t *
form_json(const Request *request)
{
	json_t	   *form = json_array();
	const FormPart *part;

	for (part = request->form; part != NULL; part = part->next)
		json_array_append_new(form,
							  json_pack("{s:s, s:s?, s:s?, s:o}",
										"name", part->name,
										"file_name", part->file_name,
										"media_type", part->media_type,
										"base64", exchange_base64("",
																  part->bytes,
																  part->len)));
	return form;
}

static void
print_line(json_t *line)
{
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

static void
print_request(const Case *c, const Play *play)
{
	const Request *request = &play->x.request;
	json_t	   *line = json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}",
								 "case", c->name, "provider", c->provider,
								 "method", request->method,
								 "url", request->url,
								 "headers", headers_json(request),
								 "is_paid", request->is_paid);
	json_t	   *body = play_request_json(play);

	if (request->form != NULL)
		json_object_set_new(line, "form", form_json(request));
	else if (body != NULL)
		json_object_set_new(line, "body", body);
	else if (request->body != NULL)
		json_object_set_new(line, "text",
							json_stringn(request->body, request->body_len));
	print_line(line);
}

static void
print_end(const Case *c, Next next, const Play *play)
{
	if (next == NEXT_DONE)
		print_line(json_pack("{s:s, s:s, s:s, s:i}", "case", c->name,
							 "provider", c->provider, "end", "done",
							 "pictures", play->outcome.picture_count));
	else
		print_line(json_pack("{s:s, s:s, s:s, s:s, s:s}", "case", c->name,
							 "provider", c->provider, "end", "failed",
							 "class", fault_code(play->x.fault.class),
							 "message", play->x.fault.message));
}

/* The next line of standard input, freed with json_decref; ends without. */
static json_t *
read_answer(void)
{
	char	   *line = NULL;
	size_t		size = 0;
	json_t	   *answer;

	if (getline(&line, &size, stdin) < 0 ||
		(answer = json_loads(line, 0, NULL)) == NULL)
	{
		fprintf(stderr, "requests: no answer was given\n");
		exit(1);
	}
	free(line);
	return answer;
}

static void
release_json(void *json)
{
	json_decref(json);
}

static Next
take_answer(Play *play)
{
	json_t	   *answer = read_answer();
	Next		next;

	play_reply_headers(play, json_object_get(answer, "headers"));
	next = play_answer(play,
					   json_integer_value(json_object_get(answer, "status")),
					   json_string_value(json_object_get(answer, "body")),
					   1000);
	/* headers of the reply are lent from it */
	arena_on_destroy(play->x.arena, release_json, answer);
	return next;
}

static json_t *
read_object(const char *text)
{
	return json_loads(text != NULL ? text : "{}", 0, NULL);
}

static const char *
service_account(void)
{
	static char *key;

	if (key == NULL)
	{
		json_t	   *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}",
									 "type", "service_account",
									 "project_id", "p1",
									 "private_key_id", "k1",
									 "private_key", play_private_key(),
									 "client_email",
									 "a@p1.iam.gserviceaccount.com",
									 "token_uri",
									 "https://oauth2.googleapis.com/token");

		key = json_dumps(json, JSON_COMPACT);
		json_decref(json);
	}
	return key;
}

static void
run(const Case *c)
{
	const ProviderAdapter *adapter = provider_find(c->provider);
	Input		inputs[MAX_INPUTS];
	Play		play;
	Next		next;

	if (adapter == NULL)
	{
		print_line(json_pack("{s:s, s:s, s:s, s:s, s:s}", "case", c->name,
							 "provider", c->provider, "end", "failed",
							 "class", "", "message", "there is no adapter"));
		return;
	}
	for (int i = 0; i < MAX_INPUTS; i++)
		inputs[i] = play_pixel();
	play_begin(&play, adapter, c->base_url,
			   c->key != NULL ? c->key : service_account(), c->model,
			   read_object(c->parameters), read_object(c->settings), NULL);
	play.generation.inputs = inputs;
	play.generation.input_count = c->input_count;
	play.generation.mask = c->has_mask ? inputs : NULL;

	next = play_step(&play);
	while (next == NEXT_SEND || next == NEXT_SLEEP)
	{
		if (next == NEXT_SLEEP)
		{
			next = play_step(&play);
			continue;
		}
		print_request(c, &play);
		next = take_answer(&play);
	}
	print_end(c, next, &play);
	play_end(&play);
}

int
main(void)
{
	for (size_t i = 0; i < lengthof(cases); i++)
		run(&cases[i]);
	return 0;
}
