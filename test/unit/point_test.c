/*-------------------------------------------------------------------------
 *
 * point_test.c
 *		Every point of a generation's way through the courier holds it, and
 *		lies where its name says; and what the courier looks like meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "driver.h"

#include <netinet/in.h>

#include "check.h"

#define PNG \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA" \
	"WjR9awAAAABJRU5ErkJggg=="
#define BODY	"{\"created\":1,\"data\":[{\"b64_json\":\"" PNG "\"}]}"

static char points[] = "/tmp/bambi-unit-XXXXXX";

static const char *
path_of(const char *name, const char *ending)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s%s", points, name, ending);
	return path;
}

static void
set(const char *name)
{
	close(open(path_of(name, ""), O_CREAT | O_WRONLY, 0600));
}

/* Waits until somebody is held there; its process id. */
static int
reached(const char *name)
{
	int			left;
	int			pid = 0;

	for (left = PATIENCE_MS; left > 0 && pid == 0; left--)
	{
		FILE	   *file = fopen(path_of(name, ".reached"), "r");

		if (file != NULL)
		{
			if (fscanf(file, "%d", &pid) != 1)
				pid = -1;
			fclose(file);
		}
		else
			driver_sleep(1);
	}
	if (pid == 0)
		driver_die(name);
	return pid;
}

static void
let_go(const char *name)
{
	unlink(path_of(name, ".reached"));
	unlink(path_of(name, ""));
}

static bool
has_bytes(int fd)
{
	struct pollfd wait = {.fd = fd,.events = POLLIN};

	return poll(&wait, 1, 0) > 0;
}

/* Whether the file of another process says so. */
static bool
proc_says(pid_t pid, const char *name, const char *what)
{
	char		path[64];
	char		line[512];
	bool		found = false;
	FILE	   *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		found = found || strstr(line, what) != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

static int
count_fds(pid_t pid)
{
	char		path[64];
	DIR		   *dir;
	int			count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid);
	dir = opendir(path);
	while (dir != NULL && readdir(dir) != NULL)
		count++;
	if (dir == NULL)
		return -1;
	closedir(dir);
	return count - 2;
}

int
main(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	socklen_t	len = sizeof(address);
	char		json[1024];
	char		more[128];
	char		request[16384];
	ssize_t		n;
	int			listener;
	int			fd;
	Courier		c;
	Frame		frame;
	pid_t		pid;

	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(points) == NULL)
		driver_die(points);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *) &address, len) != 0 ||
		listen(listener, 16) != 0 ||
		getsockname(listener, (struct sockaddr *) &address, &len) != 0)
		driver_die("listen");

	c = driver_start();
	snprintf(more, sizeof(more), ",\"debug_points\":\"%s\"", points);
	driver_configure(&c, more);
	pid = driver_pid(&c);
	CHECK(driver_await(c.fd, FRAME_LOG, &frame) &&
		  frame.head.status == LEVEL_LOG &&
		  strstr(frame.json, "for development") != NULL,
		  "a key service for development is said to be one");
	snprintf(json, sizeof(json),
			 "{\"user\":\"" DRIVER_USER "\",\"tries\":1,"
			 "\"provider\":\"openai\",\"adapter\":\"openai\","
			 "\"base_url\":\"http://127.0.0.1:%d/v1\","
			 "\"networks\":[\"127.0.0.0/8\"],\"settings\":{},"
			 "\"model\":\"gpt-image-1\",\"prompt\":\"a fawn\","
			 "\"parameters\":{},\"store\":\"database\"}",
			 ntohs(address.sin_port));

	set("job-received");
	set("key-opened");
	set("before-send");
	set("request-written");
	set("answer-received");
	set("outcome-sent");
	driver_send(&c, FRAME_JOB, 1, c.sealed, json);
	CHECK(reached("job-received") == pid, "job-received holds the courier");
	let_go("job-received");
	CHECK(reached("key-opened") == pid, "so does key-opened");

	CHECK(proc_says(pid, "oom_score_adj", "300"),
		  "the courier goes before the server when memory is short");
	CHECK(proc_says(pid, "limits", "Max core file size        0 "),
		  "it leaves no core");
	if (getuid() == 0)
		CHECK(count_fds(c.keeper) == 0, "its keeper has no file open");
	let_go("key-opened");

	CHECK(reached("before-send") == pid, "so does before-send");
	fd = accept(listener, NULL, NULL);
	CHECK(!has_bytes(fd), "where the connection stands, and nothing is sent");
	let_go("before-send");

	CHECK(reached("request-written") == pid, "so does request-written");
	n = recv(fd, request, sizeof(request) - 1, MSG_DONTWAIT);
	request[n > 0 ? n : 0] = '\0';
	CHECK(strstr(request, "\r\nAuthorization: Bearer " DRIVER_KEY "\r\n") &&
		  strstr(request, "\r\nX-Client-Request-Id: 01010101-0101-0101-0101-"
				 "010101010101.1\r\n") &&
		  strstr(request, "\"prompt\":\"a fawn\"") &&
		  strstr(request, "Expect") == NULL &&
		  strstr(request, "Accept-Encoding") == NULL,
		  "where the request is out, with the key and its id in the head");
	CHECK(!has_bytes(c.fd), "and no outcome");
	let_go("request-written");

	snprintf(request, sizeof(request),
			 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
			 strlen(BODY), BODY);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		driver_die("send");
	CHECK(reached("answer-received") == pid, "so does answer-received");
	CHECK(!has_bytes(c.fd), "where the worker knows nothing yet");
	let_go("answer-received");
	CHECK(reached("outcome-sent") == pid, "so does outcome-sent");
	CHECK(driver_await(c.fd, FRAME_OUTCOME, &frame) &&
		  frame.head.status == RESULT_SUCCEEDED, "where it knows");

	set("spool-before-rename");
	set("spool-renamed");
	let_go("outcome-sent");
	close(c.fd);
	CHECK(reached("spool-before-rename") == pid,
		  "so does spool-before-rename");
	CHECK(driver_count(&c, ".answer") == 0 &&
		  driver_count(&c, ".answer.tmp") == 1,
		  "where the answer has not its name yet");
	let_go("spool-before-rename");
	CHECK(reached("spool-renamed") == pid, "so does spool-renamed");
	CHECK(driver_count(&c, ".answer") == 1 && !driver_has_spooled(&c, "end"),
		  "where it has, and the end has not come");
	let_go("spool-renamed");
	CHECK(driver_wait(&c) == 0 && driver_has_spooled(&c, "end"),
		  "without points it goes on");

	close(fd);
	close(listener);
	c.fd = -1;
	driver_clean(&c);
	driver_forget_key();
	CHECK(rmdir(points) == 0, "nothing is left at the points");
	return check_done();
}
