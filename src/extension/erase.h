/*-------------------------------------------------------------------------
 *
 * erase.h
 *		Removing people who asked for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ERASE_H
#define BAMBI_ERASE_H

#include "utils/timestamp.h"

/* For the worker's loop: one step of one erasure, if one is due. */
extern void bambi_erase_run(TimestampTz now);

#endif							/* BAMBI_ERASE_H */
