/*-------------------------------------------------------------------------
 *
 * versions.h
 *		Are library, extension and tables of one version?
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_VERSIONS_H
#define BAMBI_VERSIONS_H

/* What is wrong, and what an operator does about it: two clauses. */
typedef struct BambiMisfit
{
	char	   *versions;		/* "library 1.0, extension 0.9, tables 0.9" */
	char	   *remedy;			/* "run ..." */
} BambiMisfit;

/*
 * NULL if all fits, also where there is no extension; BAMBI_NOT_SET_UP where
 * there are no tables.  SPI is connected; the caller may read the tables.
 */
extern BambiMisfit *bambi_versions_misfit(void);

/*
 * For what clients call, before it touches a table: BAMBI_TRY_LATER unless all
 * fits.  Costs nothing while no function of the database changes.
 */
extern void bambi_versions_require(void);

#endif							/* BAMBI_VERSIONS_H */
