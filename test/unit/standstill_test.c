/*-------------------------------------------------------------------------
 *
 * standstill_test.c
 *		A machine that stands still until the time of what is paid for is
 *		over: it is asked after once more.
 *
 * The provider is a thread here.  It says that it is busy until it is released.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <openssl/evp.h>

#include "check.h"
#include "server.h"

#define PNG \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA" \
	"WjR9awAAAABJRU5ErkJggg=="
#define CALL_TIMEOUT_MS	6000

static Courier courier;
static atomic_bool is_released;
static atomic_int polls;
static atomic_int fetches;

/* ---- the provider ---- */

static bool
answer_picture(int fd)
{
	uint8_t		bytes[256];
	int			len = EVP_DecodeBlock(bytes, (const uint8_t *) PNG,
									  (int) strlen(PNG)) - 2;
	char		head[256];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n"
			 "Content-Type: image/png\r\nContent-Length: %d\r\n\r\n", len);
	return server_say(fd, head, strlen(head)) &&
		server_say(fd, (const char *) bytes, (size_t) len);
}

static bool
behave(int fd, const char *request, size_t len, int nth)
{
	char		body[256];

	(void) len;
	(void) nth;
	if (strncmp(request, "GET /v1/images/later ", 21) == 0)
	{
		polls++;
		return server_answer(fd, "200 OK", "", is_released ?
							 "{\"status\":\"done\",\"data\":[{\"b64_json\":\""
							 PNG "\"}]}" : "{\"status\":\"pending\"}");
	}
	if (strncmp(request, "GET /picture ", 13) == 0)
	{
		fetches++;
		return is_released ? answer_picture(fd) :
			server_answer(fd, "503 Service Unavailable", "", "{}");
	}
	if (strstr(request, "by address") == NULL)
		return server_answer(fd, "200 OK", "", "{\"request_id\":\"later\"}");
	snprintf(body, sizeof(body),
			 "{\"data\":[{\"url\":\"http://127.0.0.1:%d/picture\"}]}",
			 server_port);
	return server_answer(fd, "200 OK", "", body);
}

/* ---- the jobs ---- */

static void
send_job(uint64_t tag, const char *prompt, const char *parameters)
{
	char		json[1024];

	snprintf(json, sizeof(json),
			 "{\"user\":\"" DRIVER_USER "\",\"tries\":1,"
			 "\"provider\":\"openai\",\"adapter\":\"xai\","
			 "\"base_url\":\"http://127.0.0.1:%d/v1\","
			 "\"networks\":[\"127.0.0.1/32\"],\"settings\":{},"
			 "\"model\":\"grok-imagine-image\",\"prompt\":\"%s\","
			 "\"parameters\":%s,\"store\":\"database\"}",
			 server_port, prompt, parameters);
	driver_send(&courier, FRAME_JOB, tag, courier.sealed, json);
}

/* The next one to end, whichever it is, does so like this. */
static bool
ends(FrameResult result, const char *words)
{
	Frame		frame;

	if (!driver_await(courier.fd, FRAME_OUTCOME, &frame))
		driver_die("no outcome");
	driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	if (frame.head.status == result && strstr(frame.json, words) != NULL)
		return true;
	printf("# %u %s\n", frame.head.status, frame.json);
	return false;
}

static void
await_count(const atomic_int * count)
{
	for (int left = PATIENCE_MS; *count == 0; left -= 5)
	{
		if (left <= 0)
			driver_die("nothing is asked for");
		driver_sleep(5);
	}
}

int
main(void)
{
	char		more[64];
	pid_t		pid;
	bool		both;

	signal(SIGPIPE, SIG_IGN);
	server_start(behave);
	snprintf(more, sizeof(more), ",\"call_timeout_ms\":%d", CALL_TIMEOUT_MS);
	courier = driver_start();
	driver_configure(&courier, more);
	pid = driver_pid(&courier);

	send_job(1, "later", "{\"deferred\":true}");
	send_job(2, "by address", "{\"response_format\":\"url\"}");
	await_count(&polls);
	await_count(&fetches);
	driver_sleep(200);			/* they sleep; who still reads is late as well */
	kill(pid, SIGSTOP);
	driver_sleep(CALL_TIMEOUT_MS + 500);
	is_released = true;
	kill(pid, SIGCONT);

	both = ends(RESULT_SUCCEEDED, "\"charged\":\"yes\"");
	CHECK(ends(RESULT_SUCCEEDED, "\"charged\":\"yes\"") && both,
		  "who comes too late to what is paid for looks once more");

	is_released = false;
	send_job(3, "later", "{\"deferred\":true}");
	CHECK(ends(RESULT_UNCERTAIN, "\"code\":\"timeout\""),
		  "and no more than that");

	close(courier.fd);
	CHECK(driver_wait(&courier) == 0, "the courier ends");
	driver_clean(&courier);
	driver_forget_key();
	return check_done();
}
