/// One thing the mole tries with its connection.
struct Attack: Sendable, CustomStringConvertible {
  enum Outcome: Sendable {
    /// The server refuses for want of a right.
    case denied
    /// The server refuses, for whatever reason.
    case refused
    /// The server answers; what it says holds no secret, and nothing has changed for others.
    case harmless
  }

  let script: String
  let outcome: Outcome
  var description: String { script }

  init(_ script: String, _ outcome: Outcome = .denied) {
    self.script = script
    self.outcome = outcome
  }
}

extension Attack {
  /// Against roles, in the database `metropolis`.
  static let roles: [Attack] =
    ["neighbour.owner", "neighbour.login", "ledger.login", "mole.owner", "owners"].flatMap { name in
      [
        Attack("SET ROLE \"metropolis.\(name)\""),
        Attack("SELECT set_config('role', 'metropolis.\(name)', false)"),
        Attack("SET SESSION AUTHORIZATION \"metropolis.\(name)\""),
        Attack("SELECT set_config('session_authorization', 'metropolis.\(name)', false)"),
        Attack("GRANT \"metropolis.\(name)\" TO CURRENT_USER"),
        Attack("ALTER ROLE \"metropolis.\(name)\" PASSWORD 'mine'"),
        Attack("ALTER ROLE \"metropolis.\(name)\" SET statement_timeout = 1"),
        Attack("REASSIGN OWNED BY \"metropolis.\(name)\" TO CURRENT_USER"),
        Attack("DROP OWNED BY \"metropolis.\(name)\""),
      ]
    } + [
      Attack("SET ROLE metropolis"), Attack("SET SESSION AUTHORIZATION metropolis"),
      Attack("SET ROLE NONE; RESET SESSION AUTHORIZATION; RESET ALL", .harmless), Attack("DISCARD ALL", .harmless),
      Attack("ALTER ROLE CURRENT_USER SUPERUSER"), Attack("ALTER ROLE CURRENT_USER CONNECTION LIMIT -1"),
      Attack("ALTER ROLE CURRENT_USER BYPASSRLS"), Attack("ALTER ROLE CURRENT_USER CREATEROLE"),
      Attack("CREATE ROLE own"), Attack("GRANT pg_read_all_data TO CURRENT_USER"), Attack("SET ROLE pg_monitor"),
      Attack("ALTER DEFAULT PRIVILEGES FOR ROLE \"metropolis.neighbour.owner\" GRANT SELECT ON TABLES TO PUBLIC"),
      Attack("GRANT USAGE ON SCHEMA neighbour TO CURRENT_USER"), Attack("GRANT SELECT ON neighbour.person TO CURRENT_USER"),
      Attack("ALTER SCHEMA neighbour OWNER TO CURRENT_USER"), Attack("ALTER TABLE mole.note OWNER TO CURRENT_USER"),
    ]

