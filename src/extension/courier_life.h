/*-------------------------------------------------------------------------
 *
 * courier_life.h
 *		The worker's dealings with its courier: birth, words, death.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_COURIER_LIFE_H
#define BAMBI_COURIER_LIFE_H

#include "utils/timestamp.h"

/* Starts a courier, if there is none and its time has come. */
extern void bambi_courier_care(TimestampTz now);

/*
 * Reads what has come, as much as one turn should, and takes it over.  A
 * courier that turns out to be gone is buried.
 */
extern void bambi_courier_listen(TimestampTz now);


#endif							/* BAMBI_COURIER_LIFE_H */
