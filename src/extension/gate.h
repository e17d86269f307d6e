/*-------------------------------------------------------------------------
 *
 * gate.h
 *		Whether a worker may touch this database's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_GATE_H
#define BAMBI_GATE_H

/*
 * Returns once the tables are there and of our version; bambi_status() says
 * what that waits for.  Ends the process when it is told to go.
 */
extern void bambi_gate_wait(void);

/*
 * Whether they no longer are.  False on an error, too, such as a lock that
 * somebody has on them.
 */
extern bool bambi_gate_is_closed(void);

/* Why there is nothing to do in a copy that was not adopted. */
#define BAMBI_IS_A_COPY	"this database is a copy: see bambi_adopt()"

#endif							/* BAMBI_GATE_H */
