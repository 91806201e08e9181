/**
 * What an artifact of a Fossil repository is called in a list: the rules of Fossil's own hook list, as SQL expressions
 * over one row `b` of table `blob`. The first rule that applies names it; none gives NULL.
 *
 * Fossil fills a table rule by rule, each a join over the whole interval, and of several rows that match one artifact the
 * first stays (for what only the rules for the unknown know: the last comes out). Here each artifact asks the rules in
 * their order until one answers, through indexes only, so that a receipt costs the same in a repository of any size. The
 * ORDER BY in each says which of several rows Fossil meets first (or last): the order of rows, as its queries walk the
 * tables (seen in their plans, SQLite 3.41). In two cases that cannot be told, for it hangs on the statistics that Fossil
 * happens to have: where somebody put a tag named like a wiki page's or ticket's own on such an artifact, and where
 * what is no check-in has children, some by merge. Both take damage or intent.
 *
 * One rule has no index to go by: "tag", an artifact that put a tag on another one. What did so is recorded as an event of
 * type g; the list looks closer at these, and at what no rule describes (tags.ts), and asks `otherwise` for the rest.
 *
 * A line is NULL in Fossil where a part of it is, and printed as nothing; so it is here. Proven by
 * test/vcs/fossil-listing.test.ts, and by test/vcs/fossil-differential.test.ts against the fossil program.
 */

/** A check-in; `e` is the blob's row of table `event`, or NULLs. Tag 8 is "branch" in every Fossil repository. */
const CHECK_IN = `CASE WHEN e.type = 'ci' THEN ifnull('check-in to '
    || coalesce((SELECT x.value FROM tagxref AS x WHERE x.rid = b.rid AND x.tagid = 8 AND x.tagtype > 0), 'trunk')
    || ' by ' || coalesce(e.euser, e.user) || ' on ' || strftime('%Y-%m-%d %H:%M', e.mtime), '') END`;

/** A file of a check-in; one name where it has several. */
const FILE = `(SELECT ifnull('file ' || f.name, '') FROM mlink AS m CROSS JOIN event AS v ON v.objid = m.mid
    CROSS JOIN filename AS f USING (fnid) WHERE m.fid = b.rid ORDER BY m.rowid LIMIT 1)`;

/** What Fossil marks by a tag on the artifact itself. */
const MARKED = `(SELECT CASE substr(t.tagname, 1, 4)
      WHEN 'clus' THEN 'cluster'
      WHEN 'tkt-' THEN 'ticket ' || substr(t.tagname, 5, 21)
      WHEN 'wiki' THEN 'wiki "' || substr(t.tagname, 6) || '"'
      ELSE 'event ' || substr(t.tagname, 7) END
    FROM tagxref AS x CROSS JOIN tag AS t USING (tagid)
    WHERE x.rid = b.rid AND (t.tagname = 'cluster' AND EXISTS (SELECT 1 FROM rcvfrom AS r WHERE r.rcvid = b.rcvid)
      OR t.tagname GLOB 'tkt-*' OR t.tagname GLOB 'wiki-*' OR t.tagname GLOB 'event-*')
    ORDER BY instr('ctwe', substr(t.tagname, 1, 1)), x.rowid LIMIT 1)`;

const ATTACHED = `(SELECT ifnull('attachment-control for ' || a.filename, '') FROM attachment AS a WHERE a.attachid = b.rid),
  (SELECT ifnull('attachment ' || a.filename, '') FROM attachment AS a WHERE a.src = b.uuid ORDER BY a.rowid LIMIT 1)`;

/** Fossil makes the table with the first post. */
const FORUM = `(SELECT CASE WHEN p.fpid = p.froot THEN 'forum-post ' ELSE 'forum-reply-to ' END || substr(root.uuid, 1, 14)
    FROM forumpost AS p CROSS JOIN blob AS root ON root.rid = p.froot WHERE p.fpid = b.rid)`;

/** What others say of an artifact that says nothing of itself. Of these rules the last row counts. */
const REFERRED = `(SELECT CASE WHEN p.isprim THEN '' ELSE 'merge ' END || 'parent of check-in'
    FROM plink AS p CROSS JOIN blob AS o ON o.rid = p.cid WHERE p.pid = b.rid ORDER BY p.rowid DESC LIMIT 1),
  (SELECT 'child of check-in' FROM plink AS p CROSS JOIN blob AS o ON o.rid = p.pid WHERE p.cid = b.rid LIMIT 1),
  (SELECT 'check-in referenced by "' || t.tagname || '" tag' FROM tagxref AS x CROSS JOIN tag AS t USING (tagid)
    CROSS JOIN blob AS o ON o.rid = x.srcid WHERE x.rid = b.rid AND x.origid = b.rid ORDER BY x.rowid DESC LIMIT 1),
  (SELECT 'file "' || f.name || '"' FROM mlink AS m CROSS JOIN filename AS f USING (fnid)
    CROSS JOIN blob AS o ON o.rid = m.mid WHERE m.fid = b.rid ORDER BY m.rowid DESC LIMIT 1)`;

/** Where a line is left open: the row, for which no rule of a description can be mistaken. */
const OPEN = "char(0) || b.rid";

/** The SQL of a repository. `described` needs `e`, the row of table `event` that belongs to `b`; it is NUL and the row's
 *  number where the rule for tags must be asked, or no rule of the artifact's own applied. `otherwise` is what holds
 *  where that for tags does not apply, NULL where nothing does. */
export function rules(hasForum: boolean): { described: string; otherwise: string } {
  const own = [MARKED, ATTACHED, ...(hasForum ? [FORUM] : [])].join(",\n  ");
  return {
    described: `coalesce(${CHECK_IN},\n  ${FILE},\n  CASE WHEN e.type = 'g' THEN ${OPEN} END,\n  ${own},\n  ${OPEN})`,
    otherwise: `coalesce(${own},\n  ${REFERRED})`,
  };
}
