/*-------------------------------------------------------------------------
 *
 * google_test.c
 *		The Gemini adapter asks as the official client does, takes a picture
 *		only from an answer that ends well, and makes several by asking
 *		several times.
 *
 * What errors mean is in errors_test.c.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "play.h"

#define KEY		"AIzaTest0123456789abcdefghijklmnop"
#define BASE	"https://generativelanguage.googleapis.com/v1"
#define MODEL	"gemini-nano-banana-2.1"

#define PART	"{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"" \
	PLAY_PIXEL "\"}}"
#define CANDIDATE(parts, end) \
	"{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" parts \
	"]},\"finishReason\":\"" end "\"}],"
#define USAGE \
	"\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":" \
	"1290,\"thoughtsTokenCount\":50,\"totalTokenCount\":1350," \
	"\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":4}," \
	"{\"modality\":\"IMAGE\",\"tokenCount\":6}]," \
	"\"candidatesTokensDetails\":[{\"modality\":\"IMAGE\",\"tokenCount\":" \
	"1280},{\"modality\":\"TEXT\",\"tokenCount\":10}]}," \
	"\"responseId\":\"resp-1\"}"
#define GOOD	CANDIDATE(PART, "STOP") USAGE

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

static void
begin(Play *play, json_t *parameters)
{
	play_begin(play, provider_find("google"), BASE, KEY, MODEL, parameters,
			   json_object(), NULL);
}

/* The request with these parameters, answered at once. */
static Next
ask(Play *play, json_t *parameters, long status, const char *text)
{
	begin(play, parameters);
	if (play_step(play) != NEXT_SEND)
		return NEXT_FAIL;
	return play_answer(play, status, text, 11);
}

static bool
says(const Play *play, const char *piece)
{
	return strstr(play->x.fault.message, piece) != NULL;
}

/* ---- the request ---- */

static void
check_call(const json_t *calls)
{
	const json_t *call = json_array_get(calls, 0);
	const json_t *theirs = json_array_get(json_object_get(call, "requests"),
										  0);
	const char *path = json_string_value(json_object_get(theirs, "path"));
	json_t	   *ours;
	Play		play;

	begin(&play, json_pack("{s:s, s:s}", "aspect_ratio", "16:9",
						   "image_size", "2K"));
	play.generation.prompt = "a cat";
	CHECK(play_step(&play) == NEXT_SEND, "a generation is sent");
	ours = play_request_json(&play);
	CHECK(json_equal(ours, json_object_get(theirs, "body")),
		  "its body is that of the official client");
	CHECK(strncmp(play.x.request.url, BASE, strlen(BASE)) == 0 &&
		  strcmp(play.x.request.url + strlen(BASE) - 3, path) == 0,
		  "its place is that of the official client");
	CHECK(strcmp(play_request_header(&play, "x-goog-api-key"), KEY) == 0 &&
		  play_request_header(&play, "authorization") == NULL &&
		  strstr(play.x.request.url, "AIza") == NULL &&
		  !play_body_holds(&play, "AIza"),
		  "the key is in its one header, and nowhere else");
	CHECK(play.x.request.is_paid && play.x.request.ordinal == 1 &&
		  strcmp(play.x.request.method, "POST") == 0,
		  "it is the first paid call");
	json_decref(ours);
	play_end(&play);
}

