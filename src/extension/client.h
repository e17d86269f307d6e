/*-------------------------------------------------------------------------
 *
 * client.h
 *		The frame around every function that clients call and that runs SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CLIENT_H
#define BAMBI_CLIENT_H

#include "fmgr.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/*
 * Runs the body of a function with SPI connected, unless it was made for tables
 * of another version, and keeps deadlocks and serialization failures from
 * leaving.  What the body returns by reference
 * must be in the caller's memory: SPI_palloc and the functions below.
 */
extern Datum bambi_client_call(PGFunction body, FunctionCallInfo fcinfo);

/* Copies for the caller of the SQL function. */
extern Datum bambi_return_uuid(const pg_uuid_t *id);
extern Datum bambi_return_text(const char *text);

/* Arguments; NULL if they are, and BAMBI_BAD_VALUE for the required ones. */
extern pg_uuid_t *bambi_uuid_argument(FunctionCallInfo fcinfo, int n,
									  const char *required_name);
extern text *bambi_text_argument(FunctionCallInfo fcinfo, int n,
								 const char *required_name);

#endif							/* BAMBI_CLIENT_H */
