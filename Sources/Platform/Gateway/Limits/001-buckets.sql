-- How much of each limit is used, for all nodes: the bucket of one subject under one route class (generic cell rate
-- algorithm). What is lost with a crash of the server is a minute's count, so nothing of it is written to the log.

CREATE UNLOGGED TABLE rate_bucket (
  class text NOT NULL,
  subject text NOT NULL,
  -- When the bucket is full again, in microseconds since 1970, by the database's clock.
  full_at bigint NOT NULL,
  -- What the last request for a portion got.
  granted integer NOT NULL,
  CONSTRAINT rate_bucket_once PRIMARY KEY (class, subject)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
