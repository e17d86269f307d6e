/*-------------------------------------------------------------------------
 *
 * job_test.c
 *		What a job brings and fetches besides its prompt: pictures to edit,
 *		previews, pictures that are addresses, several paid requests.
 *
 * The provider is server.h's; what it does is what the prompt says.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* memmem, strcasestr */

#include "driver.h"

#include "check.h"
#include "play.h"
#include "server.h"

#define ANSWER	"{\"data\":[{\"b64_json\":\"" PLAY_PIXEL "\"}]}"
#define CANDIDATE \
	"{\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{\"mimeType\":" \
	"\"image/png\",\"data\":\"" PLAY_PIXEL "\"}}]},\"finishReason\":\"STOP\"}]}"
#define EVENT(type) \
	"data: {\"type\":\"image_generation." type "\",\"b64_json\":\"" \
	PLAY_PIXEL "\",\"partial_image_index\":0}\n\n"

static Courier courier;
static uint64_t next_tag = 1;

/* Of the last request by each method; nobody reads it while one comes. */
static char posted[65536];
static size_t posted_len;
static char gotten[65536];
static atomic_int candidates;
static atomic_bool is_waiting;	/* for an answer that never comes */

/* ---- the provider ---- */

static bool
give_picture(int fd)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
	"Content-Length: %zu\r\n\r\n";
	Input		pixel = play_pixel();
	char		text[128];

	snprintf(text, sizeof(text), head, pixel.len);
	return server_say(fd, text, strlen(text)) &&
		server_say(fd, (const char *) pixel.bytes, pixel.len);
}

/* Never answers. */
static bool
wait_for_end(int fd)
{
	char		byte;

	is_waiting = true;
	return recv(fd, &byte, 1, 0) > 0 && false;
}

static bool
behave_to_get(int fd, const char *request)
{
	strcpy(gotten, request);
	if (strstr(request, "GET /files/moved") != NULL)
		return server_answer(fd, "302 Found", "Location: 1.png\r\n", "");
	if (strstr(request, "GET /files/away") != NULL)
		return server_answer(fd, "302 Found",
							 "Location: https://other.example/1\r\n", "");
	if (strstr(request, "GET /files/1.png") != NULL)
		return give_picture(fd);
	if (strstr(request, "GET /files/never") != NULL)
		return wait_for_end(fd);
	return server_answer(fd, "404 Not Found", "", "");
}

/* Pictures as addresses at ourselves. */
static bool
give_addresses(int fd, const char *first, const char *second)
{
	char		body[512];

	snprintf(body, sizeof(body),
			 "{\"data\":[{\"url\":\"http://127.0.0.1:%d/files/%s\"},"
			 "{\"url\":\"http://127.0.0.1:%d/files/%s\"}]}",
			 server_port, first, server_port, second);
	return server_answer(fd, "200 OK", "", body);
}

static bool
behave(int fd, const char *request, size_t len, int nth)
{
	static const char stream[] = "HTTP/1.1 200 OK\r\n"
	"Content-Type: text/event-stream\r\nConnection: close\r\n\r\n"
	EVENT("partial_image") EVENT("partial_image") EVENT("completed");

	(void) nth;
	if (strncmp(request, "GET ", 4) == 0)
		return behave_to_get(fd, request);
	memcpy(posted, request, len);
	posted_len = len;
	if (strstr(request, "in a stream") != NULL)
	{
		server_say(fd, stream, strlen(stream));
		return false;
	}
	if (strstr(request, "by address") != NULL)
		return give_addresses(fd, "1.png", "moved");
	if (strstr(request, "half of it lost") != NULL)
		return give_addresses(fd, "1.png", "away");
	if (strstr(request, "half of it late") != NULL)
		return give_addresses(fd, "1.png", "never");
	if (strstr(request, "second never") != NULL && ++candidates > 1)
		return wait_for_end(fd);
	if (strstr(request, "all of it lost") != NULL)
		return give_addresses(fd, "gone", "away");
	if (strstr(request, "three candidates") != NULL)
	{
		candidates++;
		return server_answer(fd, "200 OK", "", CANDIDATE);
	}
	if (strstr(request, "two candidates") != NULL && ++candidates > 2)
		return server_answer(fd, "400 Bad Request", "",
							 "{\"error\":{\"status\":\"INVALID_ARGUMENT\","
							 "\"message\":\"no more\"}}");
	if (strstr(request, "generateContent") != NULL)
		return server_answer(fd, "200 OK", "", CANDIDATE);
	return server_answer(fd, "200 OK", "", ANSWER);
}

