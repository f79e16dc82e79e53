-- One item put before a person. Her answer, its result and the change of her ability stand in the same row.
CREATE TABLE attempt (
  -- Also the key of the unit it took from her allowance, and the id of its statement in her learning record.
  id uuid CONSTRAINT attempt_pkey PRIMARY KEY,
  person uuid NOT NULL,
  item_id text NOT NULL,
  topic text NOT NULL,
  -- She asked for this topic, so the next item is of it too.
  by_topic boolean NOT NULL,
  -- As it was when the item was served: calibration may move it later.
  difficulty double precision NOT NULL,
  served_at timestamptz NOT NULL,
  answered_at timestamptz,
  -- The choice from 0, or the number as typed. NULL in an answered row: she did not know.
  given text CONSTRAINT attempt_given_short CHECK (char_length(given) <= 100),
  correct boolean,
  ability_before double precision,
  ability_after double precision,
  CONSTRAINT attempt_answered_whole CHECK (
    (answered_at IS NULL AND given IS NULL AND correct IS NULL AND ability_before IS NULL AND ability_after IS NULL)
    OR (answered_at IS NOT NULL AND correct IS NOT NULL AND ability_before IS NOT NULL AND ability_after IS NOT NULL)
  )
);

-- An item is answered before the next one is served, whatever runs in parallel.
CREATE UNIQUE INDEX attempt_one_open ON attempt (person) WHERE answered_at IS NULL;
CREATE INDEX attempt_answered ON attempt (person, answered_at DESC) WHERE answered_at IS NOT NULL;

-- What her answers say about a person's ability in a topic, on the scale of the items' difficulty.
CREATE TABLE skill (
  person uuid NOT NULL,
  topic text NOT NULL,
  theta double precision NOT NULL,
  answered integer NOT NULL,
  correct integer NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT skill_pkey PRIMARY KEY (person, topic),
  CONSTRAINT skill_counts CHECK (answered > 0 AND correct BETWEEN 0 AND answered)
);
