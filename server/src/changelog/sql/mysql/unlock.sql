select release_lock(concat('lockstep-', md5(concat(database(), '/', :name)))) as unlocked
