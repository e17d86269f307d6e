/*-------------------------------------------------------------------------
 *
 * statements_retention.h
 *		The statements about what is kept no longer; arguments and results
 *		stand at each in statements_retention.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_RETENTION_H
#define BAMBI_STATEMENTS_RETENTION_H

#include "statements.h"

extern BambiStatement bambi_retention_content;
extern BambiStatement bambi_retention_payments;
extern BambiStatement bambi_retention_keep_prompts;
extern BambiStatement bambi_retention_forget_prompts;

#endif							/* BAMBI_STATEMENTS_RETENTION_H */
