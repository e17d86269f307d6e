/*-------------------------------------------------------------------------
 *
 * database_ddl.h
 *		Commands that need a database to be without sessions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_DATABASE_DDL_H
#define BAMBI_DATABASE_DDL_H

/* From _PG_init. */
extern void bambi_database_ddl_install(void);

#endif							/* BAMBI_DATABASE_DDL_H */
