/*-------------------------------------------------------------------------
 *
 * driver.h
 *		Drives the real courier as the worker does: over a socket pair, with a
 *		spool directory of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_DRIVER_H
#define BAMBI_DRIVER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../src/courier/keyservices/pem.h"
#include "../../src/protocol/frame.h"
#include "../../src/protocol/jwe.h"

/* Longer than anything here takes, even on a loaded machine. */
#define PATIENCE_MS	60000

typedef struct Courier
{
	pid_t		keeper;
	int			fd;
	char		directory[64];

	/* after driver_configure */
	char		kid[JWE_MAX_NAME + 1];	/* of the key to seal to */
	char		public_pem[2048];
	char		sealed[2048];
} Courier;

/* What all jobs of these tests have in common; a name each to be unlike. */
#define DRIVER_USER	"00000000-0000-7000-8000-000000000001"
#define DRIVER_KEY	"sk-unit0123456789abcdefghijklmno"

typedef struct Frame
{
	FrameHead	head;
	char	   *key;
	char	   *json;
	char	   *picture;
} Frame;

static inline void
driver_die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void
driver_sleep(int ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static inline Courier
driver_start(void)
{
	Courier		c;
	int			pair[2];
	int			lock;

	strcpy(c.directory, "/tmp/bambi-unit-XXXXXX");
	if (mkdtemp(c.directory) == NULL ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		driver_die("socketpair");
	c.fd = pair[0];
	c.keeper = fork();
	if (c.keeper == 0)
	{
		setsid();
		if (chdir(c.directory) != 0)
			_exit(127);
		lock = open("lock", O_RDWR | O_CREAT, 0600);
		dup2(fcntl(pair[1], F_DUPFD, 10), 3);
		dup2(lock, 4);
		execl(COURIER, "bambi-courier: test", "--serve", NULL);
		_exit(127);
	}
	close(pair[1]);
	return c;
}

static inline void
driver_send(Courier *c, FrameType type, uint64_t tag, const char *key,
			const char *json)
{
	FrameHead	head = {.type = (uint8_t) type,.tag = tag,.attempt = 1};
	uint8_t		bytes[FRAME_HEAD_SIZE];

	memset(head.id, (int) (tag & 0xff), 16);
	head.key_len = (uint16_t) strlen(key);
	head.json_len = (uint32_t) strlen(json);
	frame_encode(&head, bytes);
	if (send(c->fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0 ||
		send(c->fd, key, head.key_len, MSG_NOSIGNAL) < 0 ||
		send(c->fd, json, head.json_len, MSG_NOSIGNAL) < 0)
		driver_die("send");
}

/* An errand with a payload of some hundred kilobytes at most. */
static inline void
driver_send_payload(Courier *c, uint64_t tag, const char *json,
					const void *bytes, size_t len)
{
	FrameHead	head = {.type = FRAME_ERRAND,.tag = tag};
	uint8_t		out[FRAME_HEAD_SIZE];

	head.json_len = (uint32_t) strlen(json);
	head.picture_len = (uint32_t) len;
	frame_encode(&head, out);
	if (send(c->fd, out, sizeof(out), MSG_NOSIGNAL) < 0 ||
		send(c->fd, json, head.json_len, MSG_NOSIGNAL) < 0 ||
		send(c->fd, bytes, len, MSG_NOSIGNAL) < 0)
		driver_die("send");
}

/* A picture that the job of this tag, which follows, edits. */
static inline void
driver_send_picture(Courier *c, uint64_t tag, uint32_t position,
					const void *bytes, size_t len)
{
	FrameHead	head = {.type = FRAME_PICTURE,.tag = tag,.attempt = 1};
	uint8_t		out[FRAME_HEAD_SIZE];

	memset(head.id, (int) (tag & 0xff), 16);
	head.status = position;
	head.picture_len = (uint32_t) len;
	frame_encode(&head, out);
	if (send(c->fd, out, sizeof(out), MSG_NOSIGNAL) < 0 ||
		send(c->fd, bytes, len, MSG_NOSIGNAL) < 0)
		driver_die("send");
}

static inline bool
driver_read(int fd, void *out, size_t len)
{
	size_t		at = 0;

	while (at < len)
	{
		struct pollfd wait = {.fd = fd,.events = POLLIN};
		ssize_t		n;

		if (poll(&wait, 1, PATIENCE_MS) <= 0)
			return false;
		n = read(fd, (char *) out + at, len - at);
		if (n <= 0)
			return false;
		at += (size_t) n;
	}
	return true;
}

/*
 * The next frame from a socket or a file; false at its end.  Lent until the
 * next one is received.
 */
static inline bool
driver_receive(int fd, Frame *frame)
{
	static char *bytes;
	uint8_t		head[FRAME_HEAD_SIZE];
	size_t		len;

	memset(frame, 0, sizeof(*frame));
	if (!driver_read(fd, head, sizeof(head)) ||
		!frame_decode(head, &frame->head))
		return false;
	len = frame->head.len - FRAME_HEAD_SIZE;
	bytes = realloc(bytes, len + 1);
	if (bytes == NULL || !driver_read(fd, bytes, len))
		return false;
	bytes[len] = '\0';
	frame->key = bytes;
	frame->json = frame->key + frame->head.key_len;
	frame->picture = frame->json + frame->head.json_len;
	return true;
}

/* The next frame of this type; others are skipped. */
static inline bool
driver_await(int fd, FrameType type, Frame *frame)
{
	while (driver_receive(fd, frame))
	{
		if (frame->head.type == type)
			return true;
	}
	return false;
}

/* The outcome's JSON, which is freed with json_decref. */
static inline json_t *
driver_json(const Frame *frame)
{
	return json_loadb(frame->json, frame->head.json_len, 0, NULL);
}

static inline const char *
driver_text(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

/*
 * Sends settings with a key service and, beside it, more members; then
 * c->sealed is a key of DRIVER_USER for openai.
 */
static inline void
driver_configure(Courier *c, const char *more)
{
	static char key_path[64];
	char		settings[1024];
	Frame		frame;
	json_t	   *json;

	/* one key for all couriers of a test: making it is slow */
	if (key_path[0] == '\0')
	{
		snprintf(key_path, sizeof(key_path), "/tmp/bambi-unit-%d.pem",
				 (int) getpid());
		if (pem_make_key(key_path) != NULL)
			driver_die(key_path);
	}
	snprintf(settings, sizeof(settings),
			 "{\"key_service\":\"file\",\"key_file\":\"%s\","
			 "\"data_directory\":\"/var\",\"database\":\"test\"%s}",
			 key_path, more);
	driver_send(c, FRAME_SETTINGS, 0, "", settings);
	if (!driver_await(c->fd, FRAME_SEALING_KEY, &frame))
		driver_die("no sealing key");
	json = json_loadb(frame.json, frame.head.json_len, 0, NULL);
	snprintf(c->kid, sizeof(c->kid), "%s", driver_text(json, "kid"));
	snprintf(c->public_pem, sizeof(c->public_pem), "%s",
			 driver_text(json, "public_key"));
	json_decref(json);
	if (jwe_seal(c->public_pem, c->kid, DRIVER_USER, "openai",
				 (const uint8_t *) DRIVER_KEY, strlen(DRIVER_KEY), c->sealed,
				 sizeof(c->sealed)) != JWE_OK)
		driver_die("jwe_seal");
}

static inline void
driver_forget_key(void)
{
	char		key_path[64];

	snprintf(key_path, sizeof(key_path), "/tmp/bambi-unit-%d.pem",
			 (int) getpid());
	unlink(key_path);
}

/* Waits for the courier to end; its exit status, or -1. */
static inline int
driver_wait(Courier *c)
{
	int			status;
	int			left;

	for (left = PATIENCE_MS; left > 0; left -= 5)
	{
		if (waitpid(c->keeper, &status, WNOHANG) == c->keeper)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		driver_sleep(5);
	}
	return -1;
}

/* The courier's own process id, from its lock file. */
static inline pid_t
driver_pid(const Courier *c)
{
	char		path[128];
	int			pid = 0;
	int			left;

	snprintf(path, sizeof(path), "%s/lock", c->directory);
	for (left = PATIENCE_MS; left > 0 && pid == 0; left -= 5)
	{
		FILE	   *file = fopen(path, "r");

		if (file != NULL && fscanf(file, "%d", &pid) != 1)
			pid = 0;
		if (file != NULL)
			fclose(file);
		if (pid == 0)
			driver_sleep(5);
	}
	return pid;
}

/* Opens a file of the spool directory, or -1. */
static inline int
driver_spooled(const Courier *c, const char *name)
{
	char		path[256];

	snprintf(path, sizeof(path), "%s/%s", c->directory, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static inline bool
driver_has_spooled(const Courier *c, const char *name)
{
	int			fd = driver_spooled(c, name);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* How many files with this ending are there. */
static inline int
driver_count(const Courier *c, const char *ending)
{
	DIR		   *dir = opendir(c->directory);
	struct dirent *entry;
	int			count = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
	{
		size_t		len = strlen(entry->d_name);

		if (len >= strlen(ending) &&
			strcmp(entry->d_name + len - strlen(ending), ending) == 0)
			count++;
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

static inline void
driver_clean(Courier *c)
{
	char		command[128];

	close(c->fd);
	snprintf(command, sizeof(command), "rm -rf %s", c->directory);
	if (system(command) != 0)
		driver_die(command);
}

#endif							/* BAMBI_DRIVER_H */
