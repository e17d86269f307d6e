/*-------------------------------------------------------------------------
 *
 * statements_keys.h
 *		The statements about the life of a key; arguments and results stand at
 *		each in statements_keys.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_KEYS_H
#define BAMBI_STATEMENTS_KEYS_H

#include "statements.h"

extern BambiStatement bambi_key_limits;
extern BambiStatement bambi_key_count;
extern BambiStatement bambi_key_next;
extern BambiStatement bambi_key_queue;
extern BambiStatement bambi_key_due;
extern BambiStatement bambi_key_judge_call;
extern BambiStatement bambi_key_judge_check;
extern BambiStatement bambi_key_set_limit;
extern BambiStatement bambi_key_hold;
extern BambiStatement bambi_key_release;
extern BambiStatement bambi_key_left_held;
extern BambiStatement bambi_key_give_up;

#endif							/* BAMBI_STATEMENTS_KEYS_H */
