/*-------------------------------------------------------------------------
 *
 * redis_test.c
 *		The courier and a Redis that this test plays: it logs in, writes one
 *		batch at a time, and whatever goes wrong ends the connection, with one
 *		answer to the worker for each thing that waits.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <sys/un.h>

#include "check.h"

#define OPEN \
	"{\"kind\":\"cache_open\",\"version\":8,\"epoch\":8,\"life_ms\":9000}"
#define WRITE(opened) \
	"{\"kind\":\"cache_write\",\"opened\":" opened ",\"version\":9," \
	"\"epoch\":8,\"life_ms\":9000,\"values\":[{\"key\":\"user:a\"," \
	"\"life_ms\":500,\"is_change\":true}]}"

#define LOGIN \
	"*3\r\n$4\r\nAUTH\r\n$5\r\nbambi\r\n$6\r\nsecret\r\n"

static Courier courier;
static int	listener;
static char socket_path[128];
static char password_path[128];

static void
listen_there(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(socket_path, sizeof(socket_path), "%s/redis", courier.directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/redis",
			 courier.directory);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(listener, 16) != 0)
		driver_die(socket_path);
}

static void
write_password(const char *text, mode_t mode)
{
	int			fd;

	snprintf(password_path, sizeof(password_path), "%s/password",
			 courier.directory);
	unlink(password_path);
	fd = open(password_path, O_WRONLY | O_CREAT, mode);
	if (write(fd, text, strlen(text)) != (ssize_t) strlen(text))
		driver_die(password_path);
	close(fd);
}

static void
configure(const char *url, const char *prefix)
{
	char		more[700];

	snprintf(more, sizeof(more),
			 "{\"data_directory\":\"/var\",\"database\":\"app\","
			 "\"redis_url\":\"%s\",\"redis_user\":\"bambi\","
			 "\"redis_prefix\":\"%s\",\"redis_password_file\":\"%s\"}", url,
			 prefix, password_path);
	driver_send(&courier, FRAME_SETTINGS, 0, "", more);
}

static void
configure_socket(const char *prefix)
{
	char		url[160];

	snprintf(url, sizeof(url), "unix:%s", socket_path);
	configure(url, prefix);
}

static int
accept_one(void)
{
	struct pollfd wait = {.fd = listener,.events = POLLIN};

	if (poll(&wait, 1, PATIENCE_MS) != 1)
		driver_die("nobody connects");
	return accept(listener, NULL, NULL);
}

/* Until the text has come; all of it, in a buffer of its own. */
static const char *
hear(int fd, const char *text)
{
	static char heard[65536];
	size_t		len = 0;

	heard[0] = '\0';
	while (strstr(heard, text) == NULL)
	{
		if (len + 1 >= sizeof(heard) || !driver_read(fd, heard + len, 1))
			return "";
		heard[++len] = '\0';
	}
	return heard;
}

static void
say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t) strlen(text))
		driver_die("send");
}

/* A fact of its own: the answer to an errand, done or with these words. */
static void
answered(uint64_t tag, const char *error, const char *fact)
{
	Frame		frame;
	bool		is_there = driver_await(courier.fd, FRAME_ERRAND_DONE, &frame);

	CHECK(is_there && frame.head.tag == tag &&
		  frame.head.status == (error == NULL) &&
		  (error == NULL ? strcmp(frame.json, "{}") == 0 :
		   strstr(frame.json, error) != NULL),
		  "%s: %s", fact, is_there ? frame.json : "nothing");
}

/* A connection that stands, for the errand with this tag. */
static int
open_one(uint64_t tag)
{
	int			fd;

	driver_send(&courier, FRAME_ERRAND, tag, "", OPEN);
	fd = accept_one();
	hear(fd, "{\"version\":8,\"key\":\"*\"}\r\n");
	say(fd, "+OK\r\n:0\r\n");
	answered(tag, NULL, "it is open");
	return fd;
}

/* What it says when the connection does not come to stand. */
static void
open_and_hear(uint64_t tag, const char *reply, const char *error,
			  const char *fact)
{
	int			fd;

	driver_send(&courier, FRAME_ERRAND, tag, "", OPEN);
	fd = accept_one();
	hear(fd, "{\"version\":8,\"key\":\"*\"}\r\n");
	say(fd, reply);
	if (reply[0] == '\0')
		shutdown(fd, SHUT_RDWR);
	answered(tag, error, fact);
	CHECK(strcmp(hear(fd, "never"), "") == 0, "and it hangs up");
	close(fd);
}

