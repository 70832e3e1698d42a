import { Loader, Text, Timeline } from '@mantine/core';
import IconCheck from '@tabler/icons-react/dist/esm/icons/IconCheck.mjs';
import type { Schemas } from '../api/client';
import { hops } from './hops';
import { To } from './link';
import { Code, Exact, took } from './values';

interface Props {
  order: Schemas['OrderDetailOut'];
  /** Says of each station what happens there, for somebody who sees it for the first time. */
  explains?: boolean;
}

/** Nothing more comes: what was not passed never will be. */
const OVER = ['closed', 'cancelled', 'skipped', 'archived'];

/** The stations of an order, when each was passed and how long it took; of the others, what they wait for. */
export function Way({ order, explains = false }: Props) {
  const way = hops(order).filter((hop) => hop.at !== null || !OVER.includes(order.state));
  const next = way.findIndex((hop) => hop.at === null);
  const isStuck = ['held', 'error'].includes(order.state);
  return (
    <Timeline active={(next === -1 ? way.length : next) - 1} bulletSize={26} lineWidth={2} color="teal.8">
      {way.map((hop, index) => {
        const before = way[index - 1]?.at;
        const gap = hop.at && before ? Date.parse(hop.at) - Date.parse(before) : 0;
        const isNext = index === next;
        return (
          <Timeline.Item
            key={hop.title}
            title={hop.title}
            bullet={hop.at ? <IconCheck size={16} aria-hidden /> : isNext && !isStuck ? <Loader size={14} aria-hidden /> : undefined}
          >
            {explains && (
              <Text size="sm" className="quiet">
                {hop.about}
              </Text>
            )}
            {hop.proof && <Code>{hop.proof}</Code>}
            {hop.at ? (
              <Text size="sm">
                <Exact at={hop.at} />
                {gap >= 1_000 && `, ${took(gap)} later`}
                {hop.effect && (
                  <>
                    {' · '}
                    <To href={`/effects/${hop.effect}`} underline="always">
                      what was sent
                    </To>
                  </>
                )}
              </Text>
            ) : (
              <Text size="sm" className={isNext ? undefined : 'quiet'}>
                It waits for {(isNext && order.explain.waits_for) || hop.waits}.
              </Text>
            )}
          </Timeline.Item>
        );
      })}
    </Timeline>
  );
}
