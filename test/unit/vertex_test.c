/*-------------------------------------------------------------------------
 *
 * vertex_test.c
 *		The Vertex adapter goes in with an API key or a service account, to
 *		Google's hosts and no others, and speaks :predict with Imagen models.
 *
 * What answers of generateContent mean is in google_test.c, how an account
 * logs in is in service_account_test.c.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"
#include "vertex_play.h"

#define API_KEY	"AQ.test0123456789abcdefghijklmnop"
#define IMAGEN	"imagen-4.0-generate-001"

/* ---- the recorded calls ---- */

static const json_t *
recorded(const json_t *calls, const char *name, size_t request)
{
	size_t		i;
	json_t	   *call;

	json_array_foreach(json_object_get(calls, "calls"), i, call)
	{
		if (strcmp(json_string_value(json_object_get(call, "call")),
				   name) == 0)
			return json_array_get(json_object_get(call, "requests"), request);
	}
	return NULL;
}

/* The same body; and the same path, but for the official client's v1beta1. */
static bool
is_as_recorded(const Play *play, const json_t *theirs)
{
	const char *path = json_string_value(json_object_get(theirs, "path"));
	const char *host = strstr(play->x.request.url, "//") + 2;
	const char *our_path = strchr(host, '/');
	json_t	   *ours = play_request_json(play);
	bool		is_same = json_equal(ours, json_object_get(theirs, "body"));

	json_decref(ours);
	return is_same && strncmp(our_path, "/v1/", 4) == 0 &&
		strcmp(our_path + 4, strchr(path + 1, '/') + 1) == 0;
}

static void
check_express(const json_t *calls)
{
	json_t	   *parameters = json_pack("{s:s, s:s, s:s, s:s, s:i}",
									   "aspect_ratio", "16:9",
									   "image_size", "2K",
									   "person_generation", "ALLOW_ADULT",
									   "output_format", "jpeg",
									   "output_compression", 80);
	Play		play;

	begin(&play, API_KEY, "gemini-nano-banana-2.1", parameters,
		  json_pack("{s:s, s:s}", "location", "us-central1", "project", "p1"));
	play.generation.prompt = "a cat";
	CHECK(play_step(&play) == NEXT_SEND && play.x.request.is_paid &&
		  play.x.request.ordinal == 1, "an API key needs no login");
	CHECK(is_as_recorded(&play,
						 recorded(calls, "Vertex express key: "
								  "models.generateContent", 0)) &&
		  strncmp(play.x.request.url, BASE "/v1/publishers/",
				  strlen(BASE "/v1/publishers/")) == 0,
		  "the request is the official client's, at the global host");
	CHECK(strcmp(play_request_header(&play, "x-goog-api-key"), API_KEY) == 0 &&
		  play_request_header(&play, "authorization") == NULL,
		  "the key is in its one header");
	CHECK(play_answer(&play, 200, GOOD, 9) == NEXT_DONE &&
		  play.outcome.picture_count == 1, "a picture arrives");
	play_end(&play);

	begin(&play, API_KEY, MODEL, json_object(), json_object());
	play_step(&play);
	CHECK(play_answer(&play, 401, EXPIRED, 9) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_INVALID_KEY,
		  "a refused API key cannot be renewed");
	play_end(&play);

	begin(&play, API_KEY, IMAGEN, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST &&
		  says(&play, "service account"),
		  "Imagen is refused to an API key before anything is sent");
	play_end(&play);
}

static void
check_account(const json_t *calls)
{
	char	   *account = make_account(NULL);
	char	   *other = make_account(json_pack("{s:s}", "private_key_id",
											   "k2"));
	Play		play;

	tokens_forget();
	begin(&play, account, MODEL,
		  json_pack("{s:s, s:s}", "aspect_ratio", "16:9", "image_size", "2K"),
		  json_pack("{s:s}", "location", "us-central1"));
	play.generation.prompt = "a cat";
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "a service account logs in first");
	CHECK(play_answer(&play, 200, TOKEN_ANSWER, 9) == NEXT_SEND &&
		  play.x.request.is_paid && play.x.request.ordinal == 1 &&
		  is_as_recorded(&play, recorded(calls, "Vertex service account: "
										 "generateContent", 1)),
		  "then asks as the official client does");
	CHECK(strcmp(play_request_header(&play, "authorization"),
				 "Bearer " TOKEN) == 0 &&
		  play_request_header(&play, "x-goog-api-key") == NULL,
		  "with the token alone");
	CHECK(play_answer(&play, 200, GOOD, 9) == NEXT_DONE, "a picture arrives");
	play_end(&play);

	begin(&play, account, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && play.x.request.is_paid &&
		  strcmp(play_request_header(&play, "authorization"),
				 "Bearer " TOKEN) == 0,
		  "the next generation does not log in again");
	CHECK(play_answer(&play, 403, "{\"error\":{\"message\":\"who is " TOKEN
					  "?\"}}", 9) == NEXT_FAIL &&
		  strcmp(play.x.fault.message, "who is ***?") == 0,
		  "an echoed token is scrubbed");
	play_end(&play);

	begin(&play, other, MODEL, json_object(), json_object());
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "another key of the same account does");
	play_end(&play);
	begin(&play, account, MODEL, json_object(), json_object());
	play.x.now += 3599;
	CHECK(play_step(&play) == NEXT_SEND && asks_for_token(&play),
		  "and so does the same one an hour later");
	play_end(&play);
	free(account);
	free(other);
}

