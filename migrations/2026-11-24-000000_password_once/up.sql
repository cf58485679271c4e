-- A password that somebody else knows, because it was invented here and shown: good until its owner has chosen another.
ALTER TABLE users ADD COLUMN password_once BOOLEAN NOT NULL DEFAULT {{bool_false}};
