/*-------------------------------------------------------------------------
 *
 * secret_file.h
 *		Reads the files in which an operator keeps what is secret.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SECRET_FILE_H
#define BAMBI_SECRET_FILE_H

#include <stddef.h>
#include <stdint.h>

/* A PEM of an RSA-8192 key has 6.5 kB. */
#define SECRET_FILE_MAX	(16 * 1024)

/*
 * Fills bytes, for the caller to cleanse.  A file is refused where keeping it
 * is careless: in the data directory (NULL or empty if it is not known),
 * which base backups carry away, readable by others, or somebody else's.
 *
 * Returns NULL, or what is wrong as the end of a sentence: "the key file" +
 * " must have mode 0600 or 0400".
 */
extern const char *secret_file_read(const char *path,
									const char *data_directory,
									uint8_t bytes[SECRET_FILE_MAX],
									size_t *len);

#endif							/* BAMBI_SECRET_FILE_H */
