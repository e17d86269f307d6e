/*-------------------------------------------------------------------------
 *
 * fault.c
 *		The names of faults, as tables and users know them, and what HTTP
 *		itself says of them.
 *
 *-------------------------------------------------------------------------
 */
#include "fault.h"

#include <stddef.h>

static const char *const codes[] = {
	[FAULT_NONE] = NULL,
	[FAULT_INVALID_KEY] = "invalid_key",
	[FAULT_QUOTA_EXHAUSTED] = "quota_exhausted",
	[FAULT_RATE_LIMITED] = "rate_limited",
	[FAULT_CONTENT_BLOCKED] = "content_blocked",
	[FAULT_BAD_REQUEST] = "bad_request",
	[FAULT_MODEL_NOT_FOUND] = "model_not_found",
	[FAULT_PROVIDER_UNAVAILABLE] = "provider_unavailable",
	[FAULT_TIMEOUT] = "timeout",
	[FAULT_UNKNOWN] = "unknown",
	[FAULT_KEY_UNREADABLE] = "key_unreadable",
	[FAULT_KEY_REMOVED] = "key_removed",
	[FAULT_KEY_SERVICE_DOWN] = "key_service_down",
	[FAULT_STORE_DOWN] = "store_down",
	[FAULT_ADDRESS_REFUSED] = "address_refused",
	[FAULT_RESPONSE_TOO_LARGE] = "response_too_large",
	[FAULT_CANCELLED] = "cancelled",
	[FAULT_INTERNAL] = "internal",
};

FaultClass
fault_of_status(long status)
{
	switch (status)
	{
		case 401:
			return FAULT_INVALID_KEY;
		case 402:
			return FAULT_QUOTA_EXHAUSTED;
		case 408:
			return FAULT_TIMEOUT;
		case 429:
			return FAULT_RATE_LIMITED;
		case 400:
		case 405:
		case 413:
		case 414:
		case 415:
		case 422:
			return FAULT_BAD_REQUEST;
		default:
			return status >= 500 ? FAULT_PROVIDER_UNAVAILABLE : FAULT_UNKNOWN;
	}
}

/* NULL for FAULT_NONE. */
const char *
fault_code(FaultClass class)
{
	return codes[class];
}

const char *
fault_charged_name(Charged charged)
{
	switch (charged)
	{
		case CHARGED_NO:
			return "no";
		case CHARGED_UNKNOWN:
			return "unknown";
		case CHARGED_YES:
			return "yes";
	}
	return "unknown";
}