static void
test_opening(void)
{
	const char *heard;
	int			fd;

	driver_send(&courier, FRAME_ERRAND, 1, "", OPEN);
	fd = accept_one();
	heard = hear(fd, "{\"version\":8,\"key\":\"*\"}\r\n");
	CHECK(strncmp(heard, LOGIN, strlen(LOGIN)) == 0, "it logs in first, without the file's newline");
	CHECK(strstr(heard, "bambi:app:epoch") != NULL, "then writes the epoch");
	say(fd, "+OK\r\n");
	say(fd, ":1\r");
	say(fd, "\n");
	answered(1, NULL, "both answers are waited for");

	driver_send(&courier, FRAME_ERRAND, 2, "", WRITE("1"));
	hear(fd, "{\"version\":9,\"key\":\"user:a\"}\r\n");
	driver_send(&courier, FRAME_ERRAND, 3, "", WRITE("1"));
	answered(3, "another one", "one batch at a time");
	say(fd, ":0\r\n");
	answered(2, NULL, "the first one is done");
	driver_send(&courier, FRAME_ERRAND, 4, "", WRITE("2"));
	answered(4, "another one", "a batch for another connection is none");

	driver_send(&courier, FRAME_ERRAND, 5, "", WRITE("1"));
	hear(fd, "{\"version\":9,\"key\":\"user:a\"}\r\n");
	close(fd);
	answered(5, "closed the connection", "who waits is told of the end");
	answered(1, "closed the connection", "and who believes it stands");
	driver_send(&courier, FRAME_ERRAND, 6, "", WRITE("1"));
	answered(6, "another one", "there is none any more");
}

static void
test_refusals(void)
{
	open_and_hear(11, "-WRONGPASS a secret thing\r\n+OK\r\n",
				  "Redis said WRONGPASS\"", "a wrong password");
	open_and_hear(12, "+OK\r\n:-1\r\n", "same bambi.redis_prefix",
				  "somebody else's epoch");
	open_and_hear(13, "+OK\r\n:0\r\n:0\r\n", "more than it was asked",
				  "one answer too many");
	open_and_hear(14, "HTTP/1.1 400 Bad Request\r\n", "not Redis",
				  "another protocol");
	open_and_hear(15, "*100000000\r\n", "not Redis", "an array");
	open_and_hear(16, "", "closed the connection", "a hang-up");
}

static void
test_quiet_end(void)
{
	int			fd = open_one(21);

	close(fd);
	answered(21, "closed the connection",
			 "an end is told though nobody waits");
	fd = open_one(22);
	say(fd, ":0\r\n");
	answered(22, "more than it was asked", "what nobody asked ends it");
	close(fd);
}

static void
test_silence(void)
{
	int			fd;

	driver_send(&courier, FRAME_ERRAND, 31, "", OPEN);
	fd = accept_one();
	answered(31, "did not answer in time", "a silent Redis is left");
	close(fd);
}

static void
test_settings(void)
{
	int			fd = open_one(41);

	configure_socket("bambi");
	driver_send(&courier, FRAME_ERRAND, 42, "", WRITE("41"));
	hear(fd, "{\"version\":9,\"key\":\"user:a\"}\r\n");
	say(fd, ":0\r\n");
	answered(42, NULL, "the same settings end nothing");
	configure_socket("other");
	answered(41, "are others now", "another prefix does");
	close(fd);
	configure_socket("bambi");

	fd = open_one(43);
	write_password("another\n", 0600);
	configure_socket("bambi");
	answered(43, "are others now", "so does another password");
	close(fd);
	write_password("secret\n", 0644);
	configure_socket("bambi");
	driver_send(&courier, FRAME_ERRAND, 44, "", OPEN);
	answered(44, "must have mode 0600 or 0400", "and it must be safe");
	write_password("secret\n", 0600);
	configure("", "bambi");
	driver_send(&courier, FRAME_ERRAND, 45, "", OPEN);
	answered(45, "bambi.redis_url is not set", "without an address, nothing");
	configure("redis://127.0.0.1:1/x", "bambi");
	driver_send(&courier, FRAME_ERRAND, 46, "", OPEN);
	answered(46, "is no number", "a database is a number");
	configure("redis://127.0.0.1", "bambi");
	driver_send(&courier, FRAME_ERRAND, 47, "", OPEN);
	answered(47, "not in bambi.redis_networks",
			 "an address in no network is not connected");
	configure("redis://[::1]:7/2", "bambi");
	driver_send(&courier, FRAME_ERRAND, 48, "", OPEN);
	answered(48, "not in bambi.redis_networks", "nor is one of IPv6");
	driver_send(&courier, FRAME_ERRAND, 49, "", WRITE("48"));
	answered(49, "another one", "and nothing is written");
}

int
main(void)
{
	int			fd;

	courier = driver_start();
	driver_configure(&courier, "");
	listen_there();
	write_password("secret\n", 0600);
	configure_socket("bambi");

	test_opening();
	test_refusals();
	test_quiet_end();
	test_silence();
	test_settings();

	/* the worker goes while Redis is connected */
	configure_socket("bambi");
	fd = open_one(51);
	shutdown(courier.fd, SHUT_RDWR);
	CHECK(strcmp(hear(fd, "never"), "") == 0,
		  "without a worker there is no connection");
	CHECK(driver_wait(&courier) == 0, "and the courier leaves");
	close(fd);
	driver_clean(&courier);
	driver_forget_key();
	return check_done();
}
