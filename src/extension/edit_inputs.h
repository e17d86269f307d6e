/*-------------------------------------------------------------------------
 *
 * edit_inputs.h
 *		The pictures that bambi_edit is given: bytes, or images of the user.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_EDIT_INPUTS_H
#define BAMBI_EDIT_INPUTS_H

#include "common/cryptohash.h"
#include "fmgr.h"
#include "utils/uuid.h"

#include "inputs.h"

/* bambi.generation_inputs has as many positions, and 0 for the mask. */
#define BAMBI_MAX_INPUTS	16

typedef struct BambiEditInputs
{
	int			count;			/* without the mask */
	BambiInput	facts[BAMBI_MAX_INPUTS];
	bytea	   *data[BAMBI_MAX_INPUTS]; /* or NULL: it is an image */
	pg_uuid_t  *images[BAMBI_MAX_INPUTS];

	bool		has_mask;
	BambiInput	mask_facts;
	bytea	   *mask;

	int32		kept_bytes;		/* what the database keeps of them until the
								 * generation has succeeded */
} BambiEditInputs;

/*
 * Takes them from the arguments n (bytea[]), n + 1 (mask, bytea) and sources
 * (uuid[]), any of which may be NULL; looks at each, and refuses what is no
 * picture, not the user's, or too much.
 */
extern void bambi_edit_inputs_take(BambiEditInputs *inputs,
								   FunctionCallInfo fcinfo, int n,
								   int sources, const pg_uuid_t *user);

/* Adds to the hash of a request what makes them the same pictures. */
extern void bambi_edit_inputs_hash(const BambiEditInputs *inputs,
								   pg_cryptohash_ctx *hash);

/* Keeps them for a generation that has been queued. */
extern void bambi_edit_inputs_store(const BambiEditInputs *inputs,
									const pg_uuid_t *user,
									const pg_uuid_t *generation);

#endif							/* BAMBI_EDIT_INPUTS_H */
