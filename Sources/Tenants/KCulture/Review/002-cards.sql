-- A letter or word that a lesson has taught a person, to be remembered.
CREATE TABLE card (
  id uuid CONSTRAINT card_pkey PRIMARY KEY,
  person uuid NOT NULL,
  kind text NOT NULL CONSTRAINT card_kind_known CHECK (kind IN ('letter', 'word')),
  face text NOT NULL,
  -- The step that taught it first.
  step text NOT NULL,
  added_at timestamptz NOT NULL,
  -- What FSRS-6 knows of her memory of it, in days and from 1 to 10; NULL before the first review.
  stability double precision,
  difficulty double precision,
  reviews integer NOT NULL DEFAULT 0,
  reviewed_at timestamptz,
  due_at timestamptz NOT NULL,
  CONSTRAINT card_once UNIQUE (person, kind, face),
  CONSTRAINT card_memory_whole CHECK (
    (reviews = 0 AND stability IS NULL AND difficulty IS NULL AND reviewed_at IS NULL)
    OR (reviews > 0 AND stability IS NOT NULL AND difficulty IS NOT NULL AND reviewed_at IS NOT NULL)
  )
);

CREATE INDEX card_due ON card (person, due_at);

-- Every review there was: what the schedule was made from, and what better weights can be fitted to.
CREATE TABLE review (
  card uuid NOT NULL CONSTRAINT review_card_fkey REFERENCES card (id) ON DELETE CASCADE,
  -- From 1.
  number integer NOT NULL,
  person uuid NOT NULL,
  -- 1 again, 2 hard, 3 good, 4 easy.
  recall integer NOT NULL CONSTRAINT review_recall_known CHECK (recall BETWEEN 1 AND 4),
  -- Days of her calendar since the review before; 0 for the first.
  elapsed_days integer NOT NULL,
  interval_days integer NOT NULL,
  -- After it.
  stability double precision NOT NULL,
  difficulty double precision NOT NULL,
  reviewed_at timestamptz NOT NULL,
  CONSTRAINT review_pkey PRIMARY KEY (card, number)
);

CREATE INDEX review_of_person ON review (person, reviewed_at);
