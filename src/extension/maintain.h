/*-------------------------------------------------------------------------
 *
 * maintain.h
 *		What comes round by the calendar.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_MAINTAIN_H
#define BAMBI_MAINTAIN_H

#include "utils/timestamp.h"

/* After so long what is uncertain is written off (rule D8). */
#define BAMBI_WRITE_OFF_AFTER	(USECS_PER_DAY)

/*
 * Writes off what stayed uncertain and has keys checked, if it is time for
 * that; notes when it is again.
 */
extern void bambi_maintain(TimestampTz now);

/* Writes off some; gives how many.  SPI is connected. */
extern uint64 bambi_write_off(TimestampTz now);

#endif							/* BAMBI_MAINTAIN_H */
