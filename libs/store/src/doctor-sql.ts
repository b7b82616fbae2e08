/** One page of a walk: `page` picks the rows, `key` is their last key, each check selects (rule, what, ids). */
export function walkSql(page: string, key: string, checks: readonly string[]): string {
  return `WITH page AS MATERIALIZED (${page}),
    violations (rule, what, ids) AS (${checks.join('\n    UNION ALL ')})
    SELECT (SELECT ${key}) AS last, (SELECT count(*) FROM page) AS rows,
      (SELECT coalesce(json_agg(json_build_object('rule', rule, 'what', what, 'ids', array_remove(ids, NULL)) ORDER BY rule, ids), '[]')
        FROM violations) AS violations`;
}
