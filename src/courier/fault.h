/*-------------------------------------------------------------------------
 *
 * fault.h
 *		What went wrong with a call, as a value: the one error taxonomy that
 *		all adapters share.
 *
 * The classes are those of the providers' contracts: what the user can do
 * about it decides the class, not the HTTP status.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_FAULT_H
#define BAMBI_FAULT_H

#include <stdbool.h>

typedef enum FaultClass
{
	FAULT_NONE = 0,
	FAULT_INVALID_KEY,
	FAULT_QUOTA_EXHAUSTED,		/* the provider's: money or day */
	FAULT_RATE_LIMITED,
	FAULT_CONTENT_BLOCKED,
	FAULT_BAD_REQUEST,
	FAULT_MODEL_NOT_FOUND,
	FAULT_PROVIDER_UNAVAILABLE,
	FAULT_TIMEOUT,
	FAULT_UNKNOWN,
	/* below: of our own making, no provider says them */
	FAULT_KEY_UNREADABLE,		/* the sealed key does not open for this row */
	FAULT_KEY_REMOVED,
	FAULT_KEY_SERVICE_DOWN,		/* generations wait */
	FAULT_STORE_DOWN,			/* likewise, and pictures wait to be put */
	FAULT_ADDRESS_REFUSED,		/* the address rules say no */
	FAULT_RESPONSE_TOO_LARGE,
	FAULT_CANCELLED,
	FAULT_INTERNAL				/* a job that makes no sense to us */
} FaultClass;

/* Whether the provider took money for it, as far as anybody can tell. */
typedef enum Charged
{
	CHARGED_NO = 0,
	CHARGED_UNKNOWN,
	CHARGED_YES
} Charged;

#define FAULT_MESSAGE_MAX	500

typedef struct Fault
{
	FaultClass	class;
	bool		is_missing;		/* what a store was asked for is not there */
	bool		may_repeat;		/* the same request again, without asking */
	bool		may_have_cost;	/* sent, and not known to be free: uncertain */
	Charged		charged;
	long		retry_after_ms; /* the other side's hint, 0 for none */
	char		message[FAULT_MESSAGE_MAX + 1]; /* scrubbed, for the user */
} Fault;

/*
 * What an HTTP status of 400 or more means where nothing else is said.  403
 * and 404 say different things at different providers, so they are unknown.
 */
extern FaultClass fault_of_status(long status);

/* As in image_generations.error_code: "invalid_key", "rate_limited", ... */
extern const char *fault_code(FaultClass class);

/* "no", "unknown", "yes" */
extern const char *fault_charged_name(Charged charged);

#endif							/* BAMBI_FAULT_H */
