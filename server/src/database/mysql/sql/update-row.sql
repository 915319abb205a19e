update {{table}} as r set {{assignments}} where {{isKey}}
