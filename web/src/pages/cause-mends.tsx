import { Group, type ButtonProps } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { useRights } from '../api/session';
import { To, ToButton } from '../parts/link';
import { MapCarrier, MapLocation, MapMethod } from './map-rows';
import { MapSku } from './map-sku';

interface Cause {
  connection: string;
  /** What the program says about it. */
  words: string;
  /** What to do once something is mended. */
  then: string;
  size?: ButtonProps['size'];
}

/** So many of one kind get a button; where more are missing, one goes to the mappings anyway. */
const NAMED = 6;

/** What the words name as not mapped, each once. */
function missing(words: string, pattern: RegExp): string[] {
  return [...new Set([...words.matchAll(pattern)].map(([, name = '']) => name))];
}

/**
 * What mends a cause: where its words name a SKU, a shipping method or a carrier, that itself; and the page for it. Nothing where
 * nothing is left to mend here for this person.
 */
export function useMends({ connection, words, then, size = 'xs' }: Cause): ReactNode {
  const { decides, administers } = useRights();
  // The words stay until it is looked at again; what was mended since is not offered twice.
  const [mended, setMended] = useState<{ words: string; names: string[] }>({ words, names: [] });
  const done = mended.words === words ? mended.names : [];
  const left = (name: string) => !done.includes(name);
  const named = (pattern: RegExp) => missing(words, pattern).filter(left).slice(0, NAMED);
  const skus = named(/\bSKU ([^;]+?) is not mapped/g);
  const methods = named(/\bshipping method ([^;]+?) is not mapped/g);
  const carriers = named(/\bcarrier ([^;]+?) is not mapped/g);
  const namesLocation = /Locations\b|\bfacility\b.* not mapped/.test(words);
  const location = namesLocation && left('location');
  const mappings = /not mapped|kit /i.test(words) || namesLocation;
  const setting = administers && /set a default|choose Warehouse Name|has no shipping method/.test(words);
  const isNamed = skus.length + methods.length + carriers.length > 0 || location;
  const isMended = done.length > 0 && !isNamed;
  if (!decides || isMended || !(mappings || setting)) return null;
  const button = (name: string) => ({
    connection,
    then,
    size,
    variant: 'filled',
    mended: () => setMended({ words, names: [...done, name] }),
  });
  return (
    <Group gap="xs">
      {skus.map((sku) => (
        <MapSku key={sku} sku={sku} label={skus.length > 1 ? `Map ${sku}` : undefined} {...button(sku)} />
      ))}
      {methods.map((method) => (
        <MapMethod key={method} method={method} {...button(method)} />
      ))}
      {carriers.map((went) => (
        <MapCarrier key={went} went={went} {...button(went)} />
      ))}
      {location && <MapLocation {...button('location')} />}
      {mappings && <Page href={`/connections/${connection}/mappings`} title="To the mappings" isFirst={!isNamed} size={size} />}
      {setting && (
        <Page href={`/connections/${connection}/settings`} title="To the settings" isFirst={!isNamed && !mappings} size={size} />
      )}
    </Group>
  );
}

/** The page that mends it: a button where nothing stands before it. */
function Page({ href, title, isFirst, size }: { href: string; title: string; isFirst: boolean; size: ButtonProps['size'] }) {
  return isFirst ? (
    <ToButton href={href} size={size}>
      {title}
    </ToButton>
  ) : (
    <To href={href} size="sm">
      {title}
    </To>
  );
}
