/*-------------------------------------------------------------------------
 *
 * promotion.h
 *		What was queued before this server was promoted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PROMOTION_H
#define BAMBI_PROMOTION_H

#include "utils/timestamp.h"

/* Holds it, or lets it run, when that is due. */
extern void bambi_promotion_run(TimestampTz now);

#endif							/* BAMBI_PROMOTION_H */
