/*-------------------------------------------------------------------------
 *
 * statements_claim.h
 *		The worker's statements that claim.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_CLAIM_H
#define BAMBI_STATEMENTS_CLAIM_H

#include "statements.h"

/* Where no limit is set and nothing waits in a lane: all in one statement. */
extern BambiStatement bambi_claim_line;

/* Elsewhere: look, decide, keep back, claim. */
extern BambiStatement bambi_claim_look;
extern BambiStatement bambi_claim_keep_back;
extern BambiStatement bambi_claim_these;

extern BambiStatement bambi_claim_has_limits;
extern BambiStatement bambi_claim_lanes;

/* What was queued on an earlier timeline. */
extern BambiStatement bambi_claim_hold_older;
extern BambiStatement bambi_claim_renew_older;
extern BambiStatement bambi_claim_has_older;

#endif							/* BAMBI_STATEMENTS_CLAIM_H */