  /// At the rows of others.
  static let foreignRows: [Attack] =
    ["neighbour.person", "neighbour.people", "ledger.account"].flatMap { table in
      [
        Attack("SELECT * FROM \(table)"), Attack("TABLE \(table)"), Attack("INSERT INTO \(table) (name) VALUES ('mine')"),
        Attack("UPDATE \(table) SET name = 'mine'"), Attack("DELETE FROM \(table)"), Attack("TRUNCATE \(table)"),
        Attack("BEGIN; LOCK TABLE \(table) IN ACCESS SHARE MODE"), Attack("COPY \(table) TO STDOUT"),
        Attack("COPY (SELECT * FROM \(table)) TO STDOUT"), Attack("COPY \(table) FROM STDIN"),
        Attack("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM \(table)"), Attack("PREPARE p AS SELECT * FROM \(table); EXECUTE p"),
        Attack("BEGIN; DECLARE c CURSOR FOR SELECT * FROM \(table); FETCH ALL FROM c"),
        Attack("SELECT query_to_xml('SELECT * FROM \(table)', true, false, '')"),
        Attack("SELECT table_to_xml('\(table)', true, false, '')"), Attack("SELECT '\(table)'::regclass"),
        Attack("CREATE TABLE mole.mine AS SELECT * FROM \(table)"), Attack("SELECT currtid2('\(table)', '(0,1)')"),
        Attack("MERGE INTO mole.note AS n USING \(table) AS f ON true WHEN MATCHED THEN UPDATE SET title = f.name"),
      ]
    } + [
      Attack("SET search_path = neighbour, ledger; SELECT * FROM person, account", .refused),
      Attack("SELECT set_config('search_path', 'neighbour', false); SELECT name FROM person", .refused),
      Attack("SELECT neighbour.reveal()"), Attack("SELECT ledger.turn()"), Attack("SELECT nextval('neighbour.ticket')"),
      Attack("SELECT 'calm'::neighbour.mood"), Attack("SELECT ts_stat('SELECT name::tsvector FROM neighbour.person')"),
      Attack("SELECT schema_to_xml('neighbour', true, false, '')"),
      Attack("SELECT database_to_xml(true, false, '')", .harmless),
    ]

  /// At what catalogs and views tell of others.
  static let catalogs: [Attack] =
    [
      "pg_authid", "pg_shadow", "pg_user_mapping", "pg_statistic", "pg_statistic_ext_data", "pg_largeobject", "pg_file_settings",
      "pg_hba_file_rules", "pg_backend_memory_contexts", "pg_shmem_allocations", "pg_config", "pg_replication_origin_status",
    ].map { Attack("SELECT * FROM \($0)") } + [
      Attack("SELECT subconninfo FROM pg_subscription"),
      Attack("SELECT * FROM pg_stats", .harmless), Attack("SELECT * FROM pg_stats_ext", .harmless),
      Attack("SELECT * FROM pg_stat_activity", .harmless), Attack("SELECT * FROM pg_locks", .harmless),
      Attack("SELECT * FROM pg_settings", .harmless), Attack("SELECT * FROM pg_prepared_statements", .harmless),
      Attack("SELECT * FROM pg_cursors", .harmless), Attack("SELECT * FROM pg_sequences", .harmless),
      Attack("SELECT * FROM pg_stat_all_tables", .harmless), Attack("SELECT * FROM pg_proc", .harmless),
      Attack("SELECT * FROM pg_prepared_xacts", .harmless), Attack("SELECT * FROM pg_largeobject_metadata", .harmless),
      Attack("SELECT pg_sequence_last_value(oid) FROM pg_class WHERE relname = 'ticket'", .refused),
      Attack("SHOW data_directory"), Attack("SHOW config_file"), Attack("SHOW hba_file"),
    ]

  /// At files and programs of the server, at large objects, at the log of writes.
  static let outside: [Attack] =
    [
      "COPY mole.note (title) FROM '/etc/passwd'", "COPY mole.note TO '/tmp/mole'", "COPY mole.note TO PROGRAM 'id > /tmp/mole'",
      "COPY mole.note (title) FROM PROGRAM 'id'", "SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_file_old('x', 0, 1)",
      "SELECT pg_read_binary_file('postgresql.conf')", "SELECT pg_ls_dir('/')", "SELECT * FROM pg_ls_waldir()",
      "SELECT * FROM pg_ls_tmpdir()", "SELECT pg_stat_file('/etc/passwd')", "SELECT lo_import('/etc/passwd')",
      "SELECT lo_export(1, '/tmp/mole')", "SELECT lo_create(0)", "SELECT lo_creat(-1)", "SELECT lo_from_bytea(0, 'x')",
      "SELECT lo_get(1)", "SELECT lo_open(1, 262144)", "SELECT lo_unlink(1)", "LOAD '/tmp/mole.so'", "CHECKPOINT",
      "ALTER SYSTEM SET shared_buffers = '1GB'", "SELECT pg_reload_conf()", "SELECT pg_switch_wal()",
      "SELECT pg_create_restore_point('x')", "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000))",
      "SELECT pg_export_snapshot()", "SELECT pg_create_physical_replication_slot('mole')", "SELECT pg_rotate_logfile()",
      "SELECT pg_stat_reset()", "SELECT pg_log_backend_memory_contexts(1)", "SELECT pg_promote()",
    ].map { Attack($0, $0.contains("replication_slot") ? .refused : .denied) }

