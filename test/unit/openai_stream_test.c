/*-------------------------------------------------------------------------
 *
 * openai_stream_test.c
 *		The OpenAI adapter shows how far a streamed generation is, takes what
 *		the stream brings, and believes no more of its errors than they say.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/retry.h"
#include "check.h"
#include "play.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

#define PARTIAL(index) \
	"event: image_generation.partial_image\n" \
	"data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"" \
	PLAY_PIXEL "\",\"partial_image_index\":" #index "}\n\n"
#define COMPLETED \
	"event: image_generation.completed\n" \
	"data: {\"type\":\"image_generation.completed\",\"b64_json\":\"" \
	PLAY_PIXEL "\",\"usage\":{\"input_tokens\":13,\"output_tokens\":296," \
	"\"total_tokens\":309,\"input_tokens_details\":{\"text_tokens\":13," \
	"\"image_tokens\":0}}}\n\n"

static const char key[] = "sk-test0123456789abcdefghijklmnop";

static Next
begin(Play *play, json_t *parameters)
{
	play_begin(play, provider_find("openai"), "https://api.openai.com/v1",
			   key, "gpt-image-2", parameters, json_object(), NULL);
	return play_step(play);
}

static Next
answer(Play *play, const char *stream)
{
	play_reply_header(play, "content-type",
					  "text/event-stream; charset=utf-8");
	return play_answer(play, 200, stream, 13);
}

/* ---- asking ---- */

static void
check_request(void)
{
	json_t	   *ours;
	json_t	   *expected;
	Play		play;

	begin(&play, json_pack("{s:b, s:i}", "stream", 1, "partial_images", 2));
	ours = play_request_json(&play);
	expected = json_pack("{s:s, s:s, s:b, s:i}", "model", "gpt-image-2",
						 "prompt", "cat", "stream", 1, "partial_images", 2);
	CHECK(json_equal(ours, expected) &&
		  strcmp(play.x.request.picture_path, "data[].b64_json") == 0 &&
		  strcmp(play.x.request.event_picture_path, "b64_json") == 0,
		  "a stream is asked for, and a document would be read");
	json_decref(ours);
	json_decref(expected);
	play_end(&play);

	begin(&play, json_pack("{s:b}", "stream", 1));
	CHECK(play_body_holds(&play, "\"stream\":true") &&
		  !play_body_holds(&play, "partial_images"),
		  "how many previews is the server's to say");
	play_end(&play);

	begin(&play, json_pack("{s:b, s:i}", "stream", 0, "partial_images", 2));
	CHECK(!play_body_holds(&play, "stream") &&
		  !play_body_holds(&play, "partial_images") &&
		  play.x.request.event_picture_path == NULL,
		  "without a stream there are no previews");
	play_end(&play);

	for (int i = -1; i <= 4; i++)
	{
		bool		is_allowed = i >= 0 && i <= 3;

		CHECK((begin(&play, json_pack("{s:b, s:i}", "stream", 1,
									  "partial_images", i)) == NEXT_SEND) ==
			  is_allowed, "%d previews are %s", i,
			  is_allowed ? "asked for" : "refused before they cost");
		play_end(&play);
	}
}

/* ---- previews ---- */

static void
check_progress(void)
{
	static const struct
	{
		const char *event;
		int			asked;
		int			percent;
	}			rows[] =
	{
		{"{\"type\":\"image_generation.partial_image\","
		"\"partial_image_index\":0}", 3, 25},
		{"{\"type\":\"image_generation.partial_image\","
		"\"partial_image_index\":2}", 3, 75},
		{"{\"type\":\"image_edit.partial_image\","
		"\"partial_image_index\":0}", 1, 50},
		{"{\"type\":\"image_edit.partial_image\"}", 3, 25},
		{"{\"type\":\"image_edit.partial_image\","
		"\"partial_image_index\":0}", -1, 50},
		{"{\"type\":\"image_edit.partial_image\","
		"\"partial_image_index\":9223372036854775807}", 3, 99},
		{"{\"type\":\"image_edit.partial_image\","
		"\"partial_image_index\":-5}", 3, 25},
		{"{\"type\":\"image_generation.completed\","
		"\"partial_image_index\":0}", 3, -1},
		{"{\"type\":\"image_edit.completed\"}", 3, -1},
		{"{\"type\":\"error\",\"error\":{}}", 3, -1},
		{"{\"type\":\"response.partial_image\"}", 3, -1},
		{"{\"type\":7}", 3, -1},
		{"[]", 3, -1},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		json_t	   *event = json_loads(rows[i].event, 0, NULL);
		Generation	g = {.parameters = json_object()};
		int			percent;

		if (rows[i].asked >= 0)
			json_object_set_new(g.parameters, "partial_images",
								json_integer(rows[i].asked));
		percent = provider_find("openai")->progress(event, &g);
		CHECK(percent == rows[i].percent, "%s of %d is %d percent",
			  rows[i].event, rows[i].asked, rows[i].percent);
		json_decref(g.parameters);
		json_decref(event);
	}
}

