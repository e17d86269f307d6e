/*-------------------------------------------------------------------------
 *
 * bad.h
 *		Answers and pictures that nobody should have to receive.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_BAD_H
#define MOCK_BAD_H

#include "faults.h"
#include "http.h"

#define OVERSIZED		(128UL * 1024 * 1024)	/* twice what anybody allows */
#define DEEP			100000
#define BOMB_MIB		1024	/* what the bomb inflates to */

/*
 * Sends the bad answer of the plan, one below BAD_BASE64; opening and closing
 * are what would stand around the base64 of a good one.
 */
extern void bad_answer(Connection *c, const Plan *plan, const char *opening,
					   const char *closing);

/* The same for the body of a picture's address. */
extern void bad_download(Connection *c, AddressKind kind, const char *headers,
						 Blob *picture);

/* BAD_BASE64 and above; the reference is given. */
extern Blob *bad_picture(BadKind kind);

#endif							/* MOCK_BAD_H */
