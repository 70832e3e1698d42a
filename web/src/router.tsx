import type { QueryClient } from '@tanstack/react-query';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router';
import { Waiting } from './parts/notes';
import { To } from './parts/link';
import { Door } from './shell/door';
import { Shell } from './shell/shell';
import { SignIn } from './pages/sign-in';

const root = createRootRoute({ component: Outlet, notFoundComponent: Nowhere });

function Nowhere() {
  return (
    <Door title="There is no such page" about="The address may be mistyped, or what it showed may be gone.">
      <To href="/">To the overview</To>
    </Door>
  );
}

/** Everything that only those who are signed in see. */
const inside = createRoute({ getParentRoute: () => root, id: 'inside', component: Shell });

type Pages = Record<string, unknown>;

/** A page that is loaded when it is first opened. */
function page<M extends Pages>(path: string, load: () => Promise<M>, name: keyof M & string) {
  return createRoute({
    getParentRoute: () => inside,
    path,
    component: lazyRouteComponent(load as () => Promise<Record<string, never>>, name),
    pendingComponent: Waiting,
  });
}

function door<M extends Pages>(path: string, load: () => Promise<M>, name: keyof M & string) {
  return createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(load as () => Promise<Record<string, never>>, name),
    pendingComponent: Waiting,
  });
}

const pages = [
  page('/', () => import('./pages/overview'), 'Overview'),
  page('/orders', () => import('./pages/orders'), 'Orders'),
  page('/orders/$id', () => import('./pages/order'), 'OrderPage'),
  page('/effects/$id', () => import('./pages/effect'), 'EffectPage'),
  page('/shipments', () => import('./pages/shipments'), 'Shipments'),
  page('/shipments/$id', () => import('./pages/shipments'), 'ShipmentPage'),
  page('/connections', () => import('./pages/connections'), 'Connections'),
  page('/connections/add', () => import('./pages/wizard/wizard'), 'Wizard'),
  page('/connections/$id', () => import('./pages/connection'), 'ConnectionPage'),
  page('/connections/$id/channels/$channel', () => import('./pages/channel'), 'ChannelPage'),
  page('/connections/$id/settings', () => import('./pages/settings'), 'SettingsPage'),
  page('/connections/$id/mappings', () => import('./pages/mappings'), 'MappingsPage'),
  page('/connections/$id/preflight', () => import('./pages/preflight'), 'PreflightPage'),
  page('/connections/$id/tour', () => import('./pages/tour'), 'TourPage'),
  page('/connections/$id/census', () => import('./pages/census'), 'CensusPage'),
  page('/mappings', () => import('./pages/of-connections'), 'AllMappings'),
  page('/census', () => import('./pages/of-connections'), 'AllCensus'),
  page('/merchants', () => import('./pages/merchants'), 'Merchants'),
  page('/merchants/$id', () => import('./pages/merchant'), 'MerchantPage'),
  page('/tenants', () => import('./pages/tenants'), 'Tenants'),
  page('/exceptions', () => import('./pages/exceptions'), 'Exceptions'),
  page('/stock', () => import('./pages/stock'), 'Stock'),
  page('/stock/runs/$id', () => import('./pages/run'), 'RunPage'),
  page('/findings', () => import('./pages/findings'), 'Findings'),
  page('/issues', () => import('./pages/alerts'), 'Issues'),
  page('/alerts', () => import('./pages/alerts'), 'Alerts'),
  page('/webhooks', () => import('./pages/webhooks'), 'Webhooks'),
  page('/deliveries/$id', () => import('./pages/webhooks'), 'DeliveryPage'),
  page('/keys', () => import('./pages/keys'), 'Keys'),
  page('/people', () => import('./pages/people'), 'People'),
  page('/people/$id', () => import('./pages/people'), 'PersonPage'),
  page('/activity', () => import('./pages/activity'), 'Activity'),
  page('/audit', () => import('./pages/audit'), 'Audit'),
  page('/budget', () => import('./pages/budget'), 'Budget'),
  page('/safety', () => import('./pages/safety'), 'Safety'),
  page('/account', () => import('./pages/account'), 'Account'),
];

const doors = [
  createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignIn }),
  door('/setup', () => import('./pages/link'), 'UseLink'),
  door('/invitation', () => import('./pages/link'), 'UseLink'),
  door('/reset', () => import('./pages/link'), 'UseLink'),
  door('/hand-off', () => import('./pages/hand-off'), 'HandOff'),
];

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([...doors, inside.addChildren(pages)]),
    context: { client } as never,
    defaultPreload: 'intent',
    scrollRestoration: true,
  });
}
