/*-------------------------------------------------------------------------
 *
 * courier_test.c
 *		The courier's life: jobs in, outcomes out, and its three ends.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include "check.h"

#define SETTINGS \
	"{\"database\":\"test\",\"max_in_flight\":8,\"call_timeout_ms\":20000," \
	"\"shutdown_grace_ms\":300,\"key_service\":\"\"}"
#define SANDBOX \
	"{\"user\":\"u\",\"tries\":1,\"provider\":\"sandbox\"," \
	"\"adapter\":\"sandbox\",\"base_url\":\"\",\"networks\":[]," \
	"\"settings\":{},\"model\":\"sandbox\",\"prompt\":\"a fawn\"," \
	"\"parameters\":{\"size\":\"64x64\"},\"store\":\"database\"}"

/* To a listener that never answers: its port goes in. */
#define SILENT \
	"{\"user\":\"" DRIVER_USER "\",\"tries\":1,\"provider\":\"openai\"," \
	"\"adapter\":\"openai\",\"base_url\":\"http://127.0.0.1:%d/v1\"," \
	"\"networks\":[\"127.0.0.1/32\"],\"settings\":{}," \
	"\"model\":\"gpt-image-1\",\"prompt\":\"a fawn\"," \
	"\"parameters\":{},\"store\":\"database\"}"

/* A key to be checked there. */
#define VALIDATE \
	"{\"kind\":\"validate\",\"user\":\"" DRIVER_USER "\"," \
	"\"provider\":\"openai\",\"adapter\":\"openai\"," \
	"\"base_url\":\"http://127.0.0.1:%d/v1\"," \
	"\"networks\":[\"127.0.0.1/32\"],\"settings\":{}}"

static Courier
start(void)
{
	Courier		c = driver_start();

	driver_send(&c, FRAME_SETTINGS, 0, "", SETTINGS);
	return c;
}

static void
answer_a_sandbox_job(void)
{
	Courier		c = start();
	Frame		frame;
	json_t	   *json;
	json_t	   *image;

	CHECK(driver_await(c.fd, FRAME_SEALING_KEY, &frame),
		  "the courier says which key to seal to");
	json = driver_json(&frame);
	CHECK(strcmp(driver_text(json, "error"),
				 "no key service is configured") == 0,
		  "without a key service it says so");
	json_decref(json);

	driver_send(&c, FRAME_JOB, 7, "", SANDBOX);
	CHECK(driver_await(c.fd, FRAME_PICTURE, &frame) &&
		  frame.head.tag == 7 && frame.head.status == 1 &&
		  frame.head.attempt == 1 && frame.head.id[0] == 7,
		  "the picture comes first, at position 1, under the job's tag");
	CHECK(frame.head.picture_len > 8 &&
		  memcmp(frame.picture, "\x89PNG", 4) == 0, "it is a PNG");
	CHECK(driver_receive(c.fd, &frame) &&
		  frame.head.type == FRAME_OUTCOME &&
		  frame.head.status == RESULT_SUCCEEDED &&
		  (frame.head.flags & FRAME_FLAG_WROTE) == 0,
		  "the outcome follows: succeeded, and nothing was written");
	json = driver_json(&frame);
	image = json_array_get(json_object_get(json, "images"), 0);
	CHECK(json_is_null(json_object_get(json, "code")) &&
		  json_integer_value(json_object_get(image, "width")) == 64 &&
		  json_integer_value(json_object_get(image, "height")) == 64 &&
		  strcmp(driver_text(image, "format"), "png") == 0 &&
		  strlen(driver_text(image, "sha256")) == 64 &&
		  strcmp(driver_text(image, "store"), "database") == 0 &&
		  strcmp(driver_text(json, "charged"), "no") == 0,
		  "with size, format and hash of the picture");
	json_decref(json);
	driver_send(&c, FRAME_TAKEN, 7, "", "");

	driver_send(&c, FRAME_JOB, 0x10007, "", SANDBOX);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.tag == 0x10007,
		  "a slot is free again after TAKEN");
	driver_send(&c, FRAME_TAKEN, 0x10007, "", "");

	close(c.fd);
	CHECK(driver_wait(&c) == 0, "it leaves with 0 at end of file");
	CHECK(driver_count(&c, ".answer") == 0 && driver_has_spooled(&c, "end"),
		  "and leaves an \"end\" and no answer");
	driver_clean(&c);
}

