import { Paper, Progress, SimpleGrid, Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Schemas } from '../api/client';
import { Bars } from '../parts/bars';
import { target, To } from '../parts/link';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Time, took } from '../parts/values';

type Overview = Schemas['OverviewOut'];

/** How many of each kind need somebody, each with the way there. What is zero stays in its place, quietly. */
export function Needs({ of, unaccountedHref }: { of: Overview; unaccountedHref: string }) {
  const { needs } = of;
  const figures: [title: string, count: number, href: string][] = [
    ['Orders in error', needs.orders_in_error, '/orders?state=error'],
    ['Orders held', needs.orders_held, '/orders?state=held'],
    ['Exceptions', needs.exceptions, '/exceptions'],
    ['Changes unclear or refused', needs.changes, '/exceptions'],
    ['Stock runs to decide', needs.stock_runs, '/stock'],
    ['Findings', needs.findings, '/findings'],
  ];
  return (
    <SimpleGrid cols={{ base: 2, sm: 4, lg: 7 }} spacing="xs" role="group" aria-label="What needs you, in numbers">
      {figures.map(([title, count, href]) => (
        <Need key={title} title={title} value={String(count)} some={count > 0} href={href} />
      ))}
      <Need
        title="Unaccounted"
        value={of.unaccounted === null || of.unaccounted === undefined ? '–' : String(of.unaccounted)}
        some={Boolean(of.unaccounted)}
        href={unaccountedHref}
        below={of.census_at ? <Time at={of.census_at} /> : 'no census yet'}
      />
    </SimpleGrid>
  );
}

function Need(props: { title: string; value: string; some: boolean; href: string; below?: ReactNode }) {
  const { title, value, some, href, below } = props;
  return (
    <Paper withBorder p="sm" className="need" data-some={some || undefined} renderRoot={(rest) => <Link {...target(href)} {...rest} />}>
      <Text size="xl" fw={700} className="figure">
        {value}
      </Text>
      <Text size="sm">{title}</Text>
      {below && (
        <Text size="xs" className="quiet">
          {below}
        </Text>
      )}
    </Paper>
  );
}

const hour = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false });

/** What flowed in each of the last 24 hours. */
export function Flow({ of }: { of: Overview }) {
  const sum = (what: 'orders' | 'shipments') => of.hours.reduce((total, one) => total + one[what], 0);
  return (
    <Section title="Flow per hour" about={`In the last 24 hours ${sum('orders')} orders came and ${sum('shipments')} shipments left.`}>
      <Bars
        label="Flow per hour"
        series={['orders', 'shipments']}
        every={4}
        bars={of.hours.map((one) => ({ label: hour.format(new Date(one.at)), values: [one.orders, one.shipments] }))}
      />
    </Section>
  );
}

const HOPS: Record<string, string> = {
  placed_to_imported: 'Placed → imported',
  imported_to_accepted: 'Imported → at the warehouse',
  shipped_to_told: 'Shipment read → Brightpearl knows',
};

/** How long each hop took over the last day. */
export function Latency({ of }: { of: Overview }) {
  const time = (ms: number | null | undefined) => <span className="nowrap">{ms === null || ms === undefined ? '–' : took(ms)}</span>;
  return (
    <Section title="How long it takes" about="Over the last day: half of them, and 99 of 100, took no longer.">
      <Rows
        label="How long each hop takes"
        rows={of.latency}
        id={(one) => one.hop}
        columns={[
          { title: 'From → to', show: (one) => HOPS[one.hop] ?? one.hop },
          { title: 'Half', figure: true, show: (one) => time(one.p50_ms) },
          { title: '99 of 100', figure: true, show: (one) => time(one.p99_ms) },
          { title: 'Measured', figure: true, show: (one) => one.count, wide: true },
        ]}
      />
    </Section>
  );
}

/** How much each account still allows. */
export function Allowance({ of }: { of: Overview }) {
  const accounts = Object.entries(of.budgets);
  if (accounts.length === 0) return null;
  return (
    <Section title="API budget" actions={<To href="/budget" size="sm">Where it went</To>}>
      <Stack gap="sm">
        {accounts.map(([account, budget]) => {
          const left = Math.min(budget.remaining ?? budget.limit, budget.limit);
          return (
            <div key={account}>
              <Text size="sm">
                <b>{account}</b>: {left} of {budget.limit} calls left this minute
                {budget.waiting > 0 ? `, ${budget.waiting} waiting` : ''}
                {budget.throttled > 0 ? `, ${budget.throttled} refused as too many` : ''}
              </Text>
              <Progress value={Math.min(100, (100 * left) / Math.max(1, budget.limit))} color={left * 10 < budget.limit ? 'orange.8' : 'teal.8'} aria-label={`${account}: ${left} of ${budget.limit} calls left`} />
            </div>
          );
        })}
      </Stack>
    </Section>
  );
}
