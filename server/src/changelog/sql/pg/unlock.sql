select
  pg_advisory_unlock(hashtextextended(:name, 7400)) as unlocked,
  set_config('idle_session_timeout', '0', false) as silence
