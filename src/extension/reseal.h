/*-------------------------------------------------------------------------
 *
 * reseal.h
 *		Has the courier seal anew what is sealed to an older master key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_RESEAL_H
#define BAMBI_RESEAL_H

#include "utils/timestamp.h"

#include "courier_link.h"

/* Tags of these errands, beside those of the outbox. */
#define BAMBI_RESEAL_TAG	0x4000

/*
 * Notes what is answered, takes more, and hands it over.  A pass through all
 * keys begins when bambi_agenda.reseal_at has come; one that was broken off is
 * begun anew, and finds what is left.
 */
extern void bambi_reseal_run(TimestampTz now);

/* The courier's word about one.  Takes over the frame's memory. */
extern void bambi_reseal_answered(BambiFrame *frame);

/* The courier is gone: what it had is taken again. */
extern void bambi_reseal_lost(TimestampTz now);

#endif							/* BAMBI_RESEAL_H */
