/*-------------------------------------------------------------------------
 *
 * remote.h
 *		What the key services behind a network have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_REMOTE_H
#define BAMBI_REMOTE_H

#include "keyservice.h"

/* How often the newest version of the key is asked for, in seconds. */
#define REMOTE_GOOD_FOR	300

/* A setting that is set, or NULL. */
extern const char *remote_setting(const Exchange *x, const char *name);

/*
 * The contents of the file that a setting names, without white space at its
 * end, in the arena; NULL, and x->fault says why.
 */
extern Secret *remote_read_file(Exchange *x, const char *setting);

/* NEXT_SEND of x->request, with the limits of rule C5. */
extern Next remote_send(Exchange *x);

/* "Vault" + " answered 403: " + what it says; what it says may be NULL. */
extern Next remote_fail(Exchange *x, const char *who, const char *says,
						bool may_repeat);

/* For a request that brought no answer, or a redirect, or too long a one. */
extern Next remote_fail_transport(Exchange *x, const char *who);
extern bool remote_is_answered(const Exchange *x);

/* What an operator has to put right. */
extern Next remote_fail_setup(Exchange *x, const char *problem);

/* The answer, to be freed with secret_json_release; its text is wiped. */
extern json_t *remote_take_json(Exchange *x);

/* Decodes base64 that is exactly a data key; else FAULT_KEY_UNREADABLE. */
extern Next remote_take_cek(Exchange *x, const char *base64,
							uint8_t cek[JWE_CEK_SIZE]);

/* Whether it is made of these characters alone, and not empty. */
extern bool remote_is_made_of(const char *text, size_t len,
							  const char *characters);

#define REMOTE_DIGITS	"0123456789"
#define REMOTE_LETTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" REMOTE_DIGITS

#endif							/* BAMBI_REMOTE_H */
