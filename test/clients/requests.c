/*-------------------------------------------------------------------------
 *
 * requests.c
 *		Has the adapters ask for pictures, with the courier's own engine, and
 *		lets somebody else answer.
 *
 *	requests http://127.0.0.1:PORT
 *
 * Each case is one generation.  Whatever its adapter asks for goes there, with
 * headers of ours that say what it is: X-Case, X-Provider, X-Url (where it was
 * to go) and, if it is a paid request, X-Paid.  How the case ended is printed
 * as a line of JSON:
 *		{"case", "provider", "end": "done", "pictures": N}
 *		{"case", "provider", "end": "failed", "class", "message"}
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <time.h>

#include "../../src/courier/budget.h"
#include "../../src/courier/engine.h"
#include "../../src/courier/loop.h"
#include "../../src/courier/runner.h"
#include "../unit/play.h"

#define CASE_MS		20000

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

static const char *judge;		/* who answers */

/* The generation that is being made. */
typedef struct Asking
{
	const Case *c;
	const ProviderAdapter *adapter;
	Runner		runner;
	Generation	generation;
	Outcome		outcome;
	bool		is_over;
	Next		end;
} Asking;

/* Sends the request to the judge, as it is otherwise. */
static void
divert(Asking *asking)
{
	Exchange   *x = &asking->runner.x;
	const char *url = x->request.url;
	const char *path = strchr(strstr(url, "://") + 3, '/');

	/* an adapter may send the same one again */
	if (strncmp(url, judge, strlen(judge)) == 0)
		return;
	exchange_header(x, "X-Case", asking->c->name);
	exchange_header(x, "X-Provider", asking->c->provider);
	exchange_header(x, "X-Url", url);
	if (x->request.is_paid)
		exchange_header(x, "X-Paid", "yes");
	x->request.url = arena_printf(x->arena, "%s%s", judge, path);
}

static Next
step(Runner *runner)
{
	Asking	   *asking = runner->owner;
	Exchange   *x = &runner->x;
	Next		next;

	x->now = time(NULL);
	next = asking->adapter->generate(x, &asking->generation,
									 &asking->outcome);
	if (next == NEXT_SEND)
		divert(asking);
	else if (next == NEXT_SLEEP)
		x->sleep_ms = 1;
	return next;
}

static void
ended(Runner *runner, Next next)
{
	Asking	   *asking = runner->owner;

	asking->end = next;
	asking->is_over = true;
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
print_failure(const Case *c, const char *class, const char *message)
{
	print_line(json_pack("{s:s, s:s, s:s, s:s, s:s}", "case", c->name,
						 "provider", c->provider, "end", "failed",
						 "class", class, "message", message));
}

static void
print_end(const Asking *asking)
{
	const Fault *fault = &asking->runner.x.fault;

	if (asking->end == NEXT_DONE)
		print_line(json_pack("{s:s, s:s, s:s, s:i}",
							 "case", asking->c->name,
							 "provider", asking->c->provider, "end", "done",
							 "pictures", asking->outcome.picture_count));
	else
		print_failure(asking->c, fault_code(fault->class), fault->message);
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
begin(Asking *asking, const Case *c, const Input *inputs)
{
	static AddressRange loopback;
	const char *key = c->key != NULL ? c->key : service_account();
	Exchange   *x = &asking->runner.x;
	Usage		nothing = {-1, -1, -1, -1, -1, -1, -1};

	memset(asking, 0, sizeof(*asking));
	address_parse_range("127.0.0.0/8", &loopback);
	asking->c = c;
	asking->adapter = provider_find(c->provider);
	asking->outcome.usage = nothing;
	asking->outcome.cost_ticks = -1;
	asking->generation = (Generation)
	{
		.model = c->model,
			.prompt = "cat",
			.parameters = read_object(c->parameters),
			.client_request_id = PLAY_REQUEST_ID,
			.inputs = inputs,
			.input_count = c->input_count,
			.mask = c->has_mask ? inputs : NULL,
	};
	x->arena = arena_create();
	x->base_url = c->base_url;
	x->settings = read_object(c->settings);
	x->secret = secret_create(x->arena, (const uint8_t *) key, strlen(key));
	asking->runner.owner = asking;
	asking->runner.step = step;
	asking->runner.ended = ended;
	asking->runner.ranges = &loopback;
	asking->runner.range_count = 1;
	asking->runner.deadline = loop_now() + CASE_MS;
}

static void
end(Asking *asking)
{
	for (int i = 0; i < asking->outcome.picture_count; i++)
		free(asking->outcome.pictures[i].picture.bytes);
	exchange_clear_reply(&asking->runner.x);
	json_decref(asking->generation.parameters);
	json_decref(asking->runner.x.settings);
	arena_destroy(asking->runner.x.arena);
}

static void
run(const Case *c)
{
	static Asking asking;
	Input		inputs[MAX_INPUTS];

	for (int i = 0; i < MAX_INPUTS; i++)
		inputs[i] = play_pixel();
	if (provider_find(c->provider) == NULL)
	{
		print_failure(c, "", "there is no adapter");
		return;
	}
	begin(&asking, c, inputs);
	runner_start(&asking.runner);
	while (!asking.is_over)
	{
		loop_turn();
		engine_collect();
	}
	print_end(&asking);
	end(&asking);
}

int
main(int argc, char **argv)
{
	static Settings settings;

	if (argc != 2)
	{
		fprintf(stderr, "usage: requests http://127.0.0.1:PORT\n");
		return 2;
	}
	judge = argv[1];
	settings_set_defaults(&settings);
	loop_start();
	engine_start();
	engine_configure(&settings);
	budget_set(settings.byte_budget);
	for (size_t i = 0; i < lengthof(cases); i++)
		run(&cases[i]);
	return 0;
}
