/*-------------------------------------------------------------------------
 *
 * stores.h
 *		The image stores and the archive as they are configured, with their
 *		credentials.
 *
 * One per process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STORES_H
#define BAMBI_STORES_H

#include "address.h"
#include "settings.h"
#include "stores/store.h"

/*
 * Reads the credentials of all stores anew, and wipes those it had.  What is
 * wrong with a store that has settings is said in the server's log, once.
 */
extern void stores_configure(const Settings *settings);

/* Why the store cannot be used now, or NULL.  Lent until stores_configure. */
extern const char *stores_problem(const StoreAdapter *store);

/*
 * Makes x ready for the functions of the store: settings, and a copy of the
 * credentials in x->arena, so that a call may outlive stores_configure.
 */
extern void stores_prepare(const StoreAdapter *store, Exchange *x);

/*
 * The archive, or NULL and why it cannot be used now.  Both are lent until
 * stores_configure.
 */
extern const ArchiveAdapter *stores_archive(const char **problem);

/* As stores_prepare, for the functions of the archive. */
extern void stores_prepare_archive(Exchange *x);

/*
 * Where stores may be besides public addresses, as bambi.store_networks
 * says.  The memory stays for ever, and holds the ranges of now.
 */
extern const AddressRange *stores_ranges(int *count);

/* Wipes all credentials. */
extern void stores_forget(void);

#endif							/* BAMBI_STORES_H */
