{{query}}
limit {{rows}}
