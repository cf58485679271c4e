DROP TABLE telegram_listeners;
DROP TABLE telegram_invitations;
