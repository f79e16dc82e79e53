-- Background work and timetables of the platform.

CREATE TABLE job (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  -- The same work asked for twice is queued once.
  key text CONSTRAINT job_key_once UNIQUE,
  priority integer NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  attempts_max integer NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CONSTRAINT job_state CHECK (state IN ('waiting', 'done', 'dead')),
  -- When it may be taken: later after a failure, and while a worker holds it (its lease), by the database's clock.
  due timestamptz NOT NULL DEFAULT now(),
  made timestamptz NOT NULL DEFAULT now(),
  ended timestamptz,
  last_error text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);

CREATE INDEX job_due ON job (queue, priority DESC, due) WHERE state = 'waiting';
CREATE INDEX job_ended ON job (queue, state, ended DESC) WHERE state <> 'waiting';

-- One run for each name and tick, whatever the number of nodes.
CREATE TABLE schedule_run (
  name text NOT NULL,
  tick timestamptz NOT NULL,
  node text NOT NULL,
  started timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT schedule_run_once PRIMARY KEY (name, tick)
);

CREATE TABLE lease (
  name text PRIMARY KEY,
  holder text NOT NULL,
  until timestamptz NOT NULL
);
