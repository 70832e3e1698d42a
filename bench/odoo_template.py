"""Fills the template database of bench/odoo.sh; read by `odoo shell`."""

GROUPS = ('base.group_user', 'sales_team.group_sale_salesman_all_leads', 'stock.group_stock_user', 'base.group_partner_manager')

# Only the rights that docs/odoo.md asks for: what works with them is proven, not what an administrator may.
env['res.users'].create({
    'name': 'Hub', 'login': 'hub', 'password': 'hub-secret-1', 'tz': 'Australia/Sydney',
    'group_ids': [(6, 0, [env.ref(name).id for name in GROUPS])],
})
env['res.users'].create({
    'name': 'No rights', 'login': 'nobody', 'password': 'nobody-secret-1', 'group_ids': [(6, 0, [env.ref('base.group_user').id])],
})
for name in ('UPS Ground', 'Royal Mail'):
    service = env['product.product'].create({'name': name, 'type': 'service'})
    env['delivery.carrier'].create({'name': name, 'product_id': service.id, 'delivery_type': 'fixed'})
env['stock.warehouse'].create({'name': 'Second building', 'code': 'WH2'})
env.cr.commit()
print('READY')
