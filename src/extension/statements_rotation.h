/*-------------------------------------------------------------------------
 *
 * statements_rotation.h
 *		The statements about master keys and what is sealed to them;
 *		arguments and results stand at each in statements_rotation.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_ROTATION_H
#define BAMBI_STATEMENTS_ROTATION_H

#include "statements.h"

extern BambiStatement bambi_rotation_age;
extern BambiStatement bambi_rotation_note;
extern BambiStatement bambi_reseal_take;
extern BambiStatement bambi_reseal_replace;
extern BambiStatement bambi_reseal_fail;

#endif							/* BAMBI_STATEMENTS_ROTATION_H */
