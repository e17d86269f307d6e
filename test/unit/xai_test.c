/*-------------------------------------------------------------------------
 *
 * xai_test.c
 *		The xAI adapter asks as the official client does, knows what an answer
 *		cost, and does not let go of a picture that is paid for.
 *
 * Errors and network events are errors_test.c's.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "play.h"

#define BASE_URL	"https://api.x.ai/v1"
#define TWENTY_MIB	((size_t) 20 * 1024 * 1024)

static const char key[] = "xai-test0123456789abcdefghijklmnop";

/* A generation with these parameters, about to be asked for. */
static void
begin(Play *play, json_t *parameters)
{
	play_begin(play, provider_find("xai"), BASE_URL, key,
			   "grok-imagine-image-2.0", parameters, json_object(), NULL);
}

/* The same, sent. */
static void
begin_sent(Play *play, json_t *parameters)
{
	begin(play, parameters);
	CHECK(play_step(play) == NEXT_SEND, "a request is sent");
}

/* ---- asking ---- */

/* The bytes of a data: URL, malloc'ed. */
static Input
input_of(const json_t *image)
{
	static const char prefix[] = "data:image/png;base64,";
	const char *url = json_string_value(json_object_get(image, "url"));
	size_t		len = strlen(url) - strlen(prefix);
	uint8_t    *bytes = malloc(len);
	Input		input = {.bytes = bytes,.format = "png",.width = 1,
	.height = 1};

	input.len = (size_t) EVP_DecodeBlock(bytes, (const uint8_t *) url +
										 strlen(prefix), (int) len);
	while (len-- > 0 && url[strlen(prefix) + len] == '=')
		input.len--;
	return input;
}

/* What the official client sent, asked of us. */
static void
check_call(const json_t *call)
{
	const char *name = json_string_value(json_object_get(call, "call"));
	json_t	   *request = json_object_get(call, "request");
	json_t	   *theirs = json_object_get(request, "body");
	json_t	   *parameters = json_deep_copy(theirs);
	json_t	   *image = json_object_get(theirs, "image");
	json_t	   *images = json_object_get(theirs, "images");
	Input		inputs[MAX_INPUTS];
	int			input_count = 0;
	size_t		i;
	json_t	   *item;
	json_t	   *ours;
	Play		play;

	if (image != NULL)
		inputs[input_count++] = input_of(image);
	json_array_foreach(images, i, item)
		inputs[input_count++] = input_of(item);
	json_object_del(parameters, "model");
	json_object_del(parameters, "prompt");
	json_object_del(parameters, "response_format");
	json_object_del(parameters, "image");
	json_object_del(parameters, "images");

	begin(&play, parameters);
	play.generation.model = json_string_value(json_object_get(theirs,
															  "model"));
	play.generation.prompt = json_string_value(json_object_get(theirs,
															   "prompt"));
	play.generation.inputs = inputs;
	play.generation.input_count = input_count;
	CHECK(play_step(&play) == NEXT_SEND, "%s: is sent", name);
	ours = play_request_json(&play);
	CHECK(json_equal(ours, theirs), "%s: same body", name);
	CHECK(strcmp(play.x.request.method, "POST") == 0 &&
		  strcmp(play.x.request.url + strlen("https://api.x.ai"),
				 json_string_value(json_object_get(request, "path"))) == 0,
		  "%s: same place", name);
	CHECK(strcmp(play_request_header(&play, "content-type"),
				 "application/json") == 0, "%s: is JSON", name);
	CHECK(play.x.request.is_paid && play.x.request.ordinal == 1,
		  "%s: is the one paid request", name);
	json_decref(ours);
	play_end(&play);
	while (input_count > 0)
		free((void *) inputs[--input_count].bytes);
}

