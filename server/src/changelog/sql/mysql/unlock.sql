select release_lock(concat('lockstep-', left(sha2(concat(database(), '/', :name), 256), 32))) as unlocked
