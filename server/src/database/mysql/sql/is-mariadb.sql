select version() like '%MariaDB%' as yes
