/*-------------------------------------------------------------------------
 *
 * file.c
 *		Files that are whole, or not there: what is kept in directories.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/stat.h>

#include "../../protocol/frame.h"

int
file_open_folder(int below, const char *name, bool make)
{
	if (make && mkdirat(below, name, 0700) != 0 && errno != EEXIST)
		return -1;
	return openat(below, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
				  O_CLOEXEC);
}

/* Opens a new file beside name; its own goes to temporary. */
static int
create_beside(int folder, const char *name, char mark,
			  char temporary[NAME_MAX + 1])
{
	static unsigned counter;
	int			fd;

	/* another process may have had our number before: then the next one */
	do
	{
		int			len = snprintf(temporary, NAME_MAX + 1, "%s%c%d-%u", name,
								   mark, (int) getpid(), counter++);

		if (len > NAME_MAX)
		{
			errno = ENAMETOOLONG;
			return -1;
		}
		fd = openat(folder, temporary,
					O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
					0600);
	} while (fd < 0 && errno == EEXIST);
	return fd;
}

bool
file_write(int folder, const char *name, char mark, const Picture *content)
{
	char		temporary[NAME_MAX + 1];
	size_t		at = 0;
	bool		ok = true;
	int			saved;
	int			fd = create_beside(folder, name, mark, temporary);

	if (fd < 0)
		return false;
	while (ok && at < content->len)
	{
		ssize_t		n = write(fd, content->bytes + at, content->len - at);

		ok = n > 0;
		at += ok ? (size_t) n : 0;
	}
	ok = ok && file_set_time(fd) && fsync(fd) == 0 &&
		renameat(folder, temporary, folder, name) == 0;
	saved = errno;
	close(fd);
	if (!ok)
		unlinkat(folder, temporary, 0);
	errno = saved;
	return ok;
}

/* By the exact clock: the kernel's own for files runs some ms behind it. */
bool
file_set_time(int fd)
{
	struct timespec times[2];

	if (clock_gettime(CLOCK_REALTIME, &times[0]) != 0)
		return false;
	times[1] = times[0];
	return futimens(fd, times) == 0;
}

static bool
read_whole(int fd, Picture *content)
{
	struct stat st;
	size_t		at = 0;

	if (fstat(fd, &st) != 0)
		return false;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 ||
		st.st_size > FRAME_MAX_PICTURE)
	{
		errno = EFBIG;
		return false;
	}
	content->len = (size_t) st.st_size;
	content->bytes = malloc(content->len);
	if (content->bytes == NULL)
		return false;
	while (at < content->len)
	{
		ssize_t		n = read(fd, content->bytes + at, content->len - at);

		if (n <= 0)
		{
			if (n == 0)
				errno = EIO;	/* it has become shorter */
			free(content->bytes);
			memset(content, 0, sizeof(*content));
			return false;
		}
		at += (size_t) n;
	}
	return true;
}

bool
file_read(int folder, const char *name, Picture *content)
{
	int			fd = openat(folder, name,
							O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool		ok;
	int			saved;

	memset(content, 0, sizeof(*content));
	if (fd < 0)
		return false;
	ok = read_whole(fd, content);
	saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

static int64_t
time_of(const struct stat *st)
{
	return (int64_t) st->st_mtim.tv_sec * 1000000 +
		st->st_mtim.tv_nsec / 1000;
}

static bool
remove_if_older(int folder, const char *name, int64_t before_us)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	return time_of(&st) >= before_us || unlinkat(folder, name, 0) == 0 ||
		errno == ENOENT;
}

static bool
remove_unfinished(int folder, const char *name, char mark, int64_t before_us)
{
	int			fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR		   *listing = fd >= 0 ? fdopendir(fd) : NULL;
	size_t		len = strlen(name);
	struct dirent *entry;
	bool		ok = true;
	int			saved;

	if (listing == NULL)
	{
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (ok && (errno = 0, entry = readdir(listing)) != NULL)
	{
		if (strncmp(entry->d_name, name, len) == 0 &&
			entry->d_name[len] == mark)
			ok = remove_if_older(folder, entry->d_name, before_us);
	}
	ok = ok && errno == 0;
	saved = errno;
	closedir(listing);
	errno = saved;
	return ok;
}

bool
file_remove(int folder, const char *name, char mark, int64_t before_us)
{
	return remove_if_older(folder, name, before_us) &&
		remove_unfinished(folder, name, mark, before_us);
}

bool
file_remove_unfinished(int folder, const char *name, char mark)
{
	return remove_unfinished(folder, name, mark, INT64_MAX);
}
