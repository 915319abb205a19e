-- Refused while a transaction that changed the row has not ended. No row is as good as one.
select 1 from {{table}} where {{isKey}} {{lock}}