/* ---- jobs ---- */

static uint64_t
send_job(const char *adapter, const char *prompt, json_t *parameters,
		 json_t *inputs)
{
	uint64_t	tag = next_tag++;
	char		base_url[64];
	json_t	   *job;
	char	   *text;

	snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d/v1",
			 server_port);
	job = json_pack("{s:s, s:i, s:s, s:s, s:s, s:[s], s:{}, s:s, s:s, s:o,"
					"s:s, s:o*}", "user", DRIVER_USER, "tries", 1,
					"provider", "openai", "adapter", adapter, "base_url",
					base_url, "networks", "127.0.0.1/32", "settings",
					"model", strcmp(adapter, "google") == 0 ?
					"gemini-nano-banana-2.1" : "gpt-image-1", "prompt",
					prompt, "parameters", parameters, "store", "database",
					"inputs", inputs);
	text = json_dumps(job, 0);
	driver_send(&courier, FRAME_JOB, tag, courier.sealed, text);
	free(text);
	json_decref(job);
	return tag;
}

/* The outcome, which is then taken; how many pictures came before it. */
static Frame
next_outcome(int *pictures)
{
	Frame		frame;

	*pictures = 0;
	for (;;)
	{
		if (!driver_receive(courier.fd, &frame))
			driver_die("no outcome");
		if (frame.head.type == FRAME_PICTURE)
			(*pictures)++;
		if (frame.head.type == FRAME_OUTCOME)
			break;
	}
	driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	return frame;
}

/* ---- edits ---- */

static bool
post_holds(const void *bytes, size_t len)
{
	return memmem(posted, posted_len, bytes, len) != NULL;
}

static void
check_edit(void)
{
	Input		pixel = play_pixel();
	Frame		frame;
	int			count;
	int			before;

	/* in any order: the position counts */
	driver_send_picture(&courier, next_tag, 2, pixel.bytes, pixel.len);
	driver_send_picture(&courier, next_tag, 0, pixel.bytes, pixel.len);
	driver_send_picture(&courier, next_tag, 1, pixel.bytes, pixel.len);
	send_job("openai", "edit these", json_object(), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_SUCCEEDED && count == 1,
		  "an edit succeeds");
	CHECK(strncmp(posted, "POST /v1/images/edits", 21) == 0 &&
		  strstr(posted, "multipart/form-data; boundary=") != NULL,
		  "it is sent as a form");
	CHECK(post_holds(pixel.bytes, pixel.len) && post_holds("edit these", 10) &&
		  post_holds("name=\"mask\"", 11) && post_holds("name=\"image", 11),
		  "with the pictures' bytes, the mask and the prompt");

	before = server_requests;
	driver_send_picture(&courier, next_tag, 1, "no picture at all", 17);
	send_job("openai", "edit this", json_object(), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_FAILED &&
		  strstr(frame.json, "\"internal\"") != NULL &&
		  server_requests == before,
		  "what is no picture is not sent");
	driver_send_picture(&courier, next_tag, 2, pixel.bytes, pixel.len);
	send_job("openai", "edit this", json_object(), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_FAILED && server_requests == before,
		  "nor is a second picture without a first");
	driver_send_picture(&courier, next_tag, 1, pixel.bytes, pixel.len);
	driver_send_picture(&courier, next_tag, 1, pixel.bytes, pixel.len);
	send_job("openai", "edit this", json_object(), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_FAILED && server_requests == before,
		  "nor are two in one place");
}

/* A worker that sends so much, or so, is not to be trusted. */
static void
check_too_many(void)
{
	Input		pixel = play_pixel();
	Courier		c = driver_start();

	driver_send(&c, FRAME_SETTINGS, 0, "", "{}");
	for (uint32_t i = 0; i <= MAX_INPUTS + 1; i++)
		driver_send_picture(&c, 1, i % MAX_INPUTS, pixel.bytes, pixel.len);
	CHECK(driver_wait(&c) == 0 && driver_has_spooled(&c, "end"),
		  "too many pictures end the connection");
	driver_clean(&c);

	c = driver_start();
	driver_send(&c, FRAME_SETTINGS, 0, "", "{}");
	driver_send_picture(&c, 1, MAX_INPUTS + 1, pixel.bytes, pixel.len);
	CHECK(driver_wait(&c) == 0 && driver_has_spooled(&c, "end"),
		  "so does one in a place that there is not");
	driver_clean(&c);
}

/* ---- streams ---- */

