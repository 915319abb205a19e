show grants
