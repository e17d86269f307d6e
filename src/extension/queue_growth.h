/*-------------------------------------------------------------------------
 *
 * queue_growth.h
 *		Has plans made anew when the queue has outgrown them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_QUEUE_GROWTH_H
#define BAMBI_QUEUE_GROWTH_H

/* Looks at its size, in the transaction that claims; some microseconds. */
extern void bambi_queue_growth_look(void);

/* That transaction was rolled back: nobody was told of anything. */
extern void bambi_queue_growth_forget(void);

#endif							/* BAMBI_QUEUE_GROWTH_H */