static void
check_progress(void)
{
	Input		pixel = play_pixel();
	uint64_t	tag;
	uint32_t	percent = 0;
	int			previews = 0;
	Frame		frame;

	tag = send_job("openai", "in a stream",
				   json_pack("{s:b, s:i}", "stream", 1, "partial_images", 2),
				   NULL);
	while (driver_receive(courier.fd, &frame) &&
		   frame.head.type == FRAME_PROGRESS)
	{
		if (frame.head.tag == tag && frame.head.status < 100 &&
			frame.head.status >= percent &&
			frame.head.picture_len == pixel.len &&
			memcmp(frame.picture, pixel.bytes, pixel.len) == 0)
			previews++;
		percent = frame.head.status;
	}
	CHECK(previews == 2 && percent > 0,
		  "previews of a stream come while it runs");
	CHECK(frame.head.type == FRAME_PICTURE && frame.head.status == 1 &&
		  frame.head.picture_len == pixel.len,
		  "then its picture");
	CHECK(driver_receive(courier.fd, &frame) &&
		  frame.head.type == FRAME_OUTCOME &&
		  frame.head.status == RESULT_SUCCEEDED, "and its outcome");
	driver_send(&courier, FRAME_TAKEN, tag, "", "");
}

/* ---- addresses ---- */

static void
check_addresses(void)
{
	Frame		frame;
	int			count;

	send_job("openai", "by address", json_object(), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_SUCCEEDED && count == 2,
		  "pictures that are addresses are fetched, redirected or not");
	CHECK(strstr(posted, "uthorization: Bearer " DRIVER_KEY) != NULL &&
		  strcasestr(gotten, "authorization") == NULL &&
		  strstr(gotten, DRIVER_KEY) == NULL &&
		  strncmp(gotten, "GET /files/1.png ", 17) == 0,
		  "without a credential");

	send_job("openai", "half of it lost", json_object(), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_SUCCEEDED && count == 1 &&
		  strstr(frame.json, "not one of the provider's image hosts") != NULL
		  && strstr(frame.json, "\"billed\":2") != NULL,
		  "one that leads elsewhere is told of, and was paid for");

	send_job("openai", "all of it lost", json_object(), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status != RESULT_SUCCEEDED &&
		  frame.head.status != RESULT_RETRY && count == 0 &&
		  strstr(frame.json, "\"charged\":\"yes\"") != NULL,
		  "with none of them it is no success, and not tried again");
}

/* ---- several paid requests ---- */

static void
check_ordinals(void)
{
	Frame		frame;
	int			count;

	send_job("google", "three candidates", json_pack("{s:i}", "n", 3), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_SUCCEEDED && count == 3 &&
		  candidates == 3 && strstr(frame.json, "\"billed\":3") != NULL,
		  "three pictures are three requests");

	candidates = 0;
	send_job("google", "two candidates", json_pack("{s:i}", "n", 3), NULL);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_SUCCEEDED && count == 2 &&
		  candidates == 3 && strstr(frame.json, "no more") != NULL,
		  "what came before a refusal is kept, and the refusal told");
}

/* ---- the end in between ---- */

/* The job is stopped when it waits for the second of its pictures. */
static void
check_stop(const char *fact, const char *adapter, const char *prompt)
{
	Courier		before = courier;
	Frame		frame;
	int			count;
	int			left;

	courier = driver_start();
	driver_configure(&courier, ",\"shutdown_grace_ms\":200");
	is_waiting = false;
	candidates = 0;
	send_job(adapter, prompt, json_pack("{s:i}", "n", 2), NULL);
	for (left = PATIENCE_MS; left > 0 && !is_waiting; left--)
		driver_sleep(1);
	kill(driver_pid(&courier), SIGTERM);
	frame = next_outcome(&count);
	CHECK(frame.head.status == RESULT_SUCCEEDED && count == 1 &&
		  strstr(frame.json, "\"billed\":2") != NULL &&
		  strstr(frame.json, "had to end") != NULL,
		  "%s is kept when the courier has to end", fact);
	driver_wait(&courier);
	driver_clean(&courier);
	courier = before;
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	server_start(behave);
	courier = driver_start();
	driver_configure(&courier, ",\"call_timeout_ms\":15000");
	check_edit();
	check_too_many();
	check_progress();
	check_addresses();
	check_ordinals();
	check_stop("a picture that is fetched", "openai", "half of it late");
	check_stop("a picture of the first request", "google", "second never");

	close(courier.fd);
	courier.fd = -1;
	CHECK(driver_wait(&courier) == 0 &&
		  driver_count(&courier, ".answer") == 0, "nothing is left");
	driver_clean(&courier);
	driver_forget_key();
	return check_done();
}
