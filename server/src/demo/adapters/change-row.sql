update {{table}} set {{column}} = {{change}} where {{key}}