/* ---- what the stream brings ---- */

static void
check_pictures(void)
{
	Play		play;
	Usage	   *usage = &play.outcome.usage;

	begin(&play, json_pack("{s:b, s:i}", "stream", 1, "partial_images", 2));
	CHECK(answer(&play, PARTIAL(0) PARTIAL(1) ": keep-alive\n\n" COMPLETED
				 "data: [DONE]\n\n") == NEXT_DONE &&
		  play.outcome.picture_count == 1 && play.preview_count == 2 &&
		  play.percent == 66, "two previews, and one picture");
	CHECK(play.outcome.pictures[0].picture.len == play_pixel().len &&
		  memcmp(play.outcome.pictures[0].picture.bytes, play_pixel().bytes,
				 play_pixel().len) == 0, "the picture is the one sent");
	CHECK(usage->text_input == 13 && usage->image_output == 296 &&
		  usage->total == 309 && play.outcome.note == NULL &&
		  play.outcome.missing_billed == 0 && play.outcome.cost_ticks == -1,
		  "tokens are read, and nothing is amiss");
	play_end(&play);

	begin(&play, json_pack("{s:b, s:i}", "stream", 1, "n", 2));
	CHECK(answer(&play, COMPLETED
				 "data: {\"type\":\"image_generation.heartbeat\"}\n\n"
				 "data: {\"type\":\"image_edit.completed\",\"url\":"
				 "\"https://x.example/1\",\"revised_prompt\":\"a cat\"}\n\n"
				 COMPLETED) == NEXT_DONE &&
		  play.outcome.picture_count == 3 &&
		  play.outcome.pictures[2].picture.len > 0 &&
		  strcmp(play.outcome.pictures[1].url, "https://x.example/1") == 0 &&
		  strcmp(play.outcome.pictures[1].revised_prompt, "a cat") == 0,
		  "each completed event is a picture, strange events are none");
	CHECK(usage->text_input == 26 && usage->image_output == 592 &&
		  usage->total == 618, "tokens of several pictures are added up");
	play_end(&play);

	begin(&play, json_pack("{s:b}", "stream", 1));
	CHECK(play_answer(&play, 200, "{\"data\":[{\"b64_json\":\"" PLAY_PIXEL
					  "\"}]}", 13) == NEXT_DONE &&
		  play.outcome.picture_count == 1 && usage->total == -1,
		  "a server may ignore the wish for a stream");
	play_end(&play);

	begin(&play, json_pack("{s:b}", "stream", 1));
	play_reply_header(&play, "content-type", "application/json");
	CHECK(play_answer(&play, 429, "{\"error\":{\"code\":\"slow_down\"}}",
					  13) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_RATE_LIMITED && play.x.fault.may_repeat,
		  "a refusal before the stream is a refusal");
	play_end(&play);

	begin(&play, json_pack("{s:b}", "stream", 1));
	play_reply_header(&play, "content-type", "text/event-stream");
	CHECK(play_answer(&play, 401, "event: error\n"
					  "data: {\"error\":{\"message\":\"who?\"}}\n\n",
					  13) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_INVALID_KEY &&
		  strcmp(play.x.fault.message, "who?") == 0,
		  "also if it is told as an event");
	play_end(&play);
}

static void
check_emptiness(void)
{
	static const char *const streams[] = {
		"", PARTIAL(0),
		"data: {\"type\":\"image_generation.completed\"}\n\n",
		"data: {\"type\":\"other.completed\",\"url\":\"https://x/\"}\n\n",
	};

	for (size_t i = 0; i < lengthof(streams); i++)
	{
		Play		play;

		begin(&play, json_pack("{s:b}", "stream", 1));
		CHECK(answer(&play, streams[i]) == NEXT_FAIL &&
			  play.x.fault.class == FAULT_UNKNOWN &&
			  !play.x.fault.may_repeat && play.x.fault.charged ==
			  CHARGED_UNKNOWN, "stream %zu has no picture", i);
		play_end(&play);
	}
}

/* ---- errors ---- */

