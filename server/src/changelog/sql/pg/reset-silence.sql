-- The session goes back to the pool, where it may be silent for as long as it likes.
reset idle_session_timeout