/* ---- where ---- */

/* The paid request goes to url; NULL: it is refused. */
static void
check_place(const char *base_url, json_t *settings, json_t *others,
			const char *url)
{
	char	   *account = make_account(others);
	char	   *shown = json_dumps(settings, JSON_COMPACT);
	Play		play;
	Next		next;

	tokens_forget();
	begin(&play, account, "m", json_object(), settings);
	play.x.base_url = base_url;
	play_step(&play);
	next = play_answer(&play, 200, TOKEN_ANSWER, 9);
	if (url != NULL)
		CHECK(next == NEXT_SEND && asks_at(&play, url), "%s leads to %s",
			  shown, url);
	else
		CHECK(next == NEXT_FAIL && play.x.fault.class == FAULT_BAD_REQUEST &&
			  says(&play, "plain"), "%s leads nowhere", shown);
	play_end(&play);
	free(shown);
	free(account);
}

static void
check_places(void)
{
	static const char *const evil[] = {
		"evil.com/", "a.b", "us-", "-us", "US", "us central1", "us#", "us?",
		"us@", "us:1", "..", "us\r\n", "\xc3\xa9", "us%2f", "us/../..",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg",
	};

	check_place(BASE, json_object(), NULL,
				BASE "/v1/projects/p1/locations/global/publishers/google/"
				"models/m:generateContent");
	check_place(BASE, json_pack("{s:s, s:s}", "project", "p2", "location",
								"us-central1"), NULL,
				"https://us-central1-aiplatform.googleapis.com/v1/projects/p2/"
				"locations/us-central1/publishers/google/models/"
				"m:generateContent");
	check_place(BASE, json_pack("{s:s}", "location", "eu"), NULL,
				"https://aiplatform.eu.rep.googleapis.com/v1/projects/p1/"
				"locations/eu/publishers/google/models/m:generateContent");
	check_place(BASE, json_pack("{s:s}", "location", "us"), NULL,
				"https://aiplatform.us.rep.googleapis.com/v1/projects/p1/"
				"locations/us/publishers/google/models/m:generateContent");
	check_place("https://mock.example.com:8443",
				json_pack("{s:s}", "location", "eu"), NULL,
				"https://mock.example.com:8443/v1/projects/p1/"
				"locations/eu/publishers/google/models/m:generateContent");
	check_place(BASE, json_object(), json_pack("{s:n}", "project_id"), NULL);
	check_place(BASE, json_object(), json_pack("{s:s}", "project_id",
											   "p1/locations/x"), NULL);
	for (size_t i = 0; i < sizeof(evil) / sizeof(evil[0]); i++)
	{
		check_place(BASE, json_pack("{s:s}", "location", evil[i]), NULL, NULL);
		check_place(BASE, json_pack("{s:s}", "project", evil[i]), NULL, NULL);
	}
}

/* ---- Imagen ---- */

/* Logged in, and asked. */
static Next
ask_imagen(Play *play, const char *account, json_t *parameters)
{
	Next		next;

	begin(play, account, IMAGEN, parameters, json_object());
	next = play_step(play);
	if (next == NEXT_SEND && !play->x.request.is_paid)
		next = play_answer(play, 200, TOKEN_ANSWER, 9);
	return next;
}

static void
check_imagen_request(const json_t *calls, const char *account)
{
	json_t	   *theirs = json_deep_copy(recorded(calls, "Vertex express key: "
												 "models.generateImages "
												 "(Imagen, deprecated)", 0));
	json_t	   *parameters = json_pack("{s:i, s:s, s:s, s:s, s:i, s:f, s:s,"
									   "s:s, s:s, s:b, s:b, s:s, s:i}",
									   "n", 2, "aspect_ratio", "1:1",
									   "image_size", "1K",
									   "negative_prompt", "dog", "seed", 5,
									   "guidance_scale", 7.5,
									   "person_generation", "ALLOW_ADULT",
									   "safety_setting", "BLOCK_ONLY_HIGH",
									   "language", "en", "enhance_prompt", 0,
									   "add_watermark", 0,
									   "output_format", "jpeg",
									   "output_compression", 80);
	json_t	   *said = json_object_get(json_object_get(theirs, "body"),
									   "parameters");
	json_t	   *ours;
	Play		play;

	/* it would keep the pictures from us, and we never ask for it */
	json_object_del(said, "storageUri");
	json_object_set_new(said, "guidanceScale", json_real(7.5));
	CHECK(ask_imagen(&play, account, parameters) == NEXT_SEND &&
		  play.x.request.is_paid && play.x.request.ordinal == 1 &&
		  asks_at(&play, BASE "/v1/projects/p1/locations/global/publishers/"
				  "google/models/" IMAGEN ":predict"), "Imagen is asked");
	ours = play_request_json(&play);
	CHECK(json_equal(ours, json_object_get(theirs, "body")),
		  "its body is that of the official client");
	json_decref(ours);
	json_decref(theirs);
	play_end(&play);
}

