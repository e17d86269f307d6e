/*-------------------------------------------------------------------------
 *
 * statements_retention.h
 *		The statements about what is past its time; arguments and results
 *		stand at each in statements_retention.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_RETENTION_H
#define BAMBI_STATEMENTS_RETENTION_H

#include "statements.h"

extern BambiStatement bambi_retention_content;
extern BambiStatement bambi_retention_payments;

#endif							/* BAMBI_STATEMENTS_RETENTION_H */
