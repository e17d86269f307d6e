/*-------------------------------------------------------------------------
 *
 * statements_personal.h
 *		The statements about people: copies, consent, erasure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_PERSONAL_H
#define BAMBI_STATEMENTS_PERSONAL_H

#include "statements.h"

extern BambiStatement bambi_personal_consent;
extern BambiStatement bambi_personal_cancel_all;
extern BambiStatement bambi_personal_begin_erasure;
extern BambiStatement bambi_personal_export;
extern BambiStatement bambi_personal_has_uncertain;
extern BambiStatement bambi_personal_erasure_step;
extern BambiStatement bambi_personal_forsake;

#endif							/* BAMBI_STATEMENTS_PERSONAL_H */
