/*-------------------------------------------------------------------------
 *
 * secret_file.c
 *		Reads the files in which an operator keeps what is secret.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* realpath */
#endif

#include "secret_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <sys/stat.h>

static const char *
check_place(const char *path, const char *data_directory)
{
	char		real_path[PATH_MAX];
	char		real_directory[PATH_MAX];
	size_t		len;

	if (path[0] != '/')
		return " needs an absolute path";
	if (realpath(path, real_path) == NULL)
		return " does not exist or is not accessible";
	if (data_directory == NULL || data_directory[0] == '\0')
		return NULL;
	if (realpath(data_directory, real_directory) == NULL)
		return " cannot be held against the data directory, which is not "
			"accessible";
	len = strlen(real_directory);
	if (strncmp(real_path, real_directory, len) == 0 && real_path[len] == '/')
		return " lies inside the data directory, where base backups would "
			"carry it away";
	return NULL;
}

const char *
secret_file_read(const char *path, const char *data_directory,
				 uint8_t bytes[SECRET_FILE_MAX], size_t *len)
{
	const char *problem = check_place(path, data_directory);
	struct stat st;
	ssize_t		n = -1;
	int			fd;

	if (problem != NULL)
		return problem;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return " cannot be opened";

	/* asked of the open file: the name may mean another one by now */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		problem = " is not a plain file";
	else if ((st.st_mode & 07777) != 0600 && (st.st_mode & 07777) != 0400)
		problem = " must have mode 0600 or 0400";
	else if (st.st_uid != geteuid())
		problem = " must belong to the server's user";
	else if (st.st_size > SECRET_FILE_MAX)
		problem = " is larger than 16 kB";
	else if ((n = read(fd, bytes, SECRET_FILE_MAX)) <= 0)
		problem = " cannot be read, or is empty";
	close(fd);
	*len = n > 0 ? (size_t) n : 0;
	return problem;
}
