import { Text, VisuallyHidden } from '@mantine/core';

export interface Bar {
  /** What stands below it; shown for some of them only. */
  label: string;
  values: number[];
}

interface Props {
  /** Names the figure for those who do not see it. */
  label: string;
  /** What each value of a bar counts, in words. */
  series: string[];
  bars: Bar[];
  /** Every so many bars one is labelled. */
  every: number;
}

/** Numbers over time, side by side. The same numbers are a table for those who do not see them. */
export function Bars({ label, series, bars, every }: Props) {
  const most = Math.max(1, ...bars.flatMap((bar) => bar.values));
  return (
    <figure className="bars" aria-label={label}>
      <div className="bars-legend" aria-hidden>
        {series.map((name, index) => (
          <Text key={name} size="sm" span>
            <span className="dot" data-series={index} /> {name}
          </Text>
        ))}
        <Text size="sm" span className="quiet">
          at most {most}
        </Text>
      </div>
      <div className="bars-plot" aria-hidden>
        {bars.map((bar, index) => (
          <div key={bar.label + String(index)} className="bars-slot" title={`${bar.label}: ${series.map((name, at) => `${bar.values[at] ?? 0} ${name}`).join(', ')}`}>
            <div className="bars-pair">
              {bar.values.map((value, at) => (
                <div key={series[at]} className="bar" data-series={at} style={{ height: `${(100 * value) / most}%` }} />
              ))}
            </div>
            <span>{index % every === 0 ? bar.label : ' '}</span>
          </div>
        ))}
      </div>
      <VisuallyHidden>
        <table>
          <caption>{label}</caption>
          <thead>
            <tr>
              <th>When</th>
              {series.map((name) => (
                <th key={name}>{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {bars.map((bar, index) => (
              <tr key={bar.label + String(index)}>
                <td>{bar.label}</td>
                {bar.values.map((value, at) => (
                  <td key={series[at]}>{value}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </VisuallyHidden>
    </figure>
  );
}
