/*-------------------------------------------------------------------------
 *
 * guard.h
 *		Keeps users' keys out of the server's log and statistics.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_GUARD_H
#define BAMBI_GUARD_H

extern void bambi_guard_install(void);

/*
 * Says that the running statement carries a key, whatever it looks like: it
 * is withheld until the client's next message.
 */
extern void bambi_guard_arm(void);

#endif							/* BAMBI_GUARD_H */