static void
spool_what_was_not_taken(void)
{
	Courier		c = start();
	Frame		frame;
	int			fd;
	int			i;

	for (i = 1; i <= 3; i++)
	{
		driver_send(&c, FRAME_JOB, (uint64_t) i, "", SANDBOX);
		driver_await(c.fd, FRAME_OUTCOME, &frame);
	}
	driver_send(&c, FRAME_TAKEN, 2, "", "");
	close(c.fd);
	CHECK(driver_wait(&c) == 0, "with untaken outcomes it leaves with 0 too");
	CHECK(driver_count(&c, ".answer") == 2 && driver_has_spooled(&c, "end"),
		  "the two that were not taken are spooled, the third is not");

	fd = driver_spooled(&c, "01010101-0101-0101-0101-010101010101.1.answer");
	CHECK(fd >= 0 && driver_receive(fd, &frame) &&
		  frame.head.type == FRAME_PICTURE &&
		  driver_receive(fd, &frame) && frame.head.type == FRAME_OUTCOME &&
		  frame.head.status == RESULT_SUCCEEDED,
		  "a spool file holds the frames as on the wire");
	CHECK(!driver_receive(fd, &frame), "and nothing else");
	close(fd);
	driver_clean(&c);
}

static void
refuse_nonsense(void)
{
	Courier		c = start();
	Frame		frame;
	json_t	   *json;

	driver_send(&c, FRAME_JOB, 1, "", "{\"user\":1}");
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_FAILED,
		  "a job that makes no sense fails");
	json = driver_json(&frame);
	CHECK(strcmp(driver_text(json, "code"), "internal") == 0,
		  "with the code \"internal\"");
	json_decref(json);

	driver_send(&c, FRAME_JOB, 2, "no.j.w.e.", SANDBOX);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_FAILED,
		  "a key that is no JWE fails");
	json = driver_json(&frame);
	CHECK(strcmp(driver_text(json, "code"), "key_unreadable") == 0,
		  "with the code \"key_unreadable\"");
	json_decref(json);

	if (send(c.fd, "this is no frame, and long enough to be a head......",
			 52, MSG_NOSIGNAL) < 0)
		driver_die("send");
	CHECK(driver_wait(&c) == 0 && driver_count(&c, ".answer") == 2,
		  "a broken stream ends like a worker that is gone");
	driver_clean(&c);

	c = start();
	driver_send(&c, FRAME_JOB, 5, "", SANDBOX);
	driver_send(&c, FRAME_JOB, 0x10005, "", SANDBOX);
	CHECK(driver_wait(&c) == 0 && driver_has_spooled(&c, "end") &&
		  !driver_has_spooled(&c,
							  "05050505-0505-0505-0505-050505050505.2.answer"),
		  "so does a job for a slot that is in use");
	driver_clean(&c);

	c = start();
	driver_send(&c, FRAME_OUTCOME, 1, "", "{}");
	CHECK(driver_wait(&c) == 0 && driver_count(&c, ".answer") == 0,
		  "and a frame that goes the other way");
	driver_clean(&c);
}

/* A socket that listens and never answers. */
static int
listen_silently(int *port)
{
	struct sockaddr_storage address;
	socklen_t	len = sizeof(address);
	unsigned char *bytes = (unsigned char *) &address;
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&address, 0, sizeof(address));
	address.ss_family = AF_INET;
	bytes[4] = 127;
	bytes[7] = 1;
	if (bind(fd, (struct sockaddr *) &address, 16) != 0 ||
		listen(fd, 64) != 0 ||
		getsockname(fd, (struct sockaddr *) &address, &len) != 0)
		driver_die("listen");
	*port = bytes[2] << 8 | bytes[3];
	return fd;
}

/* Waits until a request has come over a new connection. */
static int
accept_request(int listener)
{
	char		byte;
	int			fd = accept(listener, NULL, NULL);

	if (!driver_read(fd, &byte, 1))
		driver_die("no request came");
	return fd;
}

