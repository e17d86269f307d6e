/*-------------------------------------------------------------------------
 *
 * rotate.h
 *		A new master key: when somebody asks for it, and by the calendar.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ROTATE_H
#define BAMBI_ROTATE_H

#include "utils/timestamp.h"

#include "courier_link.h"

/* The tag of the errand that the calendar asks for. */
#define BAMBI_ROTATE_TAG	0x2000

/* In the transaction of the maintenance: whether the key has become old. */
extern void bambi_rotation_look(TimestampTz now);

/* Afterwards: asks the courier for what is due. */
extern void bambi_rotation_run(TimestampTz now);

/* The courier has told which key is sealed to; or it is gone. */
extern void bambi_rotation_key_is_known(bool is_known);

/* The courier's word about it.  Takes over the frame's memory. */
extern void bambi_rotation_answered(BambiFrame *frame);

#endif							/* BAMBI_ROTATE_H */
