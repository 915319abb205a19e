-- Belongs to this session: it goes with its process, at once, and with its machine when the session has been silent
-- for too long. Transactions of this session are not touched by it.
select
  pg_try_advisory_lock(hashtextextended(:name, 7400)) as locked,
  set_config('idle_session_timeout', :silenceMs::text, false) as silence
