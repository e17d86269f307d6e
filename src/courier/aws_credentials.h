/*-------------------------------------------------------------------------
 *
 * aws_credentials.h
 *		Credentials of AWS as its own programs share them: in a file
 *		(~/.aws/credentials), or in the environment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_AWS_CREDENTIALS_H
#define BAMBI_AWS_CREDENTIALS_H

#include "sigv4.h"

/*
 * Takes access key, secret and perhaps session token of the profile "default"
 * from the text of such a file, all into the arena.  False if the first two
 * are not there.
 */
extern bool aws_credentials_read(Arena *arena, const Secret *file,
								 SigV4 *signer);

/* The same from AWS_ACCESS_KEY_ID and so on. */
extern bool aws_credentials_from_environment(Arena *arena, SigV4 *signer);

/* Whether a text can stand in a header: visible characters, and some. */
extern bool aws_credentials_is_printable(const char *text, size_t len);

#endif							/* BAMBI_AWS_CREDENTIALS_H */
