-- Events that had their effect here, noted in its transaction: delivered twice, applied once.
CREATE TABLE applied_event (
  event uuid NOT NULL,
  handler text NOT NULL,
  applied_at timestamptz NOT NULL,
  CONSTRAINT applied_event_pkey PRIMARY KEY (event, handler)
);
CREATE INDEX applied_event_applied_at_idx ON applied_event USING brin (applied_at);
