import { Text } from '@mantine/core';
import { sentence } from '../api/problem';
import { Reveal } from './reveal';

/** What a failed call comes to, by what its library says of it. */
const PLAIN: [about: RegExp, words: string][] = [
  [/dns error|error resolving|failed to lookup/i, 'The name in its address was not found.'],
  [/connection refused/i, 'Nothing answers at its address.'],
  [/certificate|\btls\b|handshake/i, 'No secure connection could be made to it.'],
  [/timed? ?out|deadline/i, 'It did not answer in time.'],
  [/reset by peer|broken pipe|closed before|unexpected eof/i, 'It broke the connection off.'],
];

/** An error with its causes, each behind a colon: what it comes to in a sentence, and the whole of it where somebody wants it. */
export function Chain({ children }: { children: string }) {
  const causes = children.split(': ');
  if (causes.length < 3) return <span className="breaks">{sentence(children)}</span>;
  const plain = PLAIN.find(([about]) => about.test(children))?.[1] ?? sentence(causes[0] ?? children);
  return (
    <div>
      {plain}{' '}
      <Reveal show="Details" hide="Hide details">
        <Text size="sm" className="quiet breaks">
          {sentence(children)}
        </Text>
      </Reveal>
    </div>
  );
}