static void
check_errors(void)
{
	static const struct
	{
		const char *data;
		FaultClass	class;
		Charged		charged;
		bool		may_have_cost;
		const char *message;
	}			rows[] =
	{
		{"{\"type\":\"error\",\"error\":{\"code\":\"moderation_blocked\","
			"\"message\":\"blocked\",\"type\":\"invalid_request_error\"}}",
		FAULT_CONTENT_BLOCKED, CHARGED_UNKNOWN, false, "blocked"},
		{"{\"type\":\"error\",\"code\":\"invalid_api_key\","
			"\"message\":\"wrong key\"}",
		FAULT_INVALID_KEY, CHARGED_NO, false, "wrong key"},
		{"{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"poor\"}}",
		FAULT_QUOTA_EXHAUSTED, CHARGED_NO, false, "poor"},
		{"{\"error\":{\"type\":\"insufficient_quota\",\"message\":\"poor\"}}",
		FAULT_QUOTA_EXHAUSTED, CHARGED_NO, false, "poor"},
		{"{\"type\":\"error\",\"error\":{\"code\":\"rate_limit_exceeded\"}}",
		FAULT_RATE_LIMITED, CHARGED_NO, false, "without a reason"},
		{"{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"new\"}}",
		FAULT_BAD_REQUEST, CHARGED_UNKNOWN, true, "without a reason"},
		{"{\"type\":\"error\",\"error\":{\"type\":\"server_error\","
			"\"code\":\"server_error\",\"message\":\"sorry\"}}",
		FAULT_PROVIDER_UNAVAILABLE, CHARGED_UNKNOWN, true, "sorry"},
		{"{\"error\":{\"code\":\"server_is_overloaded\"}}",
		FAULT_PROVIDER_UNAVAILABLE, CHARGED_UNKNOWN, true, "without a reason"},
		{"{\"error\":{\"code\":502,\"message\":\"upstream\"}}",
		FAULT_PROVIDER_UNAVAILABLE, CHARGED_UNKNOWN, true, "upstream"},
		{"{\"type\":\"error\"}",
		FAULT_UNKNOWN, CHARGED_UNKNOWN, true, "without a reason"},
		{"{\"error\":\"said sk-test0123456789abcdefghijklmnop\"}",
		FAULT_UNKNOWN, CHARGED_UNKNOWN, true, "said ***"},
	};

	for (size_t i = 0; i < lengthof(rows); i++)
	{
		Play		play;
		Fault	   *fault = &play.x.fault;
		char	   *stream;

		begin(&play, json_pack("{s:b}", "stream", 1));
		stream = arena_printf(play.x.arena, PARTIAL(0)
							  "event: error\ndata: %s\n\n", rows[i].data);
		CHECK(answer(&play, stream) == NEXT_FAIL &&
			  fault->class == rows[i].class &&
			  fault->charged == rows[i].charged &&
			  fault->may_have_cost == rows[i].may_have_cost,
			  "%s is %s", rows[i].data, fault_code(rows[i].class));
		CHECK(retry_delay_ms(fault, 1, 0) == -1,
			  "what was sent is not sent again");
		CHECK(strstr(fault->message, rows[i].message) != NULL,
			  "the message is the provider's: %s", fault->message);
		play_end(&play);
	}
}

static void
check_partial_success(void)
{
	Play		play;

	begin(&play, json_pack("{s:b, s:i}", "stream", 1, "n", 3));
	CHECK(answer(&play, COMPLETED
				 "data: {\"error\":{\"code\":502,\"message\":\"lost\"}}\n\n")
		  == NEXT_DONE && play.outcome.picture_count == 1 &&
		  play.outcome.missing_billed == 2 &&
		  strcmp(play.outcome.note, "lost") == 0 &&
		  play.x.fault.class == FAULT_NONE,
		  "an error after a picture leaves the picture, and a note");
	play_end(&play);

	begin(&play, json_pack("{s:b, s:i}", "stream", 1, "n", 3));
	answer(&play, COMPLETED "data: {\"error\":{\"code\":"
		   "\"content_policy_violation\",\"message\":\"no\"}}\n\n");
	CHECK(play.outcome.picture_count == 1 &&
		  play.outcome.missing_billed == 0 &&
		  strcmp(play.outcome.note, "no") == 0,
		  "what is known to be free is not billed");
	play_end(&play);
}

static void
check_lost_connection(void)
{
	Play		play;

	begin(&play, json_pack("{s:b}", "stream", 1));
	play.x.reply.transport = TRANSPORT_RESET_BODY;
	CHECK(answer(&play, PARTIAL(0) COMPLETED) == NEXT_DONE &&
		  play.outcome.picture_count == 1,
		  "a picture that came whole counts, whatever came after");
	play_end(&play);

	begin(&play, json_pack("{s:b}", "stream", 1));
	play.x.reply.transport = TRANSPORT_RESET_BODY;
	CHECK(answer(&play, PARTIAL(0)) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_PROVIDER_UNAVAILABLE &&
		  play.x.fault.may_have_cost && play.x.fault.charged == CHARGED_YES,
		  "a stream that broke before its picture may have cost");
	play_end(&play);

	begin(&play, json_pack("{s:b}", "stream", 1));
	play.x.reply.transport = TRANSPORT_RESET_BODY;
	CHECK(answer(&play, "data: {\"error\":{\"code\":\"moderation_blocked\"}}"
				 "\n\n") == NEXT_FAIL &&
		  play.x.fault.class == FAULT_CONTENT_BLOCKED,
		  "an error that came whole counts too");
	play_end(&play);
}

int
main(void)
{
	check_request();
	check_progress();
	check_pictures();
	check_emptiness();
	check_errors();
	check_partial_success();
	check_lost_connection();
	return check_done();
}
