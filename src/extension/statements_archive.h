/*-------------------------------------------------------------------------
 *
 * statements_archive.h
 *		The statements about the archive; arguments and results stand at each
 *		in statements_archive.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_ARCHIVE_H
#define BAMBI_STATEMENTS_ARCHIVE_H

#include "statements.h"

extern BambiStatement bambi_archive_look_for_due;
extern BambiStatement bambi_archive_step;
extern BambiStatement bambi_archive_answer;

#endif							/* BAMBI_STATEMENTS_ARCHIVE_H */