/* All that is not in the recorded call. */
static void
check_parameters(void)
{
	json_t	   *wanted = json_pack("{s:[{s:s, s:[{s:s}]}], s:{s:[s,s], s:i,"
								   "s:f, s:f, s:i, s:{s:s}},"
								   "s:[{s:s, s:s}], s:{s:[{s:s}]}}",
								   "contents", "role", "user", "parts",
								   "text", "cat", "generationConfig",
								   "responseModalities", "TEXT", "IMAGE",
								   "seed", 7, "temperature", 0.5, "topP", 0.9,
								   "topK", 40, "thinkingConfig",
								   "thinkingLevel", "HIGH", "safetySettings",
								   "category", "HARM_CATEGORY_HARASSMENT",
								   "threshold", "BLOCK_NONE",
								   "systemInstruction", "parts", "text",
								   "be kind");
	json_t	   *ours;
	Play		play;

	begin(&play, json_pack("{s:[s,s], s:i, s:f, s:f, s:i, s:s,"
						   "s:[{s:s, s:s}], s:s, s:i, s:n}",
						   "response_modalities", "TEXT", "IMAGE", "seed", 7,
						   "temperature", 0.5, "top_p", 0.9, "top_k", 40,
						   "thinking_level", "HIGH", "safety_settings",
						   "category", "HARM_CATEGORY_HARASSMENT",
						   "threshold", "BLOCK_NONE", "system_instruction",
						   "be kind", "n", 1, "image_size"));
	play_step(&play);
	ours = play_request_json(&play);
	CHECK(json_equal(ours, wanted),
		  "each parameter has its place, and null has none");
	json_decref(ours);
	json_decref(wanted);
	play_end(&play);
}

static void
check_refused(const char *fact, json_t *parameters, const char *piece)
{
	Play		play;

	begin(&play, parameters);
	CHECK(play_step(&play) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST &&
		  play.x.fault.charged == CHARGED_NO && says(&play, piece),
		  "%s: \"%s\"", fact, play.x.fault.message);
	play_end(&play);
}

static void
check_refusals(void)
{
	check_refused("Vertex's own parameter", json_pack("{s:s}",
													  "person_generation",
													  "ALLOW_ALL"),
				  "only Vertex");
	check_refused("Vertex's own format", json_pack("{s:s}", "output_format",
												   "png"), "only Vertex");
	check_refused("labels", json_pack("{s:{s:s}}", "labels", "team", "a"),
				  "only Vertex");
	check_refused("an unknown parameter", json_pack("{s:s}", "quality",
													"high"), "quality");
	check_refused("a seed that is no number", json_pack("{s:s}", "seed", "7"),
				  "seed");
	check_refused("no picture to be made", json_pack("{s:[s]}",
													 "response_modalities",
													 "TEXT"),
				  "response_modalities");
	check_refused("no picture at all", json_pack("{s:i}", "n", 0), "\"n\"");
	check_refused("too many pictures", json_pack("{s:i}", "n", 11), "\"n\"");
	check_refused("half a picture", json_pack("{s:f}", "n", 1.5), "\"n\"");
}

static void
check_model(const char *model, const char *path)
{
	Play		play;
	Next		next;

	begin(&play, json_object());
	play.generation.model = model;
	next = play_step(&play);
	if (path == NULL)
		CHECK(next == NEXT_FAIL && play.x.fault.class == FAULT_BAD_REQUEST,
			  "\"%.20s\" is no name of a model", model);
	else
		CHECK(next == NEXT_SEND &&
			  strcmp(play.x.request.url + strlen(BASE), path) == 0,
			  "\"%s\" cannot leave its place in the address", model);
	play_end(&play);
}

