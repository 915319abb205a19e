-- A session that has been silent for so long is that of a machine which is gone.
set session wait_timeout = :silenceSeconds
