//! Patchbay: keeps every call event of every Asterisk host durably and patches each call through.
