set session wait_timeout = default
