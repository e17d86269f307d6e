/*-------------------------------------------------------------------------
 *
 * launcher.h
 *		The process that starts and stops one worker per database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_LAUNCHER_H
#define BAMBI_LAUNCHER_H

/* From _PG_init, while shared libraries are preloaded. */
extern void bambi_launcher_register(void);

#endif							/* BAMBI_LAUNCHER_H */
