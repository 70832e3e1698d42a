import { Button, Checkbox, Text, Textarea } from '@mantine/core';
import { useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { useFaults } from '../parts/faults';
import { ProblemNote } from '../parts/notes';
import { Rows } from '../parts/table';
import { Code, Quantity } from '../parts/values';

/** Takes corrections back. Shows first what that would change, against Brightpearl's present figures. */
export function Undo({ run }: { run: Schemas['RunDetailOut'] }) {
  const [opened, setOpened] = useState(false);
  const [reason, setReason] = useState('');
  const [chosen, setChosen] = useState<string[]>([]);
  const params = { path: { run: run.id } };
  const look = useAct((skus: string[]) =>
    done(
      api.POST('/api/v1/stock/runs/{run}/undo', {
        params: { ...params, query: { dry_run: true } },
        body: { reason: 'a look at what it would do', skus },
      }),
    ),
  );
  const undo = useAct(
    () => done(api.POST('/api/v1/stock/runs/{run}/undo', { params, body: { reason: reason.trim(), skus: chosen } })),
    () => setOpened(false),
  );
  const faults = useFaults(undo.error);
  const start = () => {
    setOpened(true);
    setChosen([]);
    undo.reset();
    look.mutate([]);
  };
  return (
    <>
      <Button variant="default" onClick={start}>
        Undo
      </Button>
      <FormDialog
        opened={opened}
        close={() => setOpened(false)}
        title="Undo this run"
        size="xl"
        submit={() => undo.mutate()}
        label={chosen.length > 0 ? 'Undo what is chosen' : look.data && look.data.undone > 1 ? `Undo all ${look.data.undone}` : 'Undo all'}
        busy={undo.isPending}
        disabled={!look.data}
        danger
        error={undo.error}
        faults={faults}
      >
        {look.error && <ProblemNote error={look.error} />}
        {look.isPending && <Text size="sm">Looking at Brightpearl's present figures …</Text>}
        {look.data && (
          <>
            <Text size="sm" role="status">
              {sentence(look.data.told)}
            </Text>
            <Rows
              label="What would be taken back"
              rows={look.data.lines}
              id={(line) => line.effect}
              columns={[
                {
                  title: 'Only this',
                  show: (line) => (
                    <Checkbox
                      aria-label={`Undo ${line.skus.join(', ')}`}
                      checked={line.skus.every((sku) => chosen.includes(sku))}
                      onChange={(event) =>
                        setChosen(
                          event.currentTarget.checked
                            ? [...chosen, ...line.skus]
                            : chosen.filter((sku) => !line.skus.includes(sku)),
                        )
                      }
                    />
                  ),
                },
                { title: 'SKU', show: (line) => <Code>{line.skus.join(', ')}</Code> },
                { title: 'It changed', figure: true, show: (line) => <Quantity of={line.changed_by} signed /> },
                { title: 'Brightpearl now', figure: true, show: (line) => <Quantity of={line.brightpearl_on_hand} /> },
                { title: 'Undo by', figure: true, show: (line) => <Quantity of={line.undo_by} signed /> },
                { title: 'Why it stays', show: (line) => line.reason && sentence(line.reason) },
              ]}
            />
          </>
        )}
        <Textarea
          label="Reason"
          description="Kept in the audit trail, and shown with the products, which are then held."
          required
          value={reason}
          error={faults.at('reason', reason)}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
      </FormDialog>
    </>
  );
}
