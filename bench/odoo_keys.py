"""Makes the keys of one run of bench/odoo.sh and prints them; read by `odoo shell`."""

import json
from datetime import datetime, timedelta

keys = {}
for login in ('admin', 'hub', 'nobody'):
    user = env['res.users'].search([('login', '=', login)])
    keys[login] = env['res.users.apikeys'].with_user(user)._generate('rpc', 'tests', datetime.now() + timedelta(days=30))
env.cr.commit()
print(json.dumps(keys))
