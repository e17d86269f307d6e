/*-------------------------------------------------------------------------
 *
 * file.h
 *		Files that are whole, or not there: what is kept in directories.
 *
 * All work in an open directory, follow no link, and return false (or -1)
 * with errno set.  A file is written under another name, which begins with its
 * own and a mark, so that what a crash has left is found: the mark is a
 * character that stands in no name after another's whole one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_FILE_H
#define BAMBI_FILE_H

#include "../exchange.h"

/* Opens a directory in another, which make makes first. */
extern int	file_open_folder(int below, const char *name, bool make);

/* Replaces what was there; nothing is left if it fails. */
extern bool file_write(int folder, const char *name, char mark,
					   const Picture *content);

/* The bytes, malloc'ed and given; an empty file is none. */
extern bool file_read(int folder, const char *name, Picture *content);

/* Its time is now. */
extern bool file_set_time(int fd);

/*
 * Removes the file, and what a crash has left of writing it, unless it is as
 * young as before_us (microseconds since 1970).
 */
extern bool file_remove(int folder, const char *name, char mark,
						int64_t before_us);

/* Removes only what a crash has left. */
extern bool file_remove_unfinished(int folder, const char *name, char mark);

#endif							/* BAMBI_FILE_H */