static void
check_request(void)
{
	Play		play;

	begin_sent(&play, json_pack("{s:n, s:s, s:s, s:s, s:{s:s}}",
								"quality", "size", "1024x1024", "style",
								"vivid", "user", "ada", "storage_options",
								"filename", "cat.jpeg"));
	CHECK(strcmp(play_request_header(&play, "authorization"),
				 "Bearer xai-test0123456789abcdefghijklmnop") == 0,
		  "the key travels as a bearer token");
	CHECK(strcmp(play_request_header(&play, "x-client-request-id"),
				 PLAY_REQUEST_ID) == 0,
		  "the call carries generation and attempt");
	CHECK(!play_body_holds(&play, "quality"), "a null parameter is left out");
	CHECK(!play_body_holds(&play, "size") && !play_body_holds(&play, "style"),
		  "what xAI refuses is not sent");
	CHECK(play_body_holds(&play, "\"user\":\"ada\"") &&
		  play_body_holds(&play, "\"storage_options\":{\"filename\":"),
		  "what xAI alone knows is sent");
	CHECK(!play_body_holds(&play, "xai-test"), "the key is not in the body");
	play_end(&play);

	begin_sent(&play, json_pack("{s:s}", "response_format", "url"));
	CHECK(play_body_holds(&play, "\"response_format\":\"url\""),
		  "addresses can be wished for");
	play_end(&play);
	begin_sent(&play, json_pack("{s:b}", "deferred", 1));
	CHECK(play_body_holds(&play, "\"response_format\":\"url\"") &&
		  play_body_holds(&play, "\"deferred\":true"),
		  "a deferred request asks for addresses: it can get nothing else");
	play_end(&play);
}

/* Whether an edit with these pictures is refused before it costs. */
static bool
is_refused(const Input *inputs, int count, const Input *mask)
{
	Play		play;
	bool		is_refused;

	begin(&play, json_object());
	play.generation.inputs = inputs;
	play.generation.input_count = count;
	play.generation.mask = mask;
	is_refused = play_step(&play) == NEXT_FAIL &&
		play.x.fault.class == FAULT_BAD_REQUEST &&
		play.x.fault.charged == CHARGED_NO && !play.x.fault.may_have_cost;
	play_end(&play);
	return is_refused;
}

static void
check_inputs(void)
{
	uint8_t    *bytes = calloc(1, TWENTY_MIB + 1);
	Input		inputs[6];
	Input		large = {bytes, TWENTY_MIB, "png", 1, 1};

	for (int i = 0; i < 6; i++)
		inputs[i] = (Input)
	{
		bytes, 1, i % 2 ? "jpeg" : "webp", 1, 1
	};
	CHECK(!is_refused(inputs, 5, NULL), "five pictures are taken");
	CHECK(is_refused(inputs, 6, NULL), "six are refused before sending");
	CHECK(is_refused(inputs, 1, inputs), "a mask is refused before sending");
	CHECK(!is_refused(&large, 1, NULL), "20 MiB are taken");
	large.len++;
	CHECK(is_refused(&large, 1, NULL), "more is refused before sending");
	inputs[1].format = "gif";
	CHECK(is_refused(inputs, 2, NULL), "a gif is refused before sending");
	free(bytes);
}

/* ---- answers ---- */

