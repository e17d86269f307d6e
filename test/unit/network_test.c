/*-------------------------------------------------------------------------
 *
 * network_test.c
 *		What the courier sends, to whom, how often, and what it makes of
 *		whatever comes back.
 *
 * The provider is a thread here.  What it does is what the prompt says, so
 * that each job brings its own behaviour.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include "check.h"
#include "server.h"

#define PNG \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA" \
	"WjR9awAAAABJRU5ErkJggg=="
/* The same, as far as it names its size; anything may follow. */
#define PNG_HEAD "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAf"

#define ANSWER "{\"created\":1,\"data\":[{\"b64_json\":\"" PNG "\"}]}"

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED	true
#else
#define IS_SANITIZED	false
#endif

static Courier courier;
static uint64_t next_tag = 1;

/* ---- the provider ---- */

/* A picture of len base64 characters; told says whether its length is. */
static bool
answer_large(int fd, size_t len, bool told)
{
	static const char before[] = "{\"data\":[{\"b64_json\":\"" PNG_HEAD;
	static const char after[] = "\"}]}";
	char		chunk[4096];
	char		head[256];
	bool		ok;

	memset(chunk, 'A', sizeof(chunk));
	if (told)
		snprintf(head, sizeof(head),
				 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
				 len + strlen(before) + strlen(after));
	else
		snprintf(head, sizeof(head),
				 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	ok = server_say(fd, head, strlen(head)) &&
		server_say(fd, before, strlen(before));
	for (; ok && len > 0; len -= sizeof(chunk))
		ok = server_say(fd, chunk, sizeof(chunk));
	return ok && server_say(fd, after, strlen(after)) && told;
}

/* Does what the request says. */
static bool
behave(int fd, const char *request, size_t len, int nth)
{
	static const char large_head[] =
	"X-Much: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
	int			i;

	(void) len;
	if (strstr(request, "please answer") != NULL)
		return server_answer(fd, "200 OK", "", ANSWER);
	if (strstr(request, "die on reuse") != NULL)
		return nth == 1 ? server_answer(fd, "200 OK", "", ANSWER) : false;
	if (strstr(request, "rate limit") != NULL)
		return server_answer(fd, "429 Too Many Requests",
							 "Retry-After: 7\r\n",
							 "{\"error\":{\"message\":\"slow down, " DRIVER_KEY "\","
							 "\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}");
	if (strstr(request, "go elsewhere") != NULL)
		return server_answer(fd, "302 Found",
							 "Location: http://127.0.0.1:1/\r\n", "{}");
	if (strstr(request, "half an answer") != NULL)
	{
		static const char half[] = "HTTP/1.1 200 OK\r\n"
		"Content-Length: 900\r\n\r\n{\"data\":[";

		server_say(fd, half, strlen(half));
		return false;
	}
	if (strstr(request, "endless head") != NULL)
	{
		server_say(fd, "HTTP/1.1 200 OK\r\n", 17);
		for (i = 0; i < 4000; i++)
		{
			if (!server_say(fd, large_head, strlen(large_head)))
				break;
		}
		return false;
	}
	if (strstr(request, "huge and told") != NULL)
		return answer_large(fd, 8 * 1024 * 1024, true);
	if (strstr(request, "huge and untold") != NULL)
		return answer_large(fd, 8 * 1024 * 1024, false);
	if (strstr(request, "large and told") != NULL)
		return answer_large(fd, 1024 * 1024, true);
	if (strstr(request, "large and untold") != NULL)
		return answer_large(fd, 1024 * 1024, false);
	if (strstr(request, "no picture") != NULL)
		return server_answer(fd, "200 OK", "",
							 "{\"data\":[{\"b64_json\":\"aGVsbG8gd29ybGQ=\"}]}");
	return false;
}

/* ---- the jobs ---- */

static uint64_t
send_job(const char *base_url, const char *networks, const char *prompt)
{
	char		json[2048];
	uint64_t	tag = next_tag++;

	snprintf(json, sizeof(json),
			 "{\"user\":\"" DRIVER_USER "\",\"tries\":1,"
			 "\"provider\":\"openai\",\"adapter\":\"openai\","
			 "\"base_url\":\"%s\",\"networks\":[%s],\"settings\":{},"
			 "\"model\":\"gpt-image-1\",\"prompt\":\"%s\","
			 "\"parameters\":{},\"store\":\"database\"}",
			 base_url, networks, prompt);
	driver_send(&courier, FRAME_JOB, tag, courier.sealed, json);
	return tag;
}

static const char *
here(const char *scheme)
{
	static char url[64];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d/v1", scheme, server_port);
	return url;
}

/* The next outcome, which is then taken. */
static Frame
next_outcome(void)
{
	Frame		frame;

	if (!driver_await(courier.fd, FRAME_OUTCOME, &frame))
		driver_die("no outcome");
	driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	return frame;
}

static Frame
perform(const char *prompt)
{
	send_job(here("http"), "\"127.0.0.1/32\"", prompt);
	return next_outcome();
}

static bool
is(const Frame *frame, FrameResult result, bool wrote, const char *code)
{
	char		expected[64];

	snprintf(expected, sizeof(expected), "{\"code\":%s,", code);
	if (frame->head.status == result &&
		((frame->head.flags & FRAME_FLAG_WROTE) != 0) == wrote &&
		strncmp(frame->json, expected, strlen(expected)) == 0)
		return true;
	printf("# status %u flags %u %s\n", frame->head.status,
		   frame->head.flags, frame->json);
	return false;
}

static void
check_answers(void)
{
	Frame		frame;
	int			before;

	frame = perform("please answer");
	CHECK(is(&frame, RESULT_SUCCEEDED, true, "null") &&
		  strstr(frame.json, "\"request_id\":\"req_unit\"") != NULL &&
		  strstr(frame.json, "\"charged\":\"yes\"") != NULL &&
		  strstr(frame.json, "\"key\":\"valid\"") != NULL,
		  "an answer succeeds, and proves the key");
	before = server_connections;
	frame = perform("please answer");
	CHECK(server_connections == before &&
		  frame.head.status == RESULT_SUCCEEDED,
		  "the connection is used again");

	frame = perform("rate limit");
	CHECK(is(&frame, RESULT_RETRY, true, "\"rate_limited\"") &&
		  strstr(frame.json, "\"retry_after_ms\":7000") != NULL,
		  "a rate limit is retried when the provider says");
	CHECK(strstr(frame.json, "unit0123") == NULL,
		  "a key that the provider echoes is not passed on");

	before = server_requests;
	frame = perform("go elsewhere");
	CHECK(frame.head.status != RESULT_SUCCEEDED &&
		  server_requests == before + 1,
		  "a redirect is not followed");
	frame = perform("no picture");
	CHECK(is(&frame, RESULT_FAILED, true, "\"unknown\""),
		  "what is no picture is not passed on as one");
}

static void
check_deaths(void)
{
	Frame		frame;
	int			before;

	/* idle connections of earlier jobs would be a new provider's first */
	frame = perform("half an answer");
	CHECK(is(&frame, RESULT_UNCERTAIN, true, "\"provider_unavailable\""),
		  "an answer that breaks off is uncertain");

	frame = perform("die on reuse");
	before = server_requests;
	frame = perform("die on reuse");
	CHECK(server_requests == before + 1,
		  "on a kept connection that dies the paid request is sent once");
	CHECK(is(&frame, RESULT_UNCERTAIN, true, "\"provider_unavailable\""),
		  "and is uncertain");

	before = server_requests;
	frame = perform("die at once");
	CHECK(is(&frame, RESULT_UNCERTAIN, true, "\"provider_unavailable\"") &&
		  server_requests == before + 1,
		  "the same on a fresh one");

	send_job("http://127.0.0.1:1/v1", "\"127.0.0.1/32\"", "please answer");
	frame = next_outcome();
	CHECK(is(&frame, RESULT_RETRY, false, "\"provider_unavailable\""),
		  "a refused connection is retried: nothing was written");

	send_job("https://no-such-host.invalid/v1", "", "please answer");
	frame = next_outcome();
	CHECK(is(&frame, RESULT_RETRY, false, "\"provider_unavailable\""),
		  "so is a name that does not resolve");
}

static void
check_limits(void)
{
	Frame		frame;

	frame = perform("endless head");
	CHECK(is(&frame, RESULT_UNCERTAIN, true, "\"response_too_large\""),
		  "a head has its limit");
	frame = perform("huge and told");
	CHECK(is(&frame, RESULT_UNCERTAIN, true, "\"response_too_large\""),
		  "a body has its limit, if it tells its length");
	frame = perform("huge and untold");
	CHECK(is(&frame, RESULT_UNCERTAIN, true, "\"response_too_large\""),
		  "and if it does not");
}

static void
check_addresses(void)
{
	static const char *const spellings[] = {
		"127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1",
		"0x7f000001", "0", "0.0.0.0", "localhost", "LOCALHOST", "[::1]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
		"[0:0:0:0:0:ffff:7f00:0001]", "[::]", "[64:ff9b::7f00:1]",
		"127.0.0.1.", "127.255.255.254"
	};
	static const char *const schemes[] = {"http", "https"};
	int			before = server_connections;
	size_t		i;
	size_t		j;
	Frame		frame;

	for (i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
	{
		for (j = 0; j < 2; j++)
		{
			char		url[128];

			snprintf(url, sizeof(url), "%s://%s:%d/v1", schemes[j],
					 spellings[i], server_port);
			send_job(url, "", "please answer");
			frame = next_outcome();
			CHECK((frame.head.flags & FRAME_FLAG_WROTE) == 0 &&
				  (frame.head.status == RESULT_FAILED ||
				   frame.head.status == RESULT_RETRY) &&
				  server_connections == before,
				  "%s://%s reaches nobody", schemes[j], spellings[i]);
		}
	}

	send_job(here("http"), "\"10.0.0.0/8\"", "please answer");
	frame = next_outcome();
	CHECK(is(&frame, RESULT_FAILED, false, "\"address_refused\""),
		  "a range that does not cover the address opens nothing");

	/* a kept connection that another provider may use */
	frame = perform("please answer");
	send_job(here("http"), "\"10.0.0.0/8\"", "please answer");
	frame = next_outcome();
	CHECK(is(&frame, RESULT_FAILED, false, "\"address_refused\""),
		  "nor does a connection that was opened for somebody else");

	send_job("file:///etc/passwd?", "\"127.0.0.1/32\"", "please answer");
	frame = next_outcome();
	CHECK((frame.head.flags & FRAME_FLAG_WROTE) == 0 &&
		  frame.head.status == RESULT_FAILED, "a file is no destination");
}

static void
check_cancel(void)
{
	Frame		frame;
	uint64_t	tag;
	int			before = server_requests;
	int			left;

	server_is_seen = false;
	tag = send_job(here("https"), "\"127.0.0.1/32\"", "please answer");
	for (left = PATIENCE_MS; left > 0 && !server_is_seen; left--)
		driver_sleep(1);
	driver_send(&courier, FRAME_CANCEL, tag, "", "");
	frame = next_outcome();
	CHECK(server_is_seen &&
		  is(&frame, RESULT_CANCELLED, false, "\"cancelled\"") &&
		  server_requests == before,
		  "a call that still connects is cancelled, and nothing was written");
}

static long
peak_of(pid_t pid)
{
	char		path[64];
	char		line[256];
	long		kb = -1;
	FILE	   *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		sscanf(line, "VmHWM: %ld", &kb);
	if (file != NULL)
		fclose(file);
	return kb;
}

static void
check_budget(void)
{
	const int	count = 40;
	int			received = 0;
	int			succeeded = 0;
	Frame		frame;
	int			i;

	for (i = 0; i < count; i++)
		send_job(here("http"), "\"127.0.0.1/32\"",
				 i % 2 ? "large and told" : "large and untold");
	while (received < count &&
		   driver_receive(courier.fd, &frame))
	{
		if (frame.head.type != FRAME_OUTCOME)
			continue;
		received++;
		succeeded += frame.head.status == RESULT_SUCCEEDED;
		if (frame.head.status != RESULT_SUCCEEDED)
			printf("# %s\n", frame.json);
		driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	}
	CHECK(succeeded == count,
		  "forty pictures come through a budget of four");

	/* a sanitizer's own memory would count */
	if (!IS_SANITIZED)
		CHECK(peak_of(driver_pid(&courier)) < 40 * 1024,
			  "and the memory stays below all of them");
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("https_proxy", "http://127.0.0.1:1/", 1);
	server_start(behave);
	courier = driver_start();
	driver_configure(&courier, ",\"max_response_bytes\":4194304,"
					 "\"byte_budget\":3145728,\"call_timeout_ms\":15000");

	check_answers();
	check_deaths();
	check_limits();
	check_addresses();
	check_cancel();
	check_budget();

	close(courier.fd);
	courier.fd = -1;
	CHECK(driver_wait(&courier) == 0 &&
		  driver_count(&courier, ".answer") == 0,
		  "nothing is left");
	driver_clean(&courier);
	driver_forget_key();
	return check_done();
}
