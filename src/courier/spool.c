/*-------------------------------------------------------------------------
 *
 * spool.c
 *		Answers that no worker has taken.
 *
 * A file appears under its name only when all of it is on disk: it is
 * written under another name, flushed, renamed, and then the directory is
 * flushed, since a rename is only as durable as that.
 *
 *-------------------------------------------------------------------------
 */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "point.h"

/* An id, an attempt, ".answer.tmp" */
#define MAX_NAME	96

static bool
write_all(int fd, const struct iovec *part)
{
	const uint8_t *bytes = part->iov_base;
	size_t		left = part->iov_len;

	while (left > 0)
	{
		ssize_t		n = write(fd, bytes, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		left -= (size_t) n;
	}
	return true;
}

static bool
flush_directory(void)
{
	int			fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool		ok;

	if (fd < 0)
		return false;
	ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

static bool
write_file(const char *name, const struct iovec *parts, int count)
{
	char		temporary[MAX_NAME];
	bool		ok = true;
	int			fd;
	int			i;

	snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
			  O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	for (i = 0; ok && i < count; i++)
		ok = write_all(fd, &parts[i]);
	ok = ok && fsync(fd) == 0;
	if (close(fd) != 0 || !ok)
	{
		unlink(temporary);
		return false;
	}
	POINT("spool-before-rename");
	if (rename(temporary, name) != 0 || !flush_directory())
		return false;
	POINT("spool-renamed");
	return true;
}

static void
name_answer(char name[MAX_NAME], const char *id, uint32_t attempt)
{
	snprintf(name, MAX_NAME, "%s.%" PRIu32 ".answer", id, attempt);
}

bool
spool_write(const char *id, uint32_t attempt, const struct iovec *parts,
			int count)
{
	char		name[MAX_NAME];

	name_answer(name, id, attempt);
	return write_file(name, parts, count);
}

void
spool_remove(const char *id, uint32_t attempt)
{
	char		name[MAX_NAME];

	name_answer(name, id, attempt);
	unlink(name);
}

bool
spool_end(void)
{
	return write_file("end", NULL, 0);
}