static void
check_pictures(void)
{
	Play		play;

	begin_sent(&play, json_object());
	play_reply_header(&play, "x-request-id", "req_1");
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"" PLAY_PIXEL
					  "\",\"mime_type\":\"image/png\",\"revised_prompt\":\"\"},"
					  "{\"b64_json\":\"" PLAY_PIXEL "\",\"revised_prompt\":"
					  "\"a cat\",\"respect_moderation\":true}],"
					  "\"usage\":{\"cost_in_usd_ticks\":800000000}}",
					  5) == NEXT_DONE && play.outcome.picture_count == 2,
		  "two pictures arrive");
	CHECK(play.outcome.pictures[0].picture.len == 70 &&
		  play.outcome.pictures[1].picture.len == 70 &&
		  play.outcome.pictures[1].url == NULL, "as bytes");
	CHECK(play.outcome.cost_ticks == 800000000, "the answer says the cost");
	CHECK(play.outcome.pictures[0].revised_prompt == NULL &&
		  strcmp(play.outcome.pictures[1].revised_prompt, "a cat") == 0,
		  "a revised prompt is kept");
	CHECK(strcmp(play.outcome.provider_request_id, "req_1") == 0,
		  "the request id is kept on success");
	play_end(&play);

	begin_sent(&play, json_pack("{s:s}", "response_format", "url"));
	CHECK(play_answer(&play, 200, "{\"data\":[{\"url\":"
					  "\"https://imgen.x.ai/x.jpeg\"}]}", 5) == NEXT_DONE &&
		  play.outcome.picture_count == 1 &&
		  play.outcome.pictures[0].picture.bytes == NULL &&
		  strcmp(play.outcome.pictures[0].url,
				 "https://imgen.x.ai/x.jpeg") == 0,
		  "an address is handed on for fetching");
	CHECK(play.outcome.cost_ticks == -1,
		  "a cost that is not said is unknown, not nothing");
	CHECK(strcmp(play.adapter->image_hosts[0], "imgen.x.ai") == 0,
		  "from xAI's own picture host");
	play_end(&play);

	begin_sent(&play, json_object());
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"" PLAY_PIXEL
					  "\"},{\"respect_moderation\":false,\"b64_json\":\""
					  PLAY_PIXEL "\"}]}", 50) == NEXT_DONE &&
		  play.outcome.picture_count == 1 && play.outcome.missing_billed == 1
		  && strstr(play.outcome.note, "moderation") != NULL,
		  "of two pictures one is kept back, and billed perhaps");
	play_end(&play);

	begin_sent(&play, json_object());
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"!\"},{\"url\":7},"
					  "{\"b64_json\":\"" PLAY_PIXEL, 50) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_UNKNOWN &&
		  play.x.fault.charged == CHARGED_YES,
		  "an answer that is cut short was paid for");
	play_end(&play);
}

static void
check_cost(void)
{
	static const struct
	{
		const char *ticks;
		int64_t		read;
		Charged		charged;
	}			costs[] =
	{
		{"400000000", 400000000, CHARGED_YES},
		{"0", 0, CHARGED_NO},
		{"-1", -1, CHARGED_YES},
		{"1.5", -1, CHARGED_YES},
		{"\"400000000\"", -1, CHARGED_YES},
		{"9223372036854775807", -1, CHARGED_YES},
	};

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
	{
		char		body[200];
		Play		play;

		snprintf(body, sizeof(body), "{\"error\":\"Generated image rejected "
				 "by content moderation.\",\"usage\":{\"cost_in_usd_ticks\":"
				 "%s}}", costs[i].ticks);
		begin_sent(&play, json_object());
		CHECK(play_answer(&play, 400, body, 9) == NEXT_FAIL &&
			  play.x.fault.class == FAULT_CONTENT_BLOCKED &&
			  play.outcome.cost_ticks == costs[i].read &&
			  play.x.fault.charged == costs[i].charged,
			  "a picture that was taken back at %s ticks", costs[i].ticks);
		play_end(&play);
	}
}

static void
check_errors(void)
{
	Play		play;

	begin_sent(&play, json_object());
	play_answer(&play, 400, "{\"error\":\"bad key "
				"xai-test0123456789abcdefghijklmnop, really\"}", 100);
	CHECK(strcmp(play.x.fault.message, "bad key ***, really") == 0,
		  "an echoed key is scrubbed");
	play_end(&play);

	begin_sent(&play, json_object());
	play_reply_header(&play, "retry-after", "7");
	play_answer(&play, 429, "{\"error\":\"Too many requests\"}", 100);
	CHECK(play.x.fault.may_repeat && play.x.fault.retry_after_ms == 7000,
		  "a hint when to come again is taken");
	play_end(&play);

	begin_sent(&play, json_object());
	play_reply_header(&play, "retry-after", "7");
	play_answer(&play, 503, "{\"error\":\"Too many requests\"}", 100);
	CHECK(!play.x.fault.may_repeat && play.x.fault.may_have_cost,
		  "a 503 is not repeated, whatever it says");
	play_end(&play);

	begin_sent(&play, json_object());
	play.x.reply.transport = TRANSPORT_RESET_BODY;
	play_answer(&play, 429, "{\"err", 100);
	CHECK(play.x.fault.class == FAULT_RATE_LIMITED && play.x.fault.may_repeat,
		  "a refusal is one, also if the rest of it was lost");
	play_end(&play);
}