static void
check_imagen_refused(const char *account, json_t *parameters,
					 const char *piece)
{
	Play		play;

	CHECK(ask_imagen(&play, account, parameters) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST && says(&play, piece),
		  "Imagen refuses: \"%s\"", play.x.fault.message);
	play_end(&play);
}

static void
check_imagen_refusals(const char *account)
{
	Input		input = {(const uint8_t *) "x", 1, "png", 1, 1};
	Play		play;

	check_imagen_refused(account, json_pack("{s:i}", "n", 5), "1 to 4");
	check_imagen_refused(account, json_pack("{s:i}", "n", 0), "1 to 4");
	check_imagen_refused(account, json_pack("{s:i}", "seed", 5),
						 "add_watermark");
	check_imagen_refused(account, json_pack("{s:s}", "output_format", "webp"),
						 "output_format");
	check_imagen_refused(account, json_pack("{s:s}", "storage_uri", "gs://b"),
						 "storage_uri");

	begin(&play, account, IMAGEN, json_object(), json_object());
	play.generation.inputs = &input;
	play.generation.input_count = 1;
	CHECK(play_step(&play) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_BAD_REQUEST, "Imagen edits nothing");
	play_end(&play);
}

static void
check_imagen_answers(const char *account)
{
	static const char picture[] = "{\"bytesBase64Encoded\":\"" PLAY_PIXEL
	"\",\"mimeType\":\"image/png\",\"prompt\":\"a fine cat\"}";
	static const char reason[] = "{\"raiFilteredReason\":\"filtered 58061214\"}";
	char		text[2048];
	Play		play;

	ask_imagen(&play, account, json_pack("{s:i}", "n", 2));
	snprintf(text, sizeof(text), "{\"predictions\":[%s,%s]}", picture,
			 picture);
	CHECK(play_answer(&play, 200, text, 9) == NEXT_DONE &&
		  play.outcome.picture_count == 2 && play.outcome.note == NULL &&
		  play.outcome.pictures[1].picture.len == 70 &&
		  strcmp(play.outcome.pictures[1].revised_prompt, "a fine cat") == 0,
		  "one call brings all pictures, and the enhanced prompt");
	play_end(&play);

	ask_imagen(&play, account, json_pack("{s:i}", "n", 2));
	snprintf(text, sizeof(text), "{\"predictions\":[%s,%s]}", reason, picture);
	CHECK(play_answer(&play, 200, text, 9) == NEXT_DONE &&
		  play.outcome.picture_count == 1 &&
		  strcmp(play.outcome.note, "filtered 58061214") == 0 &&
		  play.outcome.missing_billed == 0,
		  "a filtered picture is noted, and not billed");
	play_end(&play);

	ask_imagen(&play, account, json_pack("{s:i}", "n", 2));
	snprintf(text, sizeof(text), "{\"predictions\":[%s]}", reason);
	CHECK(play_answer(&play, 200, text, 9) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_CONTENT_BLOCKED &&
		  play.x.fault.charged == CHARGED_NO && says(&play, "58061214"),
		  "all filtered is a block");
	play_end(&play);

	ask_imagen(&play, account, json_object());
	CHECK(play_answer(&play, 200, "{\"predictions\":[{\"bytesBase64Encoded\":"
					  "\"!!\"}]}", 9) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_UNKNOWN &&
		  play.x.fault.charged == CHARGED_YES,
		  "a broken picture is paid for, and none");
	play_end(&play);
	ask_imagen(&play, account, json_object());
	CHECK(play_answer(&play, 200, "[]", 9) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_UNKNOWN &&
		  play.x.fault.charged == CHARGED_UNKNOWN,
		  "another document is not understood");
	play_end(&play);
	ask_imagen(&play, account, json_object());
	CHECK(play_answer(&play, 200, "{\"predictions\":[{\"mimeType\":"
					  "\"image/png\"}]}", 9) == NEXT_FAIL &&
		  play.x.fault.class == FAULT_UNKNOWN,
		  "a prediction of nothing is no block");
	play_end(&play);
}

int
main(void)
{
	json_t	   *calls = json_load_file(FIXTURES "google/calls.json", 0, NULL);
	char	   *account = make_account(NULL);

	check_express(calls);
	check_account(calls);
	check_places();
	check_imagen_request(calls, account);
	check_imagen_refusals(account);
	check_imagen_answers(account);
	tokens_forget();
	free(account);
	json_decref(calls);
	return check_done();
}
