/*-------------------------------------------------------------------------
 *
 * sigv4.h
 *		AWS Signature Version 4: signs requests, and makes URLs that are
 *		signed already.
 *
 * As in "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3
 * API reference.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_SIGV4_H
#define BAMBI_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

/* Of a body that is empty, and of one that is not looked at (S3 alone). */
#define SIGV4_EMPTY \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SIGV4_UNSIGNED	"UNSIGNED-PAYLOAD"

/* Seconds for which a signed URL can be good: a week. */
#define SIGV4_MAX_EXPIRES	604800

typedef struct SigV4
{
	const char *service;		/* "s3", "kms" */
	const char *region;
	const char *access_key;		/* its id, which is no secret */
	const Secret *secret_key;
	const Secret *session_token;	/* or NULL */
	int64_t		now;			/* seconds since 1970 */
} SigV4;

/*
 * Signs x->request with all of its headers, to which it adds x-amz-date,
 * x-amz-security-token and Authorization: nothing may be changed afterwards.
 * The URL has its path and query encoded as percent_encode does.
 *
 * payload is the body's SHA-256 in hex and is sent along
 * (x-amz-content-sha256), as S3 demands; NULL computes it and keeps it.
 */
extern void sigv4_sign(Exchange *x, const SigV4 *signer, const char *payload);

/*
 * url with a signature in its query, good for expires seconds from
 * signer->now; in the arena.  payload as above, but not NULL.
 */
extern char *sigv4_presign(Arena *arena, const SigV4 *signer,
						   const char *method, const char *url,
						   const char *payload, int64_t expires);

#endif							/* BAMBI_SIGV4_H */
