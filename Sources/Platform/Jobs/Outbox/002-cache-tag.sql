-- What answers that are kept were made of, and by which transaction it changed.
--
-- Rows are only added, never updated: a row per tag would make all writers of one tag wait for each other's commit. Each
-- node reads what was added since it last looked, by the transaction's number: one that committed late is not missed, since
-- a look begins at the oldest transaction that was under way at the look before. Rows of a quarter of an hour ago are of
-- no use to anybody and are deleted by those who look.

CREATE TABLE cache_tag (
  version bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  tag text NOT NULL,
  touched timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT cache_tag_once PRIMARY KEY (version, tag)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
