/*-------------------------------------------------------------------------
 *
 * key_life.h
 *		What follows from what a provider says of a key: its status, and what
 *		becomes of the generations that wait for it.
 *
 * All run inside the caller's transaction, with SPI connected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_KEY_LIFE_H
#define BAMBI_KEY_LIFE_H

#include "calls.h"

/* What the answer to a call means for the call itself. */
typedef enum BambiKeyVerdict
{
	BAMBI_KEY_STANDS,			/* nothing against the key */
	BAMBI_KEY_LOCKED,			/* somebody holds it: judge later (rule D12) */
	BAMBI_KEY_REFUSED,			/* hold what needs it */
	BAMBI_KEY_REPLACED			/* refused, and there is another one now */
} BambiKeyVerdict;

/*
 * Takes a note of what an answered call says of its key, and holds or
 * releases the others that wait with it.
 */
extern BambiKeyVerdict bambi_key_judge(const BambiCall *call,
									   TimestampTz now);

/*
 * The same with the answer (JSON) to an errand of kind validate, whose row in
 * the outbox goes; without effect if it has gone before.
 */
extern void bambi_key_checked(const pg_uuid_t *errand, const pg_uuid_t *user,
							  text *answer, TimestampTz now);

/* Queues what is held because the key was refused. */
extern void bambi_key_release_held(const pg_uuid_t *configuration,
								   const pg_uuid_t *user, TimestampTz now);

/* Ends it instead, since the key is removed. */
extern void bambi_key_give_up_held(const pg_uuid_t *configuration,
								   const pg_uuid_t *user, TimestampTz now);

/*
 * Both, for what was passed by since somebody held it locked, or was held a
 * moment too late.  Whether there was any: then there may be more.
 */
extern bool bambi_key_look_at_held(TimestampTz now);

/* Why a generation with a refused key is held. */
#define BAMBI_KEY_HELD_REASON \
	"the provider refuses the key; bambi_replace_key lets it go on"

#endif							/* BAMBI_KEY_LIFE_H */
