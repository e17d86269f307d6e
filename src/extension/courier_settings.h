/*-------------------------------------------------------------------------
 *
 * courier_settings.h
 *		What the courier is told of the server's settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_COURIER_SETTINGS_H
#define BAMBI_COURIER_SETTINGS_H

/* Appends a SETTINGS frame to what the courier gets. */
extern void bambi_courier_send_settings(void);

#endif							/* BAMBI_COURIER_SETTINGS_H */
