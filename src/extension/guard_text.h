/*-------------------------------------------------------------------------
 *
 * guard_text.h
 *		What in a text must not be seen: calls that carry a key, and what looks
 *		like one.
 *
 * Nothing here allocates, raises anything or needs the server.  Texts end at
 * their NUL and may be anything: cut short, no SQL, invalid in every encoding.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_GUARD_TEXT_H
#define BAMBI_GUARD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define BAMBI_WITHHELD	"<withheld>"

/*
 * Whether the text calls bambi_add_key, bambi_replace_key or what they call,
 * outside of comments.  In strings too: they may be the body of a DO.
 */
extern bool bambi_text_calls_guarded(const char *text);

/* Whether something in it looks like a key. */
extern bool bambi_text_has_token(const char *text);

/* The same for the lists of bytes in a dumped tree: [ 115 107 45 ... ]. */
extern bool bambi_text_has_token_bytes(const char *text);

/* Puts BAMBI_WITHHELD for all that looks like a key; the text gets shorter. */
extern void bambi_text_withhold_tokens(char *text);

#endif							/* BAMBI_GUARD_TEXT_H */
