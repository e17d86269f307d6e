/*-------------------------------------------------------------------------
 *
 * image_file.c
 *		Pictures of the store "filesystem", which backends read themselves.
 *
 * The path comes from a table that only the machinery writes; it is looked at
 * all the same, since whoever could write it would else read any file of the
 * server's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "executor/spi.h"
#include "storage/fd.h"

#include "frame.h"
#include "image_file.h"
#include "settings.h"

/* "<user>/<two of the hash>/<hash>.<format>": no dots but one, no slash first */
static bool
is_plain(const char *path)
{
	static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz-/.";

	return path[0] != '/' && strspn(path, allowed) == strlen(path) &&
		strstr(path, "..") == NULL;
}

bytea *
bambi_image_file_read(const char *path)
{
	char		full[MAXPGPATH];
	struct stat st;
	FILE	   *file;
	bytea	   *data = NULL;
	size_t		size;

	if (bambi_store_directory[0] == '\0' || !is_plain(path) ||
		snprintf(full, sizeof(full), "%s/%s", bambi_store_directory,
				 path) >= (int) sizeof(full))
		return NULL;
	file = AllocateFile(full, PG_BINARY_R);
	if (file == NULL && errno == ENOENT)
		return NULL;
	if (file == NULL || fstat(fileno(file), &st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open a file of bambi.store_directory: %m")));
	if (S_ISREG(st.st_mode) && st.st_size <= FRAME_MAX_PICTURE)
	{
		size = (size_t) st.st_size;
		data = SPI_palloc(VARHDRSZ + size);
		SET_VARSIZE(data, VARHDRSZ + size);
		if (fread(VARDATA(data), 1, size, file) != size)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read a file of bambi.store_directory: %m")));
	}
	FreeFile(file);
	return data;
}