/* ---- deferred requests ---- */

#define RESULT_URL	BASE_URL "/images/r-1"

/* A deferred request that was taken, with its first poll on the way. */
static void
begin_poll(Play *play, long status)
{
	begin_sent(play, json_pack("{s:b}", "deferred", 1));
	CHECK(play_answer(play, status, "{\"request_id\":\"r-1\"}", 4) ==
		  NEXT_SLEEP && play->x.sleep_ms == 1000,
		  "a deferred request taken with %ld waits a second", status);
	CHECK(play_step(play) == NEXT_SEND &&
		  strcmp(play->x.request.method, "GET") == 0 &&
		  strcmp(play->x.request.url, RESULT_URL) == 0 &&
		  play_request_header(play, "authorization") != NULL,
		  "then its result is asked for");
	CHECK(!play->x.request.is_paid, "which costs nothing");
}

static void
check_polling(void)
{
	static const int pauses[] = {2000, 4000, 8000, 10000, 10000};
	Play		play;

	begin_poll(&play, 202);
	for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++)
	{
		CHECK(play_answer(&play, 202,
						  "{\"request_id\":\"r-1\",\"status\":\"pending\"}",
						  9) == NEXT_SLEEP && play.x.sleep_ms == pauses[i],
			  "a pending one is asked for again after %d ms", pauses[i]);
		CHECK(play_step(&play) == NEXT_SEND &&
			  strcmp(play.x.request.url, RESULT_URL) == 0,
			  "at the same address");
	}
	CHECK(play_answer(&play, 200, "{\"request_id\":\"r-1\",\"status\":\"done\","
					  "\"data\":[{\"url\":\"https://imgen.x.ai/x.jpeg\"}],"
					  "\"usage\":{\"cost_in_usd_ticks\":400000000}}", 9) ==
		  NEXT_DONE && play.outcome.picture_count == 1 &&
		  strcmp(play.outcome.pictures[0].url,
				 "https://imgen.x.ai/x.jpeg") == 0 &&
		  play.outcome.cost_ticks == 400000000,
		  "one that is done has an address and a cost");
	play_end(&play);
}

/* What must not end the wait for a picture that is paid for. */
static void
check_patience(void)
{
	static const long statuses[] = {200, 204, 404, 408, 409, 429, 500, 502,
	503, 504, 529};
	static const Transport losses[] = {TRANSPORT_DNS, TRANSPORT_REFUSED,
		TRANSPORT_CONNECT_TIMEOUT, TRANSPORT_TLS, TRANSPORT_TIMEOUT,
	TRANSPORT_RESET, TRANSPORT_RESET_BODY, TRANSPORT_OTHER};
	Play		play;

	begin_poll(&play, 200);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
	{
		CHECK(play_answer(&play, statuses[i], "<html>oops</html>", 9) ==
			  NEXT_SLEEP && play_step(&play) == NEXT_SEND,
			  "the result is asked for again after a %ld", statuses[i]);
	}
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
	{
		CHECK(play_lose(&play, losses[i], i % 2) == NEXT_SLEEP &&
			  play_step(&play) == NEXT_SEND,
			  "and after transport error %d", (int) losses[i]);
	}
	play.x.reply.transport = TRANSPORT_RESET_BODY;
	CHECK(play_answer(&play, 200, "{\"status\":\"done\",\"data\":[]}", 9) ==
		  NEXT_SLEEP && play_step(&play) == NEXT_SEND,
		  "and after an answer whose end was lost");
	CHECK(play_answer(&play, 200, "{\"status\":\"done\",\"data\":[{\"b64_json\":"
					  "\"" PLAY_PIXEL "\"}]}", 9) == NEXT_DONE &&
		  play.outcome.pictures[0].picture.len == 70,
		  "until it comes, in whatever form");
	play_end(&play);
}

