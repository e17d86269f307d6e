/*-------------------------------------------------------------------------
 *
 * identity.h
 *		Who asks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_IDENTITY_H
#define BAMBI_IDENTITY_H

#include "utils/uuid.h"

/*
 * The user for whom this session speaks; false if it speaks for nobody.
 * Depends on the session's role, never on current_user, so it is the same
 * inside SECURITY DEFINER functions.  Reads no table and never throws for
 * what a client may have set.
 */
extern bool bambi_identity(pg_uuid_t *user);

/* The same; BAMBI_NOT_SIGNED_IN if it speaks for nobody. */
extern void bambi_require_identity(pg_uuid_t *user);

/* The same, and the user must be there and active.  SPI is connected. */
extern void bambi_require_user(pg_uuid_t *user);

/* The same, and the user's row is locked until the end of the transaction. */
extern void bambi_lock_user(pg_uuid_t *user);

/* The same, but whoever changes the row, without removing it, does not wait. */
extern void bambi_keep_user(pg_uuid_t *user);

/* For functions that read is_active with other things. */
extern void bambi_refuse_not_signed_in(void) pg_attribute_noreturn();

#endif							/* BAMBI_IDENTITY_H */
