# BambiCatalogue.pm
#	All that the catalogues say of bambi in a database, as lines that can be
#	compared: of functions, types, schemas, tables and views, whatever the order
#	of columns and grants; of partitions no comments.
#
#	my @lines = catalogue($node, 'bambi');
#	same_catalogue(\@lines, [ catalogue($node, 'other') ], 'says');

package BambiCatalogue;

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

our @EXPORT = qw(catalogue same_catalogue);

my $query = <<'SQL';
SET search_path = pg_catalog, public;
CREATE FUNCTION pg_temp.grants(acl aclitem[]) RETURNS text
BEGIN ATOMIC
	SELECT string_agg(concat_ws(' ', CASE grantee WHEN 0 THEN 'PUBLIC'
			ELSE grantee::regrole::text END, privilege_type, is_grantable),
			', ' ORDER BY grantee::regrole::text, privilege_type)
	  FROM aclexplode(acl);
END;
WITH extension AS (
	SELECT oid FROM pg_extension WHERE extname = 'bambi'),
member AS (
	SELECT classid, objid FROM pg_depend d JOIN extension e ON d.refobjid = e.oid
	 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
space AS (
	SELECT n.* FROM pg_namespace n WHERE nspname IN ('bambi', 'bambi_internal')),
o AS (
	SELECT c.*, c.oid::regclass AS called FROM pg_class c
	 WHERE c.relnamespace IN (SELECT oid FROM space)
		OR c.relname LIKE 'bambi\_%')
SELECT line FROM (
	SELECT concat_ws('|', 'schema', nspname, nspowner::regrole,
			pg_temp.grants(coalesce(nspacl, acldefault('n', nspowner))),
			obj_description(oid, 'pg_namespace')) AS line
	  FROM space
	UNION ALL
	SELECT concat_ws('|', 'member', pg_describe_object(classid, objid, 0))
	  FROM member
	UNION ALL
	SELECT concat_ws('|', 'function', p.oid::regprocedure,
			pg_get_functiondef(p.oid), proowner::regrole,
			pg_temp.grants(coalesce(proacl, acldefault('f', proowner))),
			obj_description(p.oid, 'pg_proc'))
	  FROM pg_proc p
	 WHERE (p.pronamespace IN (SELECT oid FROM space)
		OR p.oid IN (SELECT objid FROM member
			 WHERE classid = 'pg_proc'::regclass))
	   AND p.prokind <> 'a'
	UNION ALL
	SELECT concat_ws('|', 'type', t.oid::regtype, typtype, typowner::regrole,
			pg_temp.grants(coalesce(typacl, acldefault('T', typowner))),
			typbasetype::regtype, typnotnull, typdefault,
			obj_description(t.oid, 'pg_type'))
	  FROM pg_type t
	 WHERE t.typnamespace IN (SELECT oid FROM space)
	   AND t.typtype IN ('d', 'e', 'r')
	UNION ALL
	SELECT concat_ws('|', 'relation', called, relkind, relowner::regrole,
			relpersistence, pg_temp.grants(coalesce(relacl,
				acldefault('r', relowner))),
			relrowsecurity, relforcerowsecurity, relreplident, reloptions,
			pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid),
			CASE WHEN NOT relispartition
			THEN obj_description(oid, 'pg_class') END)
	  FROM o WHERE relkind NOT IN ('i', 'I')
	UNION ALL
	SELECT concat_ws('|', 'view', called, pg_get_viewdef(oid))
	  FROM o WHERE relkind IN ('v', 'm')
	UNION ALL
	SELECT concat_ws('|', 'column', called, attname,
			format_type(atttypid, atttypmod), attnotnull, attidentity,
			attgenerated, attcollation::regcollation, attstorage,
			attcompression, attstattarget, pg_temp.grants(attacl),
			pg_get_expr(adbin, adrelid), CASE WHEN NOT relispartition
			THEN col_description(o.oid, attnum) END)
	  FROM o JOIN pg_attribute ON attrelid = o.oid
	       LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	 WHERE attnum > 0 AND NOT attisdropped AND relkind NOT IN ('i', 'I')
	UNION ALL
	SELECT concat_ws('|', 'index', pg_get_indexdef(o.oid), reloptions,
			indisunique, indisvalid, indisreplident)
	  FROM o JOIN pg_index ON indexrelid = o.oid
	UNION ALL
	SELECT concat_ws('|', 'policy', called, polname, polcmd, polpermissive,
			(SELECT string_agg(r::regrole::text, ', ' ORDER BY r::regrole::text)
			   FROM unnest(polroles) r),
			pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
	  FROM o JOIN pg_policy ON polrelid = o.oid
	UNION ALL
	SELECT concat_ws('|', 'trigger', called, tgenabled,
			pg_get_triggerdef(t.oid))
	  FROM o JOIN pg_trigger t ON tgrelid = o.oid WHERE NOT tgisinternal
	UNION ALL
	SELECT concat_ws('|', 'constraint', called, conname, convalidated,
			pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'))
	  FROM o JOIN pg_constraint k ON conrelid = o.oid
	UNION ALL
	SELECT concat_ws('|', 'statistics', pg_get_statisticsobjdef(s.oid))
	  FROM pg_statistic_ext s WHERE stxrelid IN (SELECT oid FROM o)
	UNION ALL
	SELECT concat_ws('|', 'rule', pg_get_ruledef(r.oid))
	  FROM pg_rewrite r JOIN o ON o.oid = ev_class WHERE rulename <> '_RETURN'
) lines ORDER BY line COLLATE "C"
SQL

sub catalogue
{
	my ($node, $database) = @_;

	# a line may have line feeds; the definitions of functions do
	return split /\x{1e}/, $node->safe_psql($database, $query,
		extra_params => [ '-R', "\x1e" ]);
}

# A test of its own; what only one side has is told.
sub same_catalogue
{
	my ($got, $expected, $says) = @_;
	my %difference;

	$difference{$_}-- foreach @$expected;
	$difference{$_}++ foreach @$got;
	my @wrong = map { ($difference{$_} > 0 ? 'too much' : 'missing') . ": $_" }
	  grep { $difference{$_} } sort keys %difference;

	cmp_ok(scalar @$expected, '>', 1000, 'there is a catalogue to compare');
	return ok(!@wrong, $says) || diag(join "\n", @wrong);
}

1;
