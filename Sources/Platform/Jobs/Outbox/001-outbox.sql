-- What every schema has from the platform: events waiting to leave, and the keys of requests that may be repeated.

CREATE TABLE outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL CONSTRAINT outbox_id_once UNIQUE,
  type text NOT NULL,
  version integer NOT NULL,
  occurred timestamptz NOT NULL,
  payload jsonb NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  -- By the database's clock: nodes' clocks differ. 'infinity' is a dead letter.
  due timestamptz NOT NULL DEFAULT now(),
  last_error text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);

CREATE INDEX outbox_due ON outbox (due, seq);

CREATE TABLE request_key (
  person uuid NOT NULL,
  key text NOT NULL,
  content bytea NOT NULL,
  result uuid NOT NULL,
  made timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT request_key_once PRIMARY KEY (person, key)
);

CREATE INDEX request_key_made ON request_key (made);
