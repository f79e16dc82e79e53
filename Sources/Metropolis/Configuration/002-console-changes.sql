-- `document` is the file as it was applied last: the base of the next merge. What operators changed in the console since
-- then is a version of its own, with the same `document`.
ALTER TABLE configuration_version ADD COLUMN kind text NOT NULL DEFAULT 'file';
ALTER TABLE configuration_version ADD CONSTRAINT configuration_version_kind_known CHECK (kind IN ('file', 'console'));
-- What nodes follow, where it is not `document` itself.
ALTER TABLE configuration_version ADD COLUMN live text;
-- By an opaque id, and which places of the document: for the message of a conflict.
ALTER TABLE configuration_version ADD COLUMN changed_by text;
ALTER TABLE configuration_version ADD COLUMN paths jsonb NOT NULL DEFAULT '[]';