/* How a deferred request ends that has no picture. */
static void
check_deferred_failures(void)
{
	static const struct
	{
		long		status;
		const char *body;
		FaultClass	class;
		Charged		charged;
		bool		may_have_cost;
	}			ends[] =
	{
		{200, "{\"status\":\"failed\",\"error\":{\"code\":\"invalid_argument\","
			"\"message\":\"no\"}}",
		FAULT_BAD_REQUEST, CHARGED_NO, false},
		{200, "{\"status\":\"failed\",\"error\":{\"code\":\"invalid_argument\","
			"\"message\":\"Generated image rejected by content moderation.\"},"
			"\"usage\":{\"cost_in_usd_ticks\":400000000}}",
		FAULT_CONTENT_BLOCKED, CHARGED_YES, false},
		{200, "{\"status\":\"failed\",\"error\":{\"code\":\"permission_denied\","
			"\"message\":\"Content violates usage guidelines.\"}}",
		FAULT_CONTENT_BLOCKED, CHARGED_NO, false},
		{200, "{\"status\":\"failed\",\"error\":{\"code\":\"internal_error\","
			"\"message\":\"\"}}",
		FAULT_PROVIDER_UNAVAILABLE, CHARGED_UNKNOWN, true},
		{200, "{\"status\":\"failed\",\"error\":{\"code\":\"internal_error\","
			"\"message\":\"no\"},\"usage\":{\"cost_in_usd_ticks\":0}}",
		FAULT_PROVIDER_UNAVAILABLE, CHARGED_NO, false},
		{200, "{\"status\":\"failed\"}",
		FAULT_PROVIDER_UNAVAILABLE, CHARGED_UNKNOWN, true},
		{200, "{\"status\":\"done\",\"data\":[{\"respect_moderation\":false}]}",
		FAULT_CONTENT_BLOCKED, CHARGED_UNKNOWN, false},
		/* the key was withdrawn meanwhile */
		{403, "{\"error\":\"The API key is blocked or disabled.\"}",
		FAULT_INVALID_KEY, CHARGED_UNKNOWN, true},
		{401, "", FAULT_INVALID_KEY, CHARGED_UNKNOWN, true},
	};
	Play		play;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
	{
		begin_poll(&play, 202);
		CHECK(play_answer(&play, ends[i].status, ends[i].body, 9) ==
			  NEXT_FAIL && play.x.fault.class == ends[i].class &&
			  play.x.fault.charged == ends[i].charged &&
			  play.x.fault.may_have_cost == ends[i].may_have_cost &&
			  !play.x.fault.may_repeat,
			  "%ld %s ends it with %s", ends[i].status, ends[i].body,
			  fault_code(ends[i].class));
		play_end(&play);
	}

	begin_sent(&play, json_pack("{s:b}", "deferred", 1));
	CHECK(play_answer(&play, 202, "{\"request_id\":\"../api-key\"}", 9) ==
		  NEXT_FAIL && play.x.fault.may_have_cost,
		  "a request id cannot lead elsewhere");
	play_end(&play);
	begin_poll(&play, 202);
	CHECK(play_lose(&play, TRANSPORT_ADDRESS, false) == NEXT_FAIL &&
		  play.x.fault.charged == CHARGED_UNKNOWN &&
		  play.x.fault.may_have_cost && !play.x.fault.may_repeat,
		  "an address that is not allowed any more leaves it uncertain");
	play_end(&play);
}

int
main(void)
{
	json_t	   *calls = json_load_file(FIXTURES "xai/calls.json", 0, NULL);
	size_t		i;
	json_t	   *call;

	CHECK(json_array_size(json_object_get(calls, "calls")) == 3,
		  "the fixtures are there");
	json_array_foreach(json_object_get(calls, "calls"), i, call)
		check_call(call);
	check_request();
	check_inputs();
	check_pictures();
	check_cost();
	check_errors();
	check_polling();
	check_patience();
	check_deferred_failures();
	json_decref(calls);
	return check_done();
}
