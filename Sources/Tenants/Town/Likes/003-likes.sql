CREATE TABLE question_like (
  question uuid NOT NULL CONSTRAINT question_like_question_fkey REFERENCES question (id) ON DELETE CASCADE,
  person uuid NOT NULL,
  created_at timestamptz NOT NULL,
  -- Once per person, however often she presses.
  CONSTRAINT question_like_pkey PRIMARY KEY (question, person)
);

CREATE INDEX question_like_by_person ON question_like (person);
