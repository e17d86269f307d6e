/*-------------------------------------------------------------------------
 *
 * spool.h
 *		Answers that no worker has taken: files in the current directory,
 *		which is this courier's own in the spool.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SPOOL_H
#define BAMBI_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/uio.h>

/*
 * Writes <id>.<attempt>.answer; when it returns true, the file is whole and
 * on disk, its name too.
 */
extern bool spool_write(const char *id, uint32_t attempt,
						const struct iovec *parts, int count);

/* Takes that file back, if it is there. */
extern void spool_remove(const char *id, uint32_t attempt);

/*
 * Writes "end", the promise that every claim without an answer here was
 * never sent.
 */
extern bool spool_end(void);

#endif							/* BAMBI_SPOOL_H */