  /// At making things.
  static let making: [Attack] =
    [
      "CREATE SCHEMA own", "CREATE TABLE own ()", "CREATE TABLE public.own ()", "CREATE TABLE mole.own ()",
      "CREATE TEMPORARY TABLE own ()", "CREATE TEMP VIEW own AS SELECT 1", "CREATE TEMP SEQUENCE own",
      "SELECT 1 AS x INTO TEMP own", "CREATE FUNCTION pg_temp.own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      "CREATE FUNCTION mole.own() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE EXTENSION citext", "CREATE EXTENSION hstore",
      "CREATE LANGUAGE plperl", "CREATE DATABASE own", "CREATE PUBLICATION own FOR ALL TABLES",
      "CREATE EVENT TRIGGER own ON ddl_command_end EXECUTE FUNCTION f()",
      "CREATE FOREIGN DATA WRAPPER own", "CREATE SERVER own FOREIGN DATA WRAPPER own", "CREATE TABLESPACE own LOCATION '/tmp'",
      "CREATE INDEX ON mole.note (title)", "CREATE RULE own AS ON SELECT TO mole.note DO INSTEAD SELECT 1",
      "CREATE TRIGGER own BEFORE INSERT ON mole.note FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
      "CREATE POLICY own ON mole.note", "ALTER TABLE mole.note ADD own int", "DROP TABLE mole.note",
      "COMMENT ON SCHEMA mole IS 'x'",
      "ALTER DATABASE metropolis SET work_mem = '1GB'", "ALTER DATABASE metropolis CONNECTION LIMIT 1", "DROP DATABASE postgres",
      "CREATE COLLATION own FROM \"C\"", "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
      "ALTER FUNCTION public.similarity(text, text) OWNER TO CURRENT_USER", "SET session_replication_role = replica",
      "SET log_statement = 'all'", "SET temp_file_limit = -1", "SET track_activities = off", "SET lo_compat_privileges = on",
      "BEGIN; PREPARE TRANSACTION 'own'",
    ].map {
      Attack(
        $0, $0.contains("FOREIGN") || $0.contains("EVENT") || $0.contains("plperl") || $0.contains("PREPARE") ? .refused : .denied
      )
    } + [
      // No code of its own: a loop could catch each cancellation and go on.
      Attack("DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"),
      Attack("DO LANGUAGE plpgsql 'BEGIN END'"),
    ]

  /// At locks that all share.
  static let locks: [Attack] =
    [
      "pg_advisory_lock(i)", "pg_advisory_lock_shared(i)", "pg_advisory_xact_lock(i)", "pg_advisory_xact_lock_shared(i)",
      "pg_try_advisory_lock(i)", "pg_try_advisory_lock_shared(i)", "pg_try_advisory_xact_lock(i)",
      "pg_try_advisory_xact_lock_shared(i)", "pg_advisory_lock(i, i)", "pg_try_advisory_xact_lock(i, i)", "pg_advisory_unlock(i)",
    ].map { Attack("SELECT count(\($0)) FROM generate_series(1, 1000000) AS i") } + [
      Attack("SELECT pg_advisory_unlock_all()"), Attack("BEGIN; LOCK TABLE pg_catalog.pg_class IN ACCESS EXCLUSIVE MODE"),
      Attack("BEGIN; LOCK TABLE pg_catalog.pg_proc IN SHARE MODE"),
    ]

  /// Everything that is one script.
  static let all = roles + foreignRows + catalogs + outside + making + locks
}