static void
check_models(void)
{
	char		large[200];

	check_model("a_b.c-1", "/models/a_b.c-1:generateContent");
	check_model("../../v1/files?x#y", "/models/..%2F..%2Fv1%2Ffiles%3Fx%23y"
				":generateContent");
	check_model("m:predict\r\n%2e", "/models/m%3Apredict%0D%0A%252e"
				":generateContent");
	check_model("\xc3\xa9", "/models/%C3%A9:generateContent");
	check_model("", NULL);
	check_model("..", NULL);
	memset(large, 'm', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	check_model(large, NULL);
}

/* ---- edits ---- */

static Next
edit(Play *play, const Input *inputs, int count, const Input *mask)
{
	begin(play, json_object());
	play->generation.inputs = inputs;
	play->generation.input_count = count;
	play->generation.mask = mask;
	return play_step(play);
}

static void
check_edits(void)
{
	static const uint8_t bytes[] = "\x89PNG picture";
	static uint8_t large[16 * 1000 * 1000];
	Input		inputs[MAX_INPUTS];
	json_t	   *ours;
	json_t	   *wanted = json_pack("[{s:s}, {s:{s:s, s:s}}, {s:{s:s, s:s}}]",
								   "text", "cat", "inlineData", "mimeType",
								   "image/png", "data", "iVBORyBwaWN0dXJl",
								   "inlineData", "mimeType", "image/webp",
								   "data", "iVBORyBw");
	Play		play;

	for (int i = 0; i < MAX_INPUTS; i++)
	{
		Input		input = {bytes, 12, "png", 1, 1};

		inputs[i] = input;
	}
	inputs[1].format = "webp";
	inputs[1].len = 6;
	CHECK(edit(&play, inputs, 2, NULL) == NEXT_SEND, "an edit is sent");
	ours = play_request_json(&play);
	CHECK(json_equal(json_object_get(json_array_get(json_object_get(ours, "contents"), 0), "parts"),
					 wanted),
		  "the prompt comes first, then the pictures in their order");
	json_decref(ours);
	json_decref(wanted);
	play_end(&play);

	CHECK(edit(&play, inputs, 14, NULL) == NEXT_SEND, "14 pictures are sent");
	play_end(&play);
	CHECK(edit(&play, inputs, 15, NULL) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST && says(&play, "14"),
		  "15 are refused");
	play_end(&play);
	CHECK(edit(&play, inputs, 1, &inputs[1]) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST && says(&play, "mask"),
		  "a mask is refused");
	play_end(&play);

	inputs[0].bytes = large;
	inputs[0].len = 14 * 1000 * 1000;
	CHECK(edit(&play, inputs, 2, NULL) == NEXT_SEND,
		  "what is less than 20 MB as base64 is sent");
	play_end(&play);
	inputs[0].len = sizeof(large);
	CHECK(edit(&play, inputs, 1, NULL) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST && says(&play, "20 MB"),
		  "what is more is refused");
	play_end(&play);
}

/* ---- the answer ---- */

static void
check_answer(void)
{
	Play		play;
	const Usage *usage = &play.outcome.usage;

	CHECK(ask(&play, json_object(), 200, GOOD) == NEXT_DONE &&
		  play.outcome.picture_count == 1 &&
		  play.outcome.pictures[0].picture.len == 70,
		  "a picture arrives");
	CHECK(usage->text_input == 4 && usage->image_input == 6 &&
		  usage->image_output == 1280 && usage->text_output == 60 &&
		  usage->total == 1350 && usage->text_input_cached == -1 &&
		  usage->image_input_cached == -1,
		  "tokens are counted by kind, and thoughts as words");
	CHECK(strcmp(play.outcome.provider_request_id, "resp-1") == 0,
		  "the answer's id is kept");
	play_end(&play);

	CHECK(ask(&play, json_object(), 200,
			  CANDIDATE(PART, "STOP") "\"usageMetadata\":{\"promptTokenCount\""
			  ":3,\"candidatesTokenCount\":9,\"cacheTokensDetails\":["
			  "{\"modality\":\"TEXT\",\"tokenCount\":2}]}}") == NEXT_DONE &&
		  usage->text_input == 3 && usage->image_output == 9 &&
		  usage->text_output == -1 && usage->total == -1 &&
		  usage->text_input_cached == 2,
		  "without details it is words in and a picture out");
	play_end(&play);

	CHECK(ask(&play, json_object(), 200,
			  CANDIDATE("{\"text\":\"Here \\\"data\\\":\\\"AAAA\\\"\"},"
						"{\"thought\":true,\"inlineData\":{\"data\":\"AAAA\"}},"
						PART "," PART, "STOP") USAGE) == NEXT_DONE &&
		  play.outcome.picture_count == 2 &&
		  play.outcome.pictures[0].picture.len == 70 &&
		  play.outcome.pictures[1].picture.len == 70,
		  "words and interim pictures are no results");
	play_end(&play);

	CHECK(ask(&play, json_object(), 200,
			  "{\"candidates\":[{\"content\":{\"parts\":[" PART "]},"
			  "\"finishReason\":\"IMAGE_SAFETY\"},{\"content\":{\"parts\":["
			  PART "]}},{\"content\":{\"parts\":[" PART "]},"
			  "\"finishReason\":7}]}") == NEXT_DONE &&
		  play.outcome.picture_count == 1,
		  "of several candidates those count that ended well");
	play_end(&play);

	CHECK(ask(&play, json_object(), 200,
			  CANDIDATE("{\"inlineData\":{\"data\":\"!!\"}}", "STOP") USAGE)
		  == NEXT_FAIL && play.x.fault.class == FAULT_UNKNOWN &&
		  play.x.fault.charged == CHARGED_YES && !play.x.fault.may_repeat,
		  "a broken picture is paid for, and none");
	play_end(&play);
	CHECK(ask(&play, json_object(), 200, "<html>") == NEXT_FAIL &&
		  play.x.fault.class == FAULT_UNKNOWN &&
		  play.x.fault.charged == CHARGED_UNKNOWN,
		  "what is no JSON is not understood");
	play_end(&play);
	CHECK(ask(&play, json_object(), 400, "{\"error\":{\"message\":\"key "
			  KEY " is bad\",\"details\":[{\"@type\":\"x/google.rpc.ErrorInfo"
			  "\",\"reason\":\"API_KEY_INVALID\"}]}}") == NEXT_FAIL &&
		  strcmp(play.x.fault.message, "key *** is bad") == 0,
		  "an echoed key is scrubbed");
	play_end(&play);
}

static void
check_block(const char *text, FaultClass class, Charged charged,
			const char *piece)
{
	Play		play;
	Next		next = ask(&play, json_object(), 200, text);

	CHECK(next == NEXT_FAIL && play.x.fault.class == class &&
		  play.x.fault.charged == charged && says(&play, piece) &&
		  !play.x.fault.may_repeat && !play.x.fault.may_have_cost &&
		  play.outcome.picture_count == 0,
		  "%s: \"%s\"", fault_code(class), play.x.fault.message);
	play_end(&play);
}

/* Each word that ends an answer without a picture. */
static void
check_words(const char *form, const char *const *words, size_t count,
			FaultClass class, Charged charged)
{
	for (size_t i = 0; i < count; i++)
	{
		char		text[1024];

		snprintf(text, sizeof(text), form, words[i]);
		check_block(text, class, charged, words[i]);
	}
}

static void
check_blocks(void)
{
	static const char *const prompt[] = {
		"SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY",
		"MODEL_ARMOR", "JAILBREAK", "OTHER",
	};
	static const char *const blocked[] = {
		"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
		"MODEL_ARMOR",
	};
	static const char *const unknown[] = {
		"NO_IMAGE", "STOP", "IMAGE_OTHER", "OTHER", "MAX_TOKENS", "LANGUAGE",
		"MALFORMED_FUNCTION_CALL", "FINISH_REASON_UNSPECIFIED", "TOMORROWS",
	};
	static const char *const tomorrows[] = {"TOMORROWS"};
	const char *empty = "{\"candidates\":[{\"finishReason\":\"%s\"}]}";

	check_words("{\"promptFeedback\":{\"blockReason\":\"%s\"}}", prompt,
				lengthof(prompt), FAULT_CONTENT_BLOCKED, CHARGED_UNKNOWN);
	check_words("{\"promptFeedback\":{\"blockReason\":\"%s\"}}", tomorrows, 1,
				FAULT_UNKNOWN, CHARGED_UNKNOWN);
	check_words(empty, blocked, lengthof(blocked), FAULT_CONTENT_BLOCKED,
				CHARGED_UNKNOWN);
	check_words(empty, unknown, lengthof(unknown), FAULT_UNKNOWN,
				CHARGED_UNKNOWN);
	check_words(CANDIDATE(PART, "%s") "\"x\":0}", blocked, lengthof(blocked),
				FAULT_CONTENT_BLOCKED, CHARGED_YES);
	check_words(CANDIDATE(PART, "%s") "\"x\":0}", tomorrows, 1, FAULT_UNKNOWN,
				CHARGED_YES);
	check_block("{\"candidates\":[{\"finishReason\":\"SAFETY\","
				"\"finishMessage\":\"too bold\"}]}", FAULT_CONTENT_BLOCKED,
				CHARGED_UNKNOWN, "too bold");
	check_block("{\"promptFeedback\":{\"blockReason\":\"SAFETY\","
				"\"blockReasonMessage\":\"too bold\"}}",
				FAULT_CONTENT_BLOCKED, CHARGED_UNKNOWN, "too bold");
	check_block(CANDIDATE("{\"text\":\"I would\"},{\"text\":\"rather not.\"}",
						  "STOP") "\"x\":0}", FAULT_CONTENT_BLOCKED,
				CHARGED_YES, "I would rather not.");
	check_block(CANDIDATE("{\"text\":\"No.\"}", "OTHER") "\"x\":0}",
				FAULT_UNKNOWN, CHARGED_YES, "OTHER");
	check_block("{}", FAULT_UNKNOWN, CHARGED_UNKNOWN, "empty");
	check_block("{\"candidates\":[]}", FAULT_UNKNOWN, CHARGED_UNKNOWN,
				"empty");
	check_block("{\"candidates\":{\"content\":0}}", FAULT_UNKNOWN,
				CHARGED_UNKNOWN, "empty");
}

/* ---- several pictures ---- */

static void
check_several(void)
{
	Play		play;
	char	   *first;

	begin(&play, json_pack("{s:i}", "n", 3));
	play_step(&play);
	CHECK(!play_body_holds(&play, "\"n\""), "the number is not sent");
	first = strndup(play.x.request.body, play.x.request.body_len);
	for (int ordinal = 1; ordinal < 3; ordinal++)
	{
		CHECK(play.x.request.ordinal == ordinal &&
			  play_answer(&play, 200, GOOD, 13) == NEXT_SEND &&
			  play.x.request.ordinal == ordinal + 1 &&
			  play.x.request.is_paid &&
			  play.x.request.picture_path != NULL &&
			  strlen(first) == play.x.request.body_len &&
			  memcmp(first, play.x.request.body, strlen(first)) == 0 &&
			  play_request_header(&play, "x-goog-api-key") != NULL,
			  "after picture %d the same request is a new paid one", ordinal);
	}
	CHECK(play_answer(&play, 200, GOOD, 13) == NEXT_DONE &&
		  play.outcome.picture_count == 3 && play.outcome.note == NULL &&
		  play.outcome.missing_billed == 0, "three calls bring three pictures");
	CHECK(play.outcome.usage.text_input == 12 &&
		  play.outcome.usage.image_output == 3840 &&
		  play.outcome.usage.text_output == 180 &&
		  play.outcome.usage.total == 4050, "their tokens are summed");
	free(first);
	play_end(&play);

	begin(&play, json_pack("{s:i}", "n", 2));
	play_step(&play);
	CHECK(play_answer(&play, 200, CANDIDATE(PART "," PART, "STOP") USAGE, 13)
		  == NEXT_DONE && play.outcome.picture_count == 2,
		  "nobody asks again when there are enough");
	play_end(&play);
}

/* The second of three calls ends this way. */
static void
check_partial(const char *fact, Transport transport, bool wrote, long status,
			  const char *text, int missing_billed, const char *piece)
{
	Play		play;
	Next		next;

	begin(&play, json_pack("{s:i}", "n", 3));
	play_step(&play);
	play_answer(&play, 200, GOOD, 13);
	next = text != NULL ? play_answer(&play, status, text, 13) :
		play_lose(&play, transport, wrote);
	CHECK(next == NEXT_DONE && play.outcome.picture_count == 1 &&
		  play.outcome.missing_billed == missing_billed &&
		  play.outcome.note != NULL &&
		  strstr(play.outcome.note, piece) != NULL &&
		  strstr(play.outcome.note, "AIza") == NULL,
		  "%s: \"%s\"", fact, play.outcome.note);
	play_end(&play);
}

static void
check_partials(void)
{
	Play		play;

	check_partial("what is lost on the way may be billed", TRANSPORT_RESET,
				  true, 0, NULL, 1, "lost");
	check_partial("what was not written is not", TRANSPORT_REFUSED, false, 0,
				  NULL, 0, "reached");
	check_partial("a rate limit costs nothing, and ends it", TRANSPORT_OK,
				  true, 429, "{\"error\":{\"message\":\"slow, " KEY "\"}}", 0,
				  "slow, ***");
	check_partial("what a gateway lost may be billed", TRANSPORT_OK, true, 504,
				  "{}", 1, "504");
	check_partial("a blocked picture may be billed", TRANSPORT_OK, true, 200,
				  "{\"candidates\":[{\"finishReason\":\"IMAGE_SAFETY\"}]}", 1,
				  "IMAGE_SAFETY");
	check_partial("a failing server does not bill", TRANSPORT_OK, true, 500,
				  "{}", 0, "500");

	CHECK(ask(&play, json_pack("{s:i}", "n", 3), 429, "{}") == NEXT_FAIL &&
		  play.x.fault.class == FAULT_RATE_LIMITED &&
		  play.x.fault.may_repeat && play.outcome.note == NULL &&
		  play.outcome.missing_billed == 0,
		  "if the first call fails all of it has failed");
	play_end(&play);
}

/* ---- hints ---- */

static void
check_hint(const char *delay, long wanted)
{
	char		text[512];
	Play		play;

	snprintf(text, sizeof(text), "{\"error\":{\"details\":[{\"@type\":"
			 "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":"
			 "\"%s\"}]}}", delay);
	ask(&play, json_object(), 429, text);
	CHECK(play.x.fault.retry_after_ms == wanted, "\"%s\" is %ld ms", delay,
		  wanted);
	play_end(&play);
}

static void
check_hints(void)
{
	Play		play;

	check_hint("34s", 34000);
	check_hint("1.5s", 1500);
	check_hint("-3s", 0);
	check_hint("34", 0);
	check_hint("s", 0);
	check_hint("99999999999999999999s", 3600 * 1000);

	begin(&play, json_object());
	play_step(&play);
	play_reply_header(&play, "retry-after", "7");
	play_answer(&play, 503, "{\"error\":{\"details\":[{\"@type\":\"x/"
				"google.rpc.RetryInfo\",\"retryDelay\":\"34s\"}]}}", 99);
	CHECK(play.x.fault.retry_after_ms == 7000 && play.x.fault.may_repeat,
		  "a header wins over the body");
	play_end(&play);
	begin(&play, json_object());
	play_step(&play);
	play_reply_header(&play, "x-should-retry", "false");
	play_answer(&play, 503, "{}", 99);
	CHECK(!play.x.fault.may_repeat, "a server can forbid to come again");
	play_end(&play);
}

int
main(void)
{
	json_t	   *calls = json_load_file(FIXTURES "google/calls.json", 0, NULL);

	check_call(json_object_get(calls, "calls"));
	check_parameters();
	check_refusals();
	check_models();
	check_edits();
	check_answer();
	check_blocks();
	check_several();
	check_partials();
	check_hints();
	json_decref(calls);
	return check_done();
}