/* A courier with one call that is written and not answered. */
static Courier
start_call(int listener, const char *json, int *connection)
{
	Courier		c = driver_start();

	driver_configure(&c, ",\"shutdown_grace_ms\":300,\"max_in_flight\":1");
	driver_send(&c, FRAME_JOB, 1, c.sealed, json);
	*connection = accept_request(listener);
	return c;
}

static void
end_while_a_call_runs(void)
{
	char		json[1024];
	int			port;
	int			listener = listen_silently(&port);
	int			connection;
	Courier		c;
	Frame		frame;

	snprintf(json, sizeof(json), SILENT, port);

	c = start_call(listener, json, &connection);
	driver_send(&c, FRAME_JOB, 2, "", SANDBOX);
	driver_send(&c, FRAME_CANCEL, 1, "", "");
	driver_send(&c, FRAME_CANCEL, 2, "", "");
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.tag == 2 && frame.head.status == RESULT_CANCELLED,
		  "a waiting job is cancelled at once, a written call runs on");
	close(connection);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.tag == 1 && frame.head.status == RESULT_UNCERTAIN &&
		  (frame.head.flags & FRAME_FLAG_WROTE) != 0,
		  "and is uncertain when its connection breaks");
	close(c.fd);
	CHECK(driver_wait(&c) == 0 && driver_count(&c, ".answer") == 2,
		  "both are spooled if not taken");
	driver_clean(&c);

	c = start_call(listener, json, &connection);
	driver_send(&c, FRAME_JOB, 2, "", SANDBOX);
	kill(driver_pid(&c), SIGTERM);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.tag == 2 && frame.head.status == RESULT_WAIT,
		  "told to stop, it answers WAIT for what it had not begun");
	driver_send(&c, FRAME_JOB, 3, "", SANDBOX);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.tag == 3 && frame.head.status == RESULT_WAIT,
		  "and for what still comes");
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.tag == 1 && frame.head.status == RESULT_UNCERTAIN,
		  "when the grace is over, what runs is uncertain");
	CHECK(driver_wait(&c) == 0 && driver_has_spooled(&c, "end") &&
		  driver_count(&c, ".answer") == 3,
		  "and it leaves, all untaken answers spooled");
	close(connection);
	driver_clean(&c);

	c = start_call(listener, json, &connection);
	driver_send(&c, FRAME_JOB, 2, "", SANDBOX);
	driver_send(&c, FRAME_CANCEL, 99, "", "");
	close(c.fd);
	c.fd = -1;
	CHECK(!driver_has_spooled(&c, "end"),
		  "without its worker, it waits for what runs");
	kill(driver_pid(&c), SIGTERM);
	CHECK(driver_wait(&c) == 0 && driver_count(&c, ".answer") == 1 &&
		  driver_has_spooled(&c,
							 "01010101-0101-0101-0101-010101010101.1.answer"),
		  "told to stop then, it spools the call, and not what never began");
	CHECK(driver_has_spooled(&c, "end"), "and writes \"end\"");
	close(connection);
	driver_clean(&c);

	c = start_call(listener, json, &connection);
	kill(driver_pid(&c), SIGKILL);
	CHECK(driver_wait(&c) == 1, "the keeper of a killed courier leaves with 1");
	CHECK(!driver_has_spooled(&c, "end"), "and there is no \"end\"");
	close(connection);
	driver_clean(&c);
	close(listener);
}

static void
forget_what_was_not_begun(void)
{
	char		json[1024];
	int			port;
	int			listener = listen_silently(&port);
	int			connection;
	Courier		c;

	snprintf(json, sizeof(json), SILENT, port);
	c = start_call(listener, json, &connection);
	driver_send(&c, FRAME_JOB, 2, "", SANDBOX);
	close(c.fd);
	c.fd = -1;
	close(connection);
	CHECK(driver_wait(&c) == 0 && driver_count(&c, ".answer") == 1 &&
		  driver_has_spooled(&c, "end"),
		  "a call ends by itself after the worker; the job behind it is "
		  "never begun");
	driver_clean(&c);
	close(listener);
}

