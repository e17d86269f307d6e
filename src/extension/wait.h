/*-------------------------------------------------------------------------
 *
 * wait.h
 *		Telling those who wait for a generation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_WAIT_H
#define BAMBI_WAIT_H

#include "utils/uuid.h"

/* When the transaction commits, bambi_wait of this generation looks again. */
extern void bambi_tell_waiters_at_commit(const pg_uuid_t *id);

#endif							/* BAMBI_WAIT_H */
