"""What somebody else has made in the database that may change or hide what the bot records."""

import sqlalchemy as sa

from bot.store.tables import audit, audit_head, metadata

# A trigger on any table can change any other; a view can stand in a table's place.
ON_SQLITE = """
SELECT type, name, tbl_name AS place FROM sqlite_master
WHERE type = 'trigger' OR (type = 'view' AND lower(name) IN :audit)
"""
ON_POSTGRES = """
WITH own AS (
    SELECT oid, relname, relkind, relname IN :audit AS is_audit
    FROM unnest(CAST(:tables AS text[])) AS name JOIN pg_class ON oid = to_regclass(name)
)
SELECT 'trigger', tgname, relname FROM pg_trigger JOIN own ON tgrelid = own.oid
WHERE NOT tgisinternal
UNION ALL
SELECT 'rule', rulename, relname FROM pg_rewrite JOIN own ON ev_class = own.oid
WHERE rulename <> '_RETURN'
UNION ALL
SELECT 'policy', polname, relname FROM pg_policy JOIN own ON polrelid = own.oid
UNION ALL
SELECT 'view', relname, relname FROM own WHERE is_audit AND relkind NOT IN ('r', 'p')
UNION ALL
SELECT 'table', inhrelid::regclass::text, relname FROM pg_inherits JOIN own ON inhparent = own.oid
WHERE is_audit
"""


def foreign_objects(engine: sa.Engine) -> list[str]:
    """Return a sentence for each trigger, rule or view that the bot did not make.

    On Postgres those on the bot's own tables; on SQLite every trigger.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    query = sa.text(ON_SQLITE if is_sqlite else ON_POSTGRES)
    query = query.bindparams(sa.bindparam("audit", expanding=True))
    names = {"audit": [audit.name, audit_head.name], "tables": list(metadata.tables)}
    with engine.connect() as connection:
        rows = connection.execute(query, names).all()
    return sorted(
        f"The database has a {kind} {name} on {place} that is not the bot's: it may change or "
        "hide records."
        for kind, name, place in rows
    )