static void
keep_keys_apart(void)
{
	char		json[1024];
	int			port;
	int			listener = listen_silently(&port);
	Courier		c = driver_start();
	Frame		frame;
	char	   *user;

	driver_configure(&c, "");
	snprintf(json, sizeof(json), SILENT, port);

	user = strstr(json, DRIVER_USER);
	user[strlen(DRIVER_USER) - 1] = '2';
	driver_send(&c, FRAME_JOB, 1, c.sealed, json);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_FAILED &&
		  strstr(frame.json, "key_unreadable") != NULL,
		  "a key does not open in another user's row");
	user[strlen(DRIVER_USER) - 1] = '1';

	memcpy(strstr(json, "\"provider\":\"openai") + 12, "0penai", 6);
	driver_send(&c, FRAME_JOB, 2, c.sealed, json);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_FAILED &&
		  strstr(frame.json, "key_unreadable") != NULL,
		  "nor for another provider");

	snprintf(json, sizeof(json), SILENT, port);
	c.sealed[strlen(c.sealed) / 2] ^= 1;
	driver_send(&c, FRAME_JOB, 3, c.sealed, json);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_FAILED &&
		  strstr(frame.json, "key_unreadable") != NULL,
		  "nor when it was changed");

	driver_send(&c, FRAME_JOB, 4, "", json);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_FAILED &&
		  strstr(frame.json, "key_removed") != NULL,
		  "without a key a provider that needs one is not asked");

	/* the settings of a reload */
	driver_send(&c, FRAME_SETTINGS, 0, "",
				"{\"key_service\":\"file\",\"key_file\":\"/nowhere\"}");
	c.sealed[strlen(c.sealed) / 2] ^= 1;
	driver_send(&c, FRAME_JOB, 5, c.sealed, json);
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_WAIT &&
		  strstr(frame.json, "key_service_down") != NULL &&
		  strstr(frame.json, "\"retry_after_ms\":0") == NULL,
		  "while the key service is down, generations wait");

	close(c.fd);
	driver_wait(&c);
	driver_clean(&c);
	close(listener);
}

/* What an errand with this key and JSON is answered; status says if it is done. */
static bool
is_told(Courier *c, const char *key, const char *json, uint32_t status,
		const char *piece)
{
	static uint64_t tag = 0;
	Frame		frame;

	driver_send(c, FRAME_ERRAND, ++tag, key, json);
	return driver_await(c->fd, FRAME_ERRAND_DONE, &frame) &&
		frame.head.tag == tag && frame.head.status == status &&
		strstr(frame.json, piece) != NULL;
}

static void
check_keys(void)
{
	static const char settings[] =
	"{\"key_service\":\"file\",\"key_file\":\"/nowhere\"}";
	static const char unknown[] = "{\"state\":\"unknown\",\"message\":";
	char		json[1024];
	int			port;
	int			listener = listen_silently(&port);
	Courier		c = driver_start();
	char	   *user;

	driver_configure(&c, "");
	close(listener);
	snprintf(json, sizeof(json), VALIDATE, port);

	CHECK(is_told(&c, c.sealed, json, 0, "could not be reached"),
		  "a provider that cannot be reached says nothing about a key");
	user = strstr(json, DRIVER_USER);
	user[strlen(DRIVER_USER) - 1] = '2';
	CHECK(is_told(&c, c.sealed, json, 1, unknown),
		  "another user's key is not shown to it");
	user[strlen(DRIVER_USER) - 1] = '1';
	CHECK(is_told(&c, "", json, 1, unknown), "nor is none");
	CHECK(is_told(&c, c.sealed, "{\"kind\":\"validate\"}", 1, unknown) &&
		  is_told(&c, c.sealed, "{}", 0, "could not be read"),
		  "what makes no sense is answered");
	CHECK(is_told(&c, "", "{\"kind\":\"validate\",\"user\":\"u\","
				  "\"provider\":\"sandbox\",\"adapter\":\"sandbox\","
				  "\"settings\":{}}", 1, "cannot be checked"),
		  "a provider without keys has none to check");

	driver_send(&c, FRAME_SETTINGS, 0, "", settings);
	CHECK(is_told(&c, c.sealed, json, 0, "key service"),
		  "while the key service is down, it is asked again");
	close(c.fd);
	driver_wait(&c);
	driver_clean(&c);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	answer_a_sandbox_job();
	spool_what_was_not_taken();
	refuse_nonsense();
	end_while_a_call_runs();
	forget_what_was_not_begun();
	keep_keys_apart();
	check_keys();
	driver_forget_key();
	return check_done();
}
