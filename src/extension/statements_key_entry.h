/*-------------------------------------------------------------------------
 *
 * statements_key_entry.h
 *		The statements by which a user's key is brought, replaced and removed;
 *		arguments and results stand at each in statements_key_entry.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_KEY_ENTRY_H
#define BAMBI_STATEMENTS_KEY_ENTRY_H

#include "statements.h"

extern BambiStatement bambi_client_sealing;
extern BambiStatement bambi_client_sealing_key;
extern BambiStatement bambi_client_known_kid;
extern BambiStatement bambi_client_add_key;
extern BambiStatement bambi_client_lock_key;
extern BambiStatement bambi_client_replace_key;
extern BambiStatement bambi_client_remove_key;

#endif							/* BAMBI_STATEMENTS_KEY_ENTRY_H */
