CREATE TABLE answer (
  id uuid CONSTRAINT answer_pkey PRIMARY KEY,
  question uuid NOT NULL CONSTRAINT answer_question_fkey REFERENCES question (id) ON DELETE CASCADE,
  -- NULL once the author's account is erased.
  author uuid,
  body text NOT NULL,
  state text NOT NULL DEFAULT 'given' CONSTRAINT answer_state CHECK (state IN ('given', 'deleted')),
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  edited_at timestamptz,
  CONSTRAINT answer_of_question UNIQUE (id, question),
  CONSTRAINT answer_deleted CHECK (state <> 'deleted' OR body = '')
);

CREATE INDEX answer_by_question ON answer (question, created_at, id);
CREATE INDEX answer_by_author ON answer (author, created_at) WHERE author IS NOT NULL;

-- The accepted answer is an answer to this very question.
ALTER TABLE question ADD CONSTRAINT question_accepted_answer_fkey
  FOREIGN KEY (accepted_answer, id) REFERENCES answer (id, question);
