/*-------------------------------------------------------------------------
 *
 * refuse.h
 *		The one way to raise what clients branch on.
 *
 * Each reason has its SQLSTATE and its HTTP status; docs/reference.md lists
 * them.  No other file names a PT code.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_REFUSE_H
#define BAMBI_REFUSE_H

typedef enum BambiReason
{
	BAMBI_NOT_SIGNED_IN,		/* PT401: no identity, or an inactive user */
	BAMBI_QUOTA_USED_UP,		/* PT402 */
	BAMBI_NOT_FOUND,			/* PT404: absent, or somebody else's */
	BAMBI_WRONG_STATE,			/* PT409 */
	BAMBI_KEY_REUSED,			/* PT422: idempotency key, another request */
	BAMBI_TOO_MANY,				/* PT429: some of the caller's have to end
								 * first */
	BAMBI_TRY_LATER,			/* PT503: nothing happened, a retry is safe */
	BAMBI_FORBIDDEN,			/* 42501 */
	BAMBI_BAD_VALUE,			/* 22023 */
	BAMBI_NOT_SET_UP			/* 55000: bambi_setup() has to run */
} BambiReason;

/*
 * Raises an error; never returns.
 *
 * message may be NULL for the reason's own.  PostgREST writes the message of
 * a PT code raw into the status line, so it must be a constant of printable
 * ASCII there (one that is not is replaced by the reason's own); values go
 * into detail and hint, both sentences or NULL.  A message of 22023 must not
 * begin with "role" and end with "does not exist": PostgREST makes 401 of it.
 */
extern void bambi_refuse(BambiReason reason, const char *message,
						 const char *detail, const char *hint)
			pg_attribute_noreturn();

/* The same of what can be had again after some time; over HTTP it says when. */
extern void bambi_refuse_for_now(BambiReason reason, int seconds,
								 const char *message, const char *detail,
								 const char *hint)
			pg_attribute_noreturn();

/* Whether an error is BAMBI_TRY_LATER. */
extern bool bambi_refused_for_now(int sqlstate);

/*
 * For PG_CATCH of every function that clients call: raises the caught error
 * again, a deadlock or serialization failure as BAMBI_TRY_LATER, because
 * PostgREST repeats those for ever.  Works in the context that it is given.
 */
extern void bambi_refuse_conflict(MemoryContext context)
			pg_attribute_noreturn();

#endif							/* BAMBI_REFUSE_H */
